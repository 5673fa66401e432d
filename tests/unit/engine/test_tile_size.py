import pytest

from restore_cli.engine.tile_size import best_tile
from restore_cli.engine.tiling import tile_starts

SHARED = 112


def tiles(height, width, at_once, largest=1024):
    side = best_tile(
        height, width, smallest=128, largest=largest, at_once=at_once,
        shared=lambda tile: SHARED, multiple_of=16,
    )  # fmt: skip
    rows, tall = tile_starts(height, side, SHARED, 16)
    columns, wide = tile_starts(width, side, SHARED, 16)
    return len(rows) * len(columns), tall, wide


def test_every_worker_has_a_tile():
    assert tiles(720, 1280, 2) == (2, 720, 704)


def test_a_small_image_is_one_tile():
    assert tiles(200, 160, 2) == (1, 200, 160)


@pytest.mark.parametrize("at_once", [1, 2, 4, 16])
@pytest.mark.parametrize("largest", [256, 700, 1024])
def test_no_tile_is_larger_than_memory_allows(at_once, largest):
    count, tall, wide = tiles(3000, 4000, at_once, largest)
    assert max(tall, wide) <= largest
    assert count >= at_once


def test_a_large_image_has_large_tiles():
    count, tall, wide = tiles(3000, 4000, 2)
    assert count * tall * wide < 1.35 * 3000 * 4000, "little is done twice"

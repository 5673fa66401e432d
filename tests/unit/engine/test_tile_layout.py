import pytest

from restore_cli.engine.tile_layout import Layout, best_layout, sides_up_to
from restore_cli.engine.tiling import tile_starts

SHARED = 112


def layout(height, width, workers, memory=2**40, can_share=True):
    """The best layout where a tile's pixels take a byte each."""
    return best_layout(
        height, width, workers=workers, can_share=can_share, shared=lambda tile: SHARED,
        tiles=lambda at_once: sides_up_to(max(height, width), 128, int((memory / at_once) ** 0.5)),
        multiple_of=16,
    )  # fmt: skip


def tiles(height, width, chosen):
    rows, tall = tile_starts(height, chosen.tile, SHARED, 16)
    columns, wide = tile_starts(width, chosen.tile, SHARED, 16)
    return len(rows) * len(columns), tall, wide


def test_every_worker_has_a_tile():
    chosen = layout(720, 1280, 2)
    assert chosen.at_once == 2
    assert tiles(720, 1280, chosen) == (2, 720, 704)


def test_a_small_image_is_one_tile():
    assert tiles(200, 160, layout(200, 160, 2)) == (1, 200, 160)


def test_where_memory_is_short_all_work_on_one_tile():
    plenty, short = layout(3000, 4000, 4), layout(3000, 4000, 4, memory=300**2)
    assert plenty.at_once == 4
    assert short == Layout(300, 1)


@pytest.mark.parametrize("workers", [1, 2, 4, 16])
@pytest.mark.parametrize("memory", [256**2, 700**2, 2000**2])
def test_no_more_than_memory_allows(workers, memory):
    chosen = layout(3000, 4000, workers, memory)
    assert chosen.at_once * chosen.tile**2 <= max(memory, 128**2 * chosen.at_once)


def test_batches_are_not_shared():
    assert layout(3000, 4000, 4, memory=300**2, can_share=False).at_once == 4


def test_a_large_image_has_large_tiles():
    count, tall, wide = tiles(3000, 4000, layout(3000, 4000, 2, memory=2 * 1024**2))
    assert count * tall * wide < 1.35 * 3000 * 4000, "little is done twice"


@pytest.mark.parametrize(
    ("longest", "smallest", "largest", "expected"),
    [(100, 128, 500, [128]), (200, 128, 500, [128, 160, 192, 200]), (900, 128, 130, [128, 130])],
)
def test_sides(longest, smallest, largest, expected):
    assert sides_up_to(longest, smallest, largest) == expected

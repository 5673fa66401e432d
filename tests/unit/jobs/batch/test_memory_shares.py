from __future__ import annotations

from restore_cli.jobs.batch.memory_shares import MemoryShares

MIB = 2**20


def test_without_a_limit_all_images_share_one_budget():
    free = MemoryShares(2 * MIB, None)
    assert 0 < free.room_bytes <= 1024 * MIB
    for need_bytes in (MIB, 4096 * MIB):
        assert free.budget_for(need_bytes) is free.whole
    assert free.whole.limit_bytes is None


def test_an_image_that_fits_in_the_room_leaves_room_for_others():
    tight = MemoryShares(2 * MIB, 2048 * MIB)
    assert tight.room_bytes == 512 * MIB
    assert tight.budget_for(512 * MIB).limit_bytes == 1536 * MIB
    assert tight.budget_for(513 * MIB).limit_bytes == 2048 * MIB  # alone, with all there is


def test_too_small_a_limit_leaves_no_room():
    assert MemoryShares(2 * MIB, 400 * MIB).room_bytes == 0

import pytest
import torch

from restore_cli.engine.memory import (
    available_bytes,
    available_ram_bytes,
    largest_tile,
    with_smaller_tiles,
)
from restore_cli.errors import DeviceError

OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory"),
    MemoryError(),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 1 bytes"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried 1 bytes"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_tiles_are_halved_until_they_fit(error):
    tried = []

    def run(tile):
        tried.append(tile)
        if tile > 128:
            raise error
        return "restored"

    assert with_smaller_tiles(run, 512, 128) == "restored"
    assert tried == [512, 256, 128]


def test_errors():
    tried = []

    def run(tile):
        tried.append(tile)
        raise torch.OutOfMemoryError

    with pytest.raises(DeviceError, match="even with tiles of 128"):
        with_smaller_tiles(run, 300, 128)
    assert tried == [300, 150, 128]


def test_other_errors_pass():
    def run(tile):
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        with_smaller_tiles(run, 512, 128)


def test_the_first_tile_is_the_image_if_it_fits():
    assert largest_tile(1000, 500, 100, 100 * 1000 * 500 * 2) == 1000
    assert largest_tile(1000, 1000, 100, 25_000_000) == 387  # the root of 0.6 × 250,000 pixels
    assert largest_tile(1000, 1000, 100, 0) == 128


def test_this_machine_has_memory():
    assert available_bytes(torch.device("cpu")) > 2**24


def _write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_smallest_limit_counts(tmp_path):
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    _write(proc, {"meminfo": "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n"})
    assert available_ram_bytes(proc, groups) == 8000 * 1024
    _write(proc, {"self/cgroup": "0::/outer/inner\n"})
    _write(groups, {"outer/inner/memory.max": "max\n", "outer/inner/memory.current": "5\n"})
    assert available_ram_bytes(proc, groups) == 8000 * 1024
    _write(groups, {"outer/memory.max": "1000\n", "outer/memory.current": "900\n"})
    assert available_ram_bytes(proc, groups) == 100
    _write(groups, {"outer/memory.stat": "anon 1\ninactive_file 300\n"})
    assert available_ram_bytes(proc, groups) == 400


def test_the_older_control_groups_count_too(tmp_path):
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    _write(proc, {"self/cgroup": "5:cpu,cpuacct:/\n4:memory:/box\n0::/\n"})
    # As a container sees it: its own group is mounted as the root.
    _write(
        groups / "memory",
        {"memory.limit_in_bytes": "1000", "memory.usage_in_bytes": "900"},
    )
    assert available_ram_bytes(proc, groups) == 100


def test_a_system_that_does_not_tell_gets_a_guess(tmp_path):
    assert available_ram_bytes(tmp_path, tmp_path) == 2 * 2**30

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from restore_cli.engine.options import EngineOptions
from restore_cli.errors import DeviceError, WeightsError
from restore_cli.jobs.bench import run as module
from restore_cli.jobs.bench.options import BenchOptions
from restore_cli.jobs.bench.report import Memory
from restore_cli.jobs.bench.run import bench
from restore_cli.jobs.bench.subjects import picture
from restore_cli.jobs.bench.variants import Plain
from restore_cli.weights.files import load_model


@pytest.fixture
def options(narrow_model_file):
    return BenchOptions(
        models=(str(narrow_model_file),),
        sizes=((50, 35), (24, 16)),
        repeats=2,
        engine=EngineOptions(device="cpu", precision="fp32"),
        memory=False,
    )


def test_values(options, narrow_model_file):
    said = []
    report = bench(options, said.append)
    assert [(run.width, run.height) for run in report.runs] == list(options.sizes)
    for run in report.runs:
        plain, restore = run.variants
        assert (plain.name, restore.name) == ("plain", "restore")
        assert len(plain.seconds) == len(restore.seconds) == 2
        assert restore.max_difference == 0 or restore.psnr_db > 100
        assert (plain.psnr_db, plain.memory) == (None, None)
        assert run.share(plain) > 0
        (ceiling,) = run.ceilings
        assert ceiling.precision == "fp32"
        assert min(ceiling.convolution_gflops, ceiling.product_gflops) > 0
        assert not run.notes
    assert said[-1] == "narrow 24x16: round 2 of 2"


def test_plain_is_the_networks_own_forward(narrow_model_file):
    network, _ = load_model(narrow_model_file)
    pixels = picture(48, 32)
    before = torch.get_num_threads()
    restored = Plain(narrow_model_file, "cpu").load(threads=1)(pixels)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()
    expected = network(image)[0][0].permute(1, 2, 0)
    torch.testing.assert_close(torch.from_numpy(restored), expected)


def test_what_needs_too_much_memory_is_not_timed(options, monkeypatch):
    def peak(variant, **_):
        if variant.name == "plain":
            raise DeviceError("out of memory")
        return Memory(1, 2)

    monkeypatch.setattr(module, "peak_memory", peak)
    options = replace(options, sizes=((24, 16),), memory=True)
    plain, restore = bench(options).runs[0].variants
    assert (plain.error, plain.seconds) == ("out of memory", ())
    assert (restore.memory, len(restore.seconds)) == (Memory(1, 2), 2)
    assert restore.psnr_db is restore.max_difference is None


def test_our_own_lack_of_memory_is_an_error(options, monkeypatch):
    def peak(variant, **_):
        if variant.name == "restore":
            raise DeviceError("out of memory")

    monkeypatch.setattr(module, "peak_memory", peak)
    with pytest.raises(DeviceError, match="out of memory"):
        bench(replace(options, memory=True))


def test_errors(options, tmp_path):
    with pytest.raises(DeviceError):
        bench(replace(options, engine=EngineOptions(device="cuda:99")))
    with pytest.raises(WeightsError, match="no model is called"):
        bench(replace(options, models=("nope",)))
    pytest.importorskip("onnxruntime")
    with pytest.raises(WeightsError, match="no such file"):
        bench(replace(options, against=(tmp_path / "gone.onnx",)))


def test_windows_of_local_means_are_noted(options, monkeypatch):
    from models.registry import PRESETS

    small = {"features": 8, "unet_growth": 0, "orsnet_growth": 0, "blocks_per_group": 1}
    config = type(PRESETS["mprnet"][1])(**small)
    monkeypatch.setitem(PRESETS, "mprnet", ("mprnet", config))
    options = replace(options, models=("mprnet",), sizes=((264, 8),), repeats=1)
    (run,) = bench(options).runs
    assert run.is_random
    assert run.notes[0] == "mprnet: published size, random weights"
    assert "--pooling global makes them agree" in run.notes[1]
    engine = replace(options.engine, pooling="global", tile=0)
    (run,) = bench(replace(options, engine=engine)).runs
    assert len(run.notes) == 1
    assert run.variant("restore").max_difference < 1e-4

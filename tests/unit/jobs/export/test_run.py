from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from models import create_model
from restore_cli.engine.options import EngineOptions
from restore_cli.errors import ResultError, UsageError, WeightsError
from restore_cli.jobs.bench.options import BenchOptions
from restore_cli.jobs.bench.run import bench
from restore_cli.jobs.export import run as module
from restore_cli.jobs.export.run import export_onnx
from restore_cli.methods.onnx_session import OnnxSession
from restore_cli.weights.card import ModelCard
from restore_cli.weights.files import load_model, save_model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

QUICK = ("diffresnet", {"features": 8, "depth": 3, "channels": 3})


@pytest.fixture
def write(tmp_path):
    """Write a seeded model to a file and return its path."""

    def save(architecture, config):
        card = ModelCard(
            name="narrow",
            architecture=architecture,
            config=config,
            task="denoise",
            summary="seeded, untrained, for tests",
            licence="Apache-2.0",
        )
        path = tmp_path / "narrow.safetensors"
        save_model(path, create_model(architecture, config), card)
        return path

    return save


# The slow ones take torch ten seconds and more, nearly all of it to reason about free sizes.
@pytest.mark.parametrize(
    ("architecture", "config", "multiple"),
    [
        pytest.param("mimo-unet", {"width": 4, "blocks": 1}, 4, marks=pytest.mark.slow),
        pytest.param(
            "mprnet",
            {"features": 8, "unet_growth": 0, "orsnet_growth": 0, "blocks_per_group": 1},
            8,
            marks=pytest.mark.slow,
        ),
        pytest.param("mprnet-local", {"features": 8, "unet_growth": 4}, 8, marks=pytest.mark.slow),
        pytest.param(
            "mirnet",
            {"features": 8, "groups": 1, "blocks_per_group": 1, "height": 2},
            4,
            marks=pytest.mark.slow,
        ),
        pytest.param("pss-nsc", {"width": 4, "units": 1, "repeats": 2}, 16, marks=pytest.mark.slow),
        ("formresnet", {"features": 8, "depth": 3}, 1),
        ("formresnet", {"features": 8, "depth": 3, "formatting": "bilateral"}, 1),
        (*QUICK, 1),
    ],
)
def test_every_architecture_takes_any_size(write, tmp_path, rng, architecture, config, multiple):
    if config.get("formatting") == "bilateral":
        pytest.importorskip("kornia")
    source = write(architecture, config)
    report = export_onnx(str(source), tmp_path / "m.onnx")
    assert report.max_difference < 1e-5
    assert report.multiple_of == multiple
    assert len({size[1:] for size in report.checked}) == 2
    network, _ = load_model(source)
    session = OnnxSession(tmp_path / "m.onnx", threads=1)
    assert session.multiple_of == multiple
    for count, rows, columns in ((1, 2, 3), (4, 5, 2)):
        sides = (max(multiple, 8) * rows, max(multiple, 8) * columns)
        image = rng.random((count, 3, *sides), dtype=np.float32)
        expected = network.restore(torch.from_numpy(image))
        np.testing.assert_allclose(session.run(image, 0), expected.numpy(), atol=1e-5)
    if architecture in ("mprnet", "mirnet"):
        assert session.facts["pooling"] == "global"
        assert "--pooling global" in report.notes[0]
    else:
        assert not report.notes


def test_the_file_says_what_it_is(write, tmp_path):
    source = write(*QUICK)
    report = export_onnx(str(source), tmp_path / "m.onnx")
    _, card = load_model(source)
    graph = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(graph, full_check=True)
    facts = {entry.key: entry.value for entry in graph.metadata_props}
    assert json.loads(facts.pop("config")) == card.config
    assert facts == {
        "name": "narrow",
        "architecture": "diffresnet",
        "task": "denoise",
        "licence": "Apache-2.0",
        "version": "1",
        "sha256": card.sha256,
        "multiple_of": "1",
        "layout": "NCHW, RGB, float32",
        "range": "[0, 1]; the output is not clamped",
    }
    assert [entry.name for entry in graph.graph.input] == ["image"]
    assert [entry.name for entry in graph.graph.output] == ["restored"]
    assert report.opset == graph.opset_import[0].version
    assert report.input_shape == ("n", 3, "h", "w")
    assert report.size_bytes == (tmp_path / "m.onnx").stat().st_size


def test_a_fixed_size(write, tmp_path, rng):
    report = export_onnx(
        str(write("mimo-unet", {"width": 4, "blocks": 1})), tmp_path / "m.onnx", (24, 16)
    )
    assert report.input_shape == (1, 3, 16, 24)
    assert report.checked == ((1, 16, 24),)
    session = OnnxSession(tmp_path / "m.onnx", threads=1)
    with pytest.raises(UsageError, match="it takes --size 24x16"):
        session.run(rng.random((1, 3, 24, 16), dtype=np.float32), 0)


def test_what_differs_is_not_kept(write, tmp_path, monkeypatch):
    source = write(*QUICK)
    target = tmp_path / "m.onnx"
    target.write_bytes(b"precious")
    monkeypatch.setattr(module, "MAX_DIFFERENCE", 0.0)  # rounding alone is more
    with pytest.raises(ResultError, match=r"differs from the network by .*e-0\d, so it was not"):
        export_onnx(str(source), target)
    assert target.read_bytes() == b"precious"
    monkeypatch.setattr(module, "_describe", lambda graph, *_: graph.graph.node.pop())
    with pytest.raises(ResultError, match="not kept: it cannot be run by ONNX Runtime"):
        export_onnx(str(source), target)
    assert {path.name for path in tmp_path.iterdir()} == {"m.onnx", "narrow.safetensors"}
    assert target.read_bytes() == b"precious"


def test_errors(write, tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match="no model is called"):
        export_onnx("nope", tmp_path / "m.onnx")
    source = str(write("mimo-unet", {"width": 4, "blocks": 1}))
    with pytest.raises(UsageError, match="multiples of 4"):
        export_onnx(source, tmp_path / "m.onnx", (24, 18))
    with pytest.raises(WeightsError, match="cannot be written: it is in a folder that does not"):
        export_onnx(source, tmp_path / "gone" / "m.onnx")
    with pytest.raises(WeightsError, match="cannot be written: it is a folder"):
        export_onnx(source, tmp_path)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UsageError, match=r"needs onnxscript.*pip install 'restore-cli\[onnx\]'"):
        export_onnx(source, tmp_path / "m.onnx")


def test_an_exported_file_is_known_to_the_benchmark(write, tmp_path):
    source = write(*QUICK)
    export_onnx(str(source), tmp_path / "m.onnx")
    options = BenchOptions(
        models=(str(source),),
        sizes=((33, 20),),
        repeats=1,
        engine=EngineOptions(device="cpu"),
        against=(tmp_path / "m.onnx",),
        memory=False,
    )
    rival = bench(options).runs[0].variants[2]
    assert rival.name.endswith("m.onnx")
    assert rival.max_difference == 0 or rival.psnr_db > 100
    assert len(rival.seconds) == 1

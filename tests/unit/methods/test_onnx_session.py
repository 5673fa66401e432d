from __future__ import annotations

import sys

import numpy as np
import pytest

from restore_cli.errors import UsageError, WeightsError
from restore_cli.methods.onnx_session import OnnxSession

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def network(path, shape=("n", 3, "h", "w"), noise=None, kind=None, facts=None):
    """Write a network that adds its second input to the first, or nothing."""
    kind = kind or onnx.TensorProto.FLOAT
    described = onnx.helper.make_tensor_value_info
    inputs = [described("image", kind, shape)]
    out = described("restored", kind, shape)
    node = onnx.helper.make_node("Identity", ["image"], ["restored"])
    if noise is not None:
        inputs.insert(0, described("sigma", kind, noise))
        node = onnx.helper.make_node("Add", ["image", "sigma"], ["restored"])
    graph = onnx.helper.make_graph([node], "test", inputs, [out])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10
    )
    onnx.helper.set_model_props(model, facts or {})
    onnx.save(model, path)
    return path


@pytest.fixture
def image(rng):
    return rng.random((1, 3, 6, 10), dtype=np.float32)


@pytest.mark.parametrize("noise", [[1], [1, 1, 1, 1], ["n", 1, "h", "w"], ["free"]])
def test_the_level_of_noise_goes_where_the_file_wants_it(tmp_path, image, noise):
    session = OnnxSession(network(tmp_path / "a.onnx", noise=noise), threads=1)
    np.testing.assert_allclose(session.run(image, 51.0), image + 0.2, atol=1e-6)


def test_values(tmp_path, image):
    path = network(tmp_path / "a.onnx", facts={"multiple_of": "4", "name": "x"})
    session = OnnxSession(path, threads=1)
    np.testing.assert_array_equal(session.run(image, 25.0), image)
    assert session.multiple_of == 4
    assert session.facts["name"] == "x"
    assert session.provider == "CPUExecutionProvider"
    assert OnnxSession(network(tmp_path / "b.onnx"), threads=1).multiple_of is None


def test_half_precision_and_any_number_of_channels(tmp_path, image):
    path = network(tmp_path / "a.onnx", ("n", "c", "h", "w"), kind=onnx.TensorProto.FLOAT16)
    restored = OnnxSession(path, threads=1).run(image, 25.0)
    assert restored.dtype == np.float32
    np.testing.assert_allclose(restored, image, atol=1e-3)


def test_errors(tmp_path, image, monkeypatch):
    fixed = OnnxSession(network(tmp_path / "a.onnx", (1, 3, 8, 16)), threads=1)
    with pytest.raises(UsageError, match="it takes --size 16x8"):
        fixed.run(image, 25.0)
    with pytest.raises(WeightsError, match="no such file"):
        OnnxSession(tmp_path / "gone.onnx", threads=1)
    (tmp_path / "bad.onnx").write_bytes(b"this is no network")
    with pytest.raises(WeightsError, match="cannot be run by ONNX Runtime"):
        OnnxSession(tmp_path / "bad.onnx", threads=1)
    with pytest.raises(WeightsError, match=r"no .* image of floats"):
        OnnxSession(network(tmp_path / "b.onnx", ("n", 5)), threads=1)
    # Broadcasting makes an output that the file did not declare.
    odd = OnnxSession(network(tmp_path / "c.onnx", noise=[7]), threads=1)
    with pytest.raises(WeightsError, match="failed on an image"):
        odd.run(image, 25.0)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"pip install 'restore-cli\[onnx\]'"):
        OnnxSession(tmp_path / "a.onnx", threads=1)

import pytest
import torch

from restore_cli.engine.device import (
    autocast,
    choose_device,
    choose_precision,
    has_native_bf16,
)
from restore_cli.errors import DeviceError

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def test_auto_takes_the_gpu_if_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert choose_device("auto") == CUDA
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(DeviceError, match="no GPU 2"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "meta", "toaster", "cuda:x", ""])
def test_errors(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError) as caught:
        choose_device(name)
    assert caught.value.hint


def test_precision_follows_the_device(monkeypatch):
    assert choose_precision(CUDA) == "fp16"
    assert choose_precision(torch.device("mps")) == "fp32"
    for is_native, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(
            "restore_cli.engine.device.has_native_bf16", lambda value=is_native: value
        )
        assert choose_precision(CPU) == expected
    assert choose_precision(CPU, "bf16") == "bf16"


def test_precision_errors(monkeypatch):
    with pytest.raises(DeviceError, match="fp16"):
        choose_precision(CPU, "fp16")
    with pytest.raises(ValueError, match="fp8"):
        choose_precision(CPU, "fp8")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    with pytest.raises(DeviceError, match="bf16"):
        choose_precision(CUDA, "bf16")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu sse avx512f avx512_bf16", True), ("fpu amx_bf16", True), ("fpu avx2 avx512f", False)],
)
def test_native_bf16_is_read_from_the_flags(tmp_path, flags, expected):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    assert has_native_bf16(tmp_path / "cpuinfo") is expected
    assert not has_native_bf16(tmp_path / "absent")


def test_the_sum_with_the_image_stays_exact_in_half_precision(narrow):
    network, _ = narrow
    network_of_zero = type(network)()
    network_of_zero.start_from_identity()
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode(), autocast(CPU, "bf16"):
        restored = network_of_zero.restore(image)
    torch.testing.assert_close(restored, image, rtol=0, atol=0)

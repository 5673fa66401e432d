import dataclasses
import json
import os
import stat

import pytest
import safetensors.torch
import torch

from models import create_model
from restore_cli.errors import WeightsError
from restore_cli.weights.card import ModelCard
from restore_cli.weights.files import load_model, save_model
from restore_cli.weights.header import CARD_KEY, read_card, read_header

CONFIG = {"width": 4, "blocks": 1}
CARD = ModelCard("narrow", "mimo-unet", CONFIG, "deblur", "seeded", "Apache-2.0")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return create_model("mimo-unet", CONFIG)


@pytest.fixture
def path(tmp_path, model):
    save_model(tmp_path / "narrow.safetensors", model, CARD)
    return tmp_path / "narrow.safetensors"


def _rewrite(path, *, card=None, tensors=None):
    """Write the file again with another card or other tensors, checksum and all left alone."""
    card = card or read_card(path)
    tensors = tensors or safetensors.torch.load_file(path)
    safetensors.torch.save_file(tensors, path, {CARD_KEY: card.to_json()})


def test_there_and_back_is_the_same(tmp_path, model):
    written = save_model(tmp_path / "a.safetensors", model, CARD)
    loaded, card = load_model(tmp_path / "a.safetensors")
    assert card == written == read_card(tmp_path / "a.safetensors")
    assert card.config == {"width": 4, "blocks": 1, "dropout": 0.0}, "every field is written"
    assert len(card.sha256) == 64
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=0, atol=0)
    assert next(model.parameters()).requires_grad, "the saved model is not touched"


def test_the_checksum_is_of_the_tensors_alone(tmp_path, model):
    first = save_model(tmp_path / "a.safetensors", model, CARD)
    other = dataclasses.replace(CARD, summary="another text", sha256="x")
    assert save_model(tmp_path / "b.safetensors", model, other).sha256 == first.sha256
    channels_last = create_model("mimo-unet", CONFIG)
    channels_last.load_state_dict(model.state_dict())
    channels_last.to(memory_format=torch.channels_last)
    assert save_model(tmp_path / "c.safetensors", channels_last, CARD).sha256 == first.sha256
    half = save_model(tmp_path / "d.safetensors", model, CARD, dtype=torch.float16)
    assert half.sha256 != first.sha256


def test_half_precision_is_loaded_as_fp32(tmp_path, model):
    path = tmp_path / "half.safetensors"
    save_model(path, model, CARD, dtype=torch.float16)
    assert {entry.dtype for entry in read_header(path).tensors} == {"F16"}
    loaded, _ = load_model(path)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    torch.testing.assert_close(
        dict(loaded.state_dict()), dict(model.state_dict()), rtol=1e-3, atol=1e-6
    )


def test_a_card_of_another_model_is_refused(tmp_path, model):
    with pytest.raises(ValueError, match="shape"):
        save_model(tmp_path / "x", model, dataclasses.replace(CARD, config={"width": 8}))
    with pytest.raises(ValueError, match="missing"):
        save_model(tmp_path / "x", model, dataclasses.replace(CARD, config={**CONFIG, "blocks": 2}))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(path, model, monkeypatch):
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WeightsError, match="the disk is full"):
        save_model(path, model, CARD)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_others_may_read_the_file(path):
    (path.parent / "plain").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((path.parent / "plain").stat().st_mode)


def _no_header(path):
    path.write_bytes(b"PK\x03\x04" + bytes(100))


def _length_beyond_the_file(path):
    path.write_bytes((10**6).to_bytes(8, "little") + b"{}")


def _shortened(path):
    path.write_bytes(path.read_bytes()[:-10])


def _lengthened(path):
    path.write_bytes(path.read_bytes() + b"more")


def _empty(path):
    path.write_bytes(b"")


def _no_card(path):
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)


def _bad_card(path):
    safetensors.torch.save_file({"a": torch.zeros(1)}, path, {CARD_KEY: "{}"})


def _absent(path):
    path.unlink()


DAMAGE = [
    (_no_header, "not a safetensors file"),
    (_length_beyond_the_file, "not a safetensors file"),
    (_empty, "not a safetensors file"),
    (_shortened, "truncated"),
    (_lengthened, "damaged"),
    (_no_card, "no model card"),
    (_bad_card, "model card has no field"),
    (_absent, "cannot be read"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
@pytest.mark.parametrize("read", [read_card, load_model])
def test_damaged_files(path, damage, message, read):
    damage(path)
    with pytest.raises(WeightsError, match=message) as caught:
        read(path)
    assert caught.value.path == str(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "mimo-unot"}, "no architecture 'mimo-unot'; there is mimo-unet"),
        ({"config": {"depth": 3}}, "no setting 'depth'"),
        ({"config": {"width": "wide"}}, "bad config"),
        ({"config": {"width": 8}}, r"'attention.0.conv.bias' has shape \(8,\), the network needs"),
        ({"sha256": "0" * 64}, "wrong checksum"),
        ({"sha256": ""}, "wrong checksum"),
    ],
)
def test_cards_that_do_not_fit(path, changes, message):
    _rewrite(path, card=dataclasses.replace(read_card(path), **changes))
    with pytest.raises(WeightsError, match=message):
        load_model(path)


def test_a_flipped_bit_is_found(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="wrong checksum"):
        load_model(path)


@pytest.mark.parametrize(("gone", "message"), [(True, "is missing"), (False, "not part of")])
def test_the_first_offending_tensor_is_named(tmp_path, path, model, gone, message):
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if gone:
        del tensors["head.0.bias"]
    else:
        tensors["head.0.extra"] = torch.zeros(1)
    _rewrite(path, tensors=tensors)
    digest = _digest(path)
    _rewrite(path, card=dataclasses.replace(read_card(path), sha256=digest), tensors=tensors)
    with pytest.raises(WeightsError, match=f"'head.0.*{message}"):
        load_model(path)


def _digest(path):
    from restore_cli.weights.header import content_sha256

    return content_sha256(path.read_bytes(), read_header(path))


@pytest.mark.parametrize("offsets", [[8, 4], [-4, 4], ["a", 4], [0], None])
def test_headers_that_point_nowhere(tmp_path, offsets):
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": offsets}}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(WeightsError, match="not a safetensors file"):
        read_header(path)


def test_the_checksum_is_what_its_definition_says(tmp_path):
    import hashlib

    tensors = {"b": torch.tensor([1.0, 2.0]), "a": torch.tensor(3, dtype=torch.int64)}
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(tensors, path)
    expected = hashlib.sha256(
        b"a\0I64\0\0"
        + (3).to_bytes(8, "little")
        + b"b\0F32\x002\0"
        + bytes.fromhex("0000803f00000040")
    )
    assert _digest(path) == expected.hexdigest()

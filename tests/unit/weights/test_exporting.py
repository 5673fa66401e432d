import pytest
import torch

from models import create_model
from models.mprnet import DERAIN
from models.registry import config_values
from restore_cli.errors import WeightsError
from restore_cli.weights.card import ModelCard
from restore_cli.weights.exporting import export_published
from restore_cli.weights.files import load_model, save_model
from restore_cli.weights.tf_checkpoint import read_checkpoint
from tests.parity.filling import description


def _saved(path, architecture, config=None):
    card = ModelCard("x", architecture, config or {}, "deblur", "seeded", "Apache-2.0")
    save_model(path, create_model(architecture, config), card)
    return path


@pytest.mark.parametrize(
    ("architecture", "fixture", "wrapper"),
    [
        ("mimo-unet", "mimo_unet", "model"),
        ("mprnet", "mprnet_derain", "state_dict"),
        ("mirnet", "mirnet", "state_dict"),
    ],
)
def test_the_published_entries(architecture, fixture, wrapper, tmp_path):
    size = {"mprnet_derain": config_values(DERAIN)}.get(fixture)
    source = _saved(tmp_path / "a.safetensors", architecture, size)
    assert export_published(source, tmp_path / "b.pth") == [tmp_path / "b.pth"]
    written = torch.load(tmp_path / "b.pth", weights_only=True)[wrapper]  # noqa: TID251
    entries = description(fixture)["entries"]
    assert {key: list(value.shape) for key, value in written.items()} == {
        entry["key"]: entry["shape"] for entry in entries
    }
    for entry in entries:
        if "alias_of" in entry:
            torch.testing.assert_close(written[entry["key"]], written[entry["alias_of"]])


def test_tensorflow_variables(tmp_path):
    source = _saved(tmp_path / "a.safetensors", "pss-nsc")
    files = export_published(source, tmp_path / "deblur_model")
    assert [path.name for path in files] == [
        "deblur_model.index",
        "deblur_model.data-00000-of-00001",
    ]
    shapes = {
        name: list(value.shape)
        for name, value in read_checkpoint(tmp_path / "deblur_model").items()
    }
    entries = description("pss_nsc")["entries"]
    assert shapes == {entry["key"]: entry["shape"] for entry in entries}


def test_errors(tmp_path, narrow_model_file):
    with pytest.raises(WeightsError, match="cannot write: the folder does not exist"):
        export_published(narrow_model_file, tmp_path / "gone" / "b.pth")
    ours = _saved(tmp_path / "a.safetensors", "formresnet")
    with pytest.raises(WeightsError, match="no published checkpoints of formresnet"):
        export_published(ours, tmp_path / "b.pth")
    assert not (tmp_path / "b.pth").exists()
    # A MIRNet of two streams has no published names for what it lacks.
    config = {"features": 16, "groups": 1, "blocks_per_group": 1, "height": 2}
    other = _saved(tmp_path / "c.safetensors", "mirnet", config)
    assert load_model(other)
    with pytest.raises(WeightsError, match="cannot be exported"):
        export_published(other, tmp_path / "b.pth")

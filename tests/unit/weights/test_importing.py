"""Checkpoints in the published layouts, made from the parity fixtures and from narrow networks."""

import hashlib

import pytest
import torch

from models import create_model
from restore_cli.errors import WeightsError
from restore_cli.weights import tf_checkpoint
from restore_cli.weights.card import ModelCard
from restore_cli.weights.exporting import export_published
from restore_cli.weights.files import load_model, save_model
from restore_cli.weights.importing import import_checkpoint
from restore_cli.weights.keymaps.keymap import to_ours, to_published
from restore_cli.weights.published import keymap_for
from restore_cli.weights.recognise import system_of
from tests.parity.filling import arrays, description, filled

# Fixture → file name, wrapper, final output; and what must be recognised.
PUBLISHED = {
    "mimo_unet": ("MIMO-UNet.pkl", "model", "out2"),
    "mimo_unet_plus": ("MIMO-UNetPlus.pkl", "model", "out2"),
    "mprnet_deblur": ("model_deblurring.pth", "state_dict", "out0"),
    "mprnet_derain": ("model_deraining.pth", "state_dict", "out0"),
    "mprnet_denoise": ("model_denoising.pth", "state_dict", "out0"),
    "mirnet": ("model_lol.pth", "state_dict", "out0"),
    "pss_nsc": ("deblur_model", "", "out2"),
}
RECOGNISED = {
    "mimo_unet": ("mimo-unet-imported", "deblur", {"width": 32, "blocks": 8, "dropout": 0.0}),
    "mimo_unet_plus": (
        "mimo-unet-plus-imported",
        "deblur",
        {"width": 32, "blocks": 20, "dropout": 0.1},
    ),
    "mprnet_deblur": ("mprnet-deblurring-imported", "deblur", {"features": 96, "reduction": 4}),
    "mprnet_derain": ("mprnet-deraining-imported", "derain", {"features": 40, "unet_growth": 20}),
    "mprnet_denoise": ("mprnet-denoising-imported", "denoise", {"features": 80}),
    "mirnet": ("mirnet-lol-imported", "enhance", {"features": 64, "groups": 3, "height": 3}),
    "pss_nsc": ("pss-nsc-deblur-imported", "deblur", {"width": 32, "units": 4}),
}
NARROW = {
    "mimo-unet": {"width": 8, "blocks": 3, "dropout": 0.0},
    "mprnet": {
        "features": 12,
        "unet_growth": 5,
        "orsnet_growth": 3,
        "blocks_per_group": 2,  # a group's last convolution then has the number of a block's
        "reduction": 3,
    },
    "mirnet": {"features": 16, "groups": 2, "blocks_per_group": 1, "height": 3, "width": 2},
    "pss-nsc": {"width": 4, "units": 4, "repeats": 2},
}


def write(folder, file, wrapper, state, prefix=""):
    path = folder / file
    if not wrapper:
        slots = {f"{key}/Adam": value for key, value in state.items()}
        values = {key: value.numpy() for key, value in (state | slots).items()}
        tf_checkpoint.write_checkpoint(path, values)
        return path.with_name(f"{file}.index")
    state = {prefix + key: value for key, value in state.items()}
    # Old PyTorch wrote one pickle after another, which is no zip archive.
    is_zip = not prefix
    torch.save({"epoch": 7, wrapper: state}, path, _use_new_zipfile_serialization=is_zip)
    return path


@pytest.fixture(scope="module", params=PUBLISHED)
def published(request):
    return request.param, filled(description(request.param)), arrays(request.param)


def test_published_checkpoints(published, tmp_path):
    fixture, state, recorded = published
    file, wrapper, final = PUBLISHED[fixture]
    name, task, config = RECOGNISED[fixture]
    path = write(tmp_path, file, wrapper, state)
    imported = import_checkpoint(path)
    target = tmp_path / "x.safetensors"
    card = save_model(target, imported.model, imported.card)
    model, read = load_model(target)
    assert read == card
    assert (card.name, card.task) == (name, task)
    assert config.items() <= card.config.items()
    assert imported.parameters == description(fixture)["param_count"]
    with torch.inference_mode():
        torch.testing.assert_close(model.restore(recorded["x"]), recorded[final], atol=2e-5, rtol=0)


def test_the_prefix_of_a_wrapper_is_dropped(published, tmp_path):
    fixture, state, _ = published
    file, wrapper, _ = PUBLISHED[fixture]
    if not wrapper:
        pytest.skip("TensorFlow has no such prefix")
    imported = import_checkpoint(write(tmp_path, file, wrapper, state, "module."))
    expected = to_ours(state, system_of(imported.card.architecture).keymap)
    torch.testing.assert_close(dict(imported.model.state_dict()), expected, atol=0, rtol=0)


@pytest.mark.parametrize("architecture", NARROW)
def test_other_sizes_and_back(architecture, tmp_path):
    config = NARROW[architecture]
    model = create_model(architecture, config)
    card = ModelCard("narrow", architecture, config, "deblur", "seeded", "Apache-2.0")
    save_model(tmp_path / "a.safetensors", model, card)
    files = export_published(tmp_path / "a.safetensors", tmp_path / "published.pth")
    imported = import_checkpoint(files[0])
    assert imported.card.config == config
    torch.testing.assert_close(
        dict(imported.model.state_dict()), dict(model.state_dict()), atol=0, rtol=0
    )


def test_the_card_says_where_it_is_from(tmp_path):
    state = narrow_state()
    path = write(tmp_path, "model_x.pth", "state_dict", state)
    card = import_checkpoint(path, task="derain", name="mine").card
    assert (card.name, card.task) == ("mine", "derain")
    assert "non-commercial" in card.licence
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert card.training == {"imported_from": "model_x.pth", "imported_sha256": digest}


@pytest.mark.parametrize(
    ("file", "task"),
    [
        ("model_denoising.pth", "denoise"),
        ("model_SR_x3.pth", "upscale"),
        ("model_fivek.pth", "enhance"),
        ("train_latest.pth", "unknown"),
    ],
)
def test_the_task_of_a_mirnet_is_in_its_name(tmp_path, file, task):
    state = narrow_state("mirnet")
    assert import_checkpoint(write(tmp_path, file, "state_dict", state)).card.task == task


def test_safetensors_with_published_names(tmp_path):
    import safetensors.torch

    state = {key: value.clone() for key, value in narrow_state().items()}
    safetensors.torch.save_file(state, tmp_path / "a.safetensors")
    assert import_checkpoint(tmp_path / "a.safetensors").card.architecture == "mprnet"


def test_half_precision_becomes_fp32(tmp_path):
    state = {key: value.half() for key, value in narrow_state().items()}
    imported = import_checkpoint(write(tmp_path, "a.pth", "state_dict", state))
    assert {p.dtype for p in imported.model.parameters()} == {torch.float32}


def narrow_state(architecture="mprnet"):
    config = NARROW[architecture]
    torch.manual_seed(0)
    model = create_model(architecture, config)
    return to_published(model.state_dict(), keymap_for(system_of(architecture), config))


def _missing(state):
    del state["stage2_encoder.encoder_level2.1.body.2.weight"]


def _no_landmark(state):
    del state["concat23.weight"]


def _extra(state):
    state["stage4.weight"] = torch.zeros(1)


def _wrong_shape(state):
    state["tail.weight"] = torch.zeros(3, 15, 5, 5)


def _flat(state):
    state["shallow_feat1.0.weight"] = torch.zeros(())


def _other_slope(state):
    state["stage3_orsnet.orb1.body.0.body.1.weight"] = torch.tensor([0.3])


def _nan(state):
    state["tail.weight"] = torch.full_like(state["tail.weight"], float("nan"))


def _too_deep(state):
    state["stage3_orsnet.orb1.body.999999999.CA.conv_du.0.weight"] = torch.zeros(1)


def _half_a_prefix(state):
    first = next(iter(state))
    state[f"module.{first}"] = state.pop(first)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_missing, r"entry 'stage2_encoder.encoder_level2.1.body.2.weight' is missing"),
        (_no_landmark, "entry 'concat23.weight' of MPRNet is missing"),
        (_extra, "entry 'stage4.weight' is not part of the network"),
        (_wrong_shape, r"entry 'tail.weight' has shape \(3, 15, 5, 5\) where .* \(3, 15, 3, 3\)"),
        (_flat, "impossible sizes"),
        (_other_slope, "entry 'stage3_orsnet.orb1.body.0.body.1.weight' is not what"),
        (_nan, "entry 'tail.weight' holds NaN"),
        (_too_deep, "impossible sizes: 1000000000 blocks"),
        (_half_a_prefix, "entry 'shallow_feat1.1.body.1.weight' is missing"),
    ],
)
def test_entries_that_do_not_fit(tmp_path, damage, message):
    state = narrow_state()
    damage(state)
    path = write(tmp_path, "a.pth", "state_dict", state)
    with pytest.raises(WeightsError, match=message) as caught:
        import_checkpoint(path)
    assert caught.value.path == str(path)
    assert "\n" not in str(caught.value)


def test_doubled_units_and_constants_are_compared(tmp_path):
    for key, what in (
        ("body.1.body.0.blocks.2.1.conv1x1.weight", "unit"),
        ("body.0.body.0.down.16_4.body.1.top.4.filt", "constant"),
    ):
        state = narrow_state("mirnet")
        state[key] = state[key] + 1
        path = write(tmp_path, f"{what}.pth", "state_dict", state)
        with pytest.raises(WeightsError, match=f"entry '{key}' is not what"):
            import_checkpoint(path)


def test_a_tensorflow_checkpoint_of_another_network(tmp_path, rng):
    values = {"g_net/other/weights": rng.standard_normal((3, 3, 2, 2)).astype("float32")}
    tf_checkpoint.write_checkpoint(tmp_path / "a", values)
    with pytest.raises(WeightsError, match=r"no network known here; .* 'g_net/other/weights'"):
        import_checkpoint(tmp_path / "a.index")

from __future__ import annotations

import dataclasses

import pytest
import torch

from restore_cli.errors import WeightsError
from restore_cli.training.config import TERMS as NAMES
from restore_cli.training.config import LossConfig, load_recipe
from restore_cli.training.objective import TERMS, Objective, make_objective
from tests.parity.filling import arrays, description

SCALES = (1.0, 0.5)
CPU = torch.device("cpu")


def images():
    clean = torch.rand(2, 3, 16, 16)
    degraded = clean + torch.tensor([0.01, 0.2]).view(2, 1, 1, 1)
    return degraded, clean, (degraded, degraded[..., ::2, ::2])


def loss(stages, clean, degraded, scales, **settings):
    config = LossConfig(**settings)
    terms = {name: term for name, term in TERMS.items() if getattr(config, name)}
    return Objective(config, terms, scales)(stages, clean, degraded)


@pytest.fixture(scope="module")
def recorded():
    return description("losses")["values"], arrays("losses")


def of_recipe(name, stages, target):
    """Value of a published recipe's loss."""
    total, _ = make_objective(load_recipe(name), None, CPU)(stages, target, target)
    return total.item()


@pytest.mark.parametrize(
    ("recipe", "preds", "target", "value"),
    [
        ("mimo-unet", "mimo_pred", "target", ("mimo", "total_content_plus_0.1_fft")),
        (
            "mprnet",
            "mpr_stage",
            "target",
            ("mprnet_deblur_derain", "total_char_plus_0.05_edge"),
        ),
        (
            "mprnet-denoise",
            "mpr_stage",
            "target",
            ("mprnet_denoise", "charbonnier_of_clamped_sum_over_3_stages"),
        ),
        ("mirnet-denoise", "pred", "target", ("mirnet", "charbonnier_of_clamped")),
        ("pss-nsc", "pss_pred", "pss_target", ("pss_nsc", "total")),
    ],
)
def test_recipes_give_the_published_values(recorded, recipe, preds, target, value):
    values, tensors = recorded
    names = [preds] if preds in tensors else [f"{preds}{i}" for i in range(3)]
    stages = [tensors[name] for name in names]
    stages.sort(key=lambda stage: -stage.shape[-1])  # the final one first
    assert of_recipe(recipe, stages, tensors[target]) == pytest.approx(
        values[value[0]][value[1]], rel=1e-5
    )


def test_gradient_term_gives_the_published_value(recorded):
    values, tensors = recorded
    pred, target = tensors["sobel_pred"], tensors["sobel_target"]
    total, _ = loss((pred,), target, target, (1.0,), gradient=1.0)
    assert total.item() == pytest.approx(values["formnet_sobel"]["value"], rel=1e-5)


def test_values_of_one_constant_error():
    """Stages that are 0.2 too bright everywhere: each term by hand, summed over two scales."""
    clean = torch.full((1, 3, 16, 16), 0.25)
    stages = (clean + 0.2, clean[..., ::2, ::2] + 0.2)
    names = ("content", "frequency", "charbonnier", "mse")
    _, parts = loss(stages, clean, clean, SCALES, **dict.fromkeys(names, 1.0))
    values = {name: part.item() for name, part in parts.items()}
    assert values == pytest.approx(
        {
            "content": 2 * 0.2,
            # All of the spectrum is in the real part of one coefficient: a sum over pixels,
            # divided by twice their number.
            "frequency": 2 * 0.2 / 2,
            "charbonnier": 2 * (0.2**2 + 1e-6) ** 0.5,
            "mse": 2 * 0.2**2,
        },
        rel=1e-5,
    )


def test_parts_add_up_with_their_weights():
    degraded, clean, stages = images()
    total, parts = loss(stages, clean, degraded, SCALES, content=2.0, frequency=0.5)
    torch.testing.assert_close(total, 2 * parts["content"] + 0.5 * parts["frequency"])


def test_a_weight_of_zero_leaves_a_part_out():
    degraded, clean, stages = images()
    assert set(loss(stages, clean, degraded, SCALES, content=1.0)[1]) == {"content"}


def test_clamped_stages_pay_nothing_for_what_clipping_mends():
    clean = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).expand(1, 3, 2, 2)
    stages = (clean + torch.tensor([-0.5, 0.5]),)
    assert loss(stages, clean, clean, (1.0,), content=1.0)[0].item() == pytest.approx(0.5)
    clamped, _ = loss(stages, clean, clean, (1.0,), content=1.0, is_clamped=True)
    assert clamped.item() == 0


def test_balance_evens_samples_out():
    degraded, clean, _ = images()

    def shares(balance):
        pred = degraded.clone().requires_grad_()
        total, _ = loss((pred,), clean, degraded, (1.0,), content=1.0, balance=balance)
        total.backward()
        return pred.grad.abs().sum(dim=(1, 2, 3))

    # The weight of a sample is balance / (balance + mean error).
    plain, balanced = shares(0.0), shares(0.05)
    torch.testing.assert_close(balanced / plain, torch.tensor([5 / 6, 1 / 5]), atol=1e-3, rtol=0)


def test_every_name_is_a_term():
    assert set(TERMS) | {"feature", "adversarial"} == set(NAMES)


def test_errors():
    degraded, clean, stages = images()
    with pytest.raises(ValueError, match="differ"):
        loss(stages, clean, degraded, (1.0, 0.25), content=1.0)


def test_feature_term_without_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"no weights of VGG16 .*set loss\.vgg") as caught:
        make_objective(load_recipe("formresnet"), None, CPU)
    assert "\n" not in str(caught.value)


def test_feature_term_with_other_weights(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(3)}, path)
    config = load_recipe("formresnet", {"loss.vgg": str(path)})
    with pytest.raises(WeightsError, match="is no VGG16"):
        make_objective(config, None, CPU)
    path.write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot be read"):
        make_objective(config, None, CPU)


def test_feature_term_is_summed_over_stages(vgg_file, monkeypatch):
    config = load_recipe("formresnet", {"loss.vgg": str(vgg_file)})
    goal = make_objective(config, None, CPU)
    clean, degraded = torch.rand(2, 1, 32, 32), torch.rand(2, 1, 32, 32)
    _, both = goal((degraded, degraded), clean, degraded)
    one = dataclasses.replace(goal, scales=(1.0,))
    _, single = one((degraded,), clean, degraded)
    torch.testing.assert_close(both["feature"], 2 * single["feature"])
    _, none = one((clean,), clean, clean)
    assert none["feature"].item() == 0
    assert single["feature"].item() > 0
    # Left out of the recipe, the file is looked for in the cache.
    cache = vgg_file.parents[2]
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    _, found = make_objective(load_recipe("formresnet"), None, CPU)(
        (degraded, degraded), clean, degraded
    )
    torch.testing.assert_close(found["feature"], both["feature"])

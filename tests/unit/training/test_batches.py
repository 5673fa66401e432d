from __future__ import annotations

import dataclasses

import pytest
import torch

from restore_cli.data.mixing import MixUp, luma
from restore_cli.degradations.blur_chain import BlurChain
from restore_cli.degradations.noise_chain import NoiseChain
from restore_cli.training.batches import make_batch
from restore_cli.training.config import TrainConfig
from restore_cli.training.schedule import ScheduleConfig

BLUR = TrainConfig("x", "deblur", "mimo-unet", degradation=BlurChain(frames=3))
NOISE = dataclasses.replace(
    BLUR, degradation=NoiseChain(sigmas_8bit=(25.0,), eight_bit_share=0.0), is_grey=True
)


def photos(chain, side=32):
    return torch.rand(3, 3, side + 2 * chain.margin, side + 2 * chain.margin)


def batch(config, tensors=None, step=0, epoch=1, rank=0):
    torch.manual_seed(0)
    tensors = tensors or (photos(config.degradation),)
    return make_batch(config, tensors, step, epoch, rank)


def test_pairs_are_passed_through():
    pair = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    for got, want in zip(batch(BLUR, pair), pair, strict=True):
        torch.testing.assert_close(got, want, atol=0, rtol=0)


def test_grey_recipes_see_one_plane():
    pair = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    grey = dataclasses.replace(BLUR, is_grey=True)
    for got, want in zip(batch(grey, pair), pair, strict=True):
        torch.testing.assert_close(got, luma(want))
    for got, want in zip(batch(grey), batch(BLUR), strict=True):
        torch.testing.assert_close(got, luma(want))  # shot in colour, then made grey


def test_noise_on_a_grey_plane_has_the_level_asked_for():
    degraded, clean = batch(NOISE, (torch.full((4, 3, 64, 64), 0.5),))
    assert degraded.shape == (4, 1, 64, 64)
    assert (degraded - clean).std().item() * 255 == pytest.approx(25, rel=0.03)


def test_randomness_belongs_to_step_and_process():
    torch.testing.assert_close(batch(BLUR, step=4), batch(BLUR, step=4), atol=0, rtol=0)
    assert not torch.equal(batch(BLUR, step=4)[0], batch(BLUR, step=5)[0])
    assert not torch.equal(batch(BLUR, step=4)[0], batch(BLUR, step=4, rank=1)[0])


def test_mix_up_begins_with_its_epoch():
    mixing = dataclasses.replace(
        NOISE, mixup=MixUp(alpha=1.2, from_epoch=6), schedule=ScheduleConfig(epochs=9)
    )
    for got, want in zip(batch(mixing, epoch=5), batch(NOISE), strict=True):
        torch.testing.assert_close(got, want, atol=0, rtol=0)
    assert not torch.equal(batch(mixing, epoch=6)[1], batch(NOISE)[1])
    torch.testing.assert_close(batch(mixing, epoch=6), batch(mixing, epoch=7), atol=0, rtol=0)


def test_errors():
    with pytest.raises(ValueError, match="no degradation"):
        batch(dataclasses.replace(BLUR, degradation=None), (torch.rand(1, 3, 8, 8),))

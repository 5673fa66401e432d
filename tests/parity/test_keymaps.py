"""What a published file may not be, and renaming both ways."""

from __future__ import annotations

import pytest
import torch

from restore_cli.weights.keymaps import mirnet, mprnet
from restore_cli.weights.keymaps.keymap import Alias, Keymap, to_ours, to_published
from restore_cli.weights.keymaps.rules import rename, rename_back
from tests.parity.filling import description, filled

SLOPE = "stage2_encoder.encoder_level1.0.body.1.weight"


@pytest.fixture
def published():
    return filled(description("mprnet_derain"))


def test_rules_work_both_ways():
    rules = [("^body.{}.body.{}.", "groups.{}.blocks.{}."), (".conv_out.", ".conv.")]
    names = rename(["body.0.body.12.conv_out.weight", "body.10.body.0.x"], rules)
    assert list(names.values()) == ["groups.0.blocks.12.conv.weight", "groups.10.blocks.0.x"]
    assert rename_back(names.values(), rules) == {ours: key for key, ours in names.items()}


def test_a_dot_is_a_dot_and_a_start_is_a_start():
    with pytest.raises(ValueError, match="no key matches"):
        rename(["aXb.weight"], [("a.b", "c")])
    with pytest.raises(ValueError, match="no key matches"):
        rename(["x.head.weight"], [("^head.", "tail.")])


def test_two_keys_of_one_name_are_refused():
    with pytest.raises(ValueError, match="same name"):
        rename(["a.weight", "b.weight"], [("a.", "b.")])


def test_a_doubled_entry_that_differs_is_refused(published):
    published[SLOPE] = torch.tensor([0.5])
    with pytest.raises(ValueError, match=SLOPE):
        to_ours(published, mprnet.KEYMAP)


def test_a_doubled_entry_that_is_missing_is_refused(published):
    del published[SLOPE]
    with pytest.raises(ValueError, match=f"{SLOPE}' is missing"):
        to_ours(published, mprnet.KEYMAP)


def test_the_other_network_is_refused(published):
    with pytest.raises(ValueError, match="no key matches"):
        to_ours(published, mirnet.KEYMAP)


def test_a_constant_that_differs_is_refused():
    published = filled(description("mirnet"))
    key = "body.2.body.1.down.128_2.body.0.bot.0.filt"
    published[key] = published[key] * 2
    with pytest.raises(ValueError, match=key):
        to_ours(published, mirnet.KEYMAP)


def test_ignored_entries_and_axes():
    keymap = Keymap(rules=[("/w", ".weight")], ignored=[r".+/Adam"], axes=(3, 2, 0, 1))
    kernel = torch.rand(3, 5, 2, 4)
    ours = to_ours({"conv/w": kernel, "conv/w/Adam": torch.zeros(1)}, keymap)
    assert ours["conv.weight"].shape == (4, 2, 3, 5)
    torch.testing.assert_close(to_published(ours, keymap)["conv/w"], kernel)


def test_a_missing_source_is_refused():
    keymap = Keymap(rules=[("a", "b")], aliases=[Alias(r"a(\d)", r"c\1", "a9")])
    with pytest.raises(ValueError, match="'a9' is missing"):
        to_ours({"a1": torch.ones(1), "c1": torch.ones(1)}, keymap)

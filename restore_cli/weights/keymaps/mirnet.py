"""Published MIRNet names → ours. They name samplers by channels and factor, we by streams."""

from __future__ import annotations

from torch import Tensor

from models.blocks.resize import blur_kernel
from restore_cli.weights.keymaps.keymap import Alias, Constant, Keymap

RULES = (
    # The slope that all attention units share goes by the name of the first unit there.
    ("^body.0.body.0.blocks.0.0.body.1.weight", "activation.weight"),
    ("^conv_in.", "head."),
    ("^conv_out.", "tail."),
    ("^body.{}.body.2.weight", "groups.{}.conv.weight"),
    ("^body.{}.body.{}.", "groups.{}.blocks.{}."),
    ("^groups.{}.blocks.{}.conv_out.", "groups.{}.blocks.{}.conv."),
    (".blocks.{}.0.body.0.", ".units.{}.conv1."),
    (".blocks.{}.0.body.2.", ".units.{}.conv2."),
    (".blocks.{}.0.SA.spatial.conv.", ".units.{}.spatial.conv."),
    (".blocks.{}.0.CA.conv_du.0.", ".units.{}.channel.squeeze."),
    (".blocks.{}.0.CA.conv_du.2.", ".units.{}.channel.excite."),
    (".blocks.{}.0.conv1x1.", ".units.{}.merge."),
    (".selective_kernel.{}.conv_du.0.", ".fusions.{}.squeeze."),
    (".selective_kernel.{}.conv_du.1.", ".fusions.{}.activation."),
    (".selective_kernel.{}.fcs.{}.", ".fusions.{}.scores.{}."),
    (".down.64_2.", ".downs.0_1."),
    (".down.64_4.", ".downs.0_2."),
    (".down.128_2.", ".downs.1_2."),
    (".up.128_2.", ".ups.1_0."),
    (".up.256_4.", ".ups.2_0."),
    (".up.256_2.", ".ups.2_1."),
    (".last_up.1.", ".last_ups.0."),
    (".last_up.2.", ".last_ups.1."),
    (".downs.{}_{}.body.{}.top.", ".downs.{}_{}.{}.body."),
    (".downs.{}_{}.body.{}.bot.", ".downs.{}_{}.{}.skip."),
    (".ups.{}_{}.body.{}.top.", ".ups.{}_{}.{}.body."),
    (".ups.{}_{}.body.{}.bot.1.", ".ups.{}_{}.{}.skip."),
    (".last_ups.{}.body.{}.top.", ".last_ups.{}.{}.body."),
    (".last_ups.{}.body.{}.bot.1.", ".last_ups.{}.{}.skip."),
)

ALIASES = (
    Alias(
        beside=r"(.+\.blocks\.\d\.0)\.body\.0\.weight",
        alias=r"\1.body.1.weight",
        source="body.0.body.0.blocks.0.0.body.1.weight",
    ),
    # Each attention unit is listed twice, once for each time it is used.
    Alias(
        beside=r"(.+\.blocks\.\d)\.0\.(.+)",
        alias=r"\1.1.\2",
        source=r"\1.0.\2",
    ),
)


def _blur(beside: Tensor) -> Tensor:
    """Return the kernel that blurs as many channels as the convolution beside it has."""
    kernel = blur_kernel().to(beside.dtype)
    return kernel.expand(beside.shape[0], 1, 3, 3).clone()


CONSTANTS = (
    Constant(
        beside=r"(.+\.down\..+)\.top\.0\.weight",
        key=r"\1.top.4.filt",
        value=_blur,
    ),
    Constant(
        beside=r"(.+\.down\..+)\.top\.0\.weight",
        key=r"\1.bot.0.filt",
        value=_blur,
    ),
)

KEYMAP = Keymap(RULES, ALIASES, CONSTANTS)

"""Published MIMO-UNet names → ours. Their decoder lists run from coarse to fine, ours do not."""

from __future__ import annotations

from restore_cli.weights.keymaps.keymap import Keymap

RULES = (
    # Residual blocks: the index of the block, then its first and second convolution.
    ("^Encoder.{}.layers.{}.main.0.main.0.", "encoders.{}.{}.conv1."),
    ("^Encoder.{}.layers.{}.main.1.main.0.", "encoders.{}.{}.conv2."),
    ("^Decoder.0.layers.{}.main.0.main.0.", "decoders.2.{}.conv1."),
    ("^Decoder.0.layers.{}.main.1.main.0.", "decoders.2.{}.conv2."),
    ("^Decoder.1.layers.{}.main.0.main.0.", "decoders.1.{}.conv1."),
    ("^Decoder.1.layers.{}.main.1.main.0.", "decoders.1.{}.conv2."),
    ("^Decoder.2.layers.{}.main.0.main.0.", "decoders.0.{}.conv1."),
    ("^Decoder.2.layers.{}.main.1.main.0.", "decoders.0.{}.conv2."),
    # The first six convolutions, one after the other, go by one name there.
    ("^feat_extract.0.main.0.", "head.0."),
    ("^feat_extract.1.main.0.", "downs.0.0."),
    ("^feat_extract.2.main.0.", "downs.1.0."),
    ("^feat_extract.3.main.0.", "ups.1.0."),
    ("^feat_extract.4.main.0.", "ups.0.0."),
    ("^feat_extract.5.main.0.", "tails.0."),
    ("^ConvsOut.0.main.0.", "tails.2."),
    ("^ConvsOut.1.main.0.", "tails.1."),
    ("^Convs.0.main.0.", "merges.1.0."),
    ("^Convs.1.main.0.", "merges.0.0."),
    ("^AFFs.{}.conv.0.main.0.", "fusions.{}.reduce.0."),
    ("^AFFs.{}.conv.1.main.0.", "fusions.{}.conv."),
    ("^FAM1.merge.main.0.", "attention.1.conv."),
    ("^FAM2.merge.main.0.", "attention.0.conv."),
    ("^SCM1.main.{}.main.0.", "shallow.1.body.{}.0."),
    ("^SCM2.main.{}.main.0.", "shallow.0.body.{}.0."),
    ("^SCM1.conv.main.0.", "shallow.1.project."),
    ("^SCM2.conv.main.0.", "shallow.0.project."),
)

KEYMAP = Keymap(RULES)

"""Published MPRNet names → ours. They count stages and levels from 1, we count from 0."""

from __future__ import annotations

from restore_cli.weights.keymaps.keymap import Alias, Keymap

RULES = (
    # The slope that all blocks share goes by the name of the first block there.
    ("^shallow_feat1.1.body.1.weight", "activation.weight"),
    # Before the attention blocks, whose convolutions bear the names that these lose.
    ("^sam12.", "supervision.0."),
    ("^sam23.", "supervision.1."),
    ("^supervision.{}.conv1.", "supervision.{}.features."),
    ("^supervision.{}.conv2.", "supervision.{}.to_image."),
    ("^supervision.{}.conv3.", "supervision.{}.to_gate."),
    # Inside an attention block.
    (".CA.conv_du.0.", ".attention.squeeze."),
    (".CA.conv_du.2.", ".attention.excite."),
    # Before the convolutions of a block: a group's own last one is numbered like them.
    (".orb1.body.", ".groups.0."),
    (".orb2.body.", ".groups.1."),
    (".orb3.body.", ".groups.2."),
    (".body.0.weight", ".conv1.weight"),
    (".body.2.weight", ".conv2.weight"),
    ("^shallow_feat1.", "shallow.0."),
    ("^shallow_feat2.", "shallow.1."),
    ("^shallow_feat3.", "shallow.2."),
    ("^stage1_encoder.", "encoders.0."),
    ("^stage2_encoder.", "encoders.1."),
    ("^stage1_decoder.", "decoders.0."),
    ("^stage2_decoder.", "decoders.1."),
    ("^stage3_orsnet.", "full_resolution."),
    ("^encoders.{}.encoder_level1.", "encoders.{}.levels.0."),
    ("^encoders.{}.encoder_level2.", "encoders.{}.levels.1."),
    ("^encoders.{}.encoder_level3.", "encoders.{}.levels.2."),
    (".down12.down.1.", ".downs.0."),
    (".down23.down.1.", ".downs.1."),
    (".csff_enc1.", ".from_encoder.0."),
    (".csff_enc2.", ".from_encoder.1."),
    (".csff_enc3.", ".from_encoder.2."),
    (".csff_dec1.", ".from_decoder.0."),
    (".csff_dec2.", ".from_decoder.1."),
    (".csff_dec3.", ".from_decoder.2."),
    ("^decoders.{}.decoder_level1.", "decoders.{}.levels.0."),
    ("^decoders.{}.decoder_level2.", "decoders.{}.levels.1."),
    ("^decoders.{}.decoder_level3.", "decoders.{}.levels.2."),
    (".skip_attn1.", ".skips.0."),
    (".skip_attn2.", ".skips.1."),
    (".up21.up.1.", ".ups.0.conv."),
    (".up32.up.1.", ".ups.1.conv."),
    (".up_enc1.up.1.", ".encoder_ups.1.0.conv."),
    (".up_dec1.up.1.", ".decoder_ups.1.0.conv."),
    (".up_enc2.{}.up.1.", ".encoder_ups.2.{}.conv."),
    (".up_dec2.{}.up.1.", ".decoder_ups.2.{}.conv."),
    ("^full_resolution.conv_enc1.", "full_resolution.from_encoder.0."),
    ("^full_resolution.conv_enc2.", "full_resolution.from_encoder.1."),
    ("^full_resolution.conv_enc3.", "full_resolution.from_encoder.2."),
    ("^full_resolution.conv_dec1.", "full_resolution.from_decoder.0."),
    ("^full_resolution.conv_dec2.", "full_resolution.from_decoder.1."),
    ("^full_resolution.conv_dec3.", "full_resolution.from_decoder.2."),
    ("^concat12.", "merges.0.conv."),
    ("^concat23.", "merges.1.conv."),
)

ALIASES = (
    Alias(
        beside=r"(.+)\.body\.0\.weight",
        alias=r"\1.body.1.weight",
        source="shallow_feat1.1.body.1.weight",
    ),
)

KEYMAP = Keymap(RULES, ALIASES)

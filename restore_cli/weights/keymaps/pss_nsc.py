"""Published PSS-NSC variables, of TensorFlow 1, → ours. Their scales run from coarse to fine."""

from __future__ import annotations

from restore_cli.weights.keymaps.keymap import Keymap

RULES = (
    # Nested blocks, shared by the scales: the units are numbered from 1.
    ("^g_net/enc1_2/d", "encoders.0.d"),
    ("^g_net/enc2_2/d", "encoders.1.d"),
    ("^g_net/enc3_2/d", "encoders.2.d"),
    ("^g_net/dec1_2/d", "decoders.0.d"),
    ("^g_net/dec2_2/d", "decoders.1.d"),
    ("^g_net/dec3_2/d", "decoders.2.d"),
    (".d1/conv{}/", ".0.conv{}."),
    (".d2/conv{}/", ".1.conv{}."),
    (".d3/conv{}/", ".2.conv{}."),
    (".d4/conv{}/", ".3.conv{}."),
    # Each scale's own convolutions, with the index of the scale at the end.
    ("^g_net/enc1_1_0/", "scales.2.head.0."),
    ("^g_net/enc1_1_1/", "scales.1.head.0."),
    ("^g_net/enc1_1_2/", "scales.0.head.0."),
    ("^g_net/enc2_1_0/", "scales.2.downs.0.conv."),
    ("^g_net/enc2_1_1/", "scales.1.downs.0.conv."),
    ("^g_net/enc2_1_2/", "scales.0.downs.0.conv."),
    ("^g_net/enc3_1_0/", "scales.2.downs.1.conv."),
    ("^g_net/enc3_1_1/", "scales.1.downs.1.conv."),
    ("^g_net/enc3_1_2/", "scales.0.downs.1.conv."),
    ("^g_net/dec2_3_0/", "scales.2.ups.1.0."),
    ("^g_net/dec2_3_1/", "scales.1.ups.1.0."),
    ("^g_net/dec2_3_2/", "scales.0.ups.1.0."),
    ("^g_net/dec1_3_0/", "scales.2.ups.0.0."),
    ("^g_net/dec1_3_1/", "scales.1.ups.0.0."),
    ("^g_net/dec1_3_2/", "scales.0.ups.0.0."),
    ("^g_net/dec1_0_0/", "scales.2.tail."),
    ("^g_net/dec1_0_1/", "scales.1.tail."),
    ("^g_net/dec1_0_2/", "scales.0.tail."),
    (".weights", ".weight"),
    (".biases", ".bias"),
)

# What the optimizer keeps beside the network.
IGNORED = (r".+/Adam(_1)?", r"beta[12]_power", r"Variable")

# Convolutions are (h, w, in, out) there and transposed ones (h, w, out, in): both orders turn
# into PyTorch's by the same exchange.
AXES = (3, 2, 0, 1)

KEYMAP = Keymap(RULES, ignored=IGNORED, axes=AXES)

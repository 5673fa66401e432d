"""Published MIMO-UNet names → ours. Their decoder lists run from coarse to fine, ours do not."""

from __future__ import annotations

RULES = (
    # Residual blocks: the index i of layer, then its first and second convolution.
    (r"^Encoder\.(\d)\.layers\.(\d+)\.main\.", r"encoders.\1.\2."),
    (r"^Decoder\.0\.layers\.(\d+)\.main\.", r"decoders.2.\1."),
    (r"^Decoder\.1\.layers\.(\d+)\.main\.", r"decoders.1.\1."),
    (r"^Decoder\.2\.layers\.(\d+)\.main\.", r"decoders.0.\1."),
    (r"^((?:en|de)coders\.\d\.\d+)\.0\.main\.0\.", r"\1.conv1."),
    (r"^((?:en|de)coders\.\d\.\d+)\.1\.main\.0\.", r"\1.conv2."),
    # The first six convolutions, one after the other, go by one name there.
    (r"^feat_extract\.0\.main\.0\.", r"head.0."),
    (r"^feat_extract\.1\.main\.0\.", r"downs.0.0."),
    (r"^feat_extract\.2\.main\.0\.", r"downs.1.0."),
    (r"^feat_extract\.3\.main\.0\.", r"ups.1.0."),
    (r"^feat_extract\.4\.main\.0\.", r"ups.0.0."),
    (r"^feat_extract\.5\.main\.0\.", r"tails.0."),
    (r"^ConvsOut\.0\.main\.0\.", r"tails.2."),
    (r"^ConvsOut\.1\.main\.0\.", r"tails.1."),
    (r"^Convs\.0\.main\.0\.", r"merges.1.0."),
    (r"^Convs\.1\.main\.0\.", r"merges.0.0."),
    (r"^AFFs\.(\d)\.conv\.0\.main\.0\.", r"fusions.\1.reduce.0."),
    (r"^AFFs\.(\d)\.conv\.1\.main\.0\.", r"fusions.\1.conv."),
    (r"^FAM1\.merge\.main\.0\.", r"attention.1.conv."),
    (r"^FAM2\.merge\.main\.0\.", r"attention.0.conv."),
    (r"^SCM1\.", r"shallow.1."),
    (r"^SCM2\.", r"shallow.0."),
    (r"^(shallow\.\d)\.main\.(\d)\.main\.0\.", r"\1.body.\2.0."),
    (r"^(shallow\.\d)\.conv\.main\.0\.", r"\1.project."),
)

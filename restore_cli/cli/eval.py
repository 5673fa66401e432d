"""Defines ``restore eval``: measures PSNR and SSIM of several methods on test pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from restore_cli.cli.console import console
from restore_cli.cli.display_options import DisplayOptions
from restore_cli.cli.eval_progress import shown_evaluation
from restore_cli.cli.eval_tables import show_report
from restore_cli.jobs.eval.options import EvalOptions
from restore_cli.option import Changed, Option

EVAL_EXAMPLES = """
\b
Examples:
  restore eval --data gopro/                          pairs: blur/ and sharp/, noisy/ and clean/
  restore eval --data levin/ --align --csv levin.csv  shifted pairs; figures in a file
  restore eval --data cbsd68/ --noise 25 -m MODEL --onnx ffdnet.onnx --rival nlm
  restore eval --data cc15/ --onnx ffdnet.onnx --sigma 10 --sigma 15
  restore eval --data kodak/ --kernels kernels/ --noise 2 -m MODEL --rival wiener --means
  restore eval --data gopro/ -m a.safetensors -m b.safetensors --restored elsewhere/ --json
"""


def evaluate(
    *,
    evaluating: EvalOptions,
    means: Annotated[bool, Option("Show means only.")] = False,
    display: Annotated[
        DisplayOptions,
        Changed(json="Print one JSON object: protocol, methods, means, pictures."),
    ],
) -> None:
    """Measure PSNR and SSIM of models and rivals on test pictures.

    All methods restore the same pictures in the same run. Pixels are floats: noise goes into the
    networks as it is, results are clamped to [0, 1] and not rounded. PSNR is over all channels,
    peak 1; SSIM by Gaussian windows of 11 pixels; means over the pictures. s/MP is the median of
    seconds per megapixel, reading not counted. Pictures equal to their clean ones have no PSNR:
    inf, in JSON null.
    """
    from restore_cli.jobs.eval.run import evaluate as measure  # torch loads here

    with shown_evaluation(console) as on_step:
        report = measure(_with_known_noise(evaluating), on_step, console.note)
    if display.json:
        console.json_object(report.to_dict())
    else:
        show_report(report, means_only=means)


def _with_known_noise(options: EvalOptions) -> EvalOptions:
    """Return the options with methods that are told the noise added, if no other is named."""
    methods, noise = options.methods, options.noise_sigma_8bit
    if methods.sigmas_8bit or not noise:
        return options
    return replace(options, methods=replace(methods, sigmas_8bit=(noise,)))

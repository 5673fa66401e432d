"""Defines ``restore bench``: measures seconds, memory and the share of the machine's speed."""

from __future__ import annotations

from typing import Annotated

from restore_cli.cli.bench_tables import show_plan, show_report
from restore_cli.cli.console import console
from restore_cli.cli.display_options import NoProgress
from restore_cli.jobs.bench.options import BenchOptions
from restore_cli.option import Option

BENCH_EXAMPLES = """
\b
Examples:
  restore bench
  restore bench -m mimo-unet -m mprnet --size 256x256    published sizes, random weights
  restore bench --size 1280x720 --tile 0 --precision fp32 --json
  restore bench --against rival.onnx --sigma 15
  restore bench --plan --size 20000x20000                what that would take
"""


def bench(
    *,
    benching: BenchOptions,
    plan: Annotated[
        bool,
        Option("Only predict: tiles, seconds and peak memory for TIFFs of these sizes."),
    ] = False,
    display: NoProgress,
) -> None:
    """Time networks, compared with the published code and with what this machine can do.

    Variants: restore is this program's engine. plain is the network as published: eager, in fp32,
    over the whole picture. GFLOP/s count the operations of the published network, so an engine that
    needs fewer shows as faster. The ceiling is the speed of a 3x3 convolution in the same
    precision, measured in the same rounds.
    """
    if plan:
        from restore_cli.jobs.bench.plan import plan as predict  # torch loads here

        show_plan(predict(benching))
        return

    from restore_cli.jobs.bench.run import bench as measure  # torch loads here

    report = measure(benching, console.info)
    if display.json:
        console.json_object(report.to_dict())
    else:
        show_report(report)

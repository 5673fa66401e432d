from __future__ import annotations

import json

import pytest

from restore_cli.jobs.bench.report import BenchReport, Ceiling, Memory, Run, Timed

PLAIN = Timed("plain", "fp32", "eager", (4.0, 8.0, 4.0), Memory(3 * 2**20, 9 * 2**20))
RESTORE = Timed("restore", "bf16", "", (2.0, 2.0, 1.0), psnr_db=51.234, max_difference=0.01)
RIVAL = Timed("a.onnx", "", "CPUExecutionProvider", (8.0, 8.0, 8.0))
BROKEN = Timed("b.onnx", error="out of memory")


def run(*variants):
    return Run(
        model="m",
        architecture="mimo-unet",
        is_random=False,
        parameters=7,
        width=1000,
        height=500,
        gflop=100.0,
        variants=variants,
        ceilings=(Ceiling("fp32", 50.0, 60.0), Ceiling("bf16", 80.0, 90.0)),
    )


def test_values():
    one = run(PLAIN, RESTORE, RIVAL, BROKEN)
    assert one.megapixels == 0.5
    assert one.speedup(PLAIN) == 1
    assert one.speedup(RESTORE) == 4  # of the ratios 2, 4, 4: not of the medians, which is 2
    assert one.speedup(RIVAL) == 0.5
    assert one.gflops(RESTORE) == 50
    assert one.share(RESTORE) == 50 / 80
    assert one.share(PLAIN) == 25 / 50
    assert one.gflops(RIVAL) is one.share(RIVAL) is one.gflops(BROKEN) is None
    assert one.speedup(BROKEN) is None


def test_without_plain_nothing_is_compared():
    assert run(Timed("plain", error="out of memory"), RESTORE).speedup(RESTORE) is None


def test_to_dict():
    report = BenchReport("cpu", 2, 3, "auto", "2.13", [run(PLAIN, RESTORE, BROKEN)])
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    plain, restore, broken = values["runs"][0]["variants"]
    assert plain["extra_memory_mib"] == 3
    assert plain["peak_memory_mib"] == 9
    assert plain["seconds"] == [4, 8, 4]
    assert (plain["fastest_s"], plain["median_s"], plain["slowest_s"]) == (4, 4, 8)
    assert plain["s_per_megapixel"] == 8
    assert restore["psnr_db"] == pytest.approx(51.23)
    assert restore["share_of_ceiling"] == 0.625
    assert broken == {"name": "b.onnx", "error": "out of memory"}
    assert values["runs"][0]["ceilings"][1]["product_gflops"] == 90

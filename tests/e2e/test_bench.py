"""What `restore bench` promises: every variant in one report, with memory."""

from __future__ import annotations

import json


def test_bench(restore, narrow_model_file):
    done = restore(
        "bench", "-m", narrow_model_file, "--size", "300x200", "--repeats", 2, "--json", "-q"
    )
    assert (done.returncode, done.stderr) == (0, b"")
    report = json.loads(done.stdout)
    assert report["threads"] == 1  # as the environment says
    (run,) = report["runs"]
    plain, own = run["variants"]
    assert own["speedup"] > 0
    for variant in (plain, own):
        assert variant["s_per_megapixel"] > 0
        assert variant["share_of_ceiling"] > 0
        # The features of one level alone take 1 MiB, the program without any work over 100.
        assert 1 < variant["extra_memory_mib"] < 100 < variant["peak_memory_mib"]

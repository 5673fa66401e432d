"""Killed at random moments, a batch loses nothing; benchmarks/batch_kill.py kills it more often."""

from __future__ import annotations

import random

from tests.benchmarks.batch_kill import Killer, make_pictures


def test_kills(tmp_path, narrow_model_file):
    make_pictures(tmp_path / "in", 12)
    killer = Killer(tmp_path / "in", tmp_path / "out", narrow_model_file, random.Random(0))
    counts = killer.run(5, together=2)
    assert counts.kills >= 5
    assert counts.rounds >= 1
    assert counts.is_clean, counts.to_dict()

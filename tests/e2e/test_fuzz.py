"""Broken files are restored or refused by one line; benchmarks/fuzz.py breaks thousands."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.benchmarks.fuzz import Fuzzer, attempts
from tests.benchmarks.fuzz_corpus import Seed, make_variants

FORMATS = Path(__file__).resolve().parents[2] / "samples" / "formats"


def test_kinds(tmp_path, narrow_model_file):
    made = tmp_path / "made"
    made.mkdir()
    make_variants(made)
    paths = [*FORMATS.iterdir(), *made.iterdir()]
    seeds = [Seed(path.name, path.read_bytes()) for path in sorted(paths) if path.suffix != ".md"]
    fuzzer = Fuzzer(seeds, 7, tmp_path / "work", narrow_model_file)
    verdicts = list(attempts(fuzzer, range(80)))
    kinds = Counter(verdict.kind for verdict in verdicts)
    assert set(kinds) == {"restored", "refused"}, [
        verdict for verdict in verdicts if verdict.kind not in ("restored", "refused")
    ]
    assert min(kinds.values()) >= 10


def test_a_number_names_an_input(tmp_path, narrow_model_file):
    seeds = [Seed(path.name, path.read_bytes()) for path in sorted(FORMATS.glob("*.png"))]
    first, second = (Fuzzer(seeds, 7, tmp_path, narrow_model_file) for _ in range(2))
    assert first.input(3)[:2] == second.input(3)[:2]
    assert first.input(3)[1] != first.input(4)[1]

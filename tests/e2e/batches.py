"""What a batch leaves behind, and says."""

from __future__ import annotations

import json

JOURNAL = ".restore-journal.jsonl"


def records(folder, step="done"):
    """Return what the journal of an output folder has of a step."""
    path = folder / JOURNAL
    lines = path.read_text().splitlines() if path.exists() else []
    return [record for record in map(json.loads, lines) if record["step"] == step]


def hidden(folder):
    """Return the names of hidden files beside the journal: none should be left."""
    return sorted(path.name for path in folder.rglob(".*") if path.name != JOURNAL)


def summary(out):
    """Return the summary that ``--json`` ends with."""
    return json.loads(out.splitlines()[-1])["summary"]

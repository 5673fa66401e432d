"""How a run went, as a picture."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from restore_cli.atomic import replacing

_SIZE = (9.0, 5.0)  # inches
_SMOOTHED = 20  # rows of the log that a line is the mean of


def draw_curves(log: Path, picture: Path) -> bool:
    """Draw the loss and the PSNR of held-back photos over the steps of a run.

    Args:
        log: the run's ``log.jsonl``.
        picture: a PNG, replaced if it exists.

    Returns:
        Whether there is a picture; without Matplotlib there is none.

    Raises:
        ImageError: it cannot be written.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    trained = [row for row in rows if "loss" in row]
    validated = [row for row in rows if "psnr_db" in row]
    figure = Figure(figsize=_SIZE, layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    if trained:
        steps, losses = ([row[name] for row in trained] for name in ("step", "loss"))
        above.plot(steps, losses, linewidth=0.6, alpha=0.5)
        above.plot(steps, _means(losses), label=f"mean of {_SMOOTHED} rows")
        above.legend()
    if validated:
        steps = [row["step"] for row in validated]
        below.plot(steps, [row["psnr_db"] for row in validated], marker=".", label="restored")
        below.plot(steps, [row["psnr_in_db"] for row in validated], "--", label="as degraded")
        below.legend()
    above.set_ylabel("loss")
    below.set_ylabel("PSNR of held-back photos (dB)")
    below.set_xlabel("step")
    with replacing(picture) as file:
        figure.savefig(file, format="png", dpi=100)
    return True


def _means(values: Sequence[float]) -> list[float]:
    """Return the mean of each value and up to 19 before it."""
    return [fmean(values[max(0, end - _SMOOTHED) : end]) for end in range(1, len(values) + 1)]

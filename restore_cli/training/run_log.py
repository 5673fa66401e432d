"""What a run reports as it goes: JSON lines, and with extra ``curves`` pictures of them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from restore_cli.training.curves import draw_curves


class RunLog:
    """Appends rows of numbers to ``log.jsonl``; each line is whole before the next is begun."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "log.jsonl"
        self._curves = folder / "curves.png"
        self._board: Any = None  # tensorboard's SummaryWriter has no types of its own
        if importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard.writer import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"))

    def write(self, row: dict[str, float]) -> None:
        """Add a row; it must hold ``step``. The curves are drawn anew at each validation."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if "psnr_db" in row:
            draw_curves(self._path, self._curves)
        if self._board is not None:
            for name, value in row.items():
                self._board.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Write what is still buffered."""
        if self._board is not None:
            self._board.close()

"""Prints tables, messages and JSON; nothing else in the program prints.

stdout carries data that was asked for. Everything for people goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TextIO

from restore_cli.errors import RestoreError
from restore_cli.jobs.json_report import JsonObject, error_to_dict

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

ProgressStyle = Literal["bar", "plain", "json", "none"]


@dataclass(slots=True)
class Console:
    """Prints in the way the display options ask for; the program has one instance."""

    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    json: bool = False
    progress: ProgressStyle | Literal["auto"] = "auto"
    stdout_is_image: bool = False  # then --json and tables go to stderr

    def reset(self) -> None:
        """Forget the flags of an earlier command in the same process."""
        self.quiet = self.verbose = self.debug = self.json = self.stdout_is_image = False
        self.progress = "auto"

    @property
    def progress_style(self) -> ProgressStyle:
        """Return how to show progress: by itself, a bar on a terminal and lines elsewhere.

        ``--quiet`` leaves JSON only, which is for programs.
        """
        if self.progress == "json":
            return "json"
        if self.quiet:
            return "none"
        if self.progress == "auto":
            return "bar" if is_terminal(sys.stderr) else "plain"
        return self.progress

    def json_object(self, value: JsonObject, *, indent: int | None = 2) -> None:
        """Print one JSON object as data, in ASCII, so that any file name survives."""
        self._write(self._data_stream(), json.dumps(value, indent=indent))

    def json_line(self, value: JsonObject) -> None:
        """Print one JSON object on one line of stderr."""
        self._write(sys.stderr, json.dumps(value))

    def text(self, text: str) -> None:
        """Print a line of data."""
        self._write(self._data_stream(), text)

    def line(self, text: str) -> None:
        """Print a line of data that names files; line breaks in names are escaped."""
        self._write(self._data_stream(), _one_line(text))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table as data: aligned on a terminal, else separated by tabs."""
        stream = self._data_stream()
        if stream is None or not stream.isatty():
            for row in (columns, *rows):
                self._write(stream, "\t".join(_one_line(cell) for cell in row))
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in columns:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(Text(_one_line(cell)) for cell in row))
        rich_console(stream).print(table)

    def info(self, text: str) -> None:
        """Tell people something they may skip; ``--quiet`` silences it."""
        if not self.quiet:
            self._write(sys.stderr, _one_line(text))

    def detail(self, text: str) -> None:
        """Tell people something that only ``--verbose`` asks for."""
        if self.verbose:
            self.info(text)

    def note(self, text: str) -> None:
        """Tell people about something they may not expect; ``--quiet`` silences it."""
        if not self.quiet:
            self._write(sys.stderr, f"{_styled('note:', '33')} {_one_line(text)}")

    def error(self, text: str) -> None:
        """Tell people what failed, on one line; ``--quiet`` does not silence it."""
        self._write(sys.stderr, f"{_styled('error:', '1;31')} {_one_line(text)}")

    def lines(self, text: str) -> None:
        """Tell people several lines as they are, such as a traceback or a help text."""
        self._write(sys.stderr, text.rstrip("\n"))

    def failure(self, error: RestoreError) -> None:
        """Tell people what failed, and with ``--json`` print the error as data, too."""
        self.error(str(error))
        if self.json:
            self.json_object({"error": error_to_dict(error), "exit_code": error.exit_code})

    def _data_stream(self) -> TextIO | None:
        return sys.stderr if self.stdout_is_image else sys.stdout

    @staticmethod
    def _write(stream: TextIO | None, line: str) -> None:
        if stream is None:  # closed by the caller with >&-
            return
        # A name that is no text in the terminal's encoding is shown escaped, not as a crash.
        encoding = stream.encoding or "utf-8"
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()


def rich_console(stream: TextIO) -> RichConsole:
    """Return a console of Rich that raises BrokenPipeError for a closed pipe."""
    from rich.console import Console as RichConsole

    class PipeConsole(RichConsole):
        def on_broken_pipe(self) -> None:  # rich would exit with 1
            raise BrokenPipeError

    return PipeConsole(file=stream, highlight=False)


def is_terminal(stream: TextIO | None) -> bool:
    """Say whether the stream is a terminal that can move its cursor."""
    if stream is None:
        return False
    return stream.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}


def _styled(text: str, style: str) -> str:
    if not is_terminal(sys.stderr) or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{style}m{text}\x1b[0m"


def _one_line(text: str) -> str:
    """Escape characters that break the line or control the terminal; file names may hold any."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


console = Console()

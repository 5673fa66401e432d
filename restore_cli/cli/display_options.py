"""Options that every command shares: how it shows results, progress and errors.

They are set on the console while the command line is read, so that an error in a later option shows
as asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from restore_cli.cli.console import console
from restore_cli.option import Changed, Option


def _set(name: str) -> Callable[[bool | str], None]:
    """Return a function that sets a value on the console."""

    def keep(value: bool | str) -> None:
        setattr(console, name, value)

    return keep


def _set_debug(value: bool) -> None:
    # The option stands before the command or after it.
    console.debug = console.debug or value


Debug = Annotated[bool, Option("Show the traceback of an error.", env=True, early=_set_debug)]


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """Says how a command shows results, progress and errors."""

    json: Annotated[bool, Option("Print JSON.", early=_set("json"))] = False
    progress: Annotated[
        Literal["auto", "bar", "plain", "json", "none"],
        Option(
            "How to show progress, on stderr.",
            metavar="auto|bar|plain|json|none",
            setting=True,
            early=_set("progress"),
        ),
    ] = "auto"
    quiet: Annotated[
        bool, Option("Print errors only.", short="-q", setting=True, early=_set("quiet"))
    ] = False
    verbose: Annotated[
        bool,
        Option(
            "Print more: model, device, warnings of libraries.",
            short="-v",
            setting=True,
            early=_set("verbose"),
        ),
    ] = False
    debug: Debug = False


# For commands that have less to say.
NoProgress = Annotated[DisplayOptions, Changed(progress=None)]
JsonQuietDebug = Annotated[DisplayOptions, Changed(progress=None, verbose=None)]
JsonDebug = Annotated[DisplayOptions, Changed(progress=None, quiet=None, verbose=None)]
DebugOnly = Annotated[DisplayOptions, Changed(json=None, progress=None, quiet=None, verbose=None)]

"""Puts the commands together; :func:`main` turns every error into one line and an exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from restore_cli import __version__
from restore_cli.cli import config_files
from restore_cli.cli.batch import BATCH_EXAMPLES, batch
from restore_cli.cli.bench import BENCH_EXAMPLES, bench
from restore_cli.cli.console import console
from restore_cli.cli.display_options import Debug
from restore_cli.cli.doctor import DOCTOR_EXAMPLES, doctor
from restore_cli.cli.eval import EVAL_EXAMPLES, evaluate
from restore_cli.cli.export import EXPORT_EXAMPLES, export
from restore_cli.cli.malloc_tuning import avoid_page_faults
from restore_cli.cli.models import models_app
from restore_cli.cli.openmp_waiting import let_waiting_threads_sleep
from restore_cli.cli.option_groups import Command, setting_names, with_groups
from restore_cli.cli.restore import COMMANDS, restoring_command
from restore_cli.cli.train import TRAIN_EXAMPLES, train
from restore_cli.cli.weights import weights_app
from restore_cli.errors import DeviceError, RestoreError, UsageError
from restore_cli.option import Option

INTERRUPTED = 130
CLOSED_PIPE = 141
TERMINATED = 143

app = typer.Typer(
    name="restore",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: 0.1 s sooner, and the same on every terminal
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.text(f"restore {__version__}")
        raise typer.Exit


@app.callback(epilog="restore COMMAND --help shows examples.")
@with_groups
def restore(
    context: typer.Context,
    *,
    version: Annotated[bool, Option("Print the version.", early=_show_version)] = False,
    debug: Debug = False,
) -> None:
    """Deblur, denoise and enlarge photographs; offline, any size, on CPU or GPU."""
    command = context.invoked_subcommand
    if command:
        context.default_map = {command: config_files.load(command, config_keys())}


_RESTORING = {row.task: restoring_command(row) for row in COMMANDS}
for row in COMMANDS:
    app.command(row.task, help=row.help, epilog=row.epilog)(with_groups(_RESTORING[row.task]))
app.command(epilog=BATCH_EXAMPLES)(with_groups(batch))
app.command(epilog=TRAIN_EXAMPLES)(with_groups(train))
app.command("eval", epilog=EVAL_EXAMPLES)(with_groups(evaluate))
app.command(epilog=BENCH_EXAMPLES)(with_groups(bench))
app.command(epilog=EXPORT_EXAMPLES)(with_groups(export))
app.add_typer(models_app, name="models")
app.add_typer(weights_app, name="weights")
app.command(epilog=DOCTOR_EXAMPLES)(with_groups(doctor))


def config_keys() -> config_files.Keys:
    """Return each command that reads configuration files → the options they may set for it."""
    readers: dict[str, Command] = {**_RESTORING, "batch": batch, "train": train}
    return {name: setting_names(command) for name, command in readers.items()}


def main() -> NoReturn:
    """Run the program; a failure prints one line on stderr and exits with a code of its own."""
    avoid_page_faults(sys.argv[1:])
    let_waiting_threads_sleep()
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the program on the given arguments and return its exit code."""
    console.reset()
    _route_library_messages(arguments)
    try:
        code = app(args=list(arguments), prog_name="restore", standalone_mode=False)
        if sys.stdout is not None:  # closed by the caller with >&-
            sys.stdout.flush()
    except SystemExit as stop:
        # Typer and rich turn a closed pipe into a plain exit 1.
        if isinstance(stop.__context__, BrokenPipeError):
            return _closed_pipe()
        return stop.code if isinstance(stop.code, int) else 1
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        return _closed_pipe()
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets one line
        return _explain(error)
    if code == INTERRUPTED:
        console.error("interrupted")
    return int(code or 0)


def _explain(error: Exception) -> int:
    """Print on one line what went wrong, and return the exit code."""
    if console.debug:
        console.lines(traceback.format_exc())
    elif isinstance(error, typer.TyperException) and error.message.startswith("Usage:"):
        console.lines(error.message)  # a command group without a command
        return UsageError.exit_code
    known = _as_ours(error)
    if known is not None:
        console.failure(known)
        return known.exit_code
    what = f"unexpected {type(error).__name__}: {error}"
    console.failure(
        RestoreError(what, hint="" if console.debug else "run with --debug for details")
    )
    return RestoreError.exit_code


def _as_ours(error: Exception) -> RestoreError | None:
    if isinstance(error, RestoreError):
        return error
    if isinstance(error, ModuleNotFoundError):  # an extra that is not installed
        return RestoreError(str(error))
    if isinstance(error, MemoryError):
        return DeviceError("out of memory", hint="try a smaller --tile")
    if isinstance(error, typer.TyperException):
        return _usage_error(error)
    if isinstance(error, OSError) and error.strerror:
        return RestoreError(error.strerror.lower(), path=error.filename)
    return None


def _usage_error(error: typer.TyperException) -> UsageError:
    """Return an error of Typer as ours; it names the source of a bad value and the help to read."""
    context = getattr(error, "ctx", None)
    name = str(getattr(getattr(error, "param", None), "name", ""))
    what = error.format_message().replace("Value error, ", "").replace("\n\t", " ").rstrip(".")
    if context is None:
        return UsageError(what)
    source = context.get_parameter_source(name) if name else None
    if source is not None and source.name == "ENVIRONMENT":
        what += f", set by RESTORE_{name.upper()}"
    elif source is not None and source.name == "DEFAULT_MAP":
        what += f", set in {config_files.PROJECT_FILE} or {config_files.user_file()}"
    return UsageError(what, hint=f"see {context.command_path} --help")


def _closed_pipe() -> int:
    """Point stdout at nothing, so that the last flush does not fail, and return the exit code."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return CLOSED_PIPE


def _route_library_messages(arguments: Sequence[str]) -> None:
    """Keep log messages and warnings of libraries off the terminal unless the user wants them."""
    wanted = {"-v", "--verbose", "--debug"} & set(arguments)
    logging.basicConfig(
        level=logging.INFO if wanted else logging.ERROR, format="%(name)s: %(message)s"
    )
    logging.captureWarnings(True)


def _terminate(_signal: int, _frame: object) -> None:
    # An exception, so that temporary files are removed on the way out.
    raise SystemExit(TERMINATED)

"""Reports as JSON: plain objects, and errors among them."""

from __future__ import annotations

from restore_cli.errors import RestoreError

# A report as --json prints it. Values are str, int, float, bool, None, lists and objects of those.
JsonObject = dict[str, object]


def error_to_dict(error: RestoreError) -> JsonObject:
    """Return an error as ``--json`` prints it."""
    values: JsonObject = {
        "kind": type(error).__name__,
        "file": error.path,
        "what": error.what,
        "hint": error.hint or None,
        "exit_code": error.exit_code,
    }
    return {name: value for name, value in values.items() if value is not None}

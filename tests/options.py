"""Options of the restoring commands by their flat names, as a test calls them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

from restore_cli.jobs.restore.options import RestoreOptions


def restore_options(**flat):
    """Return options of which any field, in whatever group it is, is given by its own name."""
    return _filled(RestoreOptions(), flat)


def _filled(group, flat):
    values = {}
    for field in fields(group):
        value = getattr(group, field.name)
        if is_dataclass(value):
            values[field.name] = _filled(value, flat)
        elif field.name in flat:
            values[field.name] = flat.pop(field.name)
    if type(group) is RestoreOptions and flat:
        raise TypeError(f"no option is called {', '.join(flat)}")
    return replace(group, **values)

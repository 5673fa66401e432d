"""Makes the options of a command from option groups, and the groups from what the user typed.

A command takes groups as keyword arguments::

    def batch(paths: Paths = None, *, batching: BatchOptions, restoring: RestoreOptions) -> None:

A group is a dataclass. Each of its fields that carries an :class:`~restore_cli.option.Option`
becomes an option of the command. A field that is a group itself becomes the options of that group.
The default of a group, where the command gives one, holds the defaults of its options. A command
may change what it shows of a group::

    restoring: Annotated[RestoreOptions, Changed(in_place=None)] = RestoreOptions(task="denoise")
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from functools import cache, wraps
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from restore_cli.option import Changed, Option

Command = Callable[..., None]
Hint = Any  # a type, with or without Annotated
Path = tuple[str, ...]  # a parameter, then fields: ("restoring", "engine", "tile")


@dataclass(frozen=True, slots=True)
class Slot:
    """Describes a place for a value: a parameter of a command, or a field of a group."""

    path: Path
    type: Hint
    extras: tuple[object, ...]  # what Annotated adds to the type
    default: Any  # MISSING: there is none

    @property
    def option(self) -> Option | None:
        """Return how it shows on the command line; None if it does not, or is a group."""
        return next((extra for extra in self.extras if isinstance(extra, Option)), None)

    def fields(self) -> list[Slot]:
        """Return the fields of a group; nothing if it is none."""
        return [
            _slot((*self.path, field.name), hint, _field_default(field, self.default))
            for field, hint in _fields_of(self.type)
        ]


@dataclass(frozen=True, slots=True)
class Entry:
    """Names an option of a command and the slot that takes its value."""

    slot: Slot
    option: Option

    @property
    def name(self) -> str:
        """Return the name in configuration files; with dashes it is the option's."""
        return self.option.name or self.slot.path[-1]

    @property
    def is_repeated(self) -> bool:
        """Say whether the option may be given several times."""
        origin: Hint = get_origin(self.slot.type)
        return origin is Sequence


def with_groups(command: Command) -> Command:
    """Return the command as Typer takes it: with an option for each field of its groups.

    Parameters that are neither groups nor options, such as arguments, stay as they are.

    Raises:
        TypeError: a change names an option that is not there.
        ValueError: two options have the same name.
    """
    slots = _slots_of(command)
    entries = [entry for slot in slots for entry in _entries(slot)]
    parameters = []
    for slot in slots:
        own = [_option_parameter(entry) for entry in entries if entry.slot.path[0] == slot.path[0]]
        parameters += own or [_plain_parameter(slot)]

    @wraps(command)
    def run(**given: Any) -> None:  # noqa: ANN401 - whatever Typer read
        values: dict[Path, Any] = {(name,): value for name, value in given.items()}
        for entry in entries:
            value = values.pop((entry.name,))
            if value is not None:
                values[entry.slot.path] = tuple(value) if entry.is_repeated else value
        command(**{slot.path[0]: _filled(slot, values) for slot in slots})

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # for Typer
    run.__annotations__ = {}  # they are in the signature
    return run


def setting_names(command: Command) -> frozenset[str]:
    """Return the names of the command's options that configuration files may set."""
    entries = [entry for slot in _slots_of(command) for entry in _entries(slot)]
    return frozenset(entry.name for entry in entries if entry.option.setting)


def _slots_of(command: Command) -> list[Slot]:
    hints = get_type_hints(command, include_extras=True)
    return [
        _slot(
            (name,),
            hints[name],
            MISSING if parameter.default is parameter.empty else parameter.default,
        )
        for name, parameter in inspect.signature(command).parameters.items()
    ]


@cache
def _fields_of(kind: Hint) -> list[tuple[Field[Any], Hint]]:
    if not is_dataclass(kind):
        return []
    hints = get_type_hints(kind, include_extras=True)
    return [(field, hints[field.name]) for field in fields(kind)]


def _slot(path: Path, hint: Hint, default: Any) -> Slot:  # noqa: ANN401
    origin: Hint = get_origin(hint)
    kind, *extras = get_args(hint) if origin is Annotated else (hint,)
    return Slot(path, kind, tuple(extras), default)


def _field_default(field: Field[Any], group: Any) -> Any:  # noqa: ANN401
    """Return the default of a field; where its group has a default, this one holds."""
    if group is not MISSING:
        return getattr(group, field.name)
    factory = field.default_factory
    return factory() if callable(factory) else field.default


def _entries(slot: Slot) -> list[Entry]:
    """Return the options that a slot stands for: none, one, or those of a group."""
    if slot.option is not None:
        return [Entry(slot, slot.option)]
    found = [entry for field in slot.fields() for entry in _entries(field)]
    for extra in slot.extras:
        if isinstance(extra, Changed):
            found = _changed(found, extra)
    return found


def _changed(entries: list[Entry], changed: Changed) -> list[Entry]:
    if unknown := set(changed.options) - {entry.name for entry in entries}:
        raise TypeError(f"there is no option {', '.join(unknown)} to change")
    options = [(entry, changed.option(entry.name, entry.option)) for entry in entries]
    return [replace(entry, option=option) for entry, option in options if option is not None]


def _filled(slot: Slot, values: Mapping[Path, Any]) -> Any:  # noqa: ANN401
    """Return the value of a slot: the one given, a group made of values, or the default."""
    if slot.path in values:
        return values[slot.path]
    inner = slot.fields()
    if not inner:
        return slot.default
    return slot.type(**{field.path[-1]: _filled(field, values) for field in inner})


def _plain_parameter(slot: Slot) -> inspect.Parameter:
    """Return a parameter that Typer reads by itself, such as an argument."""
    default = inspect.Parameter.empty if slot.default is MISSING else slot.default
    hint = Annotated[slot.type, *slot.extras] if slot.extras else slot.type
    return inspect.Parameter(
        slot.path[0], inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint
    )


def _option_parameter(entry: Entry) -> inspect.Parameter:
    """Return the parameter that Typer makes the option from."""
    option = entry.option
    words = entry.name.replace("_", "-")
    flags = [f"--{words}/--no-{words}" if entry.slot.default is True else f"--{words}"]
    if option.short:
        flags.append(option.short)
    has_variable = option.setting or option.env
    default = typer.Option(
        _shown_default(entry),
        *flags,
        help=option.help,
        metavar=option.metavar,
        min=option.min,
        max=option.max,
        parser=None if option.parse is None else _parser(option.parse),
        callback=None if option.early is None else _callback(option.early),
        is_eager=option.early is not None,
        envvar=f"RESTORE_{entry.name.upper()}" if has_variable else None,
        show_envvar=False,
    )
    return inspect.Parameter(
        entry.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=_read_type(entry)
    )


def _read_type(entry: Entry) -> Hint:
    """Return the type that Typer reads: of text to be parsed str, of repeated options a list."""
    kind: Hint = get_args(entry.slot.type)[0] if entry.is_repeated else entry.slot.type
    if entry.option.parse is not None:
        kind = str
    return list.__class_getitem__(kind) if entry.is_repeated else kind


def _shown_default(entry: Entry) -> Any:  # noqa: ANN401
    """Return the default that Typer shows; with None it shows none, and the slot's holds."""
    default = entry.slot.default
    if default is MISSING:
        return ...  # Typer's word for a required option
    if entry.is_repeated or not entry.option.show_default or default is None:
        return None
    return default if entry.option.parse is None else str(default)


def _parser(parse: Callable[[str], object]) -> Callable[[str], object]:
    # Configuration files hold numbers, too.
    return lambda value: parse(str(value))


def _callback(early: Callable[..., object]) -> Callable[[Any], Any]:
    def callback(value: Any) -> Any:  # noqa: ANN401
        early(value)
        return value

    return callback

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

import pytest
import typer

from restore_cli.cli import app as app_module
from restore_cli.cli import config_files
from restore_cli.cli.display_options import DisplayOptions
from restore_cli.cli.option_groups import setting_names, with_groups
from restore_cli.engine.options import EngineOptions
from restore_cli.jobs.batch.options import BatchOptions, Shard
from restore_cli.jobs.bench.options import BenchOptions
from restore_cli.jobs.eval.options import EvalOptions, MethodOptions
from restore_cli.jobs.export.options import ExportOptions
from restore_cli.jobs.restore.options import RestoreOptions
from restore_cli.option import Changed, Option, memory_size, picture_size
from restore_cli.training.options import RecipeOptions, TrainOptions, duration

GROUPS = (
    RestoreOptions,
    BatchOptions,
    BenchOptions,
    EvalOptions,
    RecipeOptions,
    TrainOptions,
    ExportOptions,
    DisplayOptions,
)


@dataclass(frozen=True, slots=True)
class Inner:
    size: Annotated[tuple[int, int] | None, Option("Size.", parse=picture_size, setting=True)] = (
        None
    )
    level: Annotated[float, Option("Level.", short="-l", min=0, max=1)] = 0.5


@dataclass(frozen=True, slots=True)
class Group:
    data: Annotated[Path, Option("Data.")]
    names: Annotated[Sequence[str], Option("Names.", name="name")] = ()
    memory: Annotated[bool, Option("Memory.")] = True
    limit_s: Annotated[
        float, Option("Limit.", name="limit", parse=duration, show_default=False)
    ] = float("inf")
    bits: Annotated[Literal[8, 16] | None, Option("Bits.", setting=True)] = None
    inner: Inner = field(default_factory=Inner)
    unseen: int = 7


OTHER_BITS = Option("Bits here.")


class Program:
    """A Typer program of one command, which keeps what it is called with."""

    def __init__(self, command):
        self.settings = setting_names(command)
        self.app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
        self.app.command()(with_groups(command))

    def __call__(self, *words, files=None):
        return self.app(args=list(words), standalone_mode=False, default_map=files)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def program(calls):
    def command(
        inputs: Annotated[list[str] | None, typer.Argument()] = None, *, group: Group
    ) -> None:
        """Do something."""
        calls.append((inputs, group))

    return Program(command)


def test_a_group_has_its_own_defaults(program, calls):
    program("--data", "d")
    assert calls == [(None, Group(Path("d")))]


def test_values_are_parsed_and_put_in_their_places(program, calls):
    words = "a b --data d --name x --name y --no-memory --limit 1h30m --bits 16 --size 3x4 -l 0.25"
    program(*words.split())
    inner = Inner((3, 4), 0.25)
    assert calls == [(["a", "b"], Group(Path("d"), ("x", "y"), False, 5400.0, 16, inner))]


def test_the_environment_and_files_set_what_they_may(program, calls, monkeypatch):
    assert program.settings == {"size", "bits"}
    monkeypatch.setenv("RESTORE_SIZE", "5x6")
    monkeypatch.setenv("RESTORE_LEVEL", "0.75")  # not a setting
    program("--data", "d", files={"bits": 8, "size": "1x1"})
    assert calls == [(None, Group(Path("d"), bits=8, inner=Inner((5, 6))))]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing parameter: data"),
        (["--size", "x"], "'x' is no size such as 1280x720"),
        (["--level", "2"], "less than or equal to 1"),
        (["--bits", "9"], "'9' is not one of '8', '16'"),
        (["--unseen", "1"], "No such option: --unseen"),
    ],
)
def test_errors(program, calls, words, message):
    with pytest.raises(typer.TyperException, match=message):
        program(*(["--data", "d"] if words else []), *words)
    assert calls == []


def test_a_command_may_change_what_it_shows(calls, capsys):
    def command(
        *, group: Annotated[Group, Changed(level="Level here.", size=None, bits=OTHER_BITS)]
    ) -> None:
        calls.append(group)

    program = Program(command)
    program("--help")
    text = capsys.readouterr().out
    assert "Level here." in text
    assert "Bits here." in text
    assert "--size" not in text
    assert program.settings == set()
    program("--data", "d", "--bits", "16")
    assert calls == [Group(Path("d"), bits=16)]


def test_the_default_of_a_group_holds_the_defaults_of_its_options(calls, capsys):
    default = Group(Path("d"), ("x",), inner=Inner(level=0.125), unseen=9)

    def command(*, group: Group = default) -> None:
        calls.append(group)

    command.__annotations__["group"] = Annotated[Group, Changed(name=None)]
    program = Program(command)
    program()
    program("--size", "3x4")
    assert calls == [default, Group(Path("d"), ("x",), inner=Inner((3, 4), 0.125), unseen=9)]
    program("--help")
    assert "[default: 0.125; 0<=x<=1]" in capsys.readouterr().out


def test_mistakes_of_ours_are_found():
    def misspelt(*, group: Annotated[Group, Changed(sise=None)]) -> None: ...

    def twice(*, group: Group, other: Inner) -> None: ...

    with pytest.raises(TypeError, match="no option sise"):
        with_groups(misspelt)
    with pytest.raises(ValueError, match="duplicate"):
        with_groups(twice)


def test_a_new_option_is_one_field(monkeypatch, tmp_path, calls):
    """It is an option, a variable and a key of restore.toml, in a command that takes its group."""
    new = Annotated[int, Option("Of grain to keep.", metavar="N", setting=True)]
    Grown = make_dataclass(  # noqa: N806
        "Grown", [("grain", new, 3)], bases=(EngineOptions,), frozen=True, slots=True
    )

    def deblur(*, engine: Annotated[EngineOptions, Changed(tta=None)], display: DisplayOptions):
        calls.append(engine.grain)

    deblur.__annotations__ |= {"engine": Grown, "return": None}
    program = Program(deblur)
    keys = {"deblur": program.settings}
    assert program.settings >= {"grain", "device", "quiet"}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    program()
    (tmp_path / config_files.PROJECT_FILE).write_text("grain = 4")
    program(files=config_files.load("deblur", keys))
    monkeypatch.setenv("RESTORE_GRAIN", "5")
    program(files=config_files.load("deblur", keys))
    program("--grain", "6", files=config_files.load("deblur", keys))
    assert calls == [3, 4, 5, 6]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_defaults_are_what_their_text_means(group):
    """Typer shows the text of a default and parses it like any other."""
    for option, kind, default in options_of(group):
        is_shown = option.show_default and default not in (None, MISSING)
        if option.parse is not None and is_shown and get_origin(kind) is not Sequence:
            assert option.parse(str(default)) == default


@pytest.mark.parametrize("group", [*GROUPS, EngineOptions, MethodOptions])
def test_groups_are_frozen_and_small(group):
    assert group.__dataclass_params__.frozen
    assert not hasattr(group, "__dict__") or "__slots__" in vars(group)
    assert all(option.help.endswith(".") for option, *_ in options_of(group))


def test_what_may_be_set_elsewhere_is_what_it_was():
    """How to restore may be set in files, what to overwrite may not."""
    restoring = {
        "model", "device", "precision", "tile", "overlap", "pooling", "max_memory", "tta",
        "strength", "format", "quality", "bit_depth", "strip_metadata", "progress", "quiet",
        "verbose",
    }  # fmt: skip
    expected = dict.fromkeys(("deblur", "denoise", "derain", "enhance", "batch"), restoring)
    expected["upscale"] = restoring | {"scale"}
    expected["train"] = {"device", "progress", "quiet", "verbose"}
    assert app_module.config_keys() == expected


def test_no_command_has_too_many_parameters():
    commands = [info.callback for info in app_module.app.registered_commands]
    for command in commands:
        own = inspect.signature(command.__wrapped__, follow_wrapped=False)
        assert len(own.parameters) <= 8


@pytest.mark.parametrize(
    ("text", "size"),
    [("100", 100), ("800M", 800 * 2**20), ("1.5G", 3 * 2**29), ("2GiB", 2**31), ("1kb", 1024)],
)
def test_memory_sizes(text, size):
    assert memory_size(text) == size


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (memory_size, "0"),
        (memory_size, "much"),
        (picture_size, "0x4"),
        (duration, ""),
        (duration, "x"),
    ],
)
def test_texts_that_mean_nothing(parse, text):
    with pytest.raises(ValueError, match=repr(text)):
        parse(text)


def test_a_shard_shows_as_it_is_typed():
    assert str(Shard(2, 4)) == "2/4"
    assert Shard(2, 4) == (2, 4)


def options_of(group):
    hints = get_type_hints(group, include_extras=True)
    for one in fields(group):
        hint = hints[one.name]
        for extra in getattr(hint, "__metadata__", ()):
            if isinstance(extra, Option):
                yield extra, get_args(hint)[0], one.default
        if is_dataclass(hint):
            yield from options_of(hint)

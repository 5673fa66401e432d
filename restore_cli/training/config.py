"""A recipe: everything that decides what a training run does, read from TOML."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.registry import ALIASES, architecture, config_values, make_config
from restore_cli.data.augment import Augmentation
from restore_cli.data.loaders import Phase
from restore_cli.degradations.chain import BlurChain
from restore_cli.errors import UsageError

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the loss terms; 0 leaves one out."""

    content: float = 1.0  # multi-scale L1
    frequency: float = 0.1  # multi-scale frequency reconstruction
    # Divide each sample's loss by its input's mean error plus this, so that a few hopeless
    # patches do not outweigh all others; 0: every sample counts by its absolute error.
    balance: float = 0.0


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """Adam; weight decay is decoupled from the gradient (AdamW) where it is not 0."""

    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip_norm: float = 0.0  # largest norm of the gradient; 0: no limit


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """The learning rate over the steps, as a share of the optimizer's ``lr``."""

    steps: int = 100_000
    warmup: int = 0  # steps of linear rise
    kind: str = "constant"  # constant, cosine, multistep, or trapezoid (constant, then to 0)
    final: float = 0.0  # share of lr at the end of a cosine or trapezoid
    decay_share: float = 0.3  # trapezoid: the last share of the steps, in which it falls
    milestone: int = 0  # multistep: every so many steps ...
    gamma: float = 0.5  # ... times this

    def __post_init__(self) -> None:
        if self.kind not in ("constant", "cosine", "multistep", "trapezoid"):
            raise ValueError(f"schedule {self.kind!r} is unknown")
        if self.steps < 1:
            raise ValueError(f"steps {self.steps} is less than 1")
        if self.kind == "multistep" and self.milestone < 1:
            raise ValueError("multistep needs a milestone of at least 1 step")


@dataclass(frozen=True, slots=True)
class ValidationConfig:
    """How progress is measured: on photos held back from the training folder."""

    every: int = 1000  # steps
    share: float = 0.03  # of the photos or pairs, spread evenly over the list
    side: int = 256  # of the square that is measured, a multiple of 16


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One training run; the fields stand for the tables and keys of a recipe file."""

    name: str
    task: str
    architecture: str
    summary: str = ""
    licence: str = ""
    version: str = "1"
    config: Mapping[str, Any] = field(default_factory=dict)
    start_from_identity: bool = False
    seed: int = 1
    ema_decay: float = 0.0  # 0: no averaged weights
    precision: str = "no"  # no, bf16 or fp16: Accelerate's mixed precision
    checkpoint_minutes: float = 3.0
    phases: tuple[Phase, ...] = (Phase(1.0, 256, 4),)
    augmentation: Augmentation = field(default_factory=Augmentation)
    degradation: BlurChain = field(default_factory=BlurChain)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("phases is empty")
        for phase in self.phases:
            if phase.patch % 16:
                raise ValueError(f"patch {phase.patch} is not a multiple of 16")
        self.model_values()  # refuses settings the network does not have
        multiple = architecture(self.architecture).multiple_of
        if any(phase.patch % multiple for phase in self.phases):
            raise ValueError(f"{self.architecture} needs patches of a multiple of {multiple}")

    def model_values(self) -> dict[str, Any]:
        """Return every field of the network's config, defaults included."""
        return config_values(make_config(self.architecture, self.config))


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the program."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def recipe_for(model: str) -> str:
    """Return the recipe that trains a model, by its own name or that of a published network.

    Takes ``-`` and ``_``, and aliases such as ``mimo``.

    Raises:
        UsageError: there is none.
    """
    name = model.lower().replace("_", "-")
    name = ALIASES.get(name, name)
    if name not in recipe_names():
        known = ", ".join(recipe_names())
        raise UsageError(f"no recipe trains {model!r}", hint=f"there is {known}, or --recipe FILE")
    return name


def load_recipe(name_or_path: str, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """Read a recipe by name or from a TOML file.

    Args:
        name_or_path: a name of :func:`recipe_names`, or a path.
        overrides: dotted keys → values that replace the file's, as ``schedule.steps``.

    Raises:
        UsageError: no such recipe, no valid TOML, an unknown key or a value that is refused.
    """
    path = Path(name_or_path)
    if not path.is_file():
        path = RECIPES / f"{name_or_path}.toml"
    if not path.is_file():
        raise UsageError(
            f"no recipe {name_or_path!r}", hint=f"there is {', '.join(recipe_names())}, or a file"
        )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"not valid TOML: {error}", path=path) from error
    for key, value in (overrides or {}).items():
        _set(values, key.split("."), value)
    try:
        config: TrainConfig = _build(TrainConfig, values, "")
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(str(error.args[0]), path=path) from error
    return config


def as_plain(config: TrainConfig) -> dict[str, Any]:
    """Return the recipe as plain values, for a checkpoint or a card."""
    return dataclasses.asdict(config)


def _set(values: dict[str, Any], keys: list[str], value: object) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
    values[keys[-1]] = value


def _build(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:  # noqa: ANN401 - any config class
    """Build a config dataclass, and the ones inside it, from TOML values; unknown keys fail."""
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ValueError(f"unknown key {where}{unknown[0]}; known: {', '.join(hints)}")
    return kind(**{k: _convert(hints[k], v, f"{where}{k}") for k, v in values.items()})


def _convert(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401 - any TOML value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, f"{where}.")
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(value):
            raise ValueError(f"{where} needs {len(kinds)} values")
        return tuple(_convert(kind, item, where) for kind, item in zip(kinds, value, strict=True))
    if origin is not None and not isinstance(origin, types.UnionType):
        return value  # the network's own settings; its config class checks them
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{where} is {value!r}, not of type {hint.__name__}")
    return value

"""A recipe: everything that decides what a training run does, read from TOML."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.registry import ALIASES, config_values, make_config, size_rule
from restore_cli.data.augment import Augmentation
from restore_cli.data.loaders import Phase
from restore_cli.data.mixing import MixUp
from restore_cli.degradations.tasks import CHAINS, Chain
from restore_cli.errors import UsageError
from restore_cli.training.schedule import ScheduleConfig

RECIPES = Path(__file__).parent / "recipes"

# Networks that were published for several tasks → the recipe of the one they are known for.
RECIPE_ALIASES = {"mirnet": "mirnet-denoise"}


TERMS = (
    "content",
    "frequency",
    "charbonnier",
    "edge",
    "mse",
    "gradient",
    "feature",
    "adversarial",
)


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights of the loss terms, each summed over the network's stages; 0 leaves one out."""

    content: float = 0.0  # mean absolute difference
    frequency: float = 0.0  # mean absolute difference of the spectra
    charbonnier: float = 0.0
    edge: float = 0.0  # Charbonnier of the Laplacian residuals
    mse: float = 0.0  # mean squared difference
    gradient: float = 0.0  # mean absolute difference of the Sobel responses
    feature: float = 0.0  # mean squared difference of VGG16 features
    adversarial: float = 0.0  # what a discriminator trained beside makes of the final stage
    is_clamped: bool = False  # the stages are clamped to [0, 1] before any term sees them
    vgg: str = ""  # file with the weights of VGG16; empty: vgg16.safetensors in the cache
    # Divide each sample's loss by its input's mean error plus this, so that a few hopeless
    # patches do not outweigh all others; 0: every sample counts by its absolute error.
    balance: float = 0.0

    def __post_init__(self) -> None:
        used = {name for name in TERMS if getattr(self, name)}
        if not used:
            raise ValueError(f"every loss weight is 0; there is {', '.join(TERMS)}")
        if self.balance and not used <= {"content", "frequency", "gradient"}:
            # Only these double when both images do.
            raise ValueError("balance goes with the terms content, frequency and gradient only")


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """Adam, or Muon, whose 650 steps taught a FormResNet what took 1,700 of Adam's.

    Adam's weight decay is decoupled from the gradient (AdamW) unless said otherwise.
    """

    kind: str = "adam"  # adam; muon
    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    is_decay_coupled: bool = False  # added to the gradient, as Adam had it before AdamW
    clip_norm: float = 0.0  # largest norm of the gradient; 0: no limit

    def __post_init__(self) -> None:
        if self.kind not in {"adam", "muon"}:
            raise ValueError(f"optimizer.kind {self.kind!r} is neither adam nor muon")
        if self.kind == "muon" and self.weight_decay:
            raise ValueError("weight_decay goes with the optimizer adam only")


@dataclass(frozen=True, slots=True)
class CriticConfig:
    """The discriminator of an adversarial run; its other settings are the optimizer's."""

    width: int = 64  # channels of its first layer
    lr: float = 1e-4  # follows the schedule, too


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
    # Deviation of the truncated normal distribution that weights start from, biases at 0; 0: the
    # network's own start.
    initial_std: float = 0.0
    border: int = 0  # see ModelCard
    is_grey: bool = False  # train on one grey plane, for networks that restore plane by plane
    seed: int = 1
    ema_decay: float = 0.0  # 0: no averaged weights
    precision: str = "no"  # no, bf16 or fp16: Accelerate's mixed precision
    checkpoint_minutes: float = 3.0
    phases: tuple[Phase, ...] = (Phase(1.0, 256, 4),)
    augmentation: Augmentation = field(default_factory=Augmentation)
    mixup: MixUp = field(default_factory=MixUp)
    degradation: Chain | None = None  # what sharp photos undergo; None: this recipe needs pairs
    loss: LossConfig = field(default_factory=lambda: LossConfig(content=1.0, frequency=0.1))
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    critic: CriticConfig = field(default_factory=CriticConfig)
    schedule: ScheduleConfig = field(default_factory=lambda: ScheduleConfig(steps=100_000))
    validation: ValidationConfig = field(default_factory=ValidationConfig)

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("phases is empty")
        chain_multiple = self.degradation.multiple_of if self.degradation else 1
        for phase in self.phases:
            if phase.patch % chain_multiple:
                raise ValueError(f"patch {phase.patch} is not a multiple of {chain_multiple}")
        self.model_values()  # refuses settings the network does not have
        multiple = size_rule(self.architecture, self.config)
        if any(phase.patch % multiple for phase in self.phases):
            raise ValueError(f"{self.architecture} needs patches of a multiple of {multiple}")
        self._refuse_what_does_not_go_together()

    def _refuse_what_does_not_go_together(self) -> None:
        if self.schedule.epochs and len({phase.batch for phase in self.phases}) > 1:
            raise ValueError("a schedule in epochs needs the same batch in every phase")
        if self.mixup.from_epoch > 1 and not self.schedule.epochs:
            raise ValueError("mixup.from_epoch needs a schedule in epochs")
        if self.loss.adversarial and self.precision == "fp16":
            raise ValueError("an adversarial loss needs precision no or bf16")

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
    name = RECIPE_ALIASES.get(name, name)
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
        _choose_degradation(values)
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


def _choose_degradation(values: dict[str, Any]) -> None:
    """Make the chain of the recipe's task from its table ``degradation``, which may be missing."""
    kind = CHAINS.get(values.get("task", ""))
    settings = values.pop("degradation", {})
    if kind is not None:
        values["degradation"] = _build(kind, settings, "degradation.")
    elif settings:
        tasks = ", ".join(sorted(CHAINS))
        raise ValueError(f"there is a degradation for {tasks} only; other tasks need pairs")


def _build(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:  # noqa: ANN401 - any config class
    """Build a config dataclass, and the ones inside it, from TOML values; unknown keys fail."""
    names = {entry.name for entry in dataclasses.fields(kind)}
    hints = {k: hint for k, hint in typing.get_type_hints(kind).items() if k in names}
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
    if origin is not None:
        return value  # the network's settings, which its config class checks; the chain, as made
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{where} is {value!r}, not of type {hint.__name__}")
    return value

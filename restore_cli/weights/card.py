"""What a model is: its network, what it was trained on, how good it is, who may use it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeAlias, cast

from restore_cli.errors import WeightsError

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_OPTIONAL = ("sha256", "context", "border")


@dataclass(frozen=True, slots=True)
class Score:
    """One measured result: the mean over a set, of the degraded input and of the restored image."""

    dataset: str
    measured: str  # what was compared and how: colour space, crop, tiles, precision
    psnr_in_db: float
    psnr_out_db: float
    ssim_in: float
    ssim_out: float
    pictures: int


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the header of a weights file says; a network is rebuilt from it alone."""

    name: str
    architecture: str  # a key of models.ARCHITECTURES
    config: Mapping[str, Json]  # every field of that architecture's config
    task: str  # "deblur", "denoise", "derain", "enhance"
    summary: str
    licence: str
    version: str = "1"  # counts up when a model of the same name gets new weights
    training: Mapping[str, Json] = field(default_factory=dict)  # recipe, data, hours, device …
    scores: tuple[Score, ...] = ()
    # Pixels of surroundings with which these weights were measured to restore a tile as they do the
    # whole image, to 1e-6; often far less than the network could look at. 0: not measured.
    context: int = 0
    # Pixels by which an image is mirrored at each side before it is restored, and cut after: what
    # convolutions take for black beyond the border darkens the outermost rows of some networks.
    border: int = 0
    sha256: str = ""  # of the tensors, see header.content_sha256; empty until saved

    def to_json(self) -> str:
        """Return the card as one line of JSON.

        Raises:
            ValueError: a number is NaN or infinite, which JSON cannot hold.
        """
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read what :meth:`to_json` wrote.

        Raises:
            WeightsError: not JSON, or a field is missing, unknown or of the wrong type.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise WeightsError(f"model card is not valid JSON: {error}") from error
        return _card(values)

    @classmethod
    def from_toml(cls, path: Path) -> ModelCard:
        """Read a card from a TOML file, where ``sha256`` may be left out and ``scores`` are tables.

        Raises:
            WeightsError: unreadable, not TOML, or a field is missing, unknown or of the wrong type.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise WeightsError(f"cannot be read: {error.strerror}", path=path) from error
        except ValueError as error:
            raise WeightsError(f"model card is not valid TOML: {error}", path=path) from error
        try:
            return _card({"training": {}, "scores": [], **values})
        except WeightsError as error:
            raise WeightsError(error.what, path=path) from error


def _card(values: object) -> ModelCard:
    known = _checked(ModelCard, values, "model card", optional=_OPTIONAL)
    scores = tuple(Score(**_checked(Score, score, "score")) for score in known["scores"])
    return ModelCard(**{**known, "scores": scores})


def _checked(
    record: type[Any], values: object, what: str, optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return ``values`` if they are exactly the fields of the dataclass ``record``.

    ``Any`` because the values are what a file holds; they are checked here.
    """
    if not isinstance(values, dict):
        raise WeightsError(f"{what} is not a table of fields")
    kinds = {entry.name: _KINDS[str(entry.type).split("[")[0]] for entry in fields(record)}
    unknown = sorted(set(values) - set(kinds))
    if unknown:
        raise WeightsError(f"{what} has an unknown field {unknown[0]!r}")
    missing = [name for name in kinds if name not in values and name not in optional]
    if missing:
        raise WeightsError(f"{what} has no field {missing[0]!r}")
    for name, value in values.items():
        if not isinstance(value, kinds[name]) or isinstance(value, bool):
            raise WeightsError(f"{what} field {name!r} has the wrong type: {value!r}")
    return cast("dict[str, Any]", values)


# Annotation in the dataclass → what a JSON or TOML reader may give for it.
_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "Mapping": (dict,),
    "tuple": (list,),
}

"""What an evaluation measured; plain data, cheap to import."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from restore_cli.jobs.json_report import JsonObject

CSV_COLUMNS = (
    "set",
    "picture",
    "method",
    "width",
    "height",
    "psnr_in_db",
    "psnr_out_db",
    "gain_db",
    "ssim_in",
    "ssim_out",
    "seconds",
    "s_per_megapixel",
)


@dataclass(frozen=True, slots=True)
class Score:
    """How near a picture is to its clean one."""

    psnr_db: float  # infinite where they are equal
    ssim: float | None  # None: smaller than SSIM's window


@dataclass(frozen=True, slots=True)
class Row:
    """One picture by one method."""

    set: str
    picture: str
    method: str
    width: int
    height: int
    before: Score
    after: Score
    seconds: float | None  # None: it was not restored here

    @property
    def gain_db(self) -> float:
        """Return what the method added; not a number where both are equal to the clean one."""
        return self.after.psnr_db - self.before.psnr_db

    @property
    def s_per_megapixel(self) -> float | None:
        """Return the time it took, for a megapixel."""
        return None if self.seconds is None else self.seconds / (self.width * self.height / 1e6)

    def values(self) -> JsonObject:
        """Return it by the names of ``CSV_COLUMNS``."""
        return {
            "set": self.set,
            "picture": self.picture,
            "method": self.method,
            "width": self.width,
            "height": self.height,
            "psnr_in_db": _rounded(self.before.psnr_db, 4),
            "psnr_out_db": _rounded(self.after.psnr_db, 4),
            "gain_db": _rounded(self.gain_db, 4),
            "ssim_in": _rounded(self.before.ssim, 5),
            "ssim_out": _rounded(self.after.ssim, 5),
            "seconds": _rounded(self.seconds, 4),
            "s_per_megapixel": _rounded(self.s_per_megapixel, 4),
        }


@dataclass(frozen=True, slots=True)
class Mean:
    """All pictures of one set by one method."""

    set: str
    method: str
    pictures: int
    before: Score
    after: Score
    least_db: float  # PSNR of the worst result
    s_per_megapixel: float | None  # median over the pictures

    @property
    def gain_db(self) -> float:
        """Return what the method added to the mean."""
        return self.after.psnr_db - self.before.psnr_db

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Mean:
        """Return the mean of one or more rows of the same set and method."""
        speeds = [row.s_per_megapixel for row in rows if row.s_per_megapixel is not None]
        return cls(
            set=rows[0].set,
            method=rows[0].method,
            pictures=len(rows),
            before=_mean_score([row.before for row in rows]),
            after=_mean_score([row.after for row in rows]),
            least_db=min(row.after.psnr_db for row in rows),
            s_per_megapixel=statistics.median(speeds) if speeds else None,
        )

    def to_dict(self) -> JsonObject:
        """Return it as ``--json`` prints it."""
        values: JsonObject = {
            "set": self.set,
            "method": self.method,
            "pictures": self.pictures,
            "psnr_in_db": _rounded(self.before.psnr_db, 4),
            "psnr_out_db": _rounded(self.after.psnr_db, 4),
            "gain_db": _rounded(self.gain_db, 4),
            "ssim_in": _rounded(self.before.ssim, 5),
            "ssim_out": _rounded(self.after.ssim, 5),
            "least_db": _rounded(self.least_db, 4),
            "s_per_megapixel": _rounded(self.s_per_megapixel, 4),
        }
        return _json_numbers(values)


@dataclass(frozen=True, slots=True)
class MethodFacts:
    """What restored the pictures, and how."""

    method: str
    kind: str  # "model", "onnx", "restored" or "classical"
    precision: str = ""
    backend: str = ""
    sha256: str = ""  # of the weights' content
    told_sigma_8bit: float | None = None

    def to_dict(self) -> JsonObject:
        """Return it as ``--json`` prints it; what is not known is left out."""
        values: JsonObject = {
            "method": self.method,
            "kind": self.kind,
            "precision": self.precision or None,
            "backend": self.backend or None,
            "sha256": self.sha256 or None,
            "told_sigma_8bit": self.told_sigma_8bit,
        }
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class EvalReport:
    """What ``restore eval`` measured."""

    device: str
    threads: int
    torch: str
    protocol: JsonObject  # what was asked for: of the pictures, of the comparison, of the engine
    methods: tuple[MethodFacts, ...]
    rows: tuple[Row, ...]

    @property
    def means(self) -> tuple[Mean, ...]:
        """Return the mean of every set and method, in the order they were measured."""
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            groups.setdefault((row.set, row.method), []).append(row)
        return tuple(Mean.of(rows) for rows in groups.values())

    def to_dict(self) -> JsonObject:
        """Return the report as ``--json`` prints it; a PSNR without bound is null."""
        return {
            "device": self.device,
            "threads": self.threads,
            "torch": self.torch,
            "protocol": self.protocol,
            "methods": [facts.to_dict() for facts in self.methods],
            "means": [mean.to_dict() for mean in self.means],
            "pictures": [_json_numbers(row.values()) for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class Step:
    """How far an evaluation is."""

    done: int  # pictures times methods
    total: int
    row: Row | None = None  # what was just measured; None at the start

    def to_dict(self) -> JsonObject:
        """Return it as one line of ``--progress json``."""
        values: JsonObject = {"event": "measured" if self.row else "start"}
        values |= {"done": self.done, "total": self.total}
        return values | (_json_numbers(self.row.values()) if self.row else {})


OnStep = Callable[[Step], None]


def ignore_steps(_step: Step) -> None:
    """Show nothing."""


def as_csv(rows: Iterable[Row]) -> str:
    """Return one line for each picture and method, below a line of names; ``inf`` where equal."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.values() for row in rows)
    return text.getvalue()


def _mean_score(scores: Sequence[Score]) -> Score:
    similarities = [score.ssim for score in scores if score.ssim is not None]
    return Score(
        psnr_db=statistics.fmean(score.psnr_db for score in scores),
        ssim=statistics.fmean(similarities) if similarities else None,
    )


def _json_numbers(values: JsonObject) -> JsonObject:
    """Return the values with null for what JSON has no number for."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)

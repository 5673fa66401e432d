"""How long a run is, and its learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

KINDS = ("constant", "cosine", "multistep", "polynomial", "trapezoid")


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """The learning rate over the time of a run, as a share of the optimizer's ``lr``.

    Time is counted in steps where ``steps`` alone is given, and in epochs where ``epochs`` is:
    passes over the samples of the folder, so that a paper's numbers hold for any folder. The rate
    then changes from one epoch to the next. With both, the epochs are spread over the steps.
    """

    steps: int = 0  # of the run; 0: what the epochs need
    epochs: int = 0  # 0: time is counted in steps
    warmup: int = 0  # linear rise over this time
    kind: str = "constant"  # or cosine, multistep, polynomial, trapezoid (constant, then falling)
    final: float = 0.0  # share of lr at the end of a cosine or trapezoid
    period: int = 0  # cosine: time from the end of the warm-up to ``final``; 0: the rest of the run
    power: float = 1.0  # polynomial: (1 - share of the run that is over) to this power
    decay_share: float = 0.3  # trapezoid: the last share of the run, in which it falls
    milestone: int = 0  # multistep: each time this much has passed ...
    gamma: float = 0.5  # ... times this

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"schedule {self.kind!r} is unknown; there is {', '.join(KINDS)}")
        if min(self.steps, self.epochs) < 0 or self.steps + self.epochs < 1:
            raise ValueError(
                f"steps {self.steps} and epochs {self.epochs}: one of them must be 1 or more"
            )
        if self.kind == "multistep" and self.milestone < 1:
            raise ValueError("multistep needs a milestone of at least 1")

    @property
    def length(self) -> int:
        """The time a run takes, in the unit of the schedule."""
        return self.epochs or self.steps

    def steps_for(self, samples: int, batch: int) -> int:
        """Return the steps of a run over so many training samples.

        The last batch of an epoch counts as one, full or not, as in the published code.
        """
        return self.steps or self.epochs * -(-samples // batch)

    def time(self, step: int, steps: int) -> int:
        """Return the time of a step (counted from 0) of a run of so many."""
        return step * self.epochs // steps if self.epochs else step


def rate(schedule: ScheduleConfig, time: int) -> float:
    """Return the learning rate at a time (counted from 0) as a share of the recipe's ``lr``.

    A function of the time alone: a resumed run needs no stored schedule, and a run whose
    length was changed follows the new curve from where it is.
    """
    if time < schedule.warmup:
        return (time + 1) / schedule.warmup
    if schedule.kind == "cosine":
        period = schedule.period or schedule.length - schedule.warmup
        done = min(1.0, (time - schedule.warmup) / max(1, period))
        return schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * done))
    if schedule.kind == "multistep":
        return float(schedule.gamma ** (time // schedule.milestone))
    if schedule.kind == "polynomial":
        return float(max(0.0, 1 - time / schedule.length) ** schedule.power)
    if schedule.kind == "trapezoid":
        left = min(1.0, (1 - time / schedule.length) / schedule.decay_share)
        return schedule.final + (1 - schedule.final) * max(0.0, left)
    return 1.0

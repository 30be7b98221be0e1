"""The promotion gate: may this model replace the serving one? A pure rule on numbers; it measures nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from al_assets.checkpoints.evaluation import LOWER_IS_BETTER, Interval


@dataclass(frozen=True)
class Decision:
    """Whether to promote, and why, in words an archive owner can read."""

    go: bool
    reason: str


@dataclass(frozen=True)
class PromotionPolicy:
    """The metric that decides, how much worse a candidate may be, and the labels a refusal must rest on."""

    metric: str = "macro_f1"
    margin: float = 0.02
    minimum_holdout_labels: int = 20

    def __post_init__(self) -> None:
        """Refuse a margin or minimum without meaning."""
        if not (self.margin >= 0 and math.isfinite(self.margin)) or self.minimum_holdout_labels < 0:
            raise ValueError(f"margin and minimum_holdout_labels must be >= 0, got {self}")


def decide(
    candidate: float | None,
    serving: float | None,
    difference: Interval | None,
    holdout_labels: int,
    policy: PromotionPolicy,
) -> Decision:
    """Promote a candidate unless the hold-out speaks against it.

    A candidate has seen more labels than the model that serves, so the burden of proof lies on the refusal.

    1. A metric that is not a number, or that the candidate alone lacks, is refused: something is broken.
    2. Nothing to compare with (no serving model, or no hold-out label that both can be measured on):
       promoted.
    3. Fewer than `minimum_holdout_labels` labelled hold-out frames: promoted, unless clearly worse, that is,
       the whole interval of the difference lies beyond the margin.
    4. Enough labels: promoted if not worse by more than the margin, and not certainly worse by any amount
       (else ten rounds could each lose what one may).

    candidate, serving: the metric on the same hold-out; difference: candidate minus serving with its interval
    (`evaluation.paired_difference`); None falls back on the plain difference without an interval.
    """
    name, few = policy.metric, holdout_labels < policy.minimum_holdout_labels
    label = f"{holdout_labels} labelled hold-out frame{'' if holdout_labels == 1 else 's'}"
    numbers = [
        candidate,
        serving,
        *(() if difference is None else (difference.value, difference.low, difference.high)),
    ]
    if any(number is not None and not math.isfinite(number) for number in numbers):
        return Decision(
            False, f"{name} is not a finite number; look at the evaluation before promoting by hand"
        )
    if candidate is None and serving is not None:
        return Decision(
            False, f"{name} of the candidate could not be measured where the serving model's could"
        )
    if candidate is None:
        return Decision(True, f"{name} cannot be measured on {label} yet, so nothing speaks against it")
    if serving is None:
        return Decision(True, f"nothing to compare with: {name} {candidate:.3f} on {label}")
    gain, worst, best = _gain(candidate, serving, difference, lower_is_better=name in LOWER_IS_BETTER)
    seen = f"{name} {candidate:.3f} against {serving:.3f} on {label}{_range(worst, best)}"
    if few and best is not None and best < -policy.margin:
        return Decision(False, f"clearly worse, even on few labels: {seen}")
    if few:
        return Decision(
            True, f"too few labels to refuse ({policy.minimum_holdout_labels} are asked for): {seen}"
        )
    if gain < -policy.margin:
        return Decision(False, f"worse by more than the margin of {policy.margin:g}: {seen}")
    if best is not None and best < 0:
        return Decision(False, f"certainly worse, if only a little: {seen}")
    return Decision(True, f"{'better' if gain > 0 else 'not worse by more than the margin'}: {seen}")


def _gain(
    candidate: float, serving: float, difference: Interval | None, *, lower_is_better: bool
) -> tuple[float, float | None, float | None]:
    """Difference, lower and upper end, turned so that more is better."""
    interval = difference or Interval(None, None, None)
    value = candidate - serving if interval.value is None else interval.value
    if not lower_is_better:
        return value, interval.low, interval.high
    return -value, _minus(interval.high), _minus(interval.low)


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _range(worst: float | None, best: float | None) -> str:
    return "" if worst is None or best is None else f" (gain between {worst:+.3f} and {best:+.3f})"

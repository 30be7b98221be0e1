"""Why a model may confuse two classes, in words, from counts and light: a guess by rule, and said as one.

Not here: where the counts come from.
"""

from __future__ import annotations

from dataclasses import dataclass

FEW_LABELS = 20
UNEVEN = 5.0
DARK = 0.7
BRIGHT = 1.4
BLURRED = 0.6
SMALL_BOX = 0.02


@dataclass(frozen=True)
class PairFacts:
    """What is known of a pair.

    light, sharpness: mean of the doubtful frames over that of the archive. taken_for: hold-out frames on which the
    first was taken for the second, and the reverse. None where it is not known.
    """

    names: tuple[str, str]
    labelled: tuple[int, int]
    box_area: tuple[float | None, float | None]
    uncertain: int
    frames: int
    margin: float
    light: float | None
    sharpness: float | None
    taken_for: tuple[int, int] | None


def reasons(facts: PairFacts) -> str:
    """Sentences: what may be behind the confusion, and what the hold-out says of it."""
    found = [*_labels(facts), *_pictures(facts)]
    told = f"May be behind it: {'; '.join(found)}." if found else _none(facts)
    if facts.taken_for is not None:
        one, other = facts.names
        told += (
            f" On the hold-out {one} was taken for {other} {facts.taken_for[0]} times and {other} for {one} "
            f"{facts.taken_for[1]} times."
        )
    return told


def _none(facts: PairFacts) -> str:
    return (
        f"Neither labels, light, sharpness nor box area stand out: {facts.names[0]} and {facts.names[1]} may look "
        "alike, so look at the stills."
    )


def _labels(facts: PairFacts) -> list[str]:
    few = [
        f"{name} has only {count} labels"
        for name, count in zip(facts.names, facts.labelled, strict=True)
        if count < FEW_LABELS
    ]
    if few:
        return few
    most, least = max(facts.labelled), min(facts.labelled)
    rarer = facts.names[facts.labelled.index(least)]
    return [f"{rarer} has {most / least:.0f} times fewer labels"] if most >= UNEVEN * least else []


def _pictures(facts: PairFacts) -> list[str]:
    found = []
    if facts.light is not None and facts.light < DARK:
        found.append(f"the doubtful frames are dark ({facts.light:.2f} of the archive's brightness)")
    if facts.light is not None and facts.light > BRIGHT:
        found.append(
            f"the doubtful frames are very bright ({facts.light:.2f} times the archive's brightness)"
        )
    if facts.sharpness is not None and facts.sharpness < BLURRED:
        found.append(f"the doubtful frames are blurred ({facts.sharpness:.2f} of the archive's sharpness)")
    small = [
        f"{name} is small ({area:.1%} of the frame)"
        for name, area in zip(facts.names, facts.box_area, strict=True)
        if area is not None and area < SMALL_BOX
    ]
    return found + small

"""Many plain judgements as columns: what a format may give in place of as many records, to be as fast as arrays are.

Not here: reading any one format, or what becomes of the judgements. Whoever does not care takes `records()`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from al_assets.labels.formats.records import FrameReference, Mark, Outcome, ParsedAnnotation

BLOCK = 1000
"""Records that are resolved together, plain or not."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_MOMENT = np.iinfo(np.int64).min
MICROSECOND = timedelta(microseconds=1)

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Saying:
    """Who says what, of any frame at any time: an export has few of them. At most one mark, without a box."""

    annotator: str
    outcome: Outcome
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class PlainBlock:
    """Judgements of one source record each, on frames named by frame_id, of all classes, without a source id.

    positions, frame_ids, moments (microseconds since 1970, NO_MOMENT for none) and codes (of sayings) have one value
    for each. raw: the source of one of them, by its place in the block.
    """

    positions: Numbers
    frame_ids: Numbers
    moments: Numbers
    codes: Numbers
    sayings: Sequence[Saying]
    raw: Callable[[int], str]

    def records(self) -> list[ParsedAnnotation]:
        """The same, one by one."""
        columns = (self.positions, self.frame_ids, self.moments, self.codes)
        found = []
        for place, (position, frame_id, at, code) in enumerate(
            zip(*(c.tolist() for c in columns), strict=True)
        ):
            saying = self.sayings[code]
            found.append(
                ParsedAnnotation(
                    positions=(position,),
                    frame=FrameReference(frame_id),
                    outcome=saying.outcome,
                    marks=saying.marks,
                    raw=self.raw(place),
                    annotator=saying.annotator,
                    annotated_at=None if at == NO_MOMENT else EPOCH + at * MICROSECOND,
                )
            )
        return found


def microseconds(moment: datetime | None) -> int:
    """A moment as a block holds it."""
    if moment is None:
        return int(NO_MOMENT)
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds

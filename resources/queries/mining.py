"""Which open frames a batch may be chosen from: conditions on what the model predicts there and on their site.

Only conditions and the names in them; which frames are open is selection.py's matter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from resources.database import Database
from resources.tables import classes, frame_scores, frames, predictions, videos

SHOWN = 12
# Under names of their own: the statement around may read the same tables for something else.
_LIKELIEST = frame_scores.alias("likeliest")
_PREDICTED = predictions.alias("predicted")


class MiningError(ValueError):
    """A name under [mining] that the archive does not know; the message says which and what it knows."""


@dataclass(frozen=True)
class Restriction:
    """Conditions that all must hold; empty ones hold for every frame.

    class_ids, box_area (smallest, largest share of the frame) and confidence_below are about one and the same
    prediction of checkpoint_id; confidence_below alone is about the likeliest class, predicted or not.
    """

    checkpoint_id: str | None = None
    class_ids: tuple[int, ...] = ()
    confidence_below: float | None = None
    box_area: tuple[float, float] | None = None
    sites: tuple[str, ...] = ()

    def about_predictions(self) -> bool:
        """Whether what a model says of a frame decides, and not only the video that it is in."""
        says = self.class_ids or self.box_area is not None or self.confidence_below is not None
        return self.checkpoint_id is not None and bool(says)

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """On a statement that reads `frames` joined to `videos`; each frame is looked up by the clustered key."""
        found: list[sa.ColumnElement[bool]] = []
        if self.sites:
            found.append(videos.c.site.in_(self.sites))
        if self.checkpoint_id is None:
            return found
        if self.class_ids or self.box_area is not None:
            found.append(self._predicted())
        elif self.confidence_below is not None:
            found.append(
                sa.exists().where(
                    _LIKELIEST.c.checkpoint_id == self.checkpoint_id,
                    _LIKELIEST.c.frame_id == frames.c.frame_id,
                    _LIKELIEST.c.confidence < self.confidence_below,
                )
            )
        return found

    def _predicted(self) -> sa.ColumnElement[bool]:
        there = sa.exists().where(
            _PREDICTED.c.checkpoint_id == self.checkpoint_id, _PREDICTED.c.frame_id == frames.c.frame_id
        )
        if self.class_ids:
            there = there.where(_PREDICTED.c.class_id.in_(self.class_ids))
        if self.confidence_below is not None:
            there = there.where(_PREDICTED.c.confidence < self.confidence_below)
        if self.box_area is not None:
            # A prediction without a box has no area, and null fulfils neither bound.
            area = _PREDICTED.c.box_width * _PREDICTED.c.box_height
            there = there.where(area >= self.box_area[0], area <= self.box_area[1])
        return there


def restriction(
    database: Database,
    checkpoint_id: str | None,
    *,
    class_names: Sequence[str] = (),
    confidence_below: float | None = None,
    box_area: tuple[float, float] | None = None,
    sites: Sequence[str] = (),
) -> Restriction:
    """The conditions by the names that people use. Raises MiningError for one that the archive does not know.

    Merged classes count as what they were merged into. Without a checkpoint only the sites can hold frames back.
    """
    with database.read() as connection:
        class_ids = _class_ids(connection, class_names)
        _check_sites(connection, sites)
    return Restriction(checkpoint_id, class_ids, confidence_below, box_area, tuple(sites))


def _class_ids(connection: sa.Connection, names: Sequence[str]) -> tuple[int, ...]:
    if not names:
        return ()
    columns = (classes.c.class_id, classes.c.name, classes.c.aliases, classes.c.merged_into)
    rows = list(connection.execute(sa.select(*columns).order_by(classes.c.class_id)))
    meant: dict[str, int] = {}
    for class_id, name, aliases, merged_into in rows:
        for spelling in (name, *json.loads(aliases)):
            meant.setdefault(spelling.casefold(), merged_into or class_id)
    shown = [name for _, name, _, merged_into in rows if merged_into is None]
    wanted = {_known(meant, name, "classes", "class", shown) for name in names}
    return tuple(class_id for class_id, _, _, merged_into in rows if (merged_into or class_id) in wanted)


def _known(meant: dict[str, int], name: str, key: str, what: str, shown: Sequence[str]) -> int:
    if name.casefold() not in meant:
        raise MiningError(f"[mining] {key}: the archive has no {what} {name!r}; {_list(what, shown)}")
    return meant[name.casefold()]


def _check_sites(connection: sa.Connection, sites: Sequence[str]) -> None:
    if not sites:
        return
    query = sa.select(videos.c.site).where(videos.c.site.is_not(None)).distinct().order_by(videos.c.site)
    there: list[Any] = list(connection.scalars(query))
    unknown = next((site for site in sites if site not in there), None)
    if unknown is not None:
        raise MiningError(f"[mining] sites: no video is of site {unknown!r}; {_list('site', there)}")


def _list(what: str, names: Sequence[str]) -> str:
    if not names:
        return f"it knows no {what} yet"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"it knows {', '.join(map(repr, names[:SHOWN]))}{more}"

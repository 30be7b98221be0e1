"""Changes of classes by their owner: renamed, merged, separated again, split, each with its history.

Rows of annotations, labels and training sets keep the class_id that they were written with. What a class is called
and what it counts as is looked up when they are read (view resolved_classes), so a change is seen at once and can be
undone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from al_assets.names import is_reserved
from resources import bulk
from resources.database import Database
from resources.tables import class_changes, classes, materializations


class ClassChangeError(ValueError):
    """A change of a class that cannot be made; the message says why."""


@dataclass(frozen=True)
class _Class:
    class_id: int
    name: str
    aliases: list[str]
    merged_into: int | None
    active: bool


@dataclass(frozen=True)
class ClassRegister:
    """Changes of `classes`, and `class_changes`."""

    database: Database

    def rename(self, old: str, new: str, now: datetime) -> None:
        """Call a class otherwise; its old name stays as another spelling of it. Raises ClassChangeError."""
        with self.database.write() as connection:
            known = self._locked(connection)
            one, other = _named(known, old), _find(known, new)
            if other is not None and other.class_id != one.class_id:
                raise ClassChangeError(
                    f"{new!r} is a name of class {other.name!r} already; merge the two if they are one"
                )
            if is_reserved(new):
                raise ClassChangeError(f"{new!r} is an answer and no name of a class")
            if one.name == new:
                raise ClassChangeError(f"the class is called {new!r} already")
            aliases = [name for name in dict.fromkeys([*one.aliases, one.name]) if name != new]
            values = {"name": new, "aliases": json.dumps(aliases, ensure_ascii=False)}
            connection.execute(sa.update(classes).where(classes.c.class_id == one.class_id).values(values))
            _note(connection, one.class_id, "renamed", one.name, new, now)

    def merge(self, source: str, into: str, now: datetime) -> None:
        """Let a class, and those merged into it, count as another one. Raises ClassChangeError."""
        with self.database.write() as connection:
            known = self._locked(connection)
            one, other = _named(known, source), _named(known, into)
            if one.class_id == other.class_id:
                raise ClassChangeError(f"{source!r} and {into!r} are one class already")
            if other.merged_into is not None:
                shown = known[other.merged_into].name
                raise ClassChangeError(
                    f"{other.name!r} counts as {shown!r} itself; merge {source!r} into that"
                )
            if one.merged_into is not None:
                raise ClassChangeError(f"{one.name!r} is merged already; separate it first")
            if gone := next((each.name for each in (one, other) if not each.active), None):
                raise ClassChangeError(f"{gone!r} was split; `al classes rejoin` takes that back")
            moved = [one, *(each for each in known.values() if each.merged_into == one.class_id)]
            for each in moved:
                row = classes.c.class_id == each.class_id
                connection.execute(sa.update(classes).where(row).values(merged_into=other.class_id))
                before = known[each.merged_into].name if each.merged_into is not None else None
                _note(connection, each.class_id, "merged", before, other.name, now)

    def separate(self, name: str, now: datetime) -> None:
        """Let a class that was merged count as itself again. Raises ClassChangeError."""
        with self.database.write() as connection:
            known = self._locked(connection)
            one = _named(known, name)
            if one.merged_into is None:
                raise ClassChangeError(f"{one.name!r} is not merged into another class")
            row = classes.c.class_id == one.class_id
            connection.execute(sa.update(classes).where(row).values(merged_into=None))
            _note(connection, one.class_id, "separated", known[one.merged_into].name, one.name, now)

    def split(self, name: str, into: Sequence[str], now: datetime) -> None:
        """Take a class out of use and name the new ones that it turned out to be. Raises ClassChangeError.

        Its annotations stay, and the frames of training videos are asked about again, since only a person knows which
        of the new classes they show. One of the new ones may have the old name.
        """
        with self.database.write() as connection:
            known = self._locked(connection)
            one = _named(known, name)
            _check_split(known, one, into)
            if one.name in into:
                old = {"name": f"{one.name[:160]} (split, was class {one.class_id})"}
                connection.execute(sa.update(classes).where(classes.c.class_id == one.class_id).values(old))
            row = classes.c.class_id == one.class_id
            connection.execute(sa.update(classes).where(row).values(active=0))
            for class_id, new in enumerate(into, max(known) + 1):
                values = {"class_id": class_id, "name": new, "aliases": "[]", "active": 1, "created_at": now}
                connection.execute(sa.insert(classes), values)
                _note(connection, one.class_id, "split", one.name, new, now, into=class_id)

    def rejoin(self, name: str, now: datetime) -> None:
        """Take a split back: what the class was split into counts as it again. Raises ClassChangeError."""
        with self.database.write() as connection:
            known = self._locked(connection)
            one = _named(known, name)
            parts = _parts(connection).get(one.class_id, [])
            if one.active or not parts:
                raise ClassChangeError(f"{one.name!r} was not split")
            for part in (known[key] for key in parts):
                if part.merged_into is not None or not part.active:
                    raise ClassChangeError(f"{part.name!r} was merged or split since; take that back first")
            connection.execute(
                sa.update(classes).where(classes.c.class_id.in_(parts)).values(merged_into=one.class_id)
            )
            connection.execute(sa.update(classes).where(classes.c.class_id == one.class_id).values(active=1))
            for part in (known[key] for key in parts):
                _note(connection, part.class_id, "merged", None, one.name, now)
            _note(connection, one.class_id, "rejoined", None, one.name, now)

    def parts(self) -> dict[int, list[int]]:
        """Classes out of use since they were split: class_id -> those that they were split into."""
        with self.database.read() as connection:
            return _parts(connection)

    def changed_since_learned(self) -> list[int]:
        """Changes (change_id) of what labels count as that came after labels were last made."""
        made = sa.select(sa.func.max(materializations.c.committed_at)).where(
            materializations.c.asset == "labels"
        )
        with self.database.read() as connection:
            moment = connection.scalar(made)
            if moment is None:
                return []
            query = sa.select(class_changes.c.change_id).where(
                class_changes.c.changed_at > moment, class_changes.c.change != "renamed"
            )
            return sorted(connection.scalars(query))

    def history(self) -> list[dict[str, Any]]:
        """All changes, oldest first: class_id, change, before, after, changed_at."""
        columns = [class_changes.c[name] for name in ("class_id", "change", "before", "after", "changed_at")]
        return self.database.fetch(sa.select(*columns).order_by(class_changes.c.change_id)).to_pylist()

    def _locked(self, connection: sa.Connection) -> dict[int, _Class]:
        bulk.dialect(self.database.dialect_name).lock(connection, "classes")
        columns = (classes.c[name] for name in ("class_id", "name", "aliases", "merged_into", "active"))
        return {
            class_id: _Class(class_id, name, json.loads(aliases), merged_into, bool(active))
            for class_id, name, aliases, merged_into, active in connection.execute(sa.select(*columns))
        }


def _check_split(known: Mapping[int, _Class], one: _Class, into: Sequence[str]) -> None:
    """Refuse a split that could not be understood later."""
    if not one.active:
        raise ClassChangeError(f"{one.name!r} was split already; `al classes history` says into what")
    if one.merged_into is not None:
        raise ClassChangeError(f"{one.name!r} counts as {known[one.merged_into].name!r}; separate it first")
    if merged := [each.name for each in known.values() if each.merged_into == one.class_id]:
        raise ClassChangeError(f"{merged[0]!r} counts as {one.name!r}; separate it first")
    if len({name.casefold() for name in into}) < max(2, len(into)):
        raise ClassChangeError("name two classes or more, each once")
    for name in into:
        if is_reserved(name):
            raise ClassChangeError(f"{name!r} is an answer and no name of a class")
        if name != one.name and (other := _find(known, name)) is not None:
            raise ClassChangeError(f"{name!r} is a name of class {other.name!r} already; choose another")


def _find(known: Mapping[int, _Class], name: str) -> _Class | None:
    exact = [one for one in known.values() if name == one.name] or [
        one for one in known.values() if name in one.aliases
    ]
    folded = exact or [
        one
        for one in known.values()
        if name.casefold() in {each.casefold() for each in (one.name, *one.aliases)}
    ]
    return folded[0] if len(folded) == 1 else None


def _named(known: Mapping[int, _Class], name: str) -> _Class:
    found = _find(known, name)
    if found is None:
        raise ClassChangeError(f"there is no class {name!r}; `al classes` lists them")
    return found


def _parts(connection: sa.Connection) -> dict[int, list[int]]:
    query = (
        sa.select(class_changes.c.class_id, class_changes.c.into_class_id)
        .join(classes, classes.c.class_id == class_changes.c.class_id)
        .where(classes.c.active == 0, class_changes.c.into_class_id.is_not(None))
        .order_by(class_changes.c.change_id)
    )
    found: dict[int, list[int]] = {}
    for class_id, into in connection.execute(query):
        found.setdefault(class_id, []).append(into)
    return found


def _note(
    connection: sa.Connection,
    class_id: int,
    change: str,
    before: str | None,
    after: str,
    now: datetime,
    *,
    into: int | None = None,
) -> None:
    last = connection.scalar(sa.select(sa.func.coalesce(sa.func.max(class_changes.c.change_id), 0)))
    row: dict[str, Any] = {"change_id": int(last or 0) + 1, "class_id": class_id, "change": change}
    row |= {"before": before, "after": after, "into_class_id": into, "changed_at": now}
    connection.execute(sa.insert(class_changes), row)

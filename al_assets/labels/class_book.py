"""Names of classes, as people write them, to class_id.

Not here: the `classes` table, or what an export does with a name that is not in the book.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class ClassBook:
    """Class names and aliases to class_id: exactly as written first, then without regard to case."""

    names: Mapping[str, int] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    merged: Mapping[int, int] = field(default_factory=dict)
    """class_id -> class_id of the class that it counts as."""

    @classmethod
    def of(cls, rows: Iterable[tuple[int, str, Sequence[str]]]) -> ClassBook:
        """A book from (class_id, name, aliases) of every class ever given, retired ones too.

        Ids are not reused, so the book must know them all.
        """
        entries = list(rows)
        names = {_nfc(name): class_id for class_id, name, _ in entries}
        return cls(names, {_nfc(alias): class_id for class_id, _, aliases in entries for alias in aliases})

    def class_id(self, name: str) -> int | None:
        """The class of that name; None where there is none, or where only case tells several apart."""
        name = _nfc(name)
        exact = self.names.get(name, self.aliases.get(name))
        if exact is not None:
            return exact
        found = self._folded.get(name.casefold(), set())
        return next(iter(found)) if len(found) == 1 else None

    def is_ambiguous(self, name: str) -> bool:
        """Whether only case tells several classes of that name apart."""
        return self.class_id(name) is None and len(self._folded.get(_nfc(name).casefold(), ())) > 1

    def counts_as(self, name: str) -> int | None:
        """The class that the class of that name is merged into, else itself."""
        found = self.class_id(name)
        return found if found is None else self.merged.get(found, found)

    @cached_property
    def _folded(self) -> dict[str, set[int]]:
        folded: dict[str, set[int]] = {}
        for known, class_id in itertools.chain(self.names.items(), self.aliases.items()):
            folded.setdefault(known.casefold(), set()).add(class_id)
        return folded

    def extended(self, names: Sequence[str]) -> ClassBook:
        """The book with further classes, numbered on from the highest id in their order."""
        after = max((*self.names.values(), *self.aliases.values()), default=0) + 1
        added = {_nfc(name): class_id for class_id, name in enumerate(names, start=after)}
        return ClassBook({**self.names, **added}, self.aliases, self.merged)


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)

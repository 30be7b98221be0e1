"""Names that people give, in the one form that we compare and store, and names that are answers of their own.

Not here: the `classes` table, or what an export does with a name it cannot use.
"""

from __future__ import annotations

import functools
import reprlib
import unicodedata

NOBODY = "nobody"
CANNOT_TELL = "cannot tell"
NAME_LENGTH = 200
"""Longest class name, annotator or source id, in characters; longer ones are rejected with their record."""
_CANNOT_TELL_NAMES = frozenset({"?", CANNOT_TELL, "cannot_tell"})
_INVISIBLE_EDGES = " \t\r\n\v\f\xa0\u2009\u202f\u3000\u200b\u2060\ufeff"
_UNREADABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"
"""Invisible, and yet part of words in Persian and Hindi and of many emoji."""
_SHOW = reprlib.Repr()
_SHOW.maxstring = _SHOW.maxother = _SHOW.maxlong = 80
_SHOWN = 160


class BrokenValueError(ValueError):
    """A value cannot be used; the message becomes the reason of the reject."""


def shown(value: object) -> str:
    """Short, printable form of any value for a message; never raises, never long."""
    text = _SHOW.repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def clean_name(value: object, what: str) -> str:
    """A name in the one form that we compare and store: trimmed, NFC, a single line."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BrokenValueError(f"{what} {shown(value)} is not text")
    text = str(value)
    # An export says the same few names in every record; longer texts would fill the memory.
    return _known(text, what) if len(text) <= NAME_LENGTH else _cleaned(text, what)


def _cleaned(text: str, what: str) -> str:
    if 0 < len(text) <= NAME_LENGTH and text.isascii() and text.isprintable() and text[0] != " " != text[-1]:
        return text  # most names, and every number
    name = unicodedata.normalize("NFC", text.strip(_INVISIBLE_EDGES))
    if not name:
        raise BrokenValueError(f"{what} is empty")
    if len(name.encode("utf-16-le", errors="surrogatepass")) > 2 * NAME_LENGTH:  # as SQL Server counts
        raise BrokenValueError(f"{what} {shown(name)} is longer than {NAME_LENGTH} characters")
    if any(
        unicodedata.category(character) in _UNREADABLE and character not in _JOINERS for character in name
    ):
        raise BrokenValueError(f"{what} {shown(name)} contains control or invisible characters")
    return name


_known = functools.lru_cache(4096)(_cleaned)


def is_cannot_tell(name: str) -> bool:
    """Whether the name is one of the ways to say "cannot tell"."""
    return name.casefold() in _CANNOT_TELL_NAMES


def is_reserved(name: str) -> bool:
    """Whether the name is an outcome ("nobody", "cannot tell", "?") and so can never be a class."""
    return is_cannot_tell(name) or name.casefold() == NOBODY

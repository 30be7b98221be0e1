"""Damage by the thousand: copies of valid exports with values, attributes, cells, lines or bytes exchanged.

A number tells which copy it is, so that one that does harm can be made again. Faster than hypothesis, which shrinks.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from typing import Any

Mutate = Callable[[random.Random, bytes], bytes]

VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63,
        -(10**25),
        10**400,
        0.5,
        -0.0,
        1e308,
        float("nan"),
        float("inf"),
    ),
    *(
        "",
        " ",
        "0",
        "nobody",
        "?",
        "zero",
        "cannot tell",
        "NaN",
        "1e999",
        "9" * 5000,
        "a" * 300,
        "\x00",
        "\ud800",
    ),
    *(
        "é",
        "\u200b",
        "\u202e",
        "../../etc/passwd",
        "a.jpg",
        "s3://b/c",
        "16777216",
        "2026-11-22T10:00:00Z",
        "9999-12-31",
    ),
    *([], {}, [[]], [[[[[]]]]], [None], {"": ""}, [{"x": 1}], [1, "a", None], {"id": {"id": {"id": 1}}}),
]
WORDS = [
    *(
        '""',
        "''",
        "<",
        ">",
        "&amp;",
        "&x;",
        "&#0;",
        "&#x10ffff;",
        "<a/>",
        "</image>",
        "<![CDATA[",
        "-->",
        '"',
        "'",
        ",",
    ),
    *(
        ";",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\x00",
        "\ufeff",
        "nan",
        "inf",
        "-1",
        "0",
        "1e999",
        "9" * 5000,
        "=1+1",
        "?",
        "nobody",
    ),
    *(
        "zero",
        "",
        " ",
        "0.5",
        "1.5",
        "-0.5",
        str(2**63),
        "16777216",
        "(unanswered)",
        "::::",
        "%00",
        "..",
        "/",
        "\\",
    ),
]
BYTES = [
    b"",
    b"\x00",
    b"\xff",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b'"',
    b"[",
    b"]",
    b"{",
    b"}",
    b"\n",
    b"<",
    b"[" * 2000,
]
DOCTYPE = (
    b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;"><!ENTITY z "&y;&y;&y;">]>'
)
WORD = re.compile(r"\"[^\"]*\"|[\w.:/+-]+|\n")


def mutated(data: bytes, number: int) -> bytes:
    """The copy of an export that has this number."""
    chance = random.Random(number)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        data = chance.choice(_kinds(data))(chance, data)
    return data


def _kinds(data: bytes) -> list[Mutate]:
    """Ways to damage a file; those that know its structure more often."""
    start = data.lstrip(b"\xef\xbb\xbf \r\n")[:1]
    if data[:2] == b"PK":
        return [_member, _member, _member, _member, _bytes]
    if start in (b"[", b"{"):
        return [_json, _json, _json, _words, _bytes]
    if start == b"<":
        return [_xml, _xml, _words, _words, _bytes]
    return [_cells, _cells, _words, _lines, _bytes]


def _json(chance: random.Random, data: bytes) -> bytes:
    """Parts of a JSON value, or of one line of several, are others, doubled, exchanged or gone."""
    lines = data.split(b"\n")
    try:
        return _json_value(chance, json.loads(data))
    except (ValueError, RecursionError):
        place = chance.randrange(len(lines))
    try:
        lines[place] = _json_value(chance, json.loads(lines[place]))
    except (ValueError, RecursionError):
        return _words(chance, data)
    return b"\n".join(lines)


def _json_value(chance: random.Random, value: Any) -> bytes:
    for _ in range(chance.choice([1, 1, 2, 4])):
        places: list[tuple[Any, Any]] = []
        _collect(value, places)
        holder, key = chance.choice(places or [([value], 0)])
        how = chance.randrange(10)
        if how == 0:
            del holder[key]
        elif how == 1 and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        elif how == 2 and isinstance(holder, dict):
            holder[chance.choice(["", "id", "label", key.upper(), "\x00"])] = holder.pop(key)
        elif how == 3 and places:
            other, name = chance.choice(places)
            holder[key] = copy.deepcopy(other[name])
        else:
            holder[key] = copy.deepcopy(chance.choice(VALUES))
    return json.dumps(value, ensure_ascii=chance.random() < 0.8).encode("utf-8", errors="surrogatepass")


def _collect(value: Any, places: list[tuple[Any, Any]]) -> None:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        places.append((value, key))
        _collect(value[key], places)


def _xml(chance: random.Random, data: bytes) -> bytes:
    """An attribute, the text of an element, or a whole element is another, doubled or gone."""
    text = data.decode("utf-8", errors="replace")
    pattern = chance.choice(
        [r'="[^"]*"', r">[^<>]+<", r"<[^<>]+/>", r"</?\w+[^<>]*>", r"<(\w+)[^<>]*>[^<>]*</\1>"]
    )
    found = list(re.finditer(pattern, text))
    if chance.random() < 0.05:
        return DOCTYPE + data
    if not found:
        return _words(chance, data)
    piece, other = chance.choice(found), chance.choice(found)
    word = chance.choice(WORDS)
    fitting = {"=": f'="{word}"', ">": f">{word}<"}.get(piece.group()[0], "")
    new = chance.choice([fitting, fitting, other.group(), piece.group() * 2, ""])
    return (text[: piece.start()] + new + text[piece.end() :]).encode("utf-8", errors="replace")


def _cells(chance: random.Random, data: bytes) -> bytes:
    """A cell is another, or a row or column is doubled, gone or in another place."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8", errors="replace"), newline="")))
    except csv.Error:
        return _words(chance, data)
    row = chance.choice(rows) if rows else []
    if not row:
        return _words(chance, data)
    place, how = chance.randrange(len(row)), chance.randrange(8)
    if how == 0:
        rows.append(list(row))
    elif how == 1:
        rows.remove(row)
    elif how == 2:
        chance.shuffle(rows)
    elif how == 3:
        del row[place]
    elif how == 4:
        row.insert(place, chance.choice(WORDS))
    elif how == 5:
        row[place] = chance.choice(chance.choice(rows) or [""])
    else:
        row[place] = chance.choice(WORDS)
    text = io.StringIO()
    style = chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    csv.writer(text, quoting=style, lineterminator=chance.choice(["\n", "\r\n"])).writerows(rows)
    return text.getvalue().encode("utf-8", errors="replace")


def _words(chance: random.Random, data: bytes) -> bytes:
    text = data.decode("utf-8", errors="replace")
    words = list(WORD.finditer(text))
    if not words:
        return data + chance.choice(BYTES)
    word = chance.choice(words)
    new = chance.choice([chance.choice(WORDS), word.group() * 2, chance.choice(words).group()])
    return (text[: word.start()] + new + text[word.end() :]).encode("utf-8", errors="replace")


def _lines(chance: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    place = chance.randrange(len(lines))
    lines[place : place + 1] = chance.choice(
        [[], [lines[place]] * 2, [chance.choice(lines)], [lines[place][:-3]]]
    )
    return b"".join(lines)


def _bytes(chance: random.Random, data: bytes) -> bytes:
    first = chance.randrange(len(data) + 1)
    last = min(len(data), first + chance.choice([0, 1, 2, 10, 100, len(data)]))
    return data[:first] + chance.choice([*BYTES, data[first:last] * 2]) + data[last:]


def _member(chance: random.Random, data: bytes) -> bytes:
    """A zip of which one file is damaged, gone, doubled or renamed."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # damaged already, in one of many ways
        return _bytes(chance, data)
    if not files:
        return _bytes(chance, data)
    place = chance.randrange(len(files))
    name, content = files[place]
    how = chance.randrange(8)
    if how == 0:
        del files[place]
    elif how == 1:
        new = chance.choice(["", "/", "a/../b/", "labels/", "obj_train_data/"]) + name.split("/")[-1]
        files[place] = (
            chance.choice([new, name + ".txt", name.upper(), "é" * 100, "..", "data.yaml"]),
            content,
        )
    else:
        files[place] = (name, chance.choice(_kinds(content))(chance, content))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in dict(files).items():
            archive.writestr(name or "a", content)
    return stream.getvalue()

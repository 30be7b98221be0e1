"""Damage done to valid text files (XML, tables, lists): their words and lines exchanged, doubled or gone."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hypothesis import strategies as st

WORD = re.compile(r"\"[^\"]*\"|[\w.:/-]+|\n")
WORDS = st.one_of(
    st.sampled_from(
        [
            "",
            "nan",
            "inf",
            "-1",
            "0",
            "1e999",
            "9" * 5000,
            str(2**63),
            "0.5",
            "zero",
            "nobody",
            "?",
            '"0"',
            '"nan"',
        ]
    ),
    st.sampled_from(
        ['"99999999"', '"1e30"', '"-5"', '""', "<", ">", "&amp;", "&x;", ",", '"', "\n", "</a>", "box"]
    ),
    st.text(st.characters(codec="utf-8"), max_size=5),
)


@st.composite
def mutated_text(draw: st.DrawFn, valid: str) -> bytes:
    """A text in which some words are others, doubled or gone."""
    for _ in range(draw(st.integers(1, 3))):
        words = list(WORD.finditer(valid))
        if not words:
            return valid.encode()
        word = draw(st.sampled_from(words))
        other = draw(st.one_of(WORDS, st.just(word.group() * 2), st.sampled_from(words).map(re.Match.group)))
        valid = valid[: word.start()] + other + valid[word.end() :]
    return valid.encode("utf-8", errors="replace")


@st.composite
def mutated_files(draw: st.DrawFn, valid: Mapping[str, bytes]) -> dict[str, bytes]:
    """Files of which one or two are damaged, one may be gone, and one may have another name."""
    files = dict(valid)
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(files)))
        files[name] = draw(mutated_text(files[name].decode("utf-8", errors="replace")))
    change = draw(st.sampled_from(["none", "none", "remove", "rename"]))
    name = draw(st.sampled_from(sorted(files)))
    if change == "remove":
        del files[name]
    elif change == "rename":
        files[draw(st.sampled_from(["labels/a.txt", "a/b/c.xml", "x.yaml", "train.txt"]))] = files.pop(name)
    return files

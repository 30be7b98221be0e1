"""Reports as one offline HTML page: inline pictures and stills, plain tables, no script. Frames in, text out."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

import pandas as pd

STYLE = """
:root{color-scheme:light}*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1rem;color:#1b1f24;background:#fff}
h1{font-size:1.6rem;margin:.6rem 0}h2{font-size:1.2rem;margin-top:2.4rem;border-bottom:1px solid #d0d7de}
h3{font-size:1.05rem;margin:1.6rem 0 .3rem}h4{font-size:.95rem;margin:.4rem 0}a{color:#0550ae}
:focus-visible{outline:3px solid #d55e00;outline-offset:2px}
a.skip{position:absolute;left:-99rem}a.skip:focus{position:static}
nav ol{columns:17rem;padding-left:1.4rem;font-size:.9rem}
table{border-collapse:collapse;font-size:.9rem}
th,td{padding:.25rem .7rem;border-bottom:1px solid #e5e9ee;vertical-align:top;max-width:32rem;overflow-wrap:anywhere}
th{text-align:left;background:#f6f8fa}td.n{text-align:right;font-variant-numeric:tabular-nums}
p.note{color:#4b5560;max-width:48rem}figure{margin:.8rem 0}figure svg{max-width:100%;height:auto}
.scroll{overflow-x:auto}
ul.parts{list-style:none;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(18rem,1fr));gap:1rem}
ul.stills{list-style:none;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.7rem}
ul.stills figure{margin:0;border:1px solid #d0d7de;border-radius:4px;overflow:hidden;height:100%}
ul.stills img{display:block;width:100%;height:auto;background:#eaeef2}
ul.stills figcaption{padding:.25rem .5rem .4rem;font-size:.78rem;line-height:1.35;overflow-wrap:anywhere}
ul.stills .none{display:block;padding:2rem .5rem;text-align:center;background:#eaeef2;color:#4b5560;font-size:.8rem}
"""
ROWS = 200
INDEX = "index.html"
_GROUP_ID = re.compile(r'<g id="[^"]*"')


@dataclass(frozen=True)
class Still:
    """A small picture of a frame and what is said of it, the first line in bold."""

    lines: tuple[str, ...]
    data: bytes | None = None
    """JPEG, shrunk already; None where there is no picture to be had."""


@dataclass(frozen=True)
class Section:
    """A heading with a sentence, a picture, a table, stills, parts with headings of their own, or any of them.

    alt: what the picture shows, for those who do not see it. tiled: parts side by side.
    """

    title: str
    note: str = ""
    svg: str = ""
    table: pd.DataFrame | None = None
    stills: Sequence[Still] = ()
    parts: Sequence[Section] = ()
    alt: str = ""
    tiled: bool = False


def page(title: str, summary: str, sections: Sequence[Section], *, index: bool = True) -> str:
    """A whole page. Every value is escaped: class names and reasons come from people. index: link to all reports."""
    body = "\n".join(_section(section, f"s{number}") for number, section in enumerate(sections, 1))
    entries = "".join(
        f'<li><a href="#s{number}">{escape(section.title)}</a></li>'
        for number, section in enumerate(sections, 1)
    )
    contents = f'<nav aria-label="Contents"><ol>{entries}</ol></nav>' if len(sections) > 1 else ""
    home = f'<nav aria-label="Reports"><a href="{INDEX}">All reports</a></nav>' if index else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head>\n"
        f'<body><a class="skip" href="#main">Skip to the content</a>{home}<header><h1>{escape(title)}</h1>\n'
        f"<p>{escape(summary)}</p></header>\n{contents}\n"
        f'<main id="main" tabindex="-1">\n{body}\n</main></body></html>\n'
    )


def _section(section: Section, name: str) -> str:
    inside = _inside(section, 2, f' id="{name}"')
    return f'<section aria-labelledby="{name}">\n{inside}\n</section>'


def _inside(section: Section, level: int, attributes: str = "") -> str:
    parts = [f"<h{level}{attributes}>{escape(section.title)}</h{level}>"]
    if section.note:
        parts.append(f'<p class="note">{escape(section.note)}</p>')
    if section.svg:
        parts.append(f"<figure>{_drawing(section.svg, section.alt or section.title)}</figure>")
    if section.table is not None:
        parts.append(_table(section.table, section.title))
    if section.stills:
        parts.append(f'<ul class="stills">{"".join(_still(still) for still in section.stills)}</ul>')
    if section.parts:
        inner = [_inside(part, level + 1) for part in section.parts]
        tiles = "".join(f"<li>{text}</li>" for text in inner)
        parts.append(f'<ul class="parts">{tiles}</ul>' if section.tiled else "\n".join(inner))
    return "\n".join(parts)


def _drawing(svg: str, alt: str) -> str:
    """The picture with words for it. Names that Matplotlib gives to groups are taken off: a page has each once."""
    plain = _GROUP_ID.sub("<g", svg)
    return plain.replace("<svg", f'<svg role="img" aria-label="{escape(alt, quote=True)}"', 1)


def _still(still: Still) -> str:
    # Focusable, so that the contact sheet can be walked through with the keyboard.
    words = escape(", ".join(still.lines), quote=True)
    picture = '<span class="none">no picture</span>'
    if still.data is not None:
        address = f"data:image/jpeg;base64,{base64.b64encode(still.data).decode()}"
        picture = f'<img src="{address}" alt="{words}">'
    first, *rest = still.lines or ("",)
    caption = "<br>".join([f"<b>{escape(first)}</b>", *(_breakable(line) for line in rest)])
    return f'<li><figure tabindex="0">{picture}<figcaption>{caption}</figcaption></figure></li>'


def _breakable(line: str) -> str:
    """Paths are long and captions narrow: a line may break after what parts the words of a name."""
    return re.sub(r"([_/])", r"\1<wbr>", escape(line))


def _table(frame: pd.DataFrame, title: str) -> str:
    if frame.empty:
        return '<p class="note">nothing yet</p>'
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in frame.columns)
    rows = "\n".join(
        "<tr>" + "".join(_cell(value) for value in row) + "</tr>"
        for row in frame.head(ROWS).itertuples(index=False)
    )
    more = f'<p class="note">{len(frame) - ROWS} more rows</p>' if len(frame) > ROWS else ""
    # What scrolls must be reachable by keyboard, and then needs a name.
    label = escape(title, quote=True)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}"
    )


def _cell(value: object) -> str:
    if isinstance(value, Link):
        return f'<td><a href="{escape(value.address, quote=True)}">{escape(value.text)}</a></td>'
    if value is None or (not isinstance(value, str) and pd.isna(value)):  # type: ignore[call-overload]
        return "<td></td>"
    if isinstance(value, datetime):
        return f"<td>{value:%Y-%m-%d %H:%M}</td>"
    if isinstance(value, float):
        return f'<td class="n">{value:.3f}</td>'
    if isinstance(value, int):
        return f'<td class="n">{value}</td>'
    return f"<td>{escape(str(value))}</td>"


@dataclass(frozen=True)
class Link:
    """A link in a table. address: of a file beside the page."""

    address: str
    text: str

"""XML of untrusted origin, an element at a time: no entities, no document types, no bottomless nesting.

Shared by the formats that are XML. Not here: what the elements of any tool mean.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from xml.etree.ElementTree import Element

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse, tostring

from al_assets.labels.formats.records import ExportUnreadableError
from al_assets.labels.formats.values import storable
from al_assets.names import BrokenValueError, shown

DEEPEST = 40
"""Levels of nesting; the tools' files have eight at most."""
OWN_KEYS = ("frame_id", "video_id", "frame_index")


def root_name(head: str) -> str:
    """Name of the first element in the start of a file; empty where it is no XML or begins later."""
    text = head.lstrip("\ufeff \t\r\n")
    while text.startswith(("<?", "<!--")):
        end = "?>" if text.startswith("<?") else "-->"
        text = text.partition(end)[2].lstrip()
    if not text.startswith("<") or text.startswith(("<!", "</")):
        return ""
    name = text[1:200].split(">", 1)[0].split("/", 1)[0].split()
    return name[0] if name else ""


def children(content: bytes, root: str) -> Iterator[Element]:
    """The elements right below the root, one at a time: what is not kept is freed.

    Raises ExportUnreadableError where the file is no whole XML of that root, which may be after its first elements.
    """
    depth, top = 0, None
    try:
        for event, element in iterparse(io.BytesIO(content), ("start", "end"), forbid_dtd=True):
            if event == "start":
                depth += 1
                top = element if top is None else top
                if top.tag != root:
                    raise ExportUnreadableError(f"the file begins with {shown(top.tag)}, not with {root!r}")
                if depth > DEEPEST:
                    raise ExportUnreadableError("the file nests elements too deeply to be an export")
            else:
                depth -= 1
                if depth == 1 and top is not None:
                    yield element
                    top.clear()
    except ExportUnreadableError:
        raise
    except DefusedXmlException as error:
        raise ExportUnreadableError(
            "the file declares a document type or entities, which no labelling tool does; export again"
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise ExportUnreadableError(
            f"the file is not whole XML ({error}): it is half-written or was edited; export again and replace it"
        ) from error


def raw_text(element: Element) -> str:
    """The element as text, fit to be stored with a reject."""
    element.tail = None
    return storable(str(tostring(element, encoding="unicode")))


def text_of(element: Element | None, path: str) -> str | None:
    """Text of the first element at the path, trimmed; None where there is none or it is empty."""
    text = None if element is None else element.findtext(path)
    return (text or "").strip() or None


def agreed_keys(pairs: Iterable[tuple[str | None, str | None]]) -> Mapping[str, str]:
    """Our own keys among names and values. Raises BrokenValueError where one is given two values."""
    keys: dict[str, str] = {}
    for name, value in pairs:
        text = (value or "").strip()
        if name in OWN_KEYS and text and keys.setdefault(name, text) != text:
            raise BrokenValueError(
                f"its shapes name two frames: {name} is {shown(keys[name])} and {shown(text)}"
            )
    return keys


def names_frame(keys: Mapping[str, object]) -> bool:
    """Whether the keys are enough to find a frame by."""
    return "frame_id" in keys or {"video_id", "frame_index"} <= keys.keys()

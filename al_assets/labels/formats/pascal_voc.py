"""Pascal VOC: an XML file for each image, alone or many in a zip.

Layout: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/ (annotation files), as LabelImg, CVAT and Roboflow write
it. A file is a record; one without objects says "nobody". Boxes are pixels from the top left corner, so the file must
give the picture's size. Our own keys may stand below the root or in an object's attributes. Not here: the lists
(ImageSets) and masks beside the files, which say nothing that these do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import PurePosixPath
from typing import BinaryIO
from xml.etree.ElementTree import Element

from al_assets.labels.formats.bundle import Bundle
from al_assets.labels.formats.pixel_shapes import Shape, fractions, picture_size
from al_assets.labels.formats.records import (
    BrokenRecord,
    ExportUnreadableError,
    FrameReference,
    Mark,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.formats.values import frame_reference, judgement, real_number, storable
from al_assets.labels.formats.xml_files import (
    OWN_KEYS,
    agreed_keys,
    children,
    names_frame,
    root_name,
    text_of,
)
from al_assets.names import BrokenValueError, clean_name, shown

NAME = "pascal_voc"
ROOT = "annotation"
_OTHERS = {"annotations.xml", "eml.xml", "meta.xml"}
"""XML of CVAT, and what data archives carry beside their tables."""


def recognises(head: str) -> bool:
    """Whether the start of a file looks like this format: XML whose root is `annotation`."""
    return root_name(head) == ROOT


def recognises_bundle(names: Sequence[str]) -> bool:
    """Whether the files of a zip are this format: there are XML files, and no other format's."""
    kinds = {PurePosixPath(name).name for name in names}
    return not kinds & {*_OTHERS, "datapackage.json"} and any(map(_is_annotation, names))


def read_bundle(bundle: Bundle) -> Iterator[Record]:
    """Records of the XML files of a zip. All are unpacked before the first record; one that is no XML is broken."""
    contents = [(name, bundle.read(name)) for name in bundle.names if _is_annotation(name)]
    return (_record(content, name, position) for position, (name, content) in enumerate(contents, 1))


def read(stream: BinaryIO) -> Iterator[Record]:
    """The record of one file. Raises ExportUnreadableError where it is no whole XML."""
    content = stream.read()
    for _ in children(content, ROOT):
        pass
    return iter([_record(content, "", 1)])


def _is_annotation(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() == ".xml" and path.name not in _OTHERS


def _record(content: bytes, name: str, position: int) -> Record:
    raw = storable(content.decode("utf-8", errors="replace"))
    try:
        elements = list(children(content, ROOT))
        named = {str(element.tag): element for element in reversed(elements)}
        size = named.get("size")
        objects = [element for element in elements if element.tag == "object"]
        outcome, marks = judgement([_mark(each, size) for each in objects])
        return ParsedAnnotation(
            positions=(position,),
            frame=_frame(named, objects),
            outcome=outcome,
            marks=marks,
            raw=raw,
        )
    except (BrokenValueError, ExportUnreadableError) as error:
        return BrokenRecord(position, f"{shown(name)}: {error}" if name else str(error), raw)


def _mark(element: Element, size: Element | None) -> Mark:
    label = clean_name(text_of(element, "name") or "", "the object's name")
    if element.find("bndbox") is None:
        raise BrokenValueError(f"the object {shown(label)} has no bndbox; export upright boxes")
    edges = ("xmin", "ymin", "xmax", "ymax")
    left, top, right, bottom = (real_number(text_of(element, f"bndbox/{edge}"), edge) for edge in edges)
    picture = picture_size(text_of(size, "width"), text_of(size, "height"))
    return Mark(label, fractions(Shape(left, top, right, bottom), *picture))


def _frame(named: dict[str, Element], objects: Sequence[Element]) -> FrameReference:
    attributes = chain.from_iterable(each.iterfind("attributes/attribute") for each in objects)
    keys = agreed_keys(
        chain(
            ((key, named[key].text) for key in OWN_KEYS if key in named),
            ((text_of(pair, "name"), text_of(pair, "value")) for pair in attributes),
        )
    )
    if names_frame(keys):
        return frame_reference(keys)
    filename = named.get("filename")
    return frame_reference({"image": None if filename is None else (filename.text or "").strip()})

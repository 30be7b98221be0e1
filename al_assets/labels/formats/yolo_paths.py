"""Which files of a YOLO zip hold labels, and which image each is about.

Tools sort images and labels in three ways: `images/train/a.jpg` with `labels/train/a.txt`, `train/images/a.jpg` with
`train/labels/a.txt`, and one beside the other (in `obj_train_data`). What is left without these folders is the image's
path. Its ending is that of an image in the zip or in its lists (train.txt). Not here: what a label file says.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from al_assets.names import BrokenValueError, shown

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
DEFAULT = ".jpg"
"""Ending of our own stills, for a zip that neither holds nor lists images."""
_SORTED = re.compile(r"images|labels|obj_\w*data", re.I)
_SUBSETS = {"train", "val", "valid", "validation", "test", "default"}
_LISTS = re.compile(r"(classes|train|val|valid|validation|test|trainval|default)\.txt", re.I)
_NOTES = re.compile(r"(readme|license|notes|requirements).*\.txt", re.I)


def is_label_name(name: str) -> bool:
    """Whether a file may hold the labels of an image: a text file that is no list and no note."""
    path = PurePosixPath(name)
    return path.suffix == ".txt" and not _LISTS.fullmatch(path.name) and not _NOTES.fullmatch(path.name)


def label_files(names: Sequence[str]) -> list[str]:
    """The files that hold labels: the text files in folders made for labels, else all that are no list or note."""
    texts = [name for name in names if name.endswith(".txt")]
    inside = [name for name in texts if any(map(_SORTED.fullmatch, PurePosixPath(name).parts[:-1]))]
    return inside or [name for name in texts if is_label_name(name)]


def image_lists(names: Sequence[str]) -> list[str]:
    """The files that list images, one a line."""
    labels = set(label_files(names))
    return [
        name
        for name in names
        if name not in labels
        and _LISTS.fullmatch(PurePosixPath(name).name)
        and PurePosixPath(name).name.lower() != "classes.txt"
    ]


@dataclass(frozen=True)
class ImagePaths:
    """Finds the image of a label file.

    endings, by_stem: endings of the images of a place, and of a bare name; labels: how many label files have a place.
    """

    root: str
    endings: dict[str, set[str]]
    by_stem: dict[str, set[str]]
    labels: Counter[str]

    @classmethod
    def of(cls, names: Sequence[str], listed: Iterable[str]) -> ImagePaths:
        """names: of the files in the zip; listed: lines of the lists of images."""
        labels = label_files(names)
        tops = {PurePosixPath(name).parts[0] for name in names}
        alone = len(tops) == 1 and all(len(PurePosixPath(name).parts) > 2 for name in labels)
        root = next(iter(tops)) if alone and not any(map(_is_sorting, tops)) else ""
        endings, by_stem = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
        for path in (*names, *listed):
            image = PurePosixPath(path)
            if image.suffix.lower() in IMAGES:
                endings[_place(path, root)].add(image.suffix)
                by_stem[image.stem].add(image.suffix)
        return cls(root, dict(endings), dict(by_stem), Counter(_place(name, root) for name in labels))

    def image(self, label: str) -> str:
        """Path of the image of a label file. Raises BrokenValueError where two images, or two files, have this name."""
        place = _place(label, self.root)
        if self.labels[place] > 1:
            raise BrokenValueError(
                f"{self.labels[place]} label files are about {shown(place)}; keep one, or their folders"
            )
        endings = self.endings.get(place) or self.by_stem.get(PurePosixPath(label).stem) or {DEFAULT}
        if len(endings) > 1:
            raise BrokenValueError(f"the image may be {' or '.join(sorted(endings))}; keep one of them")
        return place + next(iter(endings))


def _is_sorting(part: str) -> bool:
    return _SORTED.fullmatch(part) is not None or part.lower() in _SUBSETS


def _place(path: str, root: str) -> str:
    """The path without its ending, the zip's one folder, and the folders that sort images."""
    *parts, name = PurePosixPath(path).parts or ("",)
    if root and parts[:1] == [root]:
        parts = parts[1:]
    sorting = next((n for n, part in enumerate(parts) if _SORTED.fullmatch(part)), None)
    if sorting is not None:
        beside = [
            n for n in (sorting - 1, sorting + 1) if 0 <= n < len(parts) and parts[n].lower() in _SUBSETS
        ]
        parts = [part for n, part in enumerate(parts) if n != sorting and n not in beside]
    return "/".join([*parts, name.rsplit(".", 1)[0]])

"""Which frame a record of an export means: by key, by video and place, or by the name of its image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import sqlalchemy as sa

from al_assets.keys import FRAMES_PER_VIDEO, LAST_VIDEO_NO, frame_id, frame_range
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.video_lookup import Place, find_places
from resources.queries.videos import LIVE
from resources.tables import frames, videos

STILL_NAME = re.compile(r"(?:^|/)([a-z0-9._-]{1,64})/(\d{1,8})\.jpe?g$")
"""Stills lie at stills/<video_id>/<frame_index>.jpg, wherever the labelling tool mounted that folder."""
SENT_NAME = re.compile(r"(?:^|[/-])al-frame-(\d{8,19})\.jpe?g$")
"""Stills that were sent to a labelling tool (pixels.sent_name), with what the tool puts before the name."""
UPLOADED = re.compile(r"(?:^|/)(?:data/)?upload/\d+/")
"""Label Studio keeps uploaded files without their folder, under a name with eight digits before it."""


@dataclass(frozen=True)
class _Guess:
    """What a reference may mean: a key, else a video and index, else any of these spellings of an image's path."""

    key: int | None = None
    video: str | None = None
    index: int = 0
    images: tuple[str, ...] = ()
    place: Place | None = None
    reason: str = "the record names no frame (frame_id, video_id with frame_index, or image)"


@dataclass(frozen=True)
class SqlFrameLookup:
    """Resolves references against `videos` and `frames`, a few statements a call."""

    database: Database

    def resolve(self, references: Sequence[Any]) -> list[int | tuple[int, int] | str]:
        """frame_id of each reference, or the frame nearest to the place in a video that it names, or why not."""
        guesses = [_guess(reference) for reference in references]
        near = find_places(self.database, (guess.place for guess in guesses if guess.place is not None))
        numbers = self._numbers({guess.video for guess in guesses if guess.video is not None})
        # A still's own path may look like ours (site-a/0001.jpg): it is ours only if it names a video.
        open_ones = {guess.images for guess in guesses if guess.images and _is_open(guess, numbers, near)}
        named = _Stills(self.database).find(open_ones) if open_ones else {}
        keys: list[int | tuple[int, int] | str] = []
        for guess in guesses:
            found = near[guess.place] if guess.place else _key(guess, numbers, named)
            # Frames that were cut from a video may be in the archive as stills.
            still = named.get(guess.images) if guess.place and isinstance(found, str) else None
            keys.append(still if isinstance(still, int) else found)
        there = self._existing({key for key in keys if isinstance(key, int)})
        return [
            f"frame {key} is not among the sampled frames"
            if isinstance(key, int) and key not in there
            else key
            for key in keys
        ]

    def has_all(self, frame_ids: Sequence[int]) -> bool:
        """Whether references by these keys would all find their frame."""
        wanted = set(frame_ids)
        return len(self._existing(wanted)) == len(wanted)

    def _numbers(self, video_ids: set[str]) -> dict[str, int]:
        query = sa.select(videos.c.video_id, videos.c.video_no)
        with self.database.read() as connection:
            return {
                video_id: number
                for part in in_chunks(sorted(video_ids))
                for video_id, number in connection.execute(query.where(videos.c.video_id.in_(part)))
            }

    def _existing(self, keys: set[int]) -> set[int]:
        query = sa.select(frames.c.frame_id)
        with self.database.read() as connection:
            return {
                key
                for part in in_chunks(sorted(keys))
                for key in connection.scalars(query.where(frames.c.frame_id.in_(part)))
            }


@dataclass(frozen=True)
class _Stills:
    """Finds stills of the archive's folders. Memory does not grow with the folders."""

    database: Database

    def find(self, wanted: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], int | str]:
        """frame_id of each image, given as spellings of its path, or why there is none."""
        folders = self._folders()
        places = {images: _places(images, folders) for images in wanted}
        keys = self._by_path({place for found in places.values() for place in found}, folders)
        results: dict[tuple[str, ...], int | str] = {}
        for images, found in places.items():
            results[images] = next((keys[place] for place in found if place in keys), "")
        lost = [images for images in results if results[images] == ""]
        by_name = self._by_name({name for images in lost for name in _names(images)}, folders) if lost else {}
        for images in lost:
            named = next((by_name[name] for name in _names(images) if name in by_name), [])
            results[images] = _by_name_alone(images, named)
        return results

    def _folders(self) -> dict[str, int]:
        """Path -> video_no of the folders of stills that are part of the archive."""
        query = sa.select(videos.c.path, videos.c.video_no).where(
            videos.c.kind == "images", videos.c.status.in_(LIVE)
        )
        with self.database.read() as connection:
            return {path: number for path, number in connection.execute(query)}

    def _by_path(self, places: set[tuple[str, str]], folders: dict[str, int]) -> dict[tuple[str, str], int]:
        """(folder, name) -> frame_id. Uses the clustered key of `frames`, a folder being a key range."""
        names: dict[str, list[str]] = {}
        for folder, name in sorted(places):
            names.setdefault(folder, []).append(name)
        found: dict[tuple[str, str], int] = {}
        with self.database.read() as connection:
            for folder, wanted in names.items():
                prefix = "" if folder == "." else f"{folder}/"
                for part in in_chunks([prefix + name for name in wanted]):
                    query = _rows(folders[folder]).where(frames.c.image_path.in_(part))
                    found |= {
                        (folder, path.removeprefix(prefix)): key for path, key in connection.execute(query)
                    }
        return found

    def _by_name(self, names: set[str], folders: dict[str, int]) -> dict[str, list[tuple[str, int]]]:
        """Name -> (path, frame_id) of every still of that name, whatever its folder."""
        found: dict[str, list[tuple[str, int]]] = {}
        with self.database.read() as connection:
            for number in folders.values():
                for path, key in connection.execute(_rows(number)):
                    name = path.rsplit("/", 1)[-1]
                    if name in names:
                        found.setdefault(name, []).append((path, key))
        return found


def _rows(video_no: int) -> sa.Select[Any]:
    first, last = frame_range(video_no)
    return sa.select(frames.c.image_path, frames.c.frame_id).where(frames.c.frame_id.between(first, last))


def _guess(reference: Any) -> _Guess:
    if reference.frame_id is not None:
        return _Guess(key=int(reference.frame_id))
    if reference.video_id is not None and reference.frame_index is not None:
        return _Guess(video=str(reference.video_id), index=int(reference.frame_index))
    if reference.video_path and (reference.frame_index is not None or reference.pts_ms is not None):
        index = None if reference.frame_index is None else int(reference.frame_index)
        images = _spellings(str(reference.image)) if reference.image else ()
        return _Guess(place=Place(str(reference.video_path), index, reference.pts_ms), images=images)
    if not reference.image:
        return _Guess()
    spellings = _spellings(str(reference.image))
    sent = next((match for path in spellings if (match := SENT_NAME.search(path))), None)
    if sent is not None:
        return _Guess(key=int(sent.group(1)))
    still = next((match for path in spellings if (match := STILL_NAME.search(path))), None)
    if still is None:
        return _Guess(images=spellings)
    return _Guess(video=still.group(1), index=int(still.group(2)), images=spellings)


def _is_open(guess: _Guess, numbers: Mapping[str, int], near: Mapping[Place, object]) -> bool:
    """Whether only the image can tell the frame."""
    return isinstance(near[guess.place], str) if guess.place else guess.video not in numbers


def _spellings(image: str) -> tuple[str, ...]:
    """Paths that an image's address may mean, the likeliest first: Label Studio's `?d=`, the plain text, the URL's."""
    text = image.strip().replace("\\", "/")
    found = [text, unquote(text)]
    try:
        url = urlsplit(text)
        found = [*parse_qs(url.query).get("d", []), *found, unquote(url.path)]
    except ValueError:
        pass  # no URL, so a path
    return tuple(dict.fromkeys(path.lstrip("/") for path in found if path.strip("/") and _storable(path)))


def _storable(path: str) -> bool:
    """Whether a database could hold the path: to unquote an address may bring forth what none takes."""
    return "\0" not in path and not any("\ud800" <= letter <= "\udfff" for letter in path)


def _places(images: Sequence[str], folders: dict[str, int]) -> list[tuple[str, str]]:
    """(folder, name) in known folders that the spellings may mean: whole paths first, then without what mounts add."""
    places = []
    for path in images:
        *parents, name = path.split("/")
        ends = ["/".join(parents[start:]) for start in range(len(parents))]
        # The root folder fits every path, so it counts only where the path says nothing else.
        at_root = not parents or parents[-1] == "videos"
        places += [(end, name) for end in ends if end in folders]
        places += [(".", name)] if at_root and "." in folders else []
    return list(dict.fromkeys(places))


def _names(images: Sequence[str]) -> list[str]:
    """File names that the spellings may mean."""
    names = [path.rsplit("/", 1)[-1] for path in images]
    return list(dict.fromkeys([*names, *(re.sub(r"^[0-9a-f]{8}-", "", name) for name in names)]))


def _by_name_alone(images: Sequence[str], named: Sequence[tuple[str, int]]) -> int | str:
    """The only still of that name, where the path says nothing of its folder; else why not."""
    without_folder = any("/" not in path or UPLOADED.search(path) for path in images)
    if without_folder and len(named) > 1:
        return f"{len(named)} frames are named {named[0][0].rsplit('/', 1)[-1]!r}; use frame_id"
    if without_folder and named:
        return named[0][1]
    hint = f"; if {named[0][0]!r} is meant, write that or use frame_id" if len(named) == 1 else ""
    return f"no frame has the image {images[0]!r}{hint}"


def _key(guess: _Guess, numbers: dict[str, int], named: dict[tuple[str, ...], int | str]) -> int | str:
    if guess.key is not None:
        there = 0 <= guess.key < (LAST_VIDEO_NO + 1) * FRAMES_PER_VIDEO
        return guess.key if there else f"{guess.key} is no frame_id"
    if guess.video in numbers:
        there = 0 <= guess.index < FRAMES_PER_VIDEO
        return (
            frame_id(numbers[guess.video], guess.index)
            if there
            else f"frame_index {guess.index} is out of range"
        )
    if guess.images:
        return named[guess.images]
    return guess.reason if guess.video is None else f"no video {guess.video!r} in the archive"

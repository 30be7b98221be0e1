"""Which frame a record of an export means: by key, by video and index, or by the name of its image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa

from al_assets.keys import FRAMES_PER_VIDEO, LAST_VIDEO_NO, frame_id
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.tables import frames, videos

STILL_NAME = re.compile(r"(?:^|/)([a-z0-9._-]{1,64})/(\d{1,8})\.jpe?g$")
"""Stills lie at stills/<video_id>/<frame_index>.jpg, wherever the labelling tool mounted that folder."""


@dataclass(frozen=True)
class SqlFrameLookup:
    """Resolves references against `videos` and `frames`, a few statements a call."""

    database: Database

    def resolve(self, references: Sequence[Any]) -> list[int | str]:
        """frame_id of each reference (frame_id, video_id, frame_index, image), or why it was not found."""
        guesses = [self._guess(reference) for reference in references]
        numbers = self._numbers({guess[0] for guess in guesses if isinstance(guess, tuple)})
        named = self._by_image({guess[1:] for guess in guesses if isinstance(guess, str) and guess[0] == "="})
        keys = [self._key(guess, numbers, named) for guess in guesses]
        there = self._existing({key for key in keys if isinstance(key, int)})
        return [
            key if isinstance(key, str) or key in there else f"frame {key} is not among the sampled frames"
            for key in keys
        ]

    def _guess(self, reference: Any) -> int | str | tuple[str, int]:
        """A frame_id, (video_id, frame_index), "=image path", or "!reason"."""
        if reference.frame_id is not None:
            return int(reference.frame_id)
        if reference.video_id is not None and reference.frame_index is not None:
            return str(reference.video_id), int(reference.frame_index)
        if reference.image:
            path = unquote(urlsplit(str(reference.image)).path) or str(reference.image)
            still = STILL_NAME.search(path)
            return (still.group(1), int(still.group(2))) if still else "=" + path.lstrip("/")
        return "!the record names no frame (frame_id, video_id with frame_index, or image)"

    def _key(
        self, guess: int | str | tuple[str, int], numbers: dict[str, int], named: dict[str, int | str]
    ) -> int | str:
        if isinstance(guess, int):
            return guess if 0 <= guess < (LAST_VIDEO_NO + 1) * FRAMES_PER_VIDEO else f"{guess} is no frame_id"
        if isinstance(guess, str):
            return guess[1:] if guess[0] == "!" else named[guess[1:]]
        video, index = guess
        if video not in numbers:
            return f"no video {video!r} in the archive"
        if not 0 <= index < FRAMES_PER_VIDEO:
            return f"frame_index {index} is out of range"
        return frame_id(numbers[video], index)

    def _numbers(self, video_ids: set[str]) -> dict[str, int]:
        query = sa.select(videos.c.video_id, videos.c.video_no)
        with self.database.read() as connection:
            return {
                video_id: number
                for part in in_chunks(sorted(video_ids))
                for video_id, number in connection.execute(query.where(videos.c.video_id.in_(part)))
            }

    def _by_image(self, paths: set[str]) -> dict[str, int | str]:
        """Frames of stills by path, else by file name where only one frame has it."""
        if not paths:
            return {}
        query = sa.select(frames.c.image_path, frames.c.frame_id).where(frames.c.image_path.is_not(None))
        by_path: dict[str, int] = {}
        by_name: dict[str, list[int]] = {}
        with self.database.read() as connection:
            for path, key in connection.execute(query):
                by_path[path] = key
                by_name.setdefault(path.rsplit("/", 1)[-1], []).append(key)
        return {path: self._image(path, by_path, by_name) for path in paths}

    def _image(self, path: str, by_path: dict[str, int], by_name: dict[str, list[int]]) -> int | str:
        name = path.rsplit("/", 1)[-1]
        # Label Studio puts eight hexadecimal digits and a hyphen before the name of an uploaded file.
        plain = re.sub(r"^[0-9a-f]{8}-", "", name)
        for candidate in (path, path.removeprefix("videos/")):
            if candidate in by_path:
                return by_path[candidate]
        found = by_name.get(name) or by_name.get(plain) or []
        if len(found) == 1:
            return found[0]
        return (
            f"{len(found)} frames are named {name!r}; use frame_id"
            if found
            else f"no frame has the image {path!r}"
        )

    def _existing(self, keys: set[int]) -> set[int]:
        query = sa.select(frames.c.frame_id)
        with self.database.read() as connection:
            return {
                key
                for part in in_chunks(sorted(keys))
                for key in connection.scalars(query.where(frames.c.frame_id.in_(part)))
            }

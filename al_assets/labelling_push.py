"""Tasks that the labelling tool's project lacks, put there with their stills. What it lacks, labelling_look sees.

A task that cannot be put there holds no other back: what is refused is tried by halves, and the rest is said.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from al_assets.labelling.project import task_for
from al_assets.labelling_look import Look, class_names, look
from al_assets.labels.assets import class_book
from al_assets.names import CANNOT_TELL, NOBODY
from al_assets.settings import Settings
from resources.archive import Archive
from resources.errors import FileMissingError
from resources.labelling_server import LabelStudioServer
from resources.labelling_tool import LabelStudio
from resources.labelling_tool_errors import ToolRefusalError
from resources.pixels import sent_name, still_path
from resources.rows import rows_of

CHUNK = 25
"""Tasks a request, with their stills: a few megabytes."""
MOST_REFUSED = 50
"""Where so many single ones are refused, the rest is not asked about one by one."""
Key = tuple[int, int]
"""Batch and frame."""


@dataclass
class Push:
    """One push. faults: why a task could not be put there; done: those that were."""

    archive: Archive
    settings: Settings
    tool: LabelStudio
    server: LabelStudioServer
    log: logging.Logger
    faults: dict[Key, str] = field(default_factory=dict)
    done: set[Key] = field(default_factory=set)

    def run(self) -> None:
        """Add what is missing, and remove what is there twice.

        Whether a request that failed was carried out only the project knows, so after each failure it is looked at
        anew.
        """
        for attempt in self.server.asking():
            with attempt:
                found = self._look()
                while (lacking := self._lacking(found)) or found.spare:
                    for task_id in found.spare:
                        self.server.remove(task_id)
                    if lacking:
                        self._add(found, lacking)
                    before, found = (found.lacking, found.spare), self._look()
                    if (found.lacking, found.spare) == before:
                        self._give_up(self._lacking(found))
                        break

    def words(self) -> list[str]:
        """What could not be put there and why, batch by batch."""
        counts = Counter((batch, reason) for (batch, _), reason in self.faults.items())
        return [
            f"{count} tasks of batch {batch} cannot be added: {reason}"
            for (batch, reason), count in sorted(counts.items())
        ]

    def _look(self) -> Look:
        return look(self.archive, self.settings, self.tool, self.server)

    def _lacking(self, found: Look) -> list[Key]:
        keys = [(batch, frame) for batch, frames in found.lacking.items() for frame in frames]
        return [key for key in keys if key not in self.faults]

    def _give_up(self, keys: Sequence[Key], reason: str = "they do not show in the project") -> None:
        self.faults.update(dict.fromkeys(keys, reason))

    def _add(self, found: Look, lacking: Sequence[Key]) -> None:
        assert found.project is not None
        project_id = found.project.project_id
        rows = _rows(self.archive.selection.unanswered(), lacking)
        tasks = self._tasks(rows)
        images = {} if self.settings.labelling.stills_url else self._images(project_id, rows, [*tasks])

        def send(keys: Sequence[Key]) -> None:
            sent = [task_for(tasks[key], images.get(key)) for key in keys]
            self.server.add(project_id, sent)
            self.done.update(keys)

        for chunk in _chunks([key for key in tasks if key not in self.faults]):
            self._by_halves(chunk, send)

    def _by_halves(self, keys: Sequence[Key], send: Callable[[Sequence[Key]], None]) -> None:
        """Send; what is refused is sent by halves until it is known which one is meant."""
        try:
            send(keys)
        except ToolRefusalError as refusal:
            if len(keys) == 1 or len(self.faults) >= MOST_REFUSED:
                self._give_up(keys, str(refusal))
                return
            half = len(keys) // 2
            self._by_halves(keys[:half], send)
            self._by_halves(keys[half:], send)

    def _tasks(self, rows: dict[Key, Any]) -> dict[Key, dict[str, Any]]:
        """Tasks as their batches' files have them, in order of batch and rank."""
        found: dict[Key, dict[str, Any]] = {}
        for folder in dict.fromkeys(str(row.tasks_uri) for row in rows.values()):
            path = f"{folder}/label_studio.json"
            keys = [key for key, row in rows.items() if row.tasks_uri == folder]
            try:
                written = {
                    int(task["data"]["frame_id"]): task_for(task, None, self._today)
                    for task in json.loads(self.archive.storage.read(path))
                }
            except FileMissingError as error:
                self._give_up(keys, f"{error}; materialise labelling_tasks")
                continue
            except (AttributeError, KeyError, TypeError, ValueError):
                self._give_up(keys, f"{path} is damaged; materialise labelling_tasks")
                continue
            self._give_up(
                [key for key in keys if key[1] not in written],
                f"{path} does not have them; materialise labelling_tasks",
            )
            found |= {key: written[key[1]] for key in keys if key[1] in written}
        return found

    def _images(self, project_id: int, rows: dict[Key, Any], keys: Sequence[Key]) -> dict[Key, str]:
        """Addresses of stills in the project; what an earlier, killed run has uploaded is used."""
        names = {key: sent_name(key[1]) for key in keys}
        there = self.server.stills(project_id)
        fresh = {names[key]: key for key in keys if names[key] not in there}

        def send(chunk: Sequence[Key]) -> None:
            stills = {names[key]: self._still(rows[key], key) for key in chunk}
            if files := {name: data for name, data in stills.items() if data is not None}:
                self.server.upload(project_id, files)

        for chunk in _chunks([*fresh.values()]):
            self._by_halves(chunk, send)
        if fresh:
            there = self.server.stills(project_id)
        lost = (
            f"Label Studio at {self.server.where} did not keep their stills; look at its disk, or set [labelling] "
            "stills_url"
        )
        for key in keys:
            if names[key] not in there:
                # Two batches may ask about one frame, whose still is sent once.
                self.faults[key] = self.faults.get(fresh[names[key]], lost)
        return {key: there[name] for key, name in names.items() if name in there}

    def _still(self, row: Any, key: Key) -> bytes | None:
        try:
            return self.archive.storage.read(still_path(str(row.video_id), int(row.frame_index)))
        except FileMissingError as error:
            self._give_up([key], f"{error}; materialise frames")
            return None

    @cached_property
    def _today(self) -> Callable[[str], str | None]:
        """The answer that a name means now; None for a class that is none any more, or was split."""
        book = class_book(self.archive, self.settings.classes)
        offered = {book.class_id(name): name for name in class_names(self.archive, self.settings)}
        table = self.archive.labels.classes().dropna(subset=["merged_into"])
        merged = dict(zip(table["class_id"], table["merged_into"], strict=True))

        def today(name: str) -> str | None:
            found = book.class_id(name)
            return name if name in (NOBODY, CANNOT_TELL) else offered.get(merged.get(found, found))

        return today


def _rows(wanted: pd.DataFrame, lacking: Sequence[Key]) -> dict[Key, Any]:
    """Rows of `unanswered` that are lacking, batch by batch in order of rank."""
    keys = set(lacking)
    rows = (((int(row.batch_id), int(row.frame_id)), row) for row in rows_of(wanted))
    return {key: row for key, row in rows if key in keys}


def _chunks(keys: Sequence[Key]) -> list[Sequence[Key]]:
    """So many at a time, of one batch each."""
    of_batch: dict[int, list[Key]] = {}
    for key in keys:
        of_batch.setdefault(key[0], []).append(key)
    return [part[n : n + CHUNK] for part in of_batch.values() for n in range(0, len(part), CHUNK)]

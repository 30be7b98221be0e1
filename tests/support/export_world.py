"""Label exports in a world that goes wrong: clocks jump, files change under one's eyes, runs die, daemons are two.

The real sensor, importer and SQLite, with a place to act at each step that they take; and what ought to have come of
it. No assertion belongs here.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from unittest import mock

import dagster as dg
import sqlalchemy as sa

from al_assets.keys import frame_id
from al_assets.labels.assets import current_labels, import_all
from al_assets.settings import parse_settings
from resources.archive import Archive
from resources.bulk.sqlite import SQLite
from resources.queries.labels import LabelLedger
from resources.storage import Storage, StoredFile
from sensors.label_exports import make_label_exports
from support.archive_rows import ArchiveRows
from support.imports import HEADER, LOG, Imports
from support.small_archives import empty_archive

NOON = datetime(2026, 5, 1, 12)
BEFORE = NOON - timedelta(days=30)
"""Moment of the first answer."""
FRAMES = 200
"""More than there are answers: each is about a frame of its own."""
LABELS = ("zero", "one")
SECOND = 1_000_000_000
Act = Callable[[], None]


class KilledError(BaseException):
    """What ends a process: nothing catches it."""


class Watched(Storage):
    """Storage in which something may happen just after a listing, and in the midst of reading a file."""

    def list(self, prefix: str = "") -> list[StoredFile]:
        found = super().list(prefix)
        Happenings.happen("listed")
        return found

    def open(self, path: str) -> BinaryIO:
        stream = super().open(path)
        Happenings.happen("opened")
        return stream


class Happenings:
    """What is to happen at which step, each once."""

    planned: dict[str, Act] = {}  # noqa: RUF012 - one world at a time

    @classmethod
    def happen(cls, step: str) -> None:
        cls.planned.pop(step, lambda: None)()


class World:
    """Files (name -> number of rows, whole or cut), two daemons, runs, a clock; and the rows that ought to stand."""

    def __init__(self, folder: Path) -> None:
        archive = empty_archive(folder)
        self.imports = Imports(Archive(database=archive.database, storage=Watched(url=archive.storage.url)))
        self.imports.settings = parse_settings({"classes": {"names": ["zero", "one"]}})
        (self.imports.root / "label_exports").mkdir()
        ArchiveRows(archive.database).video(2, range(FRAMES))
        self.instance = dg.DagsterInstance.ephemeral()
        self.clock, self.writes, self.said = NOON, 0, 0
        self.files: dict[str, tuple[frozenset[int], int]] = {}
        """name -> (numbers of the rows in it, number of the write): what a listing sees."""
        self.seen: dict[str, set[tuple[frozenset[int], int]]] = {}
        self.looked: dict[str, tuple[frozenset[int], int]] = {}
        self.may: set[int] = set()
        self.must: set[int] = set()
        self.undisturbed = True
        Happenings.planned = {}

    def now(self) -> datetime:
        self.clock += timedelta(seconds=1)
        return self.clock

    # -- what people do ------------------------------------------------------------------------------------------

    def write(self, name: str, rows: Iterable[int], *, cut: bool = False) -> None:
        """Put rows into a file, in place of what it held; cut: the last row stops short."""
        kept = frozenset(rows)
        text = HEADER + "".join(self._row(number) for number in sorted(kept))
        path = self.imports.root / "label_exports" / name
        path.write_text(text + f"{frame_id(2, 0)},ze" * cut)
        self.writes += 1
        # The clock of the machine that writes may stand anywhere; two versions of one time and size are told by no one.
        moment = int(self.clock.timestamp()) * SECOND + self.writes
        os.utime(path, ns=(moment, moment))
        self.files[name] = (frozenset() if cut else kept, self.writes)
        self.undisturbed = False

    def new_rows(self, count: int) -> set[int]:
        self.said += count
        return set(range(self.said - count, self.said))

    def remove(self, name: str) -> None:
        (self.imports.root / "label_exports" / name).unlink(missing_ok=True)
        self.files.pop(name, None)
        self.undisturbed = False

    def rename(self, old: str, new: str) -> None:
        folder = self.imports.root / "label_exports"
        (folder / old).rename(folder / new)
        self.files[new] = self.files.pop(old)
        self.undisturbed = False

    @staticmethod
    def _row(number: int) -> str:
        at = (BEFORE + timedelta(seconds=number)).isoformat()
        return f"{frame_id(2, 5 * number)},{LABELS[number % 2]},anna,{at}\n"

    def jump(self, hours: int) -> None:
        """The clock is set; never before the moment of the answers, which would be answers from the future."""
        self.clock = max(NOON, self.clock + timedelta(hours=hours))

    # -- what the platform does ----------------------------------------------------------------------------------

    def tick(self) -> None:
        """One tick of a daemon that has just started: it remembers nothing. What it asks for is under way."""
        listed, settled = dict(self.files), self._listed()
        self.undisturbed = True
        with dg.build_sensor_context(
            instance=self.instance, resources={"archive": self.imports.archive}
        ) as context:
            result = make_label_exports(self.imports.settings)(context)
        assert isinstance(result, dg.SensorResult)
        for request in result.run_requests or []:
            run = dg.DagsterRun(job_name="learn", tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED)
            self.instance.add_run(run)
        if self.undisturbed:
            self.must |= {row for name in settled for row in self.files[name][0]}
        self.looked = listed  # another daemon knows of a look once it is over

    def go_on(self, name: str) -> None:
        """All that happens while the other daemon stands still: a file is overwritten, and the new version settles."""
        self.tick()
        self.write(name, self.new_rows(1))
        self.tick()
        self.tick()

    def _listed(self) -> list[str]:
        """A listing sees the files as they are: what it sees a second time may be read, and must be, if left alone."""
        for name, file in self.files.items():
            if file in self.seen.setdefault(name, set()):
                self.may |= file[0]
            self.seen[name].add(file)
        return [name for name, file in self.files.items() if self.looked.get(name) == file]

    def learn(self, run_id: str) -> None:
        """The import of a learn run. KilledError where it was to be killed."""
        archive, names = self.imports.archive, self.imports.settings.classes.names
        archive.labels.sync_classes(names, {}, archive.now())
        import_all(archive, self.imports.settings, run_id=run_id, log=LOG)

    def end_runs(self, status: dg.DagsterRunStatus) -> None:
        """Runs under way come to an end, as Dagster knows it."""
        for run in self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
            self.instance.delete_run(run.run_id)
            self.instance.add_run(run.with_status(status))

    # -- what came of it -----------------------------------------------------------------------------------------

    def stored(self) -> list[int]:
        """Number of each row that annotations hold, as often as they hold it."""
        query = sa.text("SELECT annotated_at FROM annotations ORDER BY 1")
        with self.imports.archive.database.read() as connection:
            found = [datetime.fromisoformat(at) for at in connection.scalars(query)]
        return [round((at - BEFORE).total_seconds()) for at in found]

    def labels(self) -> dict[int, str]:
        """Number of each row whose frame has a label -> the label."""
        archive = self.imports.archive
        names = {row["class_id"]: row["name"] for row in archive.labels.classes().to_dict("records")}
        return {
            (row["frame_id"] - frame_id(2, 0)) // 5: names[row["class_id"]]
            for row in current_labels(archive, self.imports.settings).to_pylist()
            if row["present"]
        }

    def registered(self) -> Counter[str]:
        """Number of versions that the ledger has of each file."""
        return Counter(export.uri.split("/")[-1] for export in self.imports.archive.labels.exports())

    @contextmanager
    def running(self) -> Iterator[None]:
        """The world's clock in place of the machine's, and steps of a store at which something may happen."""
        store, insert = LabelLedger.store, SQLite.insert

        def watched_store(*args: Any, **more: Any) -> None:
            Happenings.happen("stores")
            store(*args, **more)

        def watched_insert(*args: Any) -> None:
            insert(*args)
            Happenings.happen("inserted")

        with (
            mock.patch.object(Archive, "now", property(lambda _: self.now)),
            mock.patch.object(LabelLedger, "store", watched_store),
            mock.patch.object(SQLite, "insert", watched_insert),
        ):
            yield

    def close(self) -> None:
        Happenings.planned = {}
        with suppress(OSError):
            self.imports.archive.database.close()

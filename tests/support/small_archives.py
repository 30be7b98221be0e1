"""A small archive over real SQLite and a real folder, and files dropped into it. No assertion belongs here."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from al_assets.arrivals import register_arrivals
from al_assets.frames.registration import Registration
from al_assets.settings import Settings, parse_settings
from resources import migrations
from resources.archive import Archive
from resources.database import Database
from resources.queries.videos import Video
from resources.storage import Storage
from sensors.label_exports import register_exports

START = datetime(2026, 5, 1, 12)


@cache
def _template() -> bytes:
    """A SQLite file at the newest revision: to make one takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "al.db"
        database = Database(url=f"sqlite:///{file}")
        migrations.upgrade(database)
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        return file.read_bytes()


def empty_archive(folder: Path) -> Archive:
    """An archive with nothing in it: a database at the newest revision and an empty folder as storage."""
    (folder / "storage").mkdir()
    (folder / "al.db").write_bytes(_template())
    database = Database(url=f"sqlite:///{folder / 'al.db'}")
    return Archive(database=database, storage=Storage(url=str(folder / "storage")))


class SmallArchive:
    """An archive whose owner drops, moves and removes files, and which is looked at when a test says so."""

    def __init__(self, archive: Archive, **settings: object) -> None:
        self.archive = archive
        self.settings: Settings = parse_settings(settings)
        self.root = Path(archive.storage.url)
        self.now = START
        self._version = 0

    def drop(self, path: str, content: bytes | str) -> Path:
        """Write a file under the storage root, with a modification time of its own."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.touch(path)

    def touch(self, path: str) -> Path:
        """Give a file a new version without changing it."""
        self._version += 1
        moment = 1_700_000_000_000_000_000 + self._version * 1_000_000_000
        os.utime(self.root / path, ns=(moment, moment))
        return self.root / path

    def move(self, old: str, new: str) -> None:
        """Rename a file or a folder."""
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(self.root / new)

    def remove(self, path: str) -> None:
        """Delete a file."""
        (self.root / path).unlink()

    def look(self, times: int = 2) -> list[Registration]:
        """Look at `videos/` as the sensor does, half a minute apart."""
        return [self._look()[0] for _ in range(times)]

    def faults(self) -> list[str]:
        """Faults that two looks at `videos/` find."""
        self._look()
        return self._look()[1]

    def _look(self) -> tuple[Registration, list[str]]:
        self.now += timedelta(seconds=30)
        return register_arrivals(self.archive, self.settings, self.now)

    def take_in_exports(self, times: int = 2) -> list[int]:
        """Look at `label_exports/` as the sensor does; returns the exports registered."""
        new: list[int] = []
        for _ in range(times):
            self.now += timedelta(seconds=30)
            new += register_exports(self.archive, self.settings, self.now)[0]
        return new

    def video(self, path: str) -> Video:
        """The video at a path that nothing replaced."""
        (found,) = [video for video in self.archive.videos.known() if video.path == path]
        return found

    def statuses(self) -> dict[str, str]:
        """Path -> status of all videos that nothing replaced."""
        return {video.path: video.status for video in self.archive.videos.known()}

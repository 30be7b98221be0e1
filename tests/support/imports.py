"""Label exports dropped into a small archive and imported as `learn` does. No assertion belongs here."""

from __future__ import annotations

import logging

from al_assets.keys import frame_id
from al_assets.labels.assets import current_labels, import_all
from resources.archive import Archive
from support.archive_rows import ArchiveRows
from support.small_archives import SmallArchive

LOG = logging.getLogger(__name__)
HEADER = "frame_id,label,annotator,annotated_at\n"
FRAMES = [frame_id(1, 5 * n) for n in range(6)]


class Imports(SmallArchive):
    """A small archive of one video with six frames, whose exports are imported."""

    def __init__(self, archive: Archive) -> None:
        super().__init__(archive)
        ArchiveRows(archive.database).video(1, range(6))

    def csv(self, name: str, *answers: tuple[int, str] | tuple[int, str, str]) -> None:
        """Drop answers (frame number, label, optional time of day) as a CSV."""
        rows = [f"{FRAMES[n]},{label},anna,{''.join(at)}" for n, label, *at in answers]
        self.drop(f"label_exports/{name}", HEADER + "".join(f"{row}\n" for row in rows))

    def learn(self, run_id: str = "run") -> int:
        """Take in what lies there and import it, as `learn` does."""
        self.take_in_exports()
        classes = self.settings.classes
        self.archive.labels.sync_classes(classes.names, classes.aliases, self.archive.now())
        return import_all(self.archive, self.settings, run_id=run_id, log=LOG)

    def labels(self) -> dict[int, set[str]]:
        """Frame number -> names of the classes present on it, by consensus."""
        names = {row["class_id"]: row["name"] for row in self.archive.labels.classes().to_dict("records")}
        found: dict[int, set[str]] = {}
        for row in current_labels(self.archive, self.settings).to_pylist():
            present = found.setdefault(FRAMES.index(row["frame_id"]), set())
            present |= {names[row["class_id"]]} if row["present"] else set()
        return found

    def ledger(self) -> list[tuple[str, int | None, int | None]]:
        """Status, imported and rejected of every version."""
        return [(e.status, e.imported, e.rejected) for e in self.archive.labels.exports()]

    def count(self, table: str) -> int:
        """Rows of a table."""
        return self.archive.monitoring.counts([table])[table]

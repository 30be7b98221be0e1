"""Labels of a training set by position, for the PyTorch dataset: flat in memory. No pixels, no vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.tables import training_sets

KEY = np.dtype("<i8")

# Made once: building it anew took a mini-batch nearly as long as the query.
_ROWS = sa.select(*(training_sets.c[name] for name in ("frame_id", "class_id", "target", "weight"))).where(
    training_sets.c.training_set_id == sa.bindparam("training_set_id"),
    training_sets.c.frame_id.in_(sa.bindparam("frame_ids", expanding=True)),
)


@dataclass(frozen=True)
class SqlLabels:
    """Frames of one split of a training set in order of frame_id; targets are read when they are asked for.

    Positions need an index, since no database finds the millionth row without counting: a file with the
    frame_ids, 8 bytes each, which is mapped for the moment of a read and so stays out of resident memory. Pickles,
    and opens its own connection a process.
    """

    database: Database
    training_set_id: str
    class_ids: tuple[int, ...]
    keys_file: Path

    @classmethod
    def index(
        cls, database: Database, training_set_id: str, *, split: str, class_ids: Sequence[int], folder: Path
    ) -> SqlLabels:
        """Write the index of a split into `folder`, which the caller keeps while the labels are in use.

        class_ids: the k columns of the targets. One pass over the key of `training_sets`, streamed.
        """
        query = (
            sa.select(training_sets.c.frame_id)
            .where(training_sets.c.training_set_id == training_set_id, training_sets.c.split == split)
            .distinct()
            .order_by(training_sets.c.frame_id)
        )
        file = folder / f"{training_set_id}-{split}.keys"
        unfinished = file.with_suffix(".part")
        with unfinished.open("wb") as out:
            for batch in database.stream(query):
                batch["frame_id"].to_numpy().astype(KEY).tofile(out)
        # Labels of the same name may be in use: to cut off a file that is mapped kills whoever reads it.
        unfinished.replace(file)
        return cls(database, training_set_id, tuple(class_ids), file)

    def __len__(self) -> int:
        """Number of frames."""
        return self.keys_file.stat().st_size // KEY.itemsize

    def at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frames at (n,) positions: (n,) int64 frame_ids, (n, k) int8 targets, (n,) float32 weights.

        Targets are 1 present, 0 absent, -1 not judged; a weight is the mean of the frame's rows. One query on the
        key of `training_sets`. Raises IndexError beyond either end, LookupError where rows are gone.
        """
        keys = np.memmap(self.keys_file, KEY, "r") if len(self) else np.empty(0, KEY)
        frame_ids = np.array(keys[positions], dtype=np.int64)
        asked, places = np.unique(frame_ids, return_inverse=True)
        rows = self._rows(asked.tolist())
        row_of = np.searchsorted(asked, rows["frame_id"].to_numpy())
        count = np.bincount(row_of, minlength=len(asked))
        if not count.all():
            gone = asked[count == 0]
            raise LookupError(
                f"{len(gone)} frames are gone from {self.training_set_id}, first {gone[0]}; index it again"
            )
        weights = np.bincount(row_of, rows["weight"].to_numpy(), minlength=len(asked)) / count
        return frame_ids, self._targets(row_of, rows, len(asked))[places], weights.astype(np.float32)[places]

    def _rows(self, frame_ids: list[int]) -> pa.Table:
        parts = [
            self.database.fetch(_ROWS, {"training_set_id": self.training_set_id, "frame_ids": keys})
            for keys in in_chunks(frame_ids)
        ]
        return pa.concat_tables(parts)

    def _targets(self, row_of: np.ndarray, rows: pa.Table, frames: int) -> np.ndarray:
        """(frames, k) int8; judgements of classes that are not asked for are left out."""
        targets = np.full((frames, len(self.class_ids)), -1, np.int8)
        classes, columns = np.unique(np.array(self.class_ids, np.int64), return_index=True)
        said = rows["class_id"].to_numpy()
        at = np.searchsorted(classes, said)
        known = at < len(classes)
        known[known] = classes[at[known]] == said[known]
        targets[row_of[known], columns[at[known]]] = rows["target"].to_numpy()[known]
        return targets

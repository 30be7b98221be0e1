"""Plain judgements become annotation rows as columns. Where anything in a block is not plain, annotations.py takes it.

Not here: what is to become of a record; for what is left to this module there is one answer only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from al_assets.labels.formats.plain import EPOCH, MICROSECOND, NO_MOMENT, Numbers, PlainBlock, Saying

POSITIONS = 2**32


@dataclass(frozen=True)
class PlainRows:
    """Rows of `annotations`, each with at most one of `annotation_labels`. class_ids: of each saying; 0 for none."""

    export_id: int
    block: PlainBlock
    class_ids: Sequence[int]
    content_keys: Sequence[str]

    def __len__(self) -> int:
        return len(self.block.positions)

    @cached_property
    def _ids(self) -> Numbers:
        return self.export_id * POSITIONS + self.block.positions

    def annotations(self, judged_through: int) -> dict[str, pa.Array]:
        """Columns of `annotations` that are not null."""
        block, count = self.block, len(self)
        used, codes = np.unique(block.codes, return_inverse=True)
        says = [block.sayings[code] for code in used.tolist()]
        return {
            "annotation_id": pa.array(self._ids),
            "export_id": pa.array(np.full(count, self.export_id)),
            "position": pa.array(block.positions),
            "frame_id": pa.array(block.frame_ids),
            "annotator": pa.array([say.annotator for say in says], pa.string()).take(pa.array(codes)),
            "annotated_at": pa.array(block.moments, mask=block.moments == NO_MOMENT).cast(pa.timestamp("us")),
            "outcome": pa.array([say.outcome for say in says], pa.string()).take(pa.array(codes)),
            "judged_through": pa.array(np.full(count, judged_through)),
            "content_key": pa.array(self.content_keys, pa.string()),
        }

    def marks(self) -> dict[str, pa.Array]:
        """Columns of `annotation_labels` that are not null."""
        class_ids = np.asarray(self.class_ids, np.int64)[self.block.codes]
        marked = class_ids > 0
        return {
            "annotation_id": pa.array(self._ids[marked]),
            "mark": pa.array(np.zeros(int(marked.sum()), np.int64)),
            "class_id": pa.array(class_ids[marked]),
        }

    def part(self, keep: Numbers) -> PlainRows:
        """The rows at these places."""
        block = self.block
        kept = PlainBlock(
            block.positions[keep],
            block.frame_ids[keep],
            block.moments[keep],
            block.codes[keep],
            block.sayings,
            lambda place: block.raw(int(keep[place])),
        )
        keys = [self.content_keys[place] for place in keep.tolist()]
        return PlainRows(self.export_id, kept, self.class_ids, keys)


def plain_rows(block: PlainBlock, class_ids: Mapping[int, int], export_id: int) -> PlainRows:
    """The rows of a block. class_ids: code of a saying -> its class, 0 for none; for every code in the block."""
    ids = [class_ids.get(code, 0) for code in range(len(block.sayings))]
    ends = {code: _around_the_frame(block.sayings[code], ids[code]) for code in class_ids}
    keys = []
    for frame_id, at, code in zip(
        block.frame_ids.tolist(), block.moments.tolist(), block.codes.tolist(), strict=True
    ):
        who, what = ends[code]
        moment = "null" if at == NO_MOMENT else f'"{(EPOCH + at * MICROSECOND).isoformat()}"'
        keys.append(hashlib.sha256(f"{who}{frame_id}, {moment}{what}".encode()).hexdigest()[:32])
    return PlainRows(export_id, block, ids, keys)


def _around_the_frame(saying: Saying, class_id: int) -> tuple[str, str]:
    """What stands before frame and moment, and behind, in the text that `annotations` hashes."""
    who = json.dumps([["annotator", saying.annotator]])[:-1] + ", "
    drawn = [[class_id, []]] if class_id else []
    return who, ", " + json.dumps([saying.outcome, None, drawn])[1:]

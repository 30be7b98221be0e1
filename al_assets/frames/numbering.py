"""Numbers of the stills in a folder: given in the order of arrival and never given twice. No files, no tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from al_assets.frames.perceptual_hash import hamming_distance
from al_assets.keys import frame_id

SAME_HASH_BITS = 2
SAME_BRIGHTNESS = 2e-4
SAME_SHARPNESS = 0.01
"""How far the measures of one and the same file may drift from one version of the image library to the next."""


def number_stills(fresh: Sequence[str], numbers: Mapping[str, int], given: int) -> dict[str, int]:
    """Path -> frame_index of all stills: those numbered before keep their number, fresh ones follow.

    fresh: paths without a number, in order of arrival. given: how many numbers the folder ever gave; one of a
    still that is gone is not given again, since labels may bear it.
    """
    start = next_number(numbers, given)
    return {**{path: start + i for i, path in enumerate(fresh)}, **numbers}


def next_number(numbers: Mapping[str, int], given: int) -> int:
    """The first number that was never given."""
    return max(given, max(numbers.values(), default=-1) + 1)


def renumber_replaced(rows: pa.Table, before: pa.Table, *, video_no: int, start: int) -> pa.Table:
    """Rows of `frames` in which a still that now shows another picture has a number of its own, from `start`.

    rows and before: `frames` of the folder as it is and as it was. A label said something of the old picture,
    and its vector stands under the old number, so the new picture must not inherit either.
    """
    known = {row["image_path"]: row for row in before.to_pylist()}
    found = rows.to_pylist()
    replaced = [row for row in found if (old := known.get(row["image_path"])) and not _same_picture(row, old)]
    if not replaced:
        return rows
    keys = {row["frame_id"]: frame_id(video_no, start + i) for i, row in enumerate(replaced)}
    for i, row in enumerate(replaced):
        row.update(frame_index=start + i, pts_ms=(start + i) * 1000)
    for row in found:
        row["frame_id"] = keys.get(row["frame_id"], row["frame_id"])
        row["duplicate_of"] = keys.get(row["duplicate_of"], row["duplicate_of"])
    return pa.Table.from_pylist(sorted(found, key=lambda row: row["frame_id"]), schema=rows.schema)


def _same_picture(row: Mapping[str, int | float], old: Mapping[str, int | float]) -> bool:
    return (
        (row["width"], row["height"]) == (old["width"], old["height"])
        and hamming_distance(int(row["phash"]), int(old["phash"])) <= SAME_HASH_BITS
        and abs(row["brightness"] - old["brightness"]) <= SAME_BRIGHTNESS
        and bool(np.isclose(row["sharpness"], old["sharpness"], rtol=SAME_SHARPNESS, atol=1e-6))
    )

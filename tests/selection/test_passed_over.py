"""What the rule left out: place, score, why, and the very frame it was compared with."""

from __future__ import annotations

import numpy as np
import pytest

from al_assets.selection import passed_over as module
from al_assets.selection import redundancy
from al_assets.selection.passed_over import SCHEMA, PassedOver, as_table, passed_over
from al_assets.selection.redundancy import Frames, RedundancyRule, admit

EAST, NORTH, NORTHEAST = [1.0, 0.0], [0.0, 2.0], [3.0, 3.0]


def frames(*rows: tuple[int, int, list[float]]) -> Frames:
    """Frames from (clip, milliseconds, vector); frame_id is clip * 2**24 + milliseconds."""
    vectors = np.array([vector for *_, vector in rows], dtype=np.float32).reshape(len(rows), 2)
    return Frames(
        frame_ids=np.array([clip * 2**24 + ms for clip, ms, _ in rows], dtype=np.int64),
        video_no=np.array([clip for clip, _, _ in rows], dtype=np.int64),
        pts_ms=np.array([ms for _, ms, _ in rows], dtype=np.int64),
        embeddings=vectors,
    )


def left_out(candidates: Frames, taken: Frames, rule: RedundancyRule, order: list[int]) -> list[PassedOver]:
    done = admit(np.array(order), candidates, taken, rule, 99)
    return list(passed_over(done, candidates, taken, np.linspace(1, 0, len(order))))


def test_a_frame_too_near_in_time_names_the_nearest_taken_before_it() -> None:
    candidates = frames((1, 900, EAST), (1, 1300, EAST), (1, 4000, EAST), (1, 3500, EAST))
    found = left_out(candidates, frames((1, 0, EAST)), RedundancyRule(minimum_gap_ms=1000), [0, 1, 2, 3])
    assert [(each.frame_id - 2**24, each.place, each.rule) for each in found] == [
        (900, 1, "gap"),
        (3500, 4, "gap"),
    ]
    assert [each.beside_frame_id for each in found] == [2**24, 2**24 + 4000]
    assert found[0].score == 1.0
    assert found[0].reason == "less than 1000 ms from a taken frame of its clip"


@pytest.mark.parametrize("block", [1, 8192])
def test_a_look_alike_names_the_most_alike_of_what_was_taken_before_it(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    candidates = frames((1, 0, NORTHEAST), (2, 0, [1.0, 0.1]), (3, 0, NORTH), (4, 0, [0.1, 1.0]))
    taken = frames((8, 0, EAST), (9, 0, [-1.0, 0.0]))
    found = left_out(candidates, taken, RedundancyRule(cosine=0.9), [0, 1, 2, 3])
    assert [(each.frame_id >> 24, each.beside_frame_id) for each in found] == [(2, 8 * 2**24), (4, 3 * 2**24)]
    assert {each.rule for each in found} == {"cosine"}


def test_a_cap_names_no_frame() -> None:
    (found,) = left_out(frames((1, 0, EAST), (1, 9, EAST)), frames(), RedundancyRule(per_clip=1), [1, 0])
    assert (found.rule, found.beside_frame_id, found.place, found.frame_id) == ("clip", None, 2, 2**24)


def test_no_more_than_the_first_are_kept_and_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redundancy, "RECORDED", 3)
    candidates = frames(*[(1, at, EAST) for at in range(9)])
    done = admit(np.arange(9), candidates, frames(), RedundancyRule(per_clip=1), 9)
    assert len(done.refused) == 3
    assert sum(done.left_out.values()) == 8


def test_a_frame_that_several_choices_passed_over_has_one_row() -> None:
    first = PassedOver(5, 2, 0.5, "gap", "why", 4)
    table = as_table(
        [first, PassedOver(7, 1, 0.4, "clip", "cap", None), PassedOver(5, 1, 0.9, "cosine", "x", 3)]
    )
    assert table.schema == SCHEMA
    assert table["frame_id"].to_pylist() == [7, 5]
    assert table["rule"].to_pylist() == ["clip", "gap"]
    assert as_table([]).num_rows == 0

"""Which judged frames are asked about again, in which order, and with what reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from al_assets.review.second_opinions import Trust
from al_assets.selection.asking_again import COLUMNS, choose_again


def candidates(*rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_split_classes_come_first_then_the_lowest_scores_that_beat_open_frames() -> None:
    table = candidates(
        (11, 0.9, 2, None, None, None),
        (12, 0.2, 1, "zero", 0.03, None),
        (14, np.nan, 1, None, None, "one"),
        (13, 0.1, 3, None, None, None),
    )
    open_frames = np.full((50, 3), 0.5)
    found = choose_again(table, open_frames, Trust(), task="multi_label", size=5)
    assert found.frame_ids.tolist() == [14, 13, 12]
    assert found.reasons == [
        "second opinion: its class one was split",
        "second opinion: 3 annotators are divided; ActiveLab score 0.100",
        "second opinion: a model of other clips gives zero 0.03; ActiveLab score 0.200",
    ]
    assert found.first(1).frame_ids.tolist() == [14]
    assert found.urgent == 1


def test_nothing_is_asked_again_where_open_frames_are_more_doubtful() -> None:
    table = candidates((11, 0.6, 2, None, None, None))
    assert choose_again(table, np.full((50, 3), 0.5), Trust(), task="multi_label", size=5).reasons == []
    assert choose_again(table, None, Trust(), task="multi_label", size=5).frame_ids.tolist() == [11]
    assert choose_again(table[:0], None, Trust(), task="single_label", size=5).reasons == []

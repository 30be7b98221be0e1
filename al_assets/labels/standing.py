"""Which annotations still stand, and which say nothing new: later ones supersede earlier ones. No votes, no tables.

The views label_provenance and annotator_agreement say the same in SQL; a test holds them to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from al_assets.keys import Task
from al_assets.labels.plain_rows import POSITIONS

_WHOSE = ("frame_id", "by_source", "who")


def standing(annotations: pd.DataFrame) -> pd.DataFrame:
    """The annotations that no later one supersedes, in the order of annotation_id.

    annotations: annotation_id, source_id, frame_id, annotator, annotated_at (UTC or null), outcome, offset_ms, of
    live exports. One supersedes another of the same frame with the same source id or, where it has none, the same
    annotator: the later annotated_at wins (null is earliest), then the later export, in it the smaller offset from
    the frame, then the later record. The frame is part of the key since two labelling tools may count from 1 alike.
    A winner that says "deleted" leaves nothing.
    """
    if annotations.empty:
        return annotations
    winners = _ranked(annotations).drop_duplicates(list(_WHOSE), keep="last").sort_values("annotation_id")
    kept = annotations.iloc[winners["row"].to_numpy()]
    return kept[kept["outcome"] != "deleted"]


def said_last(annotations: pd.DataFrame) -> set[str]:
    """Content keys that say nothing new when they come again without a time.

    Those whose latest carrier is in the same export as what stands: of several records of one export that were
    given one frame, the others are no news either. annotations: as for `standing`, with content_key.
    """
    ranked = _ranked(annotations)
    ranked["content_key"] = annotations["content_key"].to_numpy()[ranked["row"].to_numpy()]
    latest = ranked.drop_duplicates(list(_WHOSE), keep="last").set_index(list(_WHOSE))["export"]
    carriers = ranked.groupby([*_WHOSE, "content_key"])["export"].max().reset_index("content_key")
    carriers["latest"] = latest.reindex(carriers.index)
    return set(carriers.loc[carriers["export"] == carriers["latest"], "content_key"])


def _ranked(annotations: pd.DataFrame) -> pd.DataFrame:
    """Whose annotation each row is, in the order in which they supersede one another."""
    source = annotations["source_id"]
    key = pd.DataFrame(
        {
            "frame_id": annotations["frame_id"],
            "by_source": source.notna(),
            "who": source.where(source.notna(), annotations["annotator"]).astype(str),
            "at": pd.to_datetime(annotations["annotated_at"], utc=True, format="ISO8601"),
            "export": annotations["annotation_id"] // POSITIONS,
            "closeness": -pd.to_numeric(annotations["offset_ms"]).fillna(0).abs(),
            "annotation_id": annotations["annotation_id"],
            "row": range(len(annotations)),
        }
    )
    return key.sort_values(["at", "export", "closeness", "annotation_id"], na_position="first")


@dataclass(frozen=True)
class Standing:
    """What counts now, as `consensus` and `Said.of` take it: a merged class has its votes as the one it counts as."""

    annotations: pd.DataFrame
    marks: pd.DataFrame
    class_ids: list[int]
    since: dict[int, int]


def standing_of(
    rows: pd.DataFrame,
    marks: pd.DataFrame,
    classes: pd.DataFrame,
    parts: Mapping[int, Sequence[int]],
    task: Task,
) -> Standing:
    """What counts of the annotations of live exports and their marks.

    rows: as for `standing`, with export_id, judged (JSON list or null) and judged_through. classes: class_id, active,
    merged_into. parts: classes out of use since they were split -> the classes that they became.
    """
    merged = classes.dropna(subset="merged_into")
    shown = dict(zip(merged["class_id"], merged["merged_into"].astype(int), strict=True))
    judged: list[Any] = [
        [shown.get(key, key) for key in json.loads(text)] if isinstance(text, str) else None
        for text in rows["judged"]
    ]
    rows = rows.assign(judged=judged)
    stand = standing(rows)
    active = classes[(classes["active"] == 1) & classes["merged_into"].isna()]["class_id"].tolist()
    since: dict[int, int] = {}
    for class_id, export_id in _since(rows, [*active, *shown]).items():
        target = shown.get(class_id, class_id)
        since[target] = min(since.get(target, export_id), export_id)
    marks = marks.assign(class_id=marks["class_id"].replace(shown))
    became = {key: {shown.get(part, part) for part in _all_parts(key, parts)} for key in parts}
    if became:
        stand = _which_part_is_open(stand, marks, became, active, since)
    if task == "single_label":
        # Whose classes are all out of use, or who names several, has given no answer that counts; nor said "nobody".
        named = marks[marks["class_id"].isin(active)].groupby("annotation_id")["class_id"].nunique()
        answered = set(named.index[named == 1])
        stand = stand[
            stand["annotation_id"].isin(answered) | ~stand["annotation_id"].isin(marks["annotation_id"])
        ]
    return Standing(stand, marks, active, since)


def _all_parts(class_id: int, parts: Mapping[int, Sequence[int]]) -> set[int]:
    """What a class became, parts of parts included."""
    found = set(parts.get(class_id, ()))
    for part in list(found):
        found |= _all_parts(part, parts)
    return found


def _which_part_is_open(
    stand: pd.DataFrame,
    marks: pd.DataFrame,
    parts: Mapping[int, set[int]],
    active: Sequence[int],
    since: Mapping[int, int],
) -> pd.DataFrame:
    """Who named a class that was split has not judged its parts: it is one of them, and nobody knows which."""
    by_annotation: dict[int, set[int]] = {}
    for annotation_id, class_id in zip(marks["annotation_id"], marks["class_id"], strict=True):
        if class_id in parts:
            by_annotation.setdefault(annotation_id, set()).update(parts[class_id])
    judged: list[Any] = []
    columns = (stand[name] for name in ("annotation_id", "export_id", "judged"))
    for annotation_id, export_id, own in zip(*columns, strict=True):
        unknown = by_annotation.get(annotation_id)
        if unknown is None:
            judged.append(own)
            continue
        every = [class_id for class_id in active if since.get(class_id, 0) <= export_id]
        listed = own if isinstance(own, list) else every
        judged.append([key for key in listed if key not in unknown])
    return stand.assign(judged=judged)


def _since(rows: pd.DataFrame, class_ids: Sequence[int]) -> dict[int, int]:
    """class_id -> first export that could use the class: "all classes" in an earlier one does not mean it."""
    through = rows.groupby("export_id")["judged_through"].max().sort_index()
    since = {}
    for class_id in class_ids:
        knowing = through.index[through >= class_id]
        if len(knowing):
            since[class_id] = int(knowing[0])
    return since

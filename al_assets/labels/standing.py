"""Which annotations still stand, and which say nothing new: later ones supersede earlier ones. No votes, no tables.

The views label_provenance and annotator_agreement say the same in SQL; a test holds them to it.
"""

from __future__ import annotations

import pandas as pd

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

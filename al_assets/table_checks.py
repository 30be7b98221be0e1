"""Checks that every asset of tables has alike: columns, values, references, rows against upstream. One factory.

What a table is held to is declared in `resources/tables.py`; the counting is SQL. Here only which asset answers for
which tables, and which part of a table a run may have changed: checks of a run over a hundred videos must not read
thirty million frames. Not here: what is particular to one asset (the rooms' checks.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from al_assets.embedder_choice import wanted_embedder
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.audit import AuditQueries, Where, parts_of
from resources.rows import rows_of
from resources.slices import KeyRange
from resources.tables import metadata

SHOWN = 20
COLUMNS, VALUES, REFERENCES, COUNTS = (
    "columns_are_as_declared",
    "values_are_within_bounds",
    "references_are_known",
    "rows_match_upstream",
)


@dataclass(frozen=True)
class Question:
    """What a check is asked about: the archive, the settings, the videos of the run (none: all)."""

    archive: Archive
    settings: Settings
    video_ids: tuple[str, ...]

    @property
    def audit(self) -> AuditQueries:
        """The counting."""
        return self.archive.audit

    def spans(self) -> list[KeyRange | None]:
        """Key ranges of the run's videos; None, for all, where the run names none."""
        if not self.video_ids:
            return [None]
        return [*parts_of([video.video_no for video in self.archive.videos.get(self.video_ids)])]

    def ranges(self) -> list[Where]:
        """The same as restrictions of a table with a row a frame."""
        return [{} if span is None else {"frame_id": span} for span in self.spans()]


Scope = Callable[[Question], list[Where]]
Counts = Callable[[Question], list[str]]


def whole(question: Question) -> list[Where]:
    """All rows."""
    return [{}]


def of_videos(question: Question) -> list[Where]:
    """Frames of the run's videos."""
    return question.ranges()


def of_embedder(question: Question) -> list[Where]:
    """Vectors of the run's videos by the embedder in the settings."""
    embedder_id = wanted_embedder(question.archive, question.settings.embeddings)
    return [{"embedder_id": embedder_id, **part} for part in question.ranges()]


def of_training_set(question: Question) -> list[Where]:
    """The newest training set."""
    return [{"training_set_id": question.archive.models.latest_training_set() or ""}]


def of_newest(question: Question) -> list[Where]:
    """Rows of the newest checkpoint."""
    newest = question.archive.models.latest()
    return [{"checkpoint_id": newest.checkpoint_id if newest else ""}]


def of_target(question: Question) -> list[Where]:
    """Scores of the checkpoint that serves or is to serve."""
    target = question.archive.models.target()
    return [{"checkpoint_id": target.checkpoint_id if target else ""}]


def frames_of_every_video(question: Question) -> list[str]:
    """Videos that were read and have no frame."""
    return [
        f"{video_id} was read and has no frame"
        for span in question.spans()
        for video_id in question.audit.videos_without_frames(span)
    ]


def vectors_of_every_frame(question: Question) -> list[str]:
    """Videos whose vectors are not as many as their frames."""
    embedder_id = wanted_embedder(question.archive, question.settings.embeddings)
    return _per_video(question, "embeddings", {"embedder_id": embedder_id}, "embeddings", "vectors")


def scores_of_every_frame(question: Question) -> list[str]:
    """Videos whose scores are not as many as their frames."""
    target = question.archive.models.target()
    if target is None:
        return []
    version = {"checkpoint_id": target.checkpoint_id}
    return _per_video(question, "frame_scores", version, "predictions", "scores")


def targets_of_every_label(question: Question) -> list[str]:
    """Whether the newest training set has as many rows as there were labels in effect when it was made."""
    training_set_id = question.archive.models.latest_training_set()
    if training_set_id is None:
        return []
    rows, labels = question.audit.training_rows(training_set_id)
    return [] if rows == labels else [f"{training_set_id} has {rows} rows, and was made of {labels} labels"]


def selections_of_every_batch(question: Question) -> list[str]:
    """Batches with more or fewer frames than they say."""
    return [
        f"batch {row.batch_id} says {row.selected} frames and has {row.rows}"
        for row in rows_of(question.audit.batches_out_of_step())
    ]


def _per_video(question: Question, table: str, version: dict[str, str], asset: str, what: str) -> list[str]:
    return [
        f"{row.video_id} has {row.frames} frames and {row.rows} {what}"
        for span in question.spans()
        for row in rows_of(question.audit.rows_per_video(table, version, asset, span))
    ]


@dataclass(frozen=True)
class Held:
    """An asset, the tables it answers for with the part of each that a run may have changed, and the row counts."""

    asset: str
    tables: dict[str, Scope]
    counts: Counts | None = None


HELD = (
    Held(
        "frames",
        {"videos": whole, "frames": of_videos, "decoding_points": of_videos},
        frames_of_every_video,
    ),
    Held(
        "embeddings",
        {"embedders": whole, "embeddings": of_embedder, "video_coverage": whole},
        vectors_of_every_frame,
    ),
    Held(
        "labels",
        dict.fromkeys(
            (
                *("label_exports", "annotations", "annotation_labels", "label_rejects"),
                *("labels", "classes", "class_changes"),
            ),
            whole,
        ),
    ),
    Held("training_set", {"training_sets": of_training_set}, targets_of_every_label),
    Held("checkpoint", {"checkpoints": whole}),
    Held("evaluation", {"evaluations": of_newest}),
    Held("candidate_checkpoint", {"promotions": whole}),
    Held("predictions", {"frame_scores": of_target, "predictions": of_target}, scores_of_every_frame),
    Held("serving_checkpoint", {"serving": whole}),
    Held("label_review", {"implausible_labels": of_newest, "second_opinions": of_newest}),
    Held("drift_report", dict.fromkeys(("drift_results", "video_summaries", "video_scores"), whole)),
    Held(
        "selection_batch",
        dict.fromkeys(("selection_batches", "selections", "passed_over"), whole),
        selections_of_every_batch,
    ),
    Held("slice_quality", {"slice_metrics": of_newest}),
    Held("embedding_map", {"embedding_maps": whole, "map_points": whole}),
    Held("labelling_worth", {"labelling_progress": whole}),
    Held("arm_comparison", {"arm_comparisons": whole}),
)


def table_checks(held: Held) -> dg.AssetChecksDefinition:
    """The checks of one asset, in one step. Errors that stop what follows: such rows come from a fault."""
    told = {
        COLUMNS: "The tables have the columns that are declared.",
        VALUES: "No value is missing or out of bounds.",
        REFERENCES: "Every row that is referred to exists.",
    }
    if not any("of" in column.info for name in held.tables for column in metadata.tables[name].columns):
        del told[REFERENCES]
    if held.counts is not None:
        told[COUNTS] = "There are as many rows as there should be."
    specs = [
        dg.AssetCheckSpec(name, asset=held.asset, description=description, blocking=True)
        for name, description in told.items()
    ]

    @dg.multi_asset_check(name=f"{held.asset}_tables", specs=specs, can_subset=True)
    def check(
        context: dg.AssetCheckExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.AssetCheckResult]:
        keys = context.partition_keys if context.has_partition_key or context.has_partition_key_range else ()
        question = Question(archive, settings, tuple(keys))
        for name in sorted(key.name for key in context.selected_asset_check_keys):
            yield _result(held, name, question)

    return check


def _result(held: Held, name: str, question: Question) -> dg.AssetCheckResult:
    rows: dict[str, int] = {}
    if name == COLUMNS:
        faults = [fault for table in held.tables for fault in question.audit.column_faults(table)]
    elif name == VALUES:
        faults = list(_value_faults(held, question, rows))
    elif name == REFERENCES:
        faults = list(_reference_faults(held, question))
    else:
        faults = held.counts(question) if held.counts else []
    told: dict[str, Any] = {f"rows_{table}": count for table, count in rows.items()}
    if faults:
        told["all_faults"] = dg.MetadataValue.md("\n".join(f"- {fault}" for fault in faults[:SHOWN]))
    return dg.AssetCheckResult(
        asset_key=held.asset,
        check_name=name,
        passed=not faults,
        description="; ".join(faults[:3]) or "no fault",
        metadata={"faults": len(faults), **told},
    )


def _value_faults(held: Held, question: Question, rows: dict[str, int]) -> Iterator[str]:
    for table, scope in held.tables.items():
        found: dict[str, int] = {}
        for part in scope(question):
            count, faults = question.audit.value_faults(table, part)
            rows[table] = rows.get(table, 0) + count
            for fault, number in faults.items():
                found[fault] = found.get(fault, 0) + number
        yield from (f"{table}: {number} rows: {fault}" for fault, number in found.items() if number)


def _reference_faults(held: Held, question: Question) -> Iterator[str]:
    for table, scope in held.tables.items():
        for part in scope(question):
            for column, lost in question.audit.reference_faults(table, part).items():
                if lost:
                    yield f"{column} names {lost} that {'does' if lost == 1 else 'do'} not exist"


CHECKS = tuple(table_checks(held) for held in HELD)

"""The tables of the platform: the only truth about the schema. No queries, no engine, no data.

Migrations, the data dictionary, the SQL IO manager's column checks and the Columns tab of the Dagster UI are
all derived from here. Times are UTC without zone and end in `_at`; durations and sizes carry their unit.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mssql

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = sa.MetaData(naming_convention=NAMING)

# SQLite makes a column an alias of its rowid only if its type is spelled INTEGER.
Key = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Utc = sa.DateTime().with_variant(mssql.DATETIME2(3), "mssql")
Float4: sa.types.TypeEngine[Any] = sa.REAL()
Float8: sa.types.TypeEngine[Any] = sa.Double()
Json = sa.UnicodeText()


SPLITS = ("train", "validation", "test")
VIDEO_STATUSES = ("registered", "indexed", "partial", "failed", "superseded", "copy", "retired")


def _column(
    name: str,
    kind: sa.types.TypeEngine,
    comment: str,
    *,
    null: bool = False,
    low: float | None = None,
    high: float | None = None,
    one_of: tuple[str, ...] = (),
    of: str = "",
    **options: Any,
) -> sa.Column:
    """A column, and what the checks of its asset hold it to: bounds, a list of values, the row that it names."""
    info = {"low": low, "high": high, "one_of": one_of, "of": of}
    kept = {name: value for name, value in info.items() if value not in (None, (), "")}
    return sa.Column(name, kind, comment=comment, nullable=null, info=kept, **options)


def _id(name: str, comment: str, **options: Any) -> sa.Column:
    return _column(name, sa.String(64), comment, **options)


def _table(
    name: str,
    comment: str,
    *items: sa.schema.SchemaItem,
    narrow: bool = False,
    faults: Mapping[str, Callable[[Any], Any]] | None = None,
) -> sa.Table:
    """A table; `narrow` ones are clustered on their key in SQLite (WITHOUT ROWID pays only for short rows).

    faults: conditions over several columns that no row may meet, by name, for the checks of its asset.
    """
    info = {"faults": dict(faults or {})}
    return sa.Table(name, metadata, *items, comment=comment, info=info, sqlite_with_rowid=not narrow)


def _box(of: str) -> tuple[sa.Column, ...]:
    return tuple(
        _column(f"box_{side}", Float4, f"{of}: {side} as a fraction of the frame", null=True)
        for side in ("x", "y", "width", "height")
    )


arrivals = _table(
    "arrivals",
    "Files seen in storage and how long they have stood still; a file is taken up after two equal looks.",
    _column(
        "area", sa.String(32), "folder under the storage root: videos or label_exports", primary_key=True
    ),
    _column("path", sa.Unicode(400), "path within the area", primary_key=True),
    _column("etag", sa.String(128), "version of the file as storage names it"),
    _column("size_bytes", sa.BigInteger(), "size of the file, bytes"),
    _column("looks", sa.Integer(), "consecutive looks at which etag and size were the same"),
    _column("last_seen_at", Utc, "time of the latest look"),
)

videos = _table(
    "videos",
    "One row per video (or folder of stills) of the archive.",
    _id("video_id", "readable id, given once; the Dagster partition key", primary_key=True),
    _column(
        "video_no", sa.Integer(), "small number, never reused; the high part of frame_id", unique=True, low=1
    ),
    _column("kind", sa.String(16), "video, or images for a folder of stills", one_of=("video", "images")),
    _column("path", sa.Unicode(400), "path under videos/ in storage"),
    _column("etag", sa.String(128), "version of the file as storage names it"),
    _column("size_bytes", sa.BigInteger(), "size of the file, bytes", low=0),
    _column(
        "content_hash", sa.String(64), "identity of the content: hash of size and sampled bytes", index=True
    ),
    _column("container", sa.String(64), "container format", null=True),
    _column("codec", sa.String(32), "video codec", null=True),
    _column("frames_per_second", Float8, "native frame rate, frames per second", null=True, low=0),
    _column("width", sa.Integer(), "width of the upright picture, pixels", null=True, low=1),
    _column("height", sa.Integer(), "height of the upright picture, pixels", null=True, low=1),
    _column("duration_ms", sa.BigInteger(), "duration, milliseconds", null=True, low=0),
    _column("recorded_at", Utc, "when the recording began, UTC, if known", null=True),
    _column("site", sa.Unicode(200), "site of the camera, if known", null=True),
    _column("camera", sa.Unicode(200), "camera, if known", null=True),
    _column(
        "split", sa.String(16), "train, validation or test; given at registration, for ever", one_of=SPLITS
    ),
    _column(
        "status",
        sa.String(16),
        "registered, indexed, partial, failed, superseded, copy or retired",
        one_of=VIDEO_STATUSES,
    ),
    _column("error", sa.UnicodeText(), "why the video could not be read whole, in plain words", null=True),
    _column(
        "superseded_by",
        sa.String(64),
        "video_id of what replaced it, or of the original of a copy",
        null=True,
    ),
    _column("registered_at", Utc, "time of registration"),
    _column("indexed_at", Utc, "time of the latest indexing", null=True),
    _column("frames_version", sa.String(200), "file version and sampling rate behind its frames", null=True),
    _column("missing_at", Utc, "first look at which the file was gone; null while it is there", null=True),
    sa.Index("ix_videos_path", "path"),
)

frames = _table(
    "frames",
    "One row per sampled frame.",
    _column("frame_id", Key, "video_no * 2**24 + frame_index", primary_key=True, autoincrement=False),
    _id("video_id", "video of the frame", of="videos.video_id"),
    _column(
        "frame_index",
        sa.Integer(),
        "number of the frame in the source from 0 at its native rate",
        low=0,
        high=2**24 - 1,
    ),
    _column("pts_ms", sa.BigInteger(), "time from the start of the video, milliseconds", low=0),
    _column("width", sa.Integer(), "width, pixels", low=1),
    _column("height", sa.Integer(), "height, pixels", low=1),
    _column("brightness", Float8, "mean luminance in [0, 1]", low=0, high=1),
    _column("sharpness", Float8, "variance of the Laplacian of the luminance", low=0),
    _column("phash", sa.BigInteger(), "64-bit perceptual hash"),
    _column(
        "duplicate_of", sa.BigInteger(), "frame_id of the near-identical earlier frame it repeats", null=True
    ),
    _column("image_path", sa.Unicode(400), "file of the still, for folders of stills", null=True),
    faults={"repeats_itself": lambda c: c.duplicate_of >= c.frame_id},
)

decoding_points = _table(
    "decoding_points",
    "One row per place in a long video from which decoding can go on without the frames before it.",
    _column(
        "frame_id",
        Key,
        "frame decoded there, sampled or not: video_no * 2**24 + frame_index",
        primary_key=True,
        autoincrement=False,
    ),
    _id("video_id", "video", of="videos.video_id"),
    _column(
        "frames_version",
        sa.String(240),
        "file version, sampling rate and distance of duplicates behind its frames",
    ),
    _column(
        "frame_index",
        sa.Integer(),
        "number of the frame in the source from 0 at its native rate",
        low=0,
        high=2**24 - 1,
    ),
    _column("pts", sa.BigInteger(), "timestamp of the frame, ticks of the stream"),
    _column("pts_ms", sa.BigInteger(), "time from the start of the video, milliseconds", low=0),
    _column("key_pts", sa.BigInteger(), "timestamp of the key frame before it, ticks of the stream"),
    _column("checksum", sa.String(8), "CRC-32 of the pixels from the key frame to this frame"),
    _column(
        "state", Json, "JSON of clocks and counters; at the end of a part also of sampling and duplicates"
    ),
    faults={"before_its_key_frame": lambda c: c.key_pts > c.pts},
)

video_coverage = _table(
    "video_coverage",
    "One row per video that a version of an asset covers whole: what is left to do is what is not here.",
    _column("asset", sa.String(64), "embeddings or predictions", primary_key=True),
    _id("version", "embedder_id or checkpoint_id", primary_key=True),
    _id("video_id", "video", primary_key=True, of="videos.video_id"),
    _column("frames_version", sa.String(200), "version of the video's frames that is covered"),
    _column("frames", sa.Integer(), "frames covered", low=0),
    narrow=True,
)

classes = _table(
    "classes",
    "One row per class (individual, species, behaviour) that people name.",
    _column(
        "class_id", sa.Integer(), "number of the class, from 1", primary_key=True, autoincrement=False, low=1
    ),
    _column("name", sa.Unicode(200), "name as shown to people", unique=True),
    _column("aliases", Json, "other spellings that mean the same class, JSON list"),
    _column("active", sa.SmallInteger(), "1 while the class is in use", low=0, high=1),
    _column(
        "merged_into",
        sa.Integer(),
        "class_id of the class it was merged into",
        null=True,
        of="classes.class_id",
    ),
    _column("created_at", Utc, "when the class was first named"),
)

class_changes = _table(
    "class_changes",
    "One row per change of a class after it was first named; labels and training sets of before keep their class.",
    _column("change_id", sa.Integer(), "sequence number", primary_key=True, autoincrement=False),
    _column("class_id", sa.Integer(), "class that was changed", of="classes.class_id"),
    _column(
        "change",
        sa.String(16),
        "renamed, merged, separated, split or rejoined",
        one_of=("renamed", "merged", "separated", "split", "rejoined"),
    ),
    _column("before", sa.Unicode(200), "name before, or name of the class that it counted as", null=True),
    _column("after", sa.Unicode(200), "name after, or name of the class that it counts as now or became"),
    _column("changed_at", Utc, "time"),
    _column("into_class_id", sa.Integer(), "class that it was split into", null=True),
)

embedders = _table(
    "embedders",
    "One row per embedder: a backbone with its weights and projection.",
    _id("embedder_id", "name of the backbone and hash of its weights", primary_key=True),
    _column("backbone", sa.String(64), "architecture"),
    _column("weights_sha256", sa.String(64), "hash of the weights"),
    _column("projection", sa.String(64), "projection applied to the features, if any", null=True),
    _column("dimensions", sa.Integer(), "length of a vector", low=1),
    _column("created_at", Utc, "first use"),
    _id("source_embedder_id", "embedder whose vectors it projects", null=True, of="embedders.embedder_id"),
    _column("projection_uri", sa.Unicode(400), "file of the projection under the storage root", null=True),
    _column("projection_sha256", sa.String(64), "hash of that file", null=True),
    _column(
        "variance_kept", Float8, "share of the variance of its sample that it keeps", null=True, low=0, high=1
    ),
)

embeddings = _table(
    "embeddings",
    "One vector per frame and embedder.",
    _id("embedder_id", "embedder that made the vector", primary_key=True, of="embedders.embedder_id"),
    _column("frame_id", Key, "frame", primary_key=True, autoincrement=False),
    _column("vector", sa.LargeBinary(), "packed little-endian float16 values"),
)
# PostgreSQL would keep what is longer than 2 kB outside of the row: one more look-up and two more writes a vector.
VECTORS_IN_ROW = tuple(
    sa.DDL(f"ALTER TABLE %(table)s {change}").execute_if(dialect="postgresql")
    for change in ("ALTER COLUMN vector SET STORAGE MAIN", "SET (toast_tuple_target = 8160)")
)
for _change in VECTORS_IN_ROW:
    sa.event.listen(embeddings, "after_create", _change)

label_exports = _table(
    "label_exports",
    "One row per version of a label export file; the ledger of what was imported.",
    _column(
        "export_id", sa.Integer(), "sequence number of the version", primary_key=True, autoincrement=False
    ),
    _column("uri", sa.Unicode(400), "path under label_exports/ in storage"),
    _column("etag", sa.String(128), "version of the file as storage names it"),
    _column("size_bytes", sa.BigInteger(), "size of the file, bytes", low=0),
    _column("sha256", sa.String(64), "hash of the content", index=True),
    _column("format", sa.String(32), "format as recognised from the content", null=True),
    _column(
        "status",
        sa.String(16),
        "seen, claimed, imported, quarantined or undone",
        one_of=("seen", "claimed", "imported", "quarantined", "undone"),
    ),
    _column("claimed_by", sa.String(64), "Dagster run that is importing it", null=True),
    _column(
        "imported", sa.Integer(), "records imported, including those that stood already", null=True, low=0
    ),
    _column("rejected", sa.Integer(), "records in label_rejects", null=True, low=0),
    _column(
        "unchanged", sa.Integer(), "records that an earlier export had brought already", null=True, low=0
    ),
    _column("error", sa.UnicodeText(), "why the file was quarantined", null=True),
    _column("registered_at", Utc, "when the version was first seen"),
    _column("imported_at", Utc, "when it was imported", null=True),
    sa.Index("ix_label_exports_status", "status"),
)

annotations = _table(
    "annotations",
    "One row per judgement of one annotator on one frame; append-only.",
    _column("annotation_id", Key, "export_id * 2**32 + position", primary_key=True, autoincrement=False),
    _column("export_id", sa.Integer(), "export that brought it", of="label_exports.export_id"),
    _column("position", sa.Integer(), "first record of it in the export, from 0", low=0),
    _column("source_id", sa.Unicode(200), "id in the labelling tool", null=True),
    _column("frame_id", sa.BigInteger(), "frame judged", index=True, low=0),
    _column("annotator", sa.Unicode(200), "who judged"),
    _column("annotated_at", Utc, "when, if the export says", null=True),
    _column(
        "outcome",
        sa.String(16),
        "labelled, nobody, cannot_tell or deleted",
        one_of=("labelled", "nobody", "cannot_tell", "deleted"),
    ),
    _column(
        "judged", Json, "class_ids judged, JSON list; null means all classes up to judged_through", null=True
    ),
    _column("judged_through", sa.Integer(), "highest class_id that existed when it was imported"),
    _column(
        "content_key",
        sa.String(32),
        "hash of who, what and when: equal keys are the same judgement",
        index=True,
    ),
    _column(
        "offset_ms",
        sa.BigInteger(),
        "how far after the frame lies what was judged, milliseconds; null where the frame itself was named",
        null=True,
    ),
    sa.Index("ix_annotations_export_id", "export_id"),
)

annotation_labels = _table(
    "annotation_labels",
    "One row per class (and box) within an annotation.",
    _column(
        "annotation_id",
        sa.BigInteger(),
        "annotation",
        primary_key=True,
        autoincrement=False,
        of="annotations.annotation_id",
    ),
    _column("mark", sa.Integer(), "number of the mark within the annotation, from 0", primary_key=True),
    _column("class_id", sa.Integer(), "class marked as present", of="classes.class_id"),
    *_box("box"),
    narrow=True,
)

label_rejects = _table(
    "label_rejects",
    "One row per record of an export that could not be imported: nothing is lost.",
    _column(
        "export_id",
        sa.Integer(),
        "export",
        primary_key=True,
        autoincrement=False,
        of="label_exports.export_id",
    ),
    _column("position", sa.Integer(), "record in the export, from 0", primary_key=True, autoincrement=False),
    _column("reason", sa.UnicodeText(), "why, in plain words"),
    _column("record", sa.UnicodeText(), "the record itself"),
)

labels = _table(
    "labels",
    "Current consensus per frame and judged class.",
    _column("frame_id", Key, "frame", primary_key=True, autoincrement=False),
    _column(
        "class_id",
        sa.Integer(),
        "class that was judged",
        primary_key=True,
        autoincrement=False,
        of="classes.class_id",
    ),
    _column("present", sa.SmallInteger(), "1 present, 0 judged absent", low=0, high=1),
    *_box("consensus box"),
    _column("agreement", Float8, "share of annotators who agree with the consensus", low=0, high=1),
    _column("annotators", sa.Integer(), "annotators who judged this class on this frame", low=1),
    _column(
        "annotation_id", sa.BigInteger(), "latest annotation that says so", of="annotations.annotation_id"
    ),
    narrow=True,
)

training_sets = _table(
    "training_sets",
    "One row per frame, class and target in a training set.",
    _id("training_set_id", "training set, named by its content", primary_key=True),
    _column("frame_id", sa.BigInteger(), "frame", primary_key=True, autoincrement=False),
    _column("class_id", sa.Integer(), "class", primary_key=True, autoincrement=False, of="classes.class_id"),
    _column("target", sa.SmallInteger(), "1 present, 0 absent", low=0, high=1),
    _column("split", sa.String(16), "train, validation or test", one_of=SPLITS),
    _column("weight", Float8, "weight of the row in training", low=0),
    _column("annotation_id", sa.BigInteger(), "annotation behind the target", of="annotations.annotation_id"),
    narrow=True,
)

checkpoints = _table(
    "checkpoints",
    "One row per trained model.",
    _id("checkpoint_id", "checkpoint", primary_key=True),
    _column("parent_id", sa.String(64), "checkpoint that served when it was trained", null=True),
    _id("embedder_id", "embedder whose vectors it reads", of="embedders.embedder_id"),
    _id("training_set_id", "training set"),
    _column("task", sa.String(16), "single_label or multi_label", one_of=("single_label", "multi_label")),
    _column("head", sa.String(32), "kind of model on top of the embeddings"),
    _column("seed", sa.Integer(), "seed"),
    _column("hyperparameters", Json, "hyper-parameters, JSON"),
    _column("class_ids", Json, "classes it can tell, in the order of its outputs, JSON list"),
    _column("labelled_frames", sa.Integer(), "labelled frames in its training split", low=0),
    _column("uri", sa.Unicode(400), "path under the storage root"),
    _column("sha256", sa.String(64), "hash of the file"),
    _column("code_version", sa.String(64), "version of the training code"),
    _column("run_id", sa.String(64), "Dagster run"),
    _column("trained_at", Utc, "time"),
)

evaluations = _table(
    "evaluations",
    "One row per metric of a checkpoint on a split, overall or per class.",
    _id("checkpoint_id", "checkpoint", primary_key=True, of="checkpoints.checkpoint_id"),
    _column("split", sa.String(16), "validation or test", primary_key=True, one_of=("validation", "test")),
    _column("metric", sa.String(40), "name of the metric", primary_key=True),
    _column(
        "class_id", sa.Integer(), "class; 0 is all classes together", primary_key=True, autoincrement=False
    ),
    _column("value", Float8, "value; null where it is not defined", null=True),
    _column("low", Float8, "lower end of the 95 % interval", null=True),
    _column("high", Float8, "upper end of the 95 % interval", null=True),
    _column("support", sa.Integer(), "frames (or positives, for a class) behind it", low=0),
    narrow=True,
)

promotions = _table(
    "promotions",
    "One row per decision on a checkpoint, by rule or by hand.",
    _column("promotion_id", sa.Integer(), "sequence number", primary_key=True, autoincrement=False),
    _id("checkpoint_id", "checkpoint decided on", of="checkpoints.checkpoint_id"),
    _column("serving_id", sa.String(64), "checkpoint that served at that time", null=True),
    _column("promoted", sa.SmallInteger(), "1 to serve it, 0 to keep the serving one", low=0, high=1),
    _column("reason", sa.UnicodeText(), "why, in plain words"),
    _column("decided_by", sa.String(16), "rule or hand", one_of=("rule", "hand")),
    _column("run_id", sa.String(64), "Dagster run, if any", null=True),
    _column("decided_at", Utc, "time"),
)

serving = _table(
    "serving",
    "The checkpoint that every view follows: one row.",
    _column("slot", sa.Integer(), "always 1", primary_key=True, autoincrement=False),
    _id("checkpoint_id", "checkpoint that serves", of="checkpoints.checkpoint_id"),
    _column("promotion_id", sa.Integer(), "decision behind it", of="promotions.promotion_id"),
    _column("since_at", Utc, "when the pointer moved"),
    sa.CheckConstraint("slot = 1", name="one_row"),
)

predictions = _table(
    "predictions",
    "One row per predicted instance of a class on a frame.",
    _id("checkpoint_id", "checkpoint", primary_key=True),
    _column("frame_id", sa.BigInteger(), "frame", primary_key=True, autoincrement=False),
    _column("instance", sa.Integer(), "number of the instance on the frame, from 0", primary_key=True, low=0),
    _column("class_id", sa.Integer(), "predicted class", of="classes.class_id"),
    _column("confidence", Float4, "calibrated probability", low=0, high=1),
    *_box("box"),
    narrow=True,
)

frame_scores = _table(
    "frame_scores",
    "One row per checkpoint and frame: what the model makes of it and how sure it is.",
    _id("checkpoint_id", "checkpoint", primary_key=True),
    _column("frame_id", sa.BigInteger(), "frame", primary_key=True, autoincrement=False),
    _column("top_class_id", sa.Integer(), "likeliest class", of="classes.class_id"),
    _column("confidence", Float4, "its probability", low=0, high=1),
    _column("runner_up_class_id", sa.Integer(), "second likeliest class", null=True, of="classes.class_id"),
    _column(
        "margin", Float4, "p1 - p2; multi-label: the smallest |2 p - 1|. Small is uncertain", low=0, high=1
    ),
    _column("entropy", Float4, "entropy in nats; multi-label: sum of the binary entropies", low=0),
    _column("top_five", sa.LargeBinary(), "five likeliest classes with their probabilities, packed"),
    narrow=True,
)

selection_batches = _table(
    "selection_batches",
    "One row per batch of frames sent to a person.",
    _column("batch_id", sa.Integer(), "sequence number", primary_key=True, autoincrement=False),
    _column("strategy", sa.String(64), "strategy asked for"),
    _column(
        "checkpoint_id",
        sa.String(64),
        "checkpoint whose scores it used; null at a cold start",
        null=True,
        of="checkpoints.checkpoint_id",
    ),
    _column(
        "embedder_id", sa.String(64), "embedder whose vectors it used", null=True, of="embedders.embedder_id"
    ),
    _column("seed", sa.BigInteger(), "seed of its draws"),
    _column("budget", sa.Integer(), "frames asked for", low=0),
    _column("selected", sa.Integer(), "frames in it", low=0),
    _column("reason", sa.UnicodeText(), "how the batch came about, in plain words"),
    _column("left_out", Json, "candidates that the redundancy rule left out, by reason, JSON"),
    _column("tasks_uri", sa.Unicode(400), "labelling tasks under the storage root", null=True),
    _column("run_id", sa.String(64), "Dagster run (the first of its retries)", unique=True),
    _column("created_at", Utc, "time"),
)

selections = _table(
    "selections",
    "One row per frame in a batch.",
    _column(
        "batch_id",
        sa.Integer(),
        "batch",
        primary_key=True,
        autoincrement=False,
        of="selection_batches.batch_id",
    ),
    _column("rank", sa.Integer(), "order of labelling, from 1", primary_key=True, autoincrement=False, low=1),
    _column("frame_id", sa.BigInteger(), "frame", index=True),
    _column("score", Float8, "score the strategy gave it", null=True),
    _column(
        "arm",
        sa.String(16),
        "strategy, random, evaluation or second_opinion",
        one_of=("strategy", "random", "evaluation", "second_opinion"),
    ),
    _column("propensity", Float8, "probability of the draw, where it was random", null=True, low=0, high=1),
    _column("reason", sa.Unicode(400), "why this frame"),
    sa.UniqueConstraint("batch_id", "frame_id"),
)

passed_over = _table(
    "passed_over",
    "One row per frame that a strategy wanted in a batch and the redundancy rule left out.",
    _column(
        "batch_id",
        sa.Integer(),
        "batch",
        primary_key=True,
        autoincrement=False,
        of="selection_batches.batch_id",
    ),
    _column(
        "frame_id",
        sa.BigInteger(),
        "frame left out",
        primary_key=True,
        autoincrement=False,
    ),
    _column("place", sa.Integer(), "its place in the strategy's order, from 1", low=1),
    _column("score", Float8, "score the strategy gave it", null=True),
    _column("rule", sa.String(16), "clip, site, gap or cosine"),
    _column("reason", sa.Unicode(400), "why it was left out, in plain words"),
    _column("beside_frame_id", sa.BigInteger(), "taken frame that it is too close to, if one", null=True),
    narrow=True,
)

implausible_labels = _table(
    "implausible_labels",
    "One row per label that a model which did not see the frame's video finds implausible.",
    _id("checkpoint_id", "checkpoint whose like judged it", primary_key=True),
    _column("frame_id", sa.BigInteger(), "frame", primary_key=True, autoincrement=False),
    _column(
        "class_id",
        sa.Integer(),
        "class of the label",
        primary_key=True,
        autoincrement=False,
        of="classes.class_id",
    ),
    _column("present", sa.SmallInteger(), "what the label says: 1 present, 0 judged absent", low=0, high=1),
    _column("probability", Float8, "calibrated probability that the class is present", low=0, high=1),
    _column("suggested_class_id", sa.Integer(), "single_label: the class it looks like", null=True),
    _column("suggested_probability", Float8, "its calibrated probability", null=True),
    _column("quality", Float8, "probability of what the label says; small is implausible", low=0, high=1),
    _column("split", sa.String(16), "train, validation or test", one_of=SPLITS),
    _column("annotation_id", sa.BigInteger(), "latest annotation behind the label"),
    narrow=True,
)

second_opinions = _table(
    "second_opinions",
    "One row per checkpoint and judged training frame: how much another opinion on it would be worth.",
    _id("checkpoint_id", "checkpoint whose like judged it", primary_key=True),
    _column("frame_id", sa.BigInteger(), "frame", primary_key=True, autoincrement=False),
    _column("score", Float8, "ActiveLab score; small is worth asking again"),
    _column(
        "class_id", sa.Integer(), "class that makes it so; null where the frame as a whole does", null=True
    ),
    _column("annotators", sa.Integer(), "annotators who judged the frame", low=1),
    _column("divided", sa.SmallInteger(), "1 if they do not agree on every class", low=0, high=1),
    _column(
        "model_right",
        sa.SmallInteger(),
        "1 if a model without the frame's clip says of it what people say; null where it cannot",
        null=True,
        low=0,
        high=1,
    ),
    _column("model_weight", Float8, "weight of the model's answer in the scores of this checkpoint"),
    _column("annotator_weight", Float8, "weight of an annotator's answer in them"),
    narrow=True,
)

labelling_progress = _table(
    "labelling_progress",
    "One row per checkpoint that served: what labels have bought so far, and whether more of them pay.",
    _id("checkpoint_id", "checkpoint", primary_key=True, of="checkpoints.checkpoint_id"),
    _column("labelled_frames", sa.Integer(), "labelled training frames behind it", low=0),
    _column("holdout_frames", sa.Integer(), "labelled test frames that it was measured on", low=0),
    _column("metric", sa.String(40), "metric on the hold-out"),
    _column("value", Float8, "its value; null where it is not defined", null=True),
    _column("low", Float8, "lower end of the 95 % interval", null=True),
    _column("high", Float8, "upper end of the 95 % interval", null=True),
    _column(
        "random_frames", sa.Integer(), "judged frames of random arms behind the next three columns", low=0
    ),
    _column(
        "random_accuracy",
        Float8,
        "share of training frames it gets wholly right, estimated",
        null=True,
        low=0,
        high=1,
    ),
    _column("random_low", Float8, "lower end of the 95 % interval", null=True),
    _column("random_high", Float8, "upper end of the 95 % interval", null=True),
    _column(
        "stability",
        Float8,
        "kappa of its answers with those of the model before, same frames",
        null=True,
        low=-1,
        high=1,
    ),
    _column(
        "uncertainty",
        Float8,
        "mean of 1 - margin over a sample of the archive, in [0, 1]",
        null=True,
        low=0,
        high=1,
    ),
    _column("gain", Float8, "gain of the metric per 100 labels, over the latest checkpoints", null=True),
    _column("gain_high", Float8, "upper end of the 95 % interval of the gain", null=True),
    _column(
        "advice", sa.String(16), "too_early, go_on or may_stop", one_of=("too_early", "go_on", "may_stop")
    ),
    _column("reason", sa.UnicodeText(), "why, in plain words"),
    _column("measured_at", Utc, "time"),
)

arm_comparisons = _table(
    "arm_comparisons",
    "One row per checkpoint that served: models of as many random labels and labels of the strategy, on one hold-out.",
    _id("checkpoint_id", "checkpoint", primary_key=True, of="checkpoints.checkpoint_id"),
    _column("labels_each", sa.Integer(), "labelled frames that each of the two models learned from"),
    _column("batches", sa.Integer(), "batches they came from, as many of each arm from each batch"),
    _column("holdout_frames", sa.Integer(), "judged frames of the evaluation arm that both were tried on"),
    _column(
        "random_accuracy",
        Float8,
        "share of hold-out frames that the random labels get right",
        null=True,
        low=0,
        high=1,
    ),
    _column(
        "strategy_accuracy",
        Float8,
        "the same of the strategy's labels, mean over draws",
        null=True,
        low=0,
        high=1,
    ),
    _column("difference", Float8, "strategy_accuracy - random_accuracy", null=True),
    _column("low", Float8, "lower end of the 95 % interval of the difference", null=True),
    _column("high", Float8, "upper end of the 95 % interval of the difference", null=True),
    _column(
        "verdict",
        sa.String(16),
        "too_early, better, worse or level",
        one_of=("too_early", "better", "worse", "level"),
    ),
    _column("measured_at", Utc, "time"),
)

slice_metrics = _table(
    "slice_metrics",
    "One row per metric of a checkpoint on a slice of the labelled hold-out, against all frames outside the slice.",
    _id("checkpoint_id", "checkpoint", primary_key=True, of="checkpoints.checkpoint_id"),
    _column("dimension", sa.String(16), "site, camera, season, hour, light or class", primary_key=True),
    _column("slice", sa.Unicode(200), "value of the dimension, such as the name of a site", primary_key=True),
    _column("metric", sa.String(40), "metric", primary_key=True),
    _column("value", Float8, "value on the slice; null where it is not defined", null=True),
    _column("low", Float8, "lower end of the 95 % interval", null=True),
    _column("high", Float8, "upper end of the 95 % interval", null=True),
    _column("support", sa.Integer(), "labelled hold-out frames in the slice", low=0),
    _column("videos", sa.Integer(), "videos they come from", low=0),
    _column("difference", Float8, "value on the slice less that on the rest", null=True),
    _column("difference_low", Float8, "lower end of its 95 % interval", null=True),
    _column("difference_high", Float8, "upper end of its 95 % interval", null=True),
    _column(
        "p_value",
        Float8,
        "of the slice being no worse than the rest, adjusted for all slices",
        null=True,
        low=0,
        high=1,
    ),
    _column("worse", sa.SmallInteger(), "1 if significantly worse than the rest", low=0, high=1),
    _column("measured_at", Utc, "time"),
)

video_summaries = _table(
    "video_summaries",
    "One row per embedder and video: the video in a few numbers, read by drift statistics in place of its frames.",
    _id("embedder_id", "embedder", primary_key=True, of="embedders.embedder_id"),
    _id("video_id", "video", primary_key=True, of="videos.video_id"),
    _column("frames_version", sa.String(200), "version of the video's frames that it sums up", null=True),
    _column("frames", sa.Integer(), "frames summed up", low=1),
    _column("brightness", Float8, "median of the log of brightness"),
    _column("sharpness", Float8, "median of the log of sharpness"),
    _column("direction", sa.LargeBinary(), "mean direction of its vectors, packed little-endian float32"),
    _column("measured_at", Utc, "time"),
)

video_scores = _table(
    "video_scores",
    "One row per checkpoint and video: the model's answers on the video in a few numbers.",
    _id("checkpoint_id", "checkpoint", primary_key=True, of="checkpoints.checkpoint_id"),
    _id("video_id", "video", primary_key=True, of="videos.video_id"),
    _column("frames_version", sa.String(200), "version of the video's frames that was scored", null=True),
    _column("frames", sa.Integer(), "frames scored", low=1),
    _column("confidence", Float8, "mean confidence in the likeliest class", low=0, high=1),
    _column("margin", Float8, "mean margin", low=0, high=1),
    _column("entropy", Float8, "mean entropy, nats", low=0),
    _column("class_frames", Json, "frames by likeliest class, JSON object of class_id and count"),
    _column("measured_at", Utc, "time"),
)

drift_results = _table(
    "drift_results",
    "One row per statistic of a drift check on one subject against one reference.",
    _column("check_name", sa.String(64), "check", primary_key=True),
    _column("subject", sa.String(64), "video_id, or window of videos", primary_key=True),
    _id("reference_id", "checkpoint whose training data is the reference", primary_key=True),
    _column("statistic", sa.String(64), "statistic", primary_key=True),
    _column("value", Float8, "value on the subject", null=True),
    _column("reference", Float8, "value on the reference", null=True),
    _column("threshold", Float8, "bound beyond which it counts as drift", null=True),
    _column("drifted", sa.SmallInteger(), "1 if beyond the bound", low=0, high=1),
    _column("report_uri", sa.Unicode(400), "report under the storage root", null=True),
    _column("run_id", sa.String(64), "Dagster run", null=True),
    _column("measured_at", Utc, "time"),
    _column(
        "p_value", Float8, "chance of a value as far out on an undrifted subject", null=True, low=0, high=1
    ),
    _column(
        "adjusted_p_value",
        Float8,
        "the same, adjusted for all that was compared in one tick",
        null=True,
        low=0,
        high=1,
    ),
)

embedding_maps = _table(
    "embedding_maps",
    "One row per map of the archive in two dimensions.",
    _id("map_id", "map", primary_key=True),
    _id("embedder_id", "embedder whose vectors it shows", of="embedders.embedder_id"),
    _column("parent_id", sa.String(64), "map whose points it kept in place", null=True),
    _column("method", sa.String(64), "how the points were laid out"),
    _column("points", sa.Integer(), "frames on it", low=0),
    _column("of_frames", sa.BigInteger(), "frames with a vector when it was made"),
    _column("seed", sa.Integer(), "seed"),
    _column("uri", sa.Unicode(400), "page under the storage root", null=True),
    _column("run_id", sa.String(64), "Dagster run", null=True),
    _column("made_at", Utc, "time"),
)

map_points = _table(
    "map_points",
    "One row per frame on a map.",
    _id("map_id", "map", primary_key=True, of="embedding_maps.map_id"),
    _column("frame_id", Key, "frame", primary_key=True, autoincrement=False),
    _column("x", Float4, "first coordinate"),
    _column("y", Float4, "second coordinate"),
    narrow=True,
)

materializations = _table(
    "materializations",
    "One row per committed write of a slice of an asset.",
    _column("materialization_id", Key, "sequence number", primary_key=True),
    _column("asset", sa.String(64), "asset key"),
    _column("slice", sa.Unicode(400), "what was replaced: column = value, or a key range"),
    _column("rows", sa.BigInteger(), "rows written, all tables of the asset together"),
    _column("content_hash", sa.String(64), "hash of the rows; equal hashes are equal slices"),
    _column("code_version", sa.String(64), "code version of the asset", null=True),
    _column("run_id", sa.String(64), "Dagster run", null=True),
    _column("committed_at", Utc, "time"),
    sa.Index("ix_materializations_asset_slice", "asset", "slice", mssql_include=["content_hash"]),
)

incidents = _table(
    "incidents",
    "One row per failed run or failing check, with cause and fix in plain words.",
    _id("incident_id", "the failed run, or a hash of run, asset and check", primary_key=True),
    _column("kind", sa.String(16), "run or check", one_of=("run", "check")),
    _column("run_id", sa.String(64), "Dagster run", index=True),
    _column("job", sa.String(64), "job"),
    _column("step", sa.String(200), "step that failed, if any", null=True),
    _column("asset", sa.String(64), "asset that was checked", null=True),
    _column("check_name", sa.String(200), "check that failed", null=True),
    _column("severity", sa.String(16), "error or warning", one_of=("error", "warning")),
    _column("cause", sa.UnicodeText(), "what went wrong"),
    _column("fix", sa.UnicodeText(), "what to do"),
    _column("happened_at", Utc, "time"),
    _column("notified_at", Utc, "when the owner's webhook or mailbox took it", null=True),
    _column("resolved_at", Utc, "when the check passed, or a run of the job succeeded, again", null=True),
)

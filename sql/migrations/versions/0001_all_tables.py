"""All tables.

Revision 0001, the first.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mssql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "annotation_labels",
        sa.Column(
            "annotation_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="annotation"
        ),
        sa.Column(
            "mark", sa.Integer(), nullable=False, comment="number of the mark within the annotation, from 0"
        ),
        sa.Column("class_id", sa.Integer(), nullable=False, comment="class marked as present"),
        sa.Column("box_x", sa.REAL(), nullable=True, comment="box: x as a fraction of the frame"),
        sa.Column("box_y", sa.REAL(), nullable=True, comment="box: y as a fraction of the frame"),
        sa.Column("box_width", sa.REAL(), nullable=True, comment="box: width as a fraction of the frame"),
        sa.Column("box_height", sa.REAL(), nullable=True, comment="box: height as a fraction of the frame"),
        sa.PrimaryKeyConstraint("annotation_id", "mark", name=op.f("pk_annotation_labels")),
        comment="One row per class (and box) within an annotation.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "annotations",
        sa.Column(
            "annotation_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="export_id * 2**32 + position",
        ),
        sa.Column("export_id", sa.Integer(), nullable=False, comment="export that brought it"),
        sa.Column(
            "position", sa.Integer(), nullable=False, comment="first record of it in the export, from 0"
        ),
        sa.Column("source_id", sa.Unicode(length=200), nullable=True, comment="id in the labelling tool"),
        sa.Column("frame_id", sa.BigInteger(), nullable=False, comment="frame judged"),
        sa.Column("annotator", sa.Unicode(length=200), nullable=False, comment="who judged"),
        sa.Column(
            "annotated_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=True,
            comment="when, if the export says",
        ),
        sa.Column(
            "outcome",
            sa.String(length=16),
            nullable=False,
            comment="labelled, nobody, cannot_tell or deleted",
        ),
        sa.Column(
            "judged",
            sa.UnicodeText(),
            nullable=True,
            comment="class_ids judged, JSON list; null means all classes up to judged_through",
        ),
        sa.Column(
            "judged_through",
            sa.Integer(),
            nullable=False,
            comment="highest class_id that existed when it was imported",
        ),
        sa.Column(
            "content_key",
            sa.String(length=32),
            nullable=False,
            comment="hash of who, what and when: equal keys are the same judgement",
        ),
        sa.PrimaryKeyConstraint("annotation_id", name=op.f("pk_annotations")),
        comment="One row per judgement of one annotator on one frame; append-only.",
        sqlite_with_rowid=True,
    )
    with op.batch_alter_table("annotations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_annotations_content_key"), ["content_key"], unique=False)
        batch_op.create_index("ix_annotations_export_id", ["export_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_annotations_frame_id"), ["frame_id"], unique=False)

    op.create_table(
        "arrivals",
        sa.Column(
            "area",
            sa.String(length=32),
            nullable=False,
            comment="folder under the storage root: videos or label_exports",
        ),
        sa.Column("path", sa.Unicode(length=400), nullable=False, comment="path within the area"),
        sa.Column(
            "etag", sa.String(length=128), nullable=False, comment="version of the file as storage names it"
        ),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False, comment="size of the file, bytes"),
        sa.Column(
            "looks",
            sa.Integer(),
            nullable=False,
            comment="consecutive looks at which etag and size were the same",
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time of the latest look",
        ),
        sa.PrimaryKeyConstraint("area", "path", name=op.f("pk_arrivals")),
        comment="Files seen in storage and how long they have stood still; a file is taken up after two equal looks.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "checkpoints",
        sa.Column("checkpoint_id", sa.String(length=64), nullable=False, comment="checkpoint"),
        sa.Column(
            "parent_id",
            sa.String(length=64),
            nullable=True,
            comment="checkpoint that served when it was trained",
        ),
        sa.Column(
            "embedder_id", sa.String(length=64), nullable=False, comment="embedder whose vectors it reads"
        ),
        sa.Column("training_set_id", sa.String(length=64), nullable=False, comment="training set"),
        sa.Column("task", sa.String(length=16), nullable=False, comment="single_label or multi_label"),
        sa.Column(
            "head", sa.String(length=32), nullable=False, comment="kind of model on top of the embeddings"
        ),
        sa.Column("seed", sa.Integer(), nullable=False, comment="seed"),
        sa.Column("hyperparameters", sa.UnicodeText(), nullable=False, comment="hyper-parameters, JSON"),
        sa.Column(
            "class_ids",
            sa.UnicodeText(),
            nullable=False,
            comment="classes it can tell, in the order of its outputs, JSON list",
        ),
        sa.Column(
            "labelled_frames", sa.Integer(), nullable=False, comment="labelled frames in its training split"
        ),
        sa.Column("uri", sa.Unicode(length=400), nullable=False, comment="path under the storage root"),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="hash of the file"),
        sa.Column(
            "code_version", sa.String(length=64), nullable=False, comment="version of the training code"
        ),
        sa.Column("run_id", sa.String(length=64), nullable=False, comment="Dagster run"),
        sa.Column(
            "trained_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint("checkpoint_id", name=op.f("pk_checkpoints")),
        comment="One row per trained model.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "classes",
        sa.Column(
            "class_id",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="number of the class, from 1",
        ),
        sa.Column("name", sa.Unicode(length=200), nullable=False, comment="name as shown to people"),
        sa.Column(
            "aliases",
            sa.UnicodeText(),
            nullable=False,
            comment="other spellings that mean the same class, JSON list",
        ),
        sa.Column("active", sa.SmallInteger(), nullable=False, comment="1 while the class is in use"),
        sa.Column(
            "merged_into", sa.Integer(), nullable=True, comment="class_id of the class it was merged into"
        ),
        sa.Column(
            "created_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="when the class was first named",
        ),
        sa.PrimaryKeyConstraint("class_id", name=op.f("pk_classes")),
        sa.UniqueConstraint("name", name=op.f("uq_classes_name")),
        comment="One row per class (individual, species, behaviour) that people name.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "drift_results",
        sa.Column("check_name", sa.String(length=64), nullable=False, comment="check"),
        sa.Column("subject", sa.String(length=64), nullable=False, comment="video_id, or window of videos"),
        sa.Column(
            "reference_id",
            sa.String(length=64),
            nullable=False,
            comment="checkpoint whose training data is the reference",
        ),
        sa.Column("statistic", sa.String(length=64), nullable=False, comment="statistic"),
        sa.Column("value", sa.Double(), nullable=True, comment="value on the subject"),
        sa.Column("reference", sa.Double(), nullable=True, comment="value on the reference"),
        sa.Column("threshold", sa.Double(), nullable=True, comment="bound beyond which it counts as drift"),
        sa.Column("drifted", sa.SmallInteger(), nullable=False, comment="1 if beyond the bound"),
        sa.Column(
            "report_uri", sa.Unicode(length=400), nullable=True, comment="report under the storage root"
        ),
        sa.Column("run_id", sa.String(length=64), nullable=True, comment="Dagster run"),
        sa.Column(
            "measured_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint(
            "check_name", "subject", "reference_id", "statistic", name=op.f("pk_drift_results")
        ),
        comment="One row per statistic of a drift check on one subject against one reference.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "embedders",
        sa.Column(
            "embedder_id",
            sa.String(length=64),
            nullable=False,
            comment="name of the backbone and hash of its weights",
        ),
        sa.Column("backbone", sa.String(length=64), nullable=False, comment="architecture"),
        sa.Column("weights_sha256", sa.String(length=64), nullable=False, comment="hash of the weights"),
        sa.Column(
            "projection",
            sa.String(length=64),
            nullable=True,
            comment="projection applied to the features, if any",
        ),
        sa.Column("dimensions", sa.Integer(), nullable=False, comment="length of a vector"),
        sa.Column(
            "created_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="first use",
        ),
        sa.PrimaryKeyConstraint("embedder_id", name=op.f("pk_embedders")),
        comment="One row per embedder: a backbone with its weights and projection.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "embeddings",
        sa.Column(
            "embedder_id", sa.String(length=64), nullable=False, comment="embedder that made the vector"
        ),
        sa.Column(
            "frame_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="frame",
        ),
        sa.Column("vector", sa.LargeBinary(), nullable=False, comment="packed little-endian float16 values"),
        sa.PrimaryKeyConstraint("embedder_id", "frame_id", name=op.f("pk_embeddings")),
        comment="One vector per frame and embedder.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "evaluations",
        sa.Column("checkpoint_id", sa.String(length=64), nullable=False, comment="checkpoint"),
        sa.Column("split", sa.String(length=16), nullable=False, comment="validation or test"),
        sa.Column("metric", sa.String(length=40), nullable=False, comment="name of the metric"),
        sa.Column(
            "class_id",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="class; 0 is all classes together",
        ),
        sa.Column("value", sa.Double(), nullable=True, comment="value; null where it is not defined"),
        sa.Column("low", sa.Double(), nullable=True, comment="lower end of the 95 % interval"),
        sa.Column("high", sa.Double(), nullable=True, comment="upper end of the 95 % interval"),
        sa.Column(
            "support", sa.Integer(), nullable=False, comment="frames (or positives, for a class) behind it"
        ),
        sa.PrimaryKeyConstraint("checkpoint_id", "split", "metric", "class_id", name=op.f("pk_evaluations")),
        comment="One row per metric of a checkpoint on a split, overall or per class.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "frame_scores",
        sa.Column("checkpoint_id", sa.String(length=64), nullable=False, comment="checkpoint"),
        sa.Column("frame_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="frame"),
        sa.Column("top_class_id", sa.Integer(), nullable=False, comment="likeliest class"),
        sa.Column("confidence", sa.REAL(), nullable=False, comment="its probability"),
        sa.Column("runner_up_class_id", sa.Integer(), nullable=True, comment="second likeliest class"),
        sa.Column(
            "margin",
            sa.REAL(),
            nullable=False,
            comment="p1 - p2; multi-label: the smallest |2 p - 1|. Small is uncertain",
        ),
        sa.Column(
            "entropy",
            sa.REAL(),
            nullable=False,
            comment="entropy in nats; multi-label: sum of the binary entropies",
        ),
        sa.Column(
            "top_five",
            sa.LargeBinary(),
            nullable=False,
            comment="five likeliest classes with their probabilities, packed",
        ),
        sa.PrimaryKeyConstraint("checkpoint_id", "frame_id", name=op.f("pk_frame_scores")),
        comment="One row per checkpoint and frame: what the model makes of it and how sure it is.",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("frame_scores", schema=None) as batch_op:
        batch_op.create_index(
            "ix_frame_scores_checkpoint_id_margin", ["checkpoint_id", "margin"], unique=False
        )

    op.create_table(
        "frames",
        sa.Column(
            "frame_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="video_no * 2**24 + frame_index",
        ),
        sa.Column("video_id", sa.String(length=64), nullable=False, comment="video of the frame"),
        sa.Column(
            "frame_index",
            sa.Integer(),
            nullable=False,
            comment="number of the frame in the source from 0 at its native rate",
        ),
        sa.Column(
            "pts_ms",
            sa.BigInteger(),
            nullable=False,
            comment="time from the start of the video, milliseconds",
        ),
        sa.Column("width", sa.Integer(), nullable=False, comment="width, pixels"),
        sa.Column("height", sa.Integer(), nullable=False, comment="height, pixels"),
        sa.Column("brightness", sa.Double(), nullable=False, comment="mean luminance in [0, 1]"),
        sa.Column(
            "sharpness", sa.Double(), nullable=False, comment="variance of the Laplacian of the luminance"
        ),
        sa.Column("phash", sa.BigInteger(), nullable=False, comment="64-bit perceptual hash"),
        sa.Column(
            "duplicate_of",
            sa.BigInteger(),
            nullable=True,
            comment="frame_id of the near-identical earlier frame it repeats",
        ),
        sa.Column(
            "image_path",
            sa.Unicode(length=400),
            nullable=True,
            comment="file of the still, for folders of stills",
        ),
        sa.PrimaryKeyConstraint("frame_id", name=op.f("pk_frames")),
        comment="One row per sampled frame.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "incidents",
        sa.Column("run_id", sa.String(length=64), nullable=False, comment="failed Dagster run"),
        sa.Column("job", sa.String(length=64), nullable=False, comment="job"),
        sa.Column("step", sa.String(length=200), nullable=True, comment="step that failed"),
        sa.Column("cause", sa.UnicodeText(), nullable=False, comment="what went wrong"),
        sa.Column("fix", sa.UnicodeText(), nullable=False, comment="what to do"),
        sa.Column(
            "happened_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_incidents")),
        comment="One row per failed run, with cause and fix in plain words.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "label_exports",
        sa.Column(
            "export_id",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="sequence number of the version",
        ),
        sa.Column(
            "uri", sa.Unicode(length=400), nullable=False, comment="path under label_exports/ in storage"
        ),
        sa.Column(
            "etag", sa.String(length=128), nullable=False, comment="version of the file as storage names it"
        ),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False, comment="size of the file, bytes"),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="hash of the content"),
        sa.Column(
            "format", sa.String(length=32), nullable=True, comment="format as recognised from the content"
        ),
        sa.Column(
            "status",
            sa.String(length=16),
            nullable=False,
            comment="seen, claimed, imported, quarantined or undone",
        ),
        sa.Column(
            "claimed_by", sa.String(length=64), nullable=True, comment="Dagster run that is importing it"
        ),
        sa.Column(
            "imported",
            sa.Integer(),
            nullable=True,
            comment="records imported, including those that stood already",
        ),
        sa.Column("rejected", sa.Integer(), nullable=True, comment="records in label_rejects"),
        sa.Column(
            "unchanged",
            sa.Integer(),
            nullable=True,
            comment="records that an earlier export had brought already",
        ),
        sa.Column("error", sa.UnicodeText(), nullable=True, comment="why the file was quarantined"),
        sa.Column(
            "registered_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="when the version was first seen",
        ),
        sa.Column(
            "imported_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=True,
            comment="when it was imported",
        ),
        sa.PrimaryKeyConstraint("export_id", name=op.f("pk_label_exports")),
        comment="One row per version of a label export file; the ledger of what was imported.",
        sqlite_with_rowid=True,
    )
    with op.batch_alter_table("label_exports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_label_exports_sha256"), ["sha256"], unique=False)
        batch_op.create_index("ix_label_exports_status", ["status"], unique=False)

    op.create_table(
        "label_rejects",
        sa.Column("export_id", sa.Integer(), autoincrement=False, nullable=False, comment="export"),
        sa.Column(
            "position",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="record in the export, from 0",
        ),
        sa.Column("reason", sa.UnicodeText(), nullable=False, comment="why, in plain words"),
        sa.Column("record", sa.UnicodeText(), nullable=False, comment="the record itself"),
        sa.PrimaryKeyConstraint("export_id", "position", name=op.f("pk_label_rejects")),
        comment="One row per record of an export that could not be imported: nothing is lost.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "labels",
        sa.Column(
            "frame_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="frame",
        ),
        sa.Column(
            "class_id", sa.Integer(), autoincrement=False, nullable=False, comment="class that was judged"
        ),
        sa.Column("present", sa.SmallInteger(), nullable=False, comment="1 present, 0 judged absent"),
        sa.Column("box_x", sa.REAL(), nullable=True, comment="consensus box: x as a fraction of the frame"),
        sa.Column("box_y", sa.REAL(), nullable=True, comment="consensus box: y as a fraction of the frame"),
        sa.Column(
            "box_width", sa.REAL(), nullable=True, comment="consensus box: width as a fraction of the frame"
        ),
        sa.Column(
            "box_height", sa.REAL(), nullable=True, comment="consensus box: height as a fraction of the frame"
        ),
        sa.Column(
            "agreement",
            sa.Double(),
            nullable=False,
            comment="share of annotators who agree with the consensus",
        ),
        sa.Column(
            "annotators",
            sa.Integer(),
            nullable=False,
            comment="annotators who judged this class on this frame",
        ),
        sa.Column(
            "annotation_id", sa.BigInteger(), nullable=False, comment="latest annotation behind the consensus"
        ),
        sa.PrimaryKeyConstraint("frame_id", "class_id", name=op.f("pk_labels")),
        comment="Current consensus per frame and judged class.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "materializations",
        sa.Column(
            "materialization_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="sequence number",
        ),
        sa.Column("asset", sa.String(length=64), nullable=False, comment="asset key"),
        sa.Column(
            "slice",
            sa.Unicode(length=400),
            nullable=False,
            comment="what was replaced: column = value, or a key range",
        ),
        sa.Column(
            "rows", sa.BigInteger(), nullable=False, comment="rows written, all tables of the asset together"
        ),
        sa.Column(
            "content_hash",
            sa.String(length=64),
            nullable=False,
            comment="hash of the rows; equal hashes are equal slices",
        ),
        sa.Column("code_version", sa.String(length=64), nullable=True, comment="code version of the asset"),
        sa.Column("run_id", sa.String(length=64), nullable=True, comment="Dagster run"),
        sa.Column(
            "committed_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint("materialization_id", name=op.f("pk_materializations")),
        comment="One row per committed write of a slice of an asset.",
        sqlite_with_rowid=True,
    )
    with op.batch_alter_table("materializations", schema=None) as batch_op:
        batch_op.create_index(
            "ix_materializations_asset_slice",
            ["asset", "slice"],
            unique=False,
            mssql_include=["content_hash"],
        )

    op.create_table(
        "predictions",
        sa.Column("checkpoint_id", sa.String(length=64), nullable=False, comment="checkpoint"),
        sa.Column("frame_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="frame"),
        sa.Column(
            "instance", sa.Integer(), nullable=False, comment="number of the instance on the frame, from 0"
        ),
        sa.Column("class_id", sa.Integer(), nullable=False, comment="predicted class"),
        sa.Column("confidence", sa.REAL(), nullable=False, comment="calibrated probability"),
        sa.Column("box_x", sa.REAL(), nullable=True, comment="box: x as a fraction of the frame"),
        sa.Column("box_y", sa.REAL(), nullable=True, comment="box: y as a fraction of the frame"),
        sa.Column("box_width", sa.REAL(), nullable=True, comment="box: width as a fraction of the frame"),
        sa.Column("box_height", sa.REAL(), nullable=True, comment="box: height as a fraction of the frame"),
        sa.PrimaryKeyConstraint("checkpoint_id", "frame_id", "instance", name=op.f("pk_predictions")),
        comment="One row per predicted instance of a class on a frame.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "promotions",
        sa.Column(
            "promotion_id", sa.Integer(), autoincrement=False, nullable=False, comment="sequence number"
        ),
        sa.Column("checkpoint_id", sa.String(length=64), nullable=False, comment="checkpoint decided on"),
        sa.Column(
            "serving_id", sa.String(length=64), nullable=True, comment="checkpoint that served at that time"
        ),
        sa.Column(
            "promoted", sa.SmallInteger(), nullable=False, comment="1 to serve it, 0 to keep the serving one"
        ),
        sa.Column("reason", sa.UnicodeText(), nullable=False, comment="why, in plain words"),
        sa.Column("decided_by", sa.String(length=16), nullable=False, comment="rule or hand"),
        sa.Column("run_id", sa.String(length=64), nullable=True, comment="Dagster run, if any"),
        sa.Column(
            "decided_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint("promotion_id", name=op.f("pk_promotions")),
        comment="One row per decision on a checkpoint, by rule or by hand.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "selection_batches",
        sa.Column("batch_id", sa.Integer(), autoincrement=False, nullable=False, comment="sequence number"),
        sa.Column("strategy", sa.String(length=64), nullable=False, comment="strategy asked for"),
        sa.Column(
            "checkpoint_id",
            sa.String(length=64),
            nullable=True,
            comment="checkpoint whose scores it used; null at a cold start",
        ),
        sa.Column(
            "embedder_id", sa.String(length=64), nullable=True, comment="embedder whose vectors it used"
        ),
        sa.Column("seed", sa.BigInteger(), nullable=False, comment="seed of its draws"),
        sa.Column("budget", sa.Integer(), nullable=False, comment="frames asked for"),
        sa.Column("selected", sa.Integer(), nullable=False, comment="frames in it"),
        sa.Column(
            "reason", sa.UnicodeText(), nullable=False, comment="how the batch came about, in plain words"
        ),
        sa.Column(
            "left_out",
            sa.UnicodeText(),
            nullable=False,
            comment="candidates that the redundancy rule left out, by reason, JSON",
        ),
        sa.Column(
            "tasks_uri",
            sa.Unicode(length=400),
            nullable=True,
            comment="labelling tasks under the storage root",
        ),
        sa.Column(
            "run_id", sa.String(length=64), nullable=False, comment="Dagster run (the first of its retries)"
        ),
        sa.Column(
            "created_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_selection_batches")),
        sa.UniqueConstraint("run_id", name=op.f("uq_selection_batches_run_id")),
        comment="One row per batch of frames sent to a person.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "selections",
        sa.Column("batch_id", sa.Integer(), autoincrement=False, nullable=False, comment="batch"),
        sa.Column(
            "rank", sa.Integer(), autoincrement=False, nullable=False, comment="order of labelling, from 1"
        ),
        sa.Column("frame_id", sa.BigInteger(), nullable=False, comment="frame"),
        sa.Column("score", sa.Double(), nullable=True, comment="score the strategy gave it"),
        sa.Column("arm", sa.String(length=16), nullable=False, comment="strategy, random or evaluation"),
        sa.Column(
            "propensity", sa.Double(), nullable=True, comment="probability of the draw, where it was random"
        ),
        sa.Column("reason", sa.Unicode(length=400), nullable=False, comment="why this frame"),
        sa.PrimaryKeyConstraint("batch_id", "rank", name=op.f("pk_selections")),
        sa.UniqueConstraint("batch_id", "frame_id", name=op.f("uq_selections_batch_id_frame_id")),
        comment="One row per frame in a batch.",
        sqlite_with_rowid=True,
    )
    with op.batch_alter_table("selections", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_selections_frame_id"), ["frame_id"], unique=False)

    op.create_table(
        "serving",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False, comment="always 1"),
        sa.Column("checkpoint_id", sa.String(length=64), nullable=False, comment="checkpoint that serves"),
        sa.Column("promotion_id", sa.Integer(), nullable=False, comment="decision behind it"),
        sa.Column(
            "since_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="when the pointer moved",
        ),
        sa.CheckConstraint("slot = 1", name=op.f("ck_serving_one_row")),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_serving")),
        comment="The checkpoint that every view follows: one row.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "training_sets",
        sa.Column(
            "training_set_id",
            sa.String(length=64),
            nullable=False,
            comment="training set, named by its content",
        ),
        sa.Column("frame_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="frame"),
        sa.Column("class_id", sa.Integer(), autoincrement=False, nullable=False, comment="class"),
        sa.Column("target", sa.SmallInteger(), nullable=False, comment="1 present, 0 absent"),
        sa.Column("split", sa.String(length=16), nullable=False, comment="train, validation or test"),
        sa.Column("weight", sa.Double(), nullable=False, comment="weight of the row in training"),
        sa.Column("annotation_id", sa.BigInteger(), nullable=False, comment="annotation behind the target"),
        sa.PrimaryKeyConstraint("training_set_id", "frame_id", "class_id", name=op.f("pk_training_sets")),
        comment="One row per frame, class and target in a training set.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "video_coverage",
        sa.Column("asset", sa.String(length=64), nullable=False, comment="embeddings or predictions"),
        sa.Column("version", sa.String(length=64), nullable=False, comment="embedder_id or checkpoint_id"),
        sa.Column("video_id", sa.String(length=64), nullable=False, comment="video"),
        sa.Column(
            "frames_version",
            sa.String(length=200),
            nullable=False,
            comment="version of the video's frames that is covered",
        ),
        sa.Column("frames", sa.Integer(), nullable=False, comment="frames covered"),
        sa.PrimaryKeyConstraint("asset", "version", "video_id", name=op.f("pk_video_coverage")),
        comment="One row per video that a version of an asset covers whole: what is left to do is what is not here.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "videos",
        sa.Column(
            "video_id",
            sa.String(length=64),
            nullable=False,
            comment="readable id, given once; the Dagster partition key",
        ),
        sa.Column(
            "video_no",
            sa.Integer(),
            nullable=False,
            comment="small number, never reused; the high part of frame_id",
        ),
        sa.Column(
            "kind", sa.String(length=16), nullable=False, comment="video, or images for a folder of stills"
        ),
        sa.Column("path", sa.Unicode(length=400), nullable=False, comment="path under videos/ in storage"),
        sa.Column(
            "etag", sa.String(length=128), nullable=False, comment="version of the file as storage names it"
        ),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False, comment="size of the file, bytes"),
        sa.Column(
            "content_hash",
            sa.String(length=64),
            nullable=False,
            comment="identity of the content: hash of size and sampled bytes",
        ),
        sa.Column("container", sa.String(length=64), nullable=True, comment="container format"),
        sa.Column("codec", sa.String(length=32), nullable=True, comment="video codec"),
        sa.Column(
            "frames_per_second", sa.Double(), nullable=True, comment="native frame rate, frames per second"
        ),
        sa.Column("width", sa.Integer(), nullable=True, comment="width of the upright picture, pixels"),
        sa.Column("height", sa.Integer(), nullable=True, comment="height of the upright picture, pixels"),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True, comment="duration, milliseconds"),
        sa.Column(
            "recorded_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=True,
            comment="when the recording began, UTC, if known",
        ),
        sa.Column("site", sa.Unicode(length=200), nullable=True, comment="site of the camera, if known"),
        sa.Column("camera", sa.Unicode(length=200), nullable=True, comment="camera, if known"),
        sa.Column(
            "split",
            sa.String(length=16),
            nullable=False,
            comment="train, validation or test; given at registration, for ever",
        ),
        sa.Column(
            "status",
            sa.String(length=16),
            nullable=False,
            comment="registered, indexed, partial, failed, superseded, copy or retired",
        ),
        sa.Column(
            "error",
            sa.UnicodeText(),
            nullable=True,
            comment="why the video could not be read whole, in plain words",
        ),
        sa.Column(
            "superseded_by",
            sa.String(length=64),
            nullable=True,
            comment="video_id of what replaced it, or of the original of a copy",
        ),
        sa.Column(
            "registered_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time of registration",
        ),
        sa.Column(
            "indexed_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=True,
            comment="time of the latest indexing",
        ),
        sa.Column(
            "frames_version",
            sa.String(length=200),
            nullable=True,
            comment="file version and sampling rate behind its frames",
        ),
        sa.Column(
            "missing_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=True,
            comment="first look at which the file was gone; null while it is there",
        ),
        sa.PrimaryKeyConstraint("video_id", name=op.f("pk_videos")),
        sa.UniqueConstraint("video_no", name=op.f("uq_videos_video_no")),
        comment="One row per video (or folder of stills) of the archive.",
        sqlite_with_rowid=True,
    )
    with op.batch_alter_table("videos", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_videos_content_hash"), ["content_hash"], unique=False)
        batch_op.create_index("ix_videos_path", ["path"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("videos", schema=None) as batch_op:
        batch_op.drop_index("ix_videos_path")
        batch_op.drop_index(batch_op.f("ix_videos_content_hash"))

    op.drop_table("videos")
    op.drop_table("video_coverage")
    op.drop_table("training_sets")
    op.drop_table("serving")
    with op.batch_alter_table("selections", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_selections_frame_id"))

    op.drop_table("selections")
    op.drop_table("selection_batches")
    op.drop_table("promotions")
    op.drop_table("predictions")
    with op.batch_alter_table("materializations", schema=None) as batch_op:
        batch_op.drop_index("ix_materializations_asset_slice", mssql_include=["content_hash"])

    op.drop_table("materializations")
    op.drop_table("labels")
    op.drop_table("label_rejects")
    with op.batch_alter_table("label_exports", schema=None) as batch_op:
        batch_op.drop_index("ix_label_exports_status")
        batch_op.drop_index(batch_op.f("ix_label_exports_sha256"))

    op.drop_table("label_exports")
    op.drop_table("incidents")
    op.drop_table("frames")
    with op.batch_alter_table("frame_scores", schema=None) as batch_op:
        batch_op.drop_index("ix_frame_scores_checkpoint_id_margin")

    op.drop_table("frame_scores")
    op.drop_table("evaluations")
    op.drop_table("embeddings")
    op.drop_table("embedders")
    op.drop_table("drift_results")
    op.drop_table("classes")
    op.drop_table("checkpoints")
    op.drop_table("arrivals")
    with op.batch_alter_table("annotations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_annotations_frame_id"))
        batch_op.drop_index("ix_annotations_export_id")
        batch_op.drop_index(batch_op.f("ix_annotations_content_key"))

    op.drop_table("annotations")
    op.drop_table("annotation_labels")

"""checks, drift and reports: summaries, slices, maps, what was passed over; incidents of checks, too.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mssql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UTC = sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql")
OF_RUNS = "run_id, job, step, cause, fix, happened_at"


def _keep_incidents() -> None:
    """Move the incidents of runs aside: another key means another table, in every dialect."""
    op.create_table(
        "kept_incidents",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=200), nullable=True),
        sa.Column("cause", sa.UnicodeText(), nullable=False),
        sa.Column("fix", sa.UnicodeText(), nullable=False),
        sa.Column("happened_at", UTC, nullable=False),
    )
    op.execute(f"INSERT INTO kept_incidents ({OF_RUNS}) SELECT {OF_RUNS} FROM incidents")
    op.drop_table("incidents")


def upgrade() -> None:
    op.create_table(
        "embedding_maps",
        sa.Column("map_id", sa.String(length=64), nullable=False, comment="map"),
        sa.Column(
            "embedder_id", sa.String(length=64), nullable=False, comment="embedder whose vectors it shows"
        ),
        sa.Column(
            "parent_id", sa.String(length=64), nullable=True, comment="map whose points it kept in place"
        ),
        sa.Column("method", sa.String(length=64), nullable=False, comment="how the points were laid out"),
        sa.Column("points", sa.Integer(), nullable=False, comment="frames on it"),
        sa.Column(
            "of_frames", sa.BigInteger(), nullable=False, comment="frames with a vector when it was made"
        ),
        sa.Column("seed", sa.Integer(), nullable=False, comment="seed"),
        sa.Column("uri", sa.Unicode(length=400), nullable=True, comment="page under the storage root"),
        sa.Column("run_id", sa.String(length=64), nullable=True, comment="Dagster run"),
        sa.Column(
            "made_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint("map_id", name=op.f("pk_embedding_maps")),
        comment="One row per map of the archive in two dimensions.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "map_points",
        sa.Column("map_id", sa.String(length=64), nullable=False, comment="map"),
        sa.Column(
            "frame_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="frame",
        ),
        sa.Column("x", sa.REAL(), nullable=False, comment="first coordinate"),
        sa.Column("y", sa.REAL(), nullable=False, comment="second coordinate"),
        sa.PrimaryKeyConstraint("map_id", "frame_id", name=op.f("pk_map_points")),
        comment="One row per frame on a map.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "passed_over",
        sa.Column("batch_id", sa.Integer(), autoincrement=False, nullable=False, comment="batch"),
        sa.Column("frame_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="frame left out"),
        sa.Column("place", sa.Integer(), nullable=False, comment="its place in the strategy's order, from 1"),
        sa.Column("score", sa.Double(), nullable=True, comment="score the strategy gave it"),
        sa.Column("rule", sa.String(length=16), nullable=False, comment="clip, site, gap or cosine"),
        sa.Column(
            "reason", sa.Unicode(length=400), nullable=False, comment="why it was left out, in plain words"
        ),
        sa.Column(
            "beside_frame_id",
            sa.BigInteger(),
            nullable=True,
            comment="taken frame that it is too close to, if one",
        ),
        sa.PrimaryKeyConstraint("batch_id", "frame_id", name=op.f("pk_passed_over")),
        comment="One row per frame that a strategy wanted in a batch and the redundancy rule left out.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "slice_metrics",
        sa.Column("checkpoint_id", sa.String(length=64), nullable=False, comment="checkpoint"),
        sa.Column(
            "dimension",
            sa.String(length=16),
            nullable=False,
            comment="site, camera, season, hour, light or class",
        ),
        sa.Column(
            "slice",
            sa.Unicode(length=200),
            nullable=False,
            comment="value of the dimension, such as the name of a site",
        ),
        sa.Column("metric", sa.String(length=40), nullable=False, comment="metric"),
        sa.Column(
            "value", sa.Double(), nullable=True, comment="value on the slice; null where it is not defined"
        ),
        sa.Column("low", sa.Double(), nullable=True, comment="lower end of the 95 % interval"),
        sa.Column("high", sa.Double(), nullable=True, comment="upper end of the 95 % interval"),
        sa.Column("support", sa.Integer(), nullable=False, comment="labelled hold-out frames in the slice"),
        sa.Column("videos", sa.Integer(), nullable=False, comment="videos they come from"),
        sa.Column(
            "difference", sa.Double(), nullable=True, comment="value on the slice less that on the rest"
        ),
        sa.Column("difference_low", sa.Double(), nullable=True, comment="lower end of its 95 % interval"),
        sa.Column("difference_high", sa.Double(), nullable=True, comment="upper end of its 95 % interval"),
        sa.Column(
            "p_value",
            sa.Double(),
            nullable=True,
            comment="of the slice being no worse than the rest, adjusted for all slices",
        ),
        sa.Column(
            "worse", sa.SmallInteger(), nullable=False, comment="1 if significantly worse than the rest"
        ),
        sa.Column(
            "measured_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint(
            "checkpoint_id", "dimension", "slice", "metric", name=op.f("pk_slice_metrics")
        ),
        comment="One row per metric of a checkpoint on a slice of the labelled hold-out, against all frames outside the slice.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "video_scores",
        sa.Column("checkpoint_id", sa.String(length=64), nullable=False, comment="checkpoint"),
        sa.Column("video_id", sa.String(length=64), nullable=False, comment="video"),
        sa.Column(
            "frames_version",
            sa.String(length=200),
            nullable=True,
            comment="version of the video's frames that was scored",
        ),
        sa.Column("frames", sa.Integer(), nullable=False, comment="frames scored"),
        sa.Column(
            "confidence", sa.Double(), nullable=False, comment="mean confidence in the likeliest class"
        ),
        sa.Column("margin", sa.Double(), nullable=False, comment="mean margin"),
        sa.Column("entropy", sa.Double(), nullable=False, comment="mean entropy, nats"),
        sa.Column(
            "class_frames",
            sa.UnicodeText(),
            nullable=False,
            comment="frames by likeliest class, JSON object of class_id and count",
        ),
        sa.Column(
            "measured_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint("checkpoint_id", "video_id", name=op.f("pk_video_scores")),
        comment="One row per checkpoint and video: the model's answers on the video in a few numbers.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "video_summaries",
        sa.Column("embedder_id", sa.String(length=64), nullable=False, comment="embedder"),
        sa.Column("video_id", sa.String(length=64), nullable=False, comment="video"),
        sa.Column(
            "frames_version",
            sa.String(length=200),
            nullable=True,
            comment="version of the video's frames that it sums up",
        ),
        sa.Column("frames", sa.Integer(), nullable=False, comment="frames summed up"),
        sa.Column("brightness", sa.Double(), nullable=False, comment="median of the log of brightness"),
        sa.Column("sharpness", sa.Double(), nullable=False, comment="median of the log of sharpness"),
        sa.Column(
            "direction",
            sa.LargeBinary(),
            nullable=False,
            comment="mean direction of its vectors, packed little-endian float32",
        ),
        sa.Column(
            "measured_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint("embedder_id", "video_id", name=op.f("pk_video_summaries")),
        comment="One row per embedder and video: the video in a few numbers, read by drift statistics in place of its frames.",
        sqlite_with_rowid=True,
    )
    with op.batch_alter_table("drift_results", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "p_value",
                sa.Double(),
                nullable=True,
                comment="chance of a value as far out on an undrifted subject",
            )
        )
        batch_op.add_column(
            sa.Column(
                "adjusted_p_value",
                sa.Double(),
                nullable=True,
                comment="the same, adjusted for all that was compared in one tick",
            )
        )

    _keep_incidents()
    op.create_table(
        "incidents",
        sa.Column(
            "incident_id",
            sa.String(length=64),
            nullable=False,
            comment="the failed run, or a hash of run, asset and check",
        ),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="run or check"),
        sa.Column("run_id", sa.String(length=64), nullable=False, comment="Dagster run"),
        sa.Column("job", sa.String(length=64), nullable=False, comment="job"),
        sa.Column("step", sa.String(length=200), nullable=True, comment="step that failed, if any"),
        sa.Column("asset", sa.String(length=64), nullable=True, comment="asset that was checked"),
        sa.Column("check_name", sa.String(length=200), nullable=True, comment="check that failed"),
        sa.Column("severity", sa.String(length=16), nullable=False, comment="error or warning"),
        sa.Column("cause", sa.UnicodeText(), nullable=False, comment="what went wrong"),
        sa.Column("fix", sa.UnicodeText(), nullable=False, comment="what to do"),
        sa.Column("happened_at", UTC, nullable=False, comment="time"),
        sa.Column("notified_at", UTC, nullable=True, comment="when the owner's webhook or mailbox took it"),
        sa.Column(
            "resolved_at",
            UTC,
            nullable=True,
            comment="when the check passed, or a run of the job succeeded, again",
        ),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incidents")),
        comment="One row per failed run or failing check, with cause and fix in plain words.",
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_incidents_run_id"), "incidents", ["run_id"], unique=False)
    op.execute(
        "INSERT INTO incidents (incident_id, kind, run_id, job, step, severity, cause, fix, happened_at) "
        "SELECT run_id, 'run', run_id, job, step, 'error', cause, fix, happened_at FROM kept_incidents"
    )
    op.drop_table("kept_incidents")


def downgrade() -> None:
    op.execute("DELETE FROM incidents WHERE kind <> 'run'")
    _keep_incidents()
    op.create_table(
        "incidents",
        sa.Column("run_id", sa.String(length=64), nullable=False, comment="failed Dagster run"),
        sa.Column("job", sa.String(length=64), nullable=False, comment="job"),
        sa.Column("step", sa.String(length=200), nullable=True, comment="step that failed"),
        sa.Column("cause", sa.UnicodeText(), nullable=False, comment="what went wrong"),
        sa.Column("fix", sa.UnicodeText(), nullable=False, comment="what to do"),
        sa.Column("happened_at", UTC, nullable=False, comment="time"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_incidents")),
        comment="One row per failed run, with cause and fix in plain words.",
        sqlite_with_rowid=True,
    )
    op.execute(f"INSERT INTO incidents ({OF_RUNS}) SELECT {OF_RUNS} FROM kept_incidents")
    op.drop_table("kept_incidents")

    with op.batch_alter_table("drift_results", schema=None) as batch_op:
        batch_op.drop_column("adjusted_p_value")
        batch_op.drop_column("p_value")

    op.drop_table("video_summaries")
    op.drop_table("video_scores")
    op.drop_table("slice_metrics")
    op.drop_table("passed_over")
    op.drop_table("map_points")
    op.drop_table("embedding_maps")

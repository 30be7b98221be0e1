"""decoding points of long videos; projections of vectors.

Revision 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decoding_points",
        sa.Column(
            "frame_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="frame decoded there, sampled or not: video_no * 2**24 + frame_index",
        ),
        sa.Column("video_id", sa.String(length=64), nullable=False, comment="video"),
        sa.Column(
            "frames_version",
            sa.String(length=240),
            nullable=False,
            comment="file version, sampling rate and distance of duplicates behind its frames",
        ),
        sa.Column(
            "frame_index",
            sa.Integer(),
            nullable=False,
            comment="number of the frame in the source from 0 at its native rate",
        ),
        sa.Column(
            "pts", sa.BigInteger(), nullable=False, comment="timestamp of the frame, ticks of the stream"
        ),
        sa.Column(
            "pts_ms",
            sa.BigInteger(),
            nullable=False,
            comment="time from the start of the video, milliseconds",
        ),
        sa.Column(
            "key_pts",
            sa.BigInteger(),
            nullable=False,
            comment="timestamp of the key frame before it, ticks of the stream",
        ),
        sa.Column(
            "checksum",
            sa.String(length=8),
            nullable=False,
            comment="CRC-32 of the pixels from the key frame to this frame",
        ),
        sa.Column(
            "state",
            sa.UnicodeText(),
            nullable=False,
            comment="JSON of clocks and counters; at the end of a part also of sampling and duplicates",
        ),
        sa.PrimaryKeyConstraint("frame_id", name=op.f("pk_decoding_points")),
        comment="One row per place in a long video from which decoding can go on without the frames before it.",
        sqlite_with_rowid=True,
    )
    with op.batch_alter_table("embedders", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "source_embedder_id",
                sa.String(length=64),
                nullable=True,
                comment="embedder whose vectors it projects",
            )
        )
        batch_op.add_column(
            sa.Column(
                "projection_uri",
                sa.Unicode(length=400),
                nullable=True,
                comment="file of the projection under the storage root",
            )
        )
        batch_op.add_column(
            sa.Column("projection_sha256", sa.String(length=64), nullable=True, comment="hash of that file")
        )
        batch_op.add_column(
            sa.Column(
                "variance_kept",
                sa.Double(),
                nullable=True,
                comment="share of the variance of its sample that it keeps",
            )
        )


def downgrade() -> None:
    with op.batch_alter_table("embedders", schema=None) as batch_op:
        batch_op.drop_column("variance_kept")
        batch_op.drop_column("projection_sha256")
        batch_op.drop_column("projection_uri")
        batch_op.drop_column("source_embedder_id")
    op.drop_table("decoding_points")

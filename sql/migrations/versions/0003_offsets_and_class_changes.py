"""annotations say how far from their frame they lie; changes of classes are kept.

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mssql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "class_changes",
        sa.Column("change_id", sa.Integer(), autoincrement=False, nullable=False, comment="sequence number"),
        sa.Column("class_id", sa.Integer(), nullable=False, comment="class that was changed"),
        sa.Column("change", sa.String(length=16), nullable=False, comment="renamed, merged or separated"),
        sa.Column(
            "before",
            sa.Unicode(length=200),
            nullable=True,
            comment="name before, or name of the class that it counted as",
        ),
        sa.Column(
            "after",
            sa.Unicode(length=200),
            nullable=False,
            comment="name after, or name of the class that it counts as now",
        ),
        sa.Column(
            "changed_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_class_changes")),
        comment="One row per change of a class after it was first named; labels and training sets of before keep their class.",
        sqlite_with_rowid=True,
    )
    with op.batch_alter_table("annotations", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "offset_ms",
                sa.BigInteger(),
                nullable=True,
                comment="how far after the frame lies what was judged, milliseconds; null where the frame itself was named",
            )
        )


def downgrade() -> None:
    with op.batch_alter_table("annotations", schema=None) as batch_op:
        batch_op.drop_column("offset_ms")

    op.drop_table("class_changes")

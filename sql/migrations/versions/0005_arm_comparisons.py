"""whether choosing beats drawing at random.

Revision 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mssql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "arm_comparisons",
        sa.Column("checkpoint_id", sa.String(length=64), nullable=False, comment="checkpoint"),
        sa.Column(
            "labels_each",
            sa.Integer(),
            nullable=False,
            comment="labelled frames that each of the two models learned from",
        ),
        sa.Column(
            "batches",
            sa.Integer(),
            nullable=False,
            comment="batches they came from, as many of each arm from each batch",
        ),
        sa.Column(
            "holdout_frames",
            sa.Integer(),
            nullable=False,
            comment="judged frames of the evaluation arm that both were tried on",
        ),
        sa.Column(
            "random_accuracy",
            sa.Double(),
            nullable=True,
            comment="share of hold-out frames that the random labels get right",
        ),
        sa.Column(
            "strategy_accuracy",
            sa.Double(),
            nullable=True,
            comment="the same of the strategy's labels, mean over draws",
        ),
        sa.Column("difference", sa.Double(), nullable=True, comment="strategy_accuracy - random_accuracy"),
        sa.Column(
            "low", sa.Double(), nullable=True, comment="lower end of the 95 % interval of the difference"
        ),
        sa.Column(
            "high", sa.Double(), nullable=True, comment="upper end of the 95 % interval of the difference"
        ),
        sa.Column(
            "verdict", sa.String(length=16), nullable=False, comment="too_early, better, worse or level"
        ),
        sa.Column(
            "measured_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint("checkpoint_id", name=op.f("pk_arm_comparisons")),
        comment="One row per checkpoint that served: models of as many random labels and labels of the strategy, on one hold-out.",
        sqlite_with_rowid=True,
    )


def downgrade() -> None:
    op.drop_table("arm_comparisons")

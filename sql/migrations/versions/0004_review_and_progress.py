"""labels that look wrong, second opinions, and whether labelling pays.

Revision 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mssql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


SAID_ANEW = (
    ("class_changes", "change", sa.String(16), "renamed, merged, separated, split or rejoined"),
    (
        "class_changes",
        "after",
        sa.Unicode(200),
        "name after, or name of the class that it counts as now or became",
    ),
    ("selections", "arm", sa.String(16), "strategy, random, evaluation or second_opinion"),
    ("labels", "annotation_id", sa.BigInteger(), "latest annotation that says so"),
)
SAID_BEFORE = (
    ("class_changes", "change", sa.String(16), "renamed, merged or separated"),
    ("class_changes", "after", sa.Unicode(200), "name after, or name of the class that it counts as now"),
    ("selections", "arm", sa.String(16), "strategy, random or evaluation"),
    ("labels", "annotation_id", sa.BigInteger(), "latest annotation behind the consensus"),
)


def _comment(said: tuple) -> None:
    """Comments of columns, where the database keeps them."""
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        return
    for table, name, kind, comment in said:
        column = sa.Column(name, kind, comment=comment)
        sa.Table(table, sa.MetaData(), column)
        if dialect == "mssql":  # it adds a comment only where there is none
            op.execute(sa.schema.DropColumnComment(column))
        op.execute(sa.schema.SetColumnComment(column))


def upgrade() -> None:
    _comment(SAID_ANEW)
    op.create_table(
        "implausible_labels",
        sa.Column(
            "checkpoint_id", sa.String(length=64), nullable=False, comment="checkpoint whose like judged it"
        ),
        sa.Column("frame_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="frame"),
        sa.Column(
            "class_id", sa.Integer(), autoincrement=False, nullable=False, comment="class of the label"
        ),
        sa.Column(
            "present",
            sa.SmallInteger(),
            nullable=False,
            comment="what the label says: 1 present, 0 judged absent",
        ),
        sa.Column(
            "probability",
            sa.Double(),
            nullable=False,
            comment="calibrated probability that the class is present",
        ),
        sa.Column(
            "suggested_class_id", sa.Integer(), nullable=True, comment="single_label: the class it looks like"
        ),
        sa.Column("suggested_probability", sa.Double(), nullable=True, comment="its calibrated probability"),
        sa.Column(
            "quality",
            sa.Double(),
            nullable=False,
            comment="probability of what the label says; small is implausible",
        ),
        sa.Column("split", sa.String(length=16), nullable=False, comment="train, validation or test"),
        sa.Column(
            "annotation_id", sa.BigInteger(), nullable=False, comment="latest annotation behind the label"
        ),
        sa.PrimaryKeyConstraint("checkpoint_id", "frame_id", "class_id", name=op.f("pk_implausible_labels")),
        comment="One row per label that a model which did not see the frame's video finds implausible.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "labelling_progress",
        sa.Column("checkpoint_id", sa.String(length=64), nullable=False, comment="checkpoint"),
        sa.Column(
            "labelled_frames", sa.Integer(), nullable=False, comment="labelled training frames behind it"
        ),
        sa.Column(
            "holdout_frames",
            sa.Integer(),
            nullable=False,
            comment="labelled test frames that it was measured on",
        ),
        sa.Column("metric", sa.String(length=40), nullable=False, comment="metric on the hold-out"),
        sa.Column("value", sa.Double(), nullable=True, comment="its value; null where it is not defined"),
        sa.Column("low", sa.Double(), nullable=True, comment="lower end of the 95 % interval"),
        sa.Column("high", sa.Double(), nullable=True, comment="upper end of the 95 % interval"),
        sa.Column(
            "random_frames",
            sa.Integer(),
            nullable=False,
            comment="judged frames of random arms behind the next three columns",
        ),
        sa.Column(
            "random_accuracy",
            sa.Double(),
            nullable=True,
            comment="share of training frames it gets wholly right, estimated",
        ),
        sa.Column("random_low", sa.Double(), nullable=True, comment="lower end of the 95 % interval"),
        sa.Column("random_high", sa.Double(), nullable=True, comment="upper end of the 95 % interval"),
        sa.Column(
            "stability",
            sa.Double(),
            nullable=True,
            comment="kappa of its answers with those of the model before, same frames",
        ),
        sa.Column(
            "uncertainty",
            sa.Double(),
            nullable=True,
            comment="mean of 1 - margin over a sample of the archive, in [0, 1]",
        ),
        sa.Column(
            "gain",
            sa.Double(),
            nullable=True,
            comment="gain of the metric per 100 labels, over the latest checkpoints",
        ),
        sa.Column(
            "gain_high", sa.Double(), nullable=True, comment="upper end of the 95 % interval of the gain"
        ),
        sa.Column("advice", sa.String(length=16), nullable=False, comment="too_early, go_on or may_stop"),
        sa.Column("reason", sa.UnicodeText(), nullable=False, comment="why, in plain words"),
        sa.Column(
            "measured_at",
            sa.DateTime().with_variant(mssql.DATETIME2(precision=3), "mssql"),
            nullable=False,
            comment="time",
        ),
        sa.PrimaryKeyConstraint("checkpoint_id", name=op.f("pk_labelling_progress")),
        comment="One row per checkpoint that served: what labels have bought so far, and whether more of them pay.",
        sqlite_with_rowid=True,
    )
    op.create_table(
        "second_opinions",
        sa.Column(
            "checkpoint_id", sa.String(length=64), nullable=False, comment="checkpoint whose like judged it"
        ),
        sa.Column("frame_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="frame"),
        sa.Column(
            "score", sa.Double(), nullable=False, comment="ActiveLab score; small is worth asking again"
        ),
        sa.Column(
            "class_id",
            sa.Integer(),
            nullable=True,
            comment="class that makes it so; null where the frame as a whole does",
        ),
        sa.Column("annotators", sa.Integer(), nullable=False, comment="annotators who judged the frame"),
        sa.Column(
            "divided", sa.SmallInteger(), nullable=False, comment="1 if they do not agree on every class"
        ),
        sa.Column(
            "model_right",
            sa.SmallInteger(),
            nullable=True,
            comment="1 if a model without the frame's clip says of it what people say; null where it cannot",
        ),
        sa.Column(
            "model_weight",
            sa.Double(),
            nullable=False,
            comment="weight of the model's answer in the scores of this checkpoint",
        ),
        sa.Column(
            "annotator_weight", sa.Double(), nullable=False, comment="weight of an annotator's answer in them"
        ),
        sa.PrimaryKeyConstraint("checkpoint_id", "frame_id", name=op.f("pk_second_opinions")),
        comment="One row per checkpoint and judged training frame: how much another opinion on it would be worth.",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("class_changes", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("into_class_id", sa.Integer(), nullable=True, comment="class that it was split into")
        )


def downgrade() -> None:
    _comment(SAID_BEFORE)
    with op.batch_alter_table("class_changes", schema=None) as batch_op:
        batch_op.drop_column("into_class_id")

    op.drop_table("second_opinions")
    op.drop_table("labelling_progress")
    op.drop_table("implausible_labels")

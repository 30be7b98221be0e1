"""no index on margins; sql/PHYSICAL_DESIGN.md has the measurement.

Revision 0008, after 0007.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INDEX = "ix_frame_scores_checkpoint_id_margin"


def upgrade() -> None:
    op.drop_index(INDEX, table_name="frame_scores")


def downgrade() -> None:
    op.create_index(INDEX, "frame_scores", ["checkpoint_id", "margin"], unique=False)

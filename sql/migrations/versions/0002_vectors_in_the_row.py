"""PostgreSQL keeps vectors in their rows; sql/PHYSICAL_DESIGN.md has the measurement.

Revision 0002, after 0001. Vectors that are there stay where they are until they are written anew.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE embeddings ALTER COLUMN vector SET STORAGE MAIN")
        op.execute("ALTER TABLE embeddings SET (toast_tuple_target = 8160)")

"""Of which kind a measurement is: the room's, as all were before, or a server's inlet."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sample", sa.Column("kind", sa.Text, nullable=False, server_default="room"))

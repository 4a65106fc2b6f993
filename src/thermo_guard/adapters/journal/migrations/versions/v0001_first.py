"""The first schema: site, snapshot, event, sample."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "site",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("zone", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", sa.Double),
        sa.Column("next_due", sa.Double),
        sa.Column("state", sa.JSON, nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
    )
    op.create_table(
        "snapshot",
        sa.Column("site", sa.Text, sa.ForeignKey("site.id"), primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "event",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("site", sa.Text, sa.ForeignKey("site.id"), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("event_by_kind", "event", ["site", "kind", "seq"])
    op.create_table(
        "sample",
        sa.Column("site", sa.Text, sa.ForeignKey("site.id"), primary_key=True),
        sa.Column("sensor", sa.Text, primary_key=True),
        sa.Column("stamp", sa.Double, primary_key=True),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("centi_c", sa.Integer, nullable=False),
        sa.Column("age_s", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("sample_by_time", "sample", ["site", "seen_at"])

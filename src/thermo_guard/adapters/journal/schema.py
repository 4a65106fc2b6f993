"""The tables, and which revision of them this version knows.

The same definitions stand on SQLite (one guard, its own file) and on PostgreSQL (several guards that share sites): the
site row carries an epoch, an owner and a lease from the start, and every write is fenced by them. Types are therefore
the plain ones: JSON, not JSONB, which refuses NUL and lone surrogates that a peer's error text may hold.
"""

from sqlalchemy import JSON, BigInteger, Column, Double, ForeignKey, Index, Integer, MetaData, Table, Text

REVISIONS = ("0001", "0002", "0003")
"""Alembic's revisions in order; the place in this row, from 1, is the `schema_version`."""
SCHEMA_VERSION = len(REVISIONS)

metadata = MetaData()

site = Table(
    "site", metadata,
    Column("id", Text, primary_key=True),
    Column("zone", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),  # rises by one with each change of owner
    Column("owner", Text),  # random per start of a process
    Column("lease_until", Double),  # the database's clock; embedded, the folder's lock stands for it
    Column("next_due", Double),
    Column("state", JSON, nullable=False),
    Column("schema_version", Integer, nullable=False),
)

snapshot = Table(
    "snapshot", metadata,
    Column("site", Text, ForeignKey("site.id"), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("at", Double, nullable=False),
    Column("body", JSON, nullable=False),
)

event = Table(
    "event", metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("site", Text, ForeignKey("site.id"), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", JSON, nullable=False),
    Index("event_by_kind", "site", "kind", "seq"),
    sqlite_autoincrement=True,  # a number that was pruned is never given again
)

sample = Table(
    "sample", metadata,
    Column("site", Text, ForeignKey("site.id"), primary_key=True),
    Column("sensor", Text, primary_key=True),
    Column("stamp", Double, primary_key=True),
    Column("seen_at", Double, nullable=False),
    Column("centi_c", Integer, nullable=False),
    Column("age_s", Double, nullable=False),
    Column("kind", Text, nullable=False, server_default="room"),
    Index("sample_by_time", "site", "seen_at"),
    sqlite_with_rowid=False,  # 8 sensors every 10 s for a week are half a million rows
)

wish = Table(
    "wish", metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("site", Text, ForeignKey("site.id"), nullable=False),
    Column("at", Double, nullable=False),
    Column("body", JSON, nullable=False),  # all of it but number and time
    sqlite_autoincrement=True,  # the guard remembers the last number that it took up
)

"""The connection to the file: its pragmas, its transactions, its migrations, and its errors as faults.

SQLite in WAL with synchronous=FULL: one fdatasync a commit; with NORMAL a loss of power silently takes back the last
commits. One long-lived connection writes; SQLite before 3.51.3 can lose a commit when two connections checkpoint at
the same moment, so whoever else opens the file never does: readers read only, and an order is put in without.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from thermo_guard.ports import Fault, NoRoom, Refused, Transient

from . import schema
from .codec import to_json

DATABASE_FILE = "journal.sqlite3"
BUSY_TIMEOUT_S = 2.0
"""How long to wait for a lock: only a person's own sqlite3 shell would ever hold one."""


class DamagedError(Refused):
    """The file is no journal, or no longer one."""


class NoRoomError(NoRoom):
    """The disk is full, or over quota, or does not say why it takes no writes."""


class Access(StrEnum):
    """As SQLite names the modes of opening a file."""

    READ = "ro"
    BESIDE = "rw"
    """A short write beside the guard: makes nothing and never checkpoints."""
    OWN = "rwc"
    """The guard's own: makes what is not there."""


def connect(folder: Path, access: Access) -> Connection:
    """Open the folder's database; only its owner makes it where there is none.

    :raises Fault: as `database_faults`; Refused also where another finds none.
    """
    path = folder / DATABASE_FILE
    if access is not Access.OWN and not path.exists():
        raise Refused(f"There is no journal in {folder} yet: `thermo-guard run` has not been started with this "
                      "DATA_DIR.")

    def open_file() -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(path))}?mode={access}", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None,
            check_same_thread=False,
        )

    engine = create_engine(
        "sqlite://", creator=open_file, poolclass=StaticPool, json_serializer=to_json, hide_parameters=True
    )
    _begin_ourselves(engine, "BEGIN" if access is Access.READ else "BEGIN IMMEDIATE")
    with database_faults(folder):
        connection = engine.connect()
        if access is not Access.READ:
            _make_durable(connection, folder, access)
        return connection


def disconnect(connection: Connection) -> None:
    connection.close()
    connection.engine.dispose()


def discard_if_empty(folder: Path) -> None:
    """Leave no file behind that a full disk has kept from becoming a database."""
    path = folder / DATABASE_FILE
    with suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()


@contextmanager
def database_faults(folder: Path) -> Iterator[None]:
    """:raises Fault: NoRoomError or Transient where the disk would not, DamagedError or Refused where the file is no
    journal of ours.
    """
    try:
        yield
    except DBAPIError as error:
        raise fault_of(error.orig, folder) from error
    except sqlite3.Error as error:
        raise fault_of(error, folder) from error


def fault_of(error: BaseException | None, folder: Path) -> Fault:
    """What SQLite said, for a tired administrator."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    match code:
        case sqlite3.SQLITE_FULL:
            return NoRoomError(f"The disk of the data folder {folder} is full: the journal cannot be written. "
                               "Free some space on it.")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            return Transient(f"The journal in {folder} cannot be written ({error}): the volume may be mounted "
                             "read-only, or the file may belong to another user.")
        case sqlite3.SQLITE_IOERR:
            return NoRoomError(f"The disk of the data folder {folder} does not take writes ({error}): it may be full, "
                               "over quota or failing.")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Transient(f"The journal in {folder} is locked by another program for more than "
                             f"{BUSY_TIMEOUT_S:g} s.")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return DamagedError(f"The journal in {folder} is damaged ({error}).")
        case sqlite3.SQLITE_NOMEM | sqlite3.SQLITE_INTERRUPT | sqlite3.SQLITE_PROTOCOL:
            return Transient(f"The journal in {folder} could not be reached just now ({error}).")
        case _:
            return Refused(f"The database in {folder} declined a statement ({error}): its tables are not those of "
                           "Thermo-Guard.")


def bring_up_to_date(connection: Connection) -> None:
    """Make or migrate the tables, in one transaction.

    :raises Refused: they were made by a newer version.
    """
    with connection.begin():
        found = _revision(connection)
        if found == schema.REVISIONS[-1]:
            return
        _migrate(connection)


def require_current(connection: Connection, folder: Path) -> None:
    """:raises Refused: the tables are not exactly those that this version reads; a reader never changes them."""
    with connection.begin():
        found = _revision(connection)
    if found != schema.REVISIONS[-1]:
        raise Refused(f"The journal in {folder} was made by an older Thermo-Guard: start `thermo-guard run` of this "
                      "version once, which brings it up to date.")


def _revision(connection: Connection) -> str | None:
    """The revision that the tables are at.

    :raises Refused: it is none that this version knows.
    """
    tables = set(inspect(connection).get_table_names())
    newest = 0
    if "site" in tables:
        newest = connection.scalar(text("SELECT max(schema_version) FROM site")) or 0
    found = connection.scalar(text("SELECT version_num FROM alembic_version")) if "alembic_version" in tables else None
    if newest > schema.SCHEMA_VERSION or (found is not None and found not in schema.REVISIONS):
        raise Refused("The journal was made by a newer Thermo-Guard than this one "
                      f"(its schema {max(newest, schema.SCHEMA_VERSION + 1)}, known up to {schema.SCHEMA_VERSION}): "
                      "start that version again, or one that is newer still.")
    return None if found is None else str(found)


def _migrate(connection: Connection) -> None:
    # Imported only here: Alembic costs a third of a second and 10 MB, and is needed once a version.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.execute(schema.site.update().values(schema_version=schema.SCHEMA_VERSION))


def _begin_ourselves(engine: Engine, begin: str) -> None:
    """Have SQLAlchemy open transactions itself: the driver's own way leaves DDL and reads outside of them."""

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _make_durable(connection: Connection, folder: Path, access: Access) -> None:
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - what open_file returned
    mode = raw.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise Refused(f"The data folder {folder} must be on a local volume: SQLite cannot keep its write-ahead log "
                      f"there (journal_mode={mode}).")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("PRAGMA foreign_keys=ON")
    if access is Access.BESIDE:
        raw.execute("PRAGMA wal_autocheckpoint=0")

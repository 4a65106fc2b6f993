"""A journal that cannot be trusted any more: found at open, before anything is written to it, and set aside whole.

An unguarded room is worse than a guard that has forgotten: it begins an empty journal, and what follows from that is
told. A journal of a newer version is not damaged, nor is one that cannot be read just now.

All of it is read at each open: 1 s for 73 MB (160,000 entries and a week of 8 sensors), some ms for a usual one.
"""

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from thermo_guard.ports import Refused

from . import schema
from .database import BUSY_TIMEOUT_S, DATABASE_FILE, DamagedError, fault_of
from .reserve import sync

_FIRST_TABLES = {"alembic_version", "site", "snapshot", "event", "sample"}
_BESIDE = ("-wal", "-shm")


def examine(folder: Path) -> None:
    """Read all of the journal that is in the folder, if any; changes nothing of it.

    :raises DamagedError: it is damaged; the text says how.
    :raises Fault: it cannot be read now.
    """
    path = folder / DATABASE_FILE
    try:
        if path.stat().st_size == 0:
            raise DamagedError(f"The journal in {folder} is an empty file.")
    except FileNotFoundError:
        return
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.") from error
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as database:
            database.text_factory = bytes  # so that what is no UTF-8 is seen here, and as what it is
            if (why := _damage(database)) is not None:
                raise DamagedError(f"The journal in {folder} is damaged: {why}.")
    except sqlite3.Error as error:
        raise fault_of(error, folder) from error


def set_aside(folder: Path, now: datetime) -> Path:
    """Rename the journal with all that belongs to it, so that nothing is lost; where it lies now.

    :param now: for the name.
    :raises Refused: the folder does not allow it.
    """
    name = f"{DATABASE_FILE}.damaged-{now:%Y%m%dT%H%M%SZ}"
    place = next(place for number in range(1, 1_000_000)
                 if not (place := folder / (name if number == 1 else f"{name}-{number}")).exists())
    try:
        # The file itself last: as long as it is there, what has been cut short is found again.
        for suffix in (*_BESIDE, ""):
            part = folder / f"{DATABASE_FILE}{suffix}"
            if part.exists():
                part.replace(f"{place}{suffix}")
        sync(folder)
    except OSError as error:
        raise Refused(f"The journal in {folder} is damaged, and cannot be set aside ({error.strerror}). Move it away "
                      "and start again.") from error
    return place


def _damage(database: sqlite3.Connection) -> str | None:
    """What is wrong with it, in words."""
    tables = {name.decode(errors="replace") for (name,) in database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )}
    if not tables and database.execute("PRAGMA page_count").fetchone()[0] <= 1:
        return None  # the very first start ended before it had made them
    found = [row[0].decode() for row in database.execute("SELECT version_num FROM alembic_version")
             ] if "alembic_version" in tables else []
    if found and found[0] not in schema.REVISIONS:
        return None  # of a newer version, which only that one can judge
    wanted = _FIRST_TABLES | set(schema.metadata.tables) if found[:1] == [schema.REVISIONS[-1]] else _FIRST_TABLES
    if lost := wanted - tables:
        return f"there is no table {', '.join(sorted(lost))} in it"
    if not found:
        return "it does not say which version made it"
    said: bytes = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if said != b"ok":
        return said.decode(errors="replace").replace("\n", " ")
    return _torn(database, "snapshot", "epoch") or _torn(database, "event", "seq")


def _torn(database: sqlite3.Connection, table: str, number: str) -> str | None:
    """The first row of a table whose text is none."""
    for row, body in database.execute(f"SELECT {number}, body FROM {table}"):  # noqa: S608 - of this module's words
        try:
            json.loads(body)
        except (ValueError, TypeError, RecursionError):
            return f"{table} {row} is torn"
    return None

"""Putting an order into the journal beside the guard that owns it: one short transaction of another process."""

from pathlib import Path

from sqlalchemy import insert, select

from thermo_guard.core.wishes import Wish
from thermo_guard.ports import Refused

from . import reserve, schema
from .codec import encode_wish
from .database import Access, NoRoomError, connect, database_faults, disconnect, require_current


def put(folder: Path, wish: Wish, site_id: str) -> int:
    """The order's number; durable on return. On a full disk the reserve is given back for it.

    :raises Fault: as `SqlJournal.put_wish`.
    """
    try:
        return _put(folder, wish, site_id)
    except NoRoomError:
        if not reserve.give_back(folder):
            raise
        return _put(folder, wish, site_id)


def _put(folder: Path, wish: Wish, site_id: str) -> int:
    connection = connect(folder, Access.BESIDE)
    try:
        with database_faults(folder):
            require_current(connection, folder)
            with connection.begin():
                if connection.scalar(select(schema.site.c.id).where(schema.site.c.id == site_id)) is None:
                    raise Refused(f"The journal in {folder} knows no site {site_id!r}: no guard has worked on it.")
                row = {"site": site_id, "at": wish.at, "body": encode_wish(wish)}
                key = connection.execute(insert(schema.wish).values(row)).inserted_primary_key
    finally:
        disconnect(connection)
    assert key is not None  # noqa: S101 - one row was inserted
    return int(key[0])

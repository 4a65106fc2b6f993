"""The journal as `ports.Journal` has it: every write is one durable transaction, fenced by site, epoch and owner.

Synchronous on purpose: a commit is a fraction of a millisecond on a local disk, and an intent must be durable before
the next line runs. Call it from one thread at a time.
"""

import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import structlog
from sqlalchemy import Connection, Text, bindparam, cast, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from thermo_guard.core.events import Entry, Event, WishTaken
from thermo_guard.core.readings import Kind, Reading
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.wishes import Wish
from thermo_guard.ports import Displaced, Refused

from . import reserve, schema
from .codec import decode_event, decode_snapshot, decode_wish, encode_event, encode_snapshot
from .damage import examine, set_aside
from .database import (
    DATABASE_FILE,
    Access,
    DamagedError,
    NoRoomError,
    bring_up_to_date,
    connect,
    database_faults,
    discard_if_empty,
    disconnect,
    require_current,
)
from .folder_lock import FolderLock
from .inbox import put
from .interest import counts, prune
from .schema import event, sample, site, snapshot, wish

PRUNE_EVERY_S = 900.0
MOST_C = 10_000.0
"""Beyond it a sensor's number is not kept: it says nothing of any room."""
WISHES_AFTER = (
    select(wish.c.number, wish.c.at, cast(wish.c.body, Text))
    .where(wish.c.site == bindparam("of_site"), wish.c.number > bindparam("after")).order_by(wish.c.number)
)
APPEND = insert(event)
FENCE = update(site).where(
    site.c.id == bindparam("of_site"), site.c.epoch == bindparam("our_epoch"), site.c.owner == bindparam("our_owner")
).values(epoch=site.c.epoch)
"""All made once: to put one together anew costs more than the database does."""

log = structlog.get_logger()


class SiteTakenError(Displaced):
    """Another guard owns the site: this one must end."""


class JournalReader:
    """Reads beside the guard that writes, without its lock; sees what was committed."""

    def __init__(self, folder: Path, connection: Connection, site_id: str) -> None:
        self._folder = folder
        self._connection = connection
        self._site = site_id

    def entries(self) -> Sequence[Entry]:
        """What the record is folded from, oldest first; the start stays fast after years.

        The record folded from them is the record folded from all; `interest` says which they are, and why.

        :raises Fault: Refused where an entry cannot be read by this version; else as the database.
        """
        with self._reading() as connection:
            rows = connection.execute(
                select(event.c.seq, event.c.at, event.c.body)
                .where(event.c.site == self._site, counts(connection, self._site)).order_by(event.c.seq)
            ).all()
        return tuple(Entry(seq, at, decode_event(body, seq)) for seq, at, body in rows)

    def answer_to(self, number: int) -> WishTaken | None:
        """What became of an order: taken up or declined; None while the guard has done neither.

        :raises Fault: as `entries`.
        """
        is_answer = (event.c.kind == "wish.taken") & (event.c.body["wish"]["number"].as_integer() == number)
        query = (
            select(event.c.seq, event.c.body).where(event.c.site == self._site, is_answer)
            .order_by(event.c.seq.desc()).limit(1)
        )
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        found = None if row is None else decode_event(row.body, row.seq)
        return found if isinstance(found, WishTaken) else None

    def snapshot(self) -> Snapshot | None:
        with self._reading() as connection:
            body = connection.scalar(select(snapshot.c.body).where(snapshot.c.site == self._site))
        return None if body is None else decode_snapshot(body)

    def readings(self, since: float) -> Sequence[Reading]:
        """Kept measurements seen since then, oldest first, to a hundredth of a degree."""
        columns = (sample.c.sensor, sample.c.centi_c, sample.c.stamp, sample.c.seen_at, sample.c.age_s, sample.c.kind)
        query = (
            select(*columns).where(sample.c.site == self._site, sample.c.seen_at >= since)
            .order_by(sample.c.seen_at, sample.c.stamp, sample.c.sensor)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return tuple(Reading(sensor, centi_c / 100, stamp, seen, age, Kind(kind))
                     for sensor, centi_c, stamp, seen, age, kind in rows)

    def incidents(self) -> Sequence[tuple[float, float | None]]:
        """When each kept incident began, by an alarm or an order, and was closed; None while it is open. Oldest first.

        Also those of which `entries` says nothing any more.
        """
        kinds = ("alarm.tripped", "shutdown.wished", "incident.closed")
        query = (
            select(event.c.kind, event.c.at).where(event.c.site == self._site, event.c.kind.in_(kinds))
            .order_by(event.c.seq)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        found: list[tuple[float, float | None]] = []
        for kind, at in rows:
            is_open = bool(found) and found[-1][1] is None
            if kind != "incident.closed" and not is_open:
                found.append((at, None))
            elif kind == "incident.closed" and is_open:
                found[-1] = (found[-1][0], at)
        return tuple(found)

    def close(self) -> None:
        disconnect(self._connection)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with database_faults(self._folder), self._connection.begin():
                yield self._connection
        except json.JSONDecodeError as torn:
            raise DamagedError(f"The journal in {self._folder} is damaged: an entry is torn ({torn}).") from torn


class SqlJournal(JournalReader):
    """Implements `ports.Journal`, for the one guard that holds the folder."""

    def __init__(self, folder: Path, connection: Connection, site_id: str, owner: str, lock: FolderLock) -> None:
        super().__init__(folder, connection, site_id)
        self.owner = owner
        self.set_aside: str | None = None
        """Why the journal that was found is not this one, and where it is kept, for people."""
        self.gave_back_reserve: str | None = None
        """Why this start needed the reserve, for people."""
        self._lock = lock
        self._pruned_at: float | None = None
        self._unreadable: set[int] = set()
        self._nothing_at: tuple[int | None, int] | None = None
        """When the inbox was last seen empty: the others' writes by then, and after which number."""
        with database_faults(folder):
            bring_up_to_date(connection)
            self._epoch = _claim(connection, site_id, owner)

    @classmethod
    def open(cls, data_dir: Path, site: str = "default", owner: str | None = None, *, reserve_bytes: int = 0) -> Self:
        """Take the folder, bring its tables up to date and become the site's owner.

        A damaged journal is set aside and an empty one begun: `set_aside` then says so. On a full disk the reserve is
        given back first: `gave_back_reserve` says so.

        :param owner: random per start of a process; default 16 hex digits.
        :param reserve_bytes: room to keep for a full disk; 0: none is made, one that is there stays.
        :raises Fault: FolderTakenError where another process guards the folder (named), Refused where a newer version
            made the journal; Transient where the disk does not take writes.
        """
        owner = owner or secrets.token_hex(8)
        said: str | None = None
        given_back: str | None = None
        with ExitStack() as undo:
            lock = FolderLock.take(data_dir, owner)
            undo.callback(lock.release)
            while True:
                try:
                    examine(data_dir)
                    journal = cls._owned(data_dir, site, owner, lock)
                    break
                except DamagedError as damaged:
                    if said is not None:
                        raise
                    said = f"{damaged} It is kept as {set_aside(data_dir, lock.taken_at)}."
                except NoRoomError as full:
                    if not reserve.give_back(data_dir):
                        raise
                    given_back = str(full)
            undo.pop_all()
        journal.set_aside, journal.gave_back_reserve = said, given_back
        if reserve_bytes:
            reserve.make(data_dir, reserve_bytes)
        return journal

    @classmethod
    def _owned(cls, folder: Path, site: str, owner: str, lock: FolderLock) -> Self:
        is_new = not cls.is_in(folder)
        with ExitStack() as undo:
            if is_new:
                undo.callback(discard_if_empty, folder)
            connection = connect(folder, Access.OWN)
            undo.callback(disconnect, connection)
            journal = cls(folder, connection, site, owner, lock)
            undo.pop_all()
            return journal

    @staticmethod
    def read_only(data_dir: Path, site: str = "default") -> JournalReader:
        """Open it beside a running guard, for `status` and `plan`.

        :raises Fault: Refused where there is none, or its tables are of another version.
        """
        with ExitStack() as undo:
            connection = connect(data_dir, Access.READ)
            undo.callback(disconnect, connection)
            with database_faults(data_dir):
                require_current(connection, data_dir)
            undo.pop_all()
        return JournalReader(data_dir, connection, site)

    @staticmethod
    def put_wish(data_dir: Path, wish: Wish, site: str = "default") -> int:
        """Put an order into the inbox beside the guard that may be running; durable on return, with its number.

        Neither takes the folder's lock nor claims the site.

        :param wish: its number is not looked at.
        :raises Fault: Refused where there is no journal yet or its tables are of another version; Transient where the
            disk does not take writes or another program holds the database.
        """
        return put(data_dir, wish, site)

    @staticmethod
    def is_in(data_dir: Path) -> bool:
        """Whether the folder has a journal at all."""
        return (data_dir / DATABASE_FILE).exists()

    def append(self, at: float, *events: Event) -> Sequence[Entry]:
        """Write the events in one transaction; durable on return.

        :raises Fault: SiteTakenError where another owner has taken the site, Transient where the disk would not.
        """
        if not events:
            return ()
        rows = [
            {"site": self._site, "epoch": self._epoch, "at": at, "kind": each.kind, "body": encode_event(each)}
            for each in events
        ]
        with self._writing() as connection:
            keys = [connection.execute(APPEND, row).inserted_primary_key for row in rows]
        return tuple(Entry(key[0], at, each) for key, each in zip(keys, events, strict=True) if key is not None)

    def keep_snapshot(self, snapshot: Snapshot) -> None:
        """Put it in the place of the one before.

        :raises Fault: as `append`.
        """
        table = schema.snapshot
        row = {"epoch": self._epoch, "at": snapshot.at, "body": encode_snapshot(snapshot)}
        with self._writing() as connection:
            if connection.execute(update(table).where(table.c.site == self._site).values(row)).rowcount == 0:
                connection.execute(insert(table).values(site=self._site, **row))

    def keep_readings(self, readings: Sequence[Reading]) -> None:
        """Keep new measurements; one (sensor, stamp) is kept once. Now and then, drop what has grown old.

        :raises Fault: as `append`.
        """
        if not readings:
            return
        rows = [
            {"site": self._site, "sensor": each.sensor, "stamp": each.stamp, "seen_at": each.seen_at,
             "centi_c": round(each.celsius * 100), "age_s": each.age_s, "kind": str(each.kind)}
            for each in readings if abs(each.celsius) <= MOST_C
        ]
        if not rows:
            return
        now = max(each.seen_at for each in readings)
        with self._writing() as connection:
            connection.execute(upsert(sample).on_conflict_do_nothing(), rows)
            if self._pruned_at is None or now - self._pruned_at >= PRUNE_EVERY_S:
                prune(connection, self._site, now)
                self._pruned_at = now

    def wishes(self, after: int) -> Sequence[Wish]:
        """The operator's orders with a number above `after`, oldest first; one that cannot be read is left out.

        :raises Fault: as the database.
        """
        asked = (self._others_have_written(), after)
        if asked[0] is not None and asked == self._nothing_at:
            return ()
        with self._reading() as connection:
            rows = connection.execute(WISHES_AFTER, {"of_site": self._site, "after": after}).all()
        self._nothing_at = None if rows else asked
        return tuple(found for number, at, body in rows if (found := self._wish(number, at, body)) is not None)

    def _others_have_written(self) -> int | None:
        """A number of SQLite's that changes with each commit of another connection, for a question that is put at each
        tick and answered once a year; None where it is not to be had.
        """
        driver = self._connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            return None
        try:
            (version,) = driver.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return None  # the question itself then says what is wrong
        return int(version)

    def _wish(self, number: int, at: float, body: str) -> Wish | None:
        """One order; None, said once, where it cannot be read: it must not stand in the way of those after it."""
        try:
            return decode_wish(number, at, body)
        except Refused as refused:
            if number not in self._unreadable:
                self._unreadable.add(number)
                log.warning("wish.not_read", reason=str(refused))
            return None

    def give_back_reserve(self) -> bool:
        """Delete the file that keeps some room on a full disk; False where there is none. It comes back at an open."""
        return reserve.give_back(self._folder)

    def close(self) -> None:
        """Let go of the site and the folder."""
        super().close()
        self._lock.release()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction that holds only while the site is ours."""
        ours = {"of_site": self._site, "our_epoch": self._epoch, "our_owner": self.owner}
        with database_faults(self._folder), self._connection.begin():
            if self._connection.execute(FENCE, ours).rowcount != 1:
                raise SiteTakenError(f"Another guard owns the site {self._site!r} now: this one must not act on it any "
                                     "more.")
            yield self._connection


def _claim(connection: Connection, site_id: str, owner: str) -> int:
    """Become the site's owner under a new epoch; embedded, the folder's lock has already kept every other one out."""
    with connection.begin():
        epoch = connection.scalar(select(site.c.epoch).where(site.c.id == site_id))
        if epoch is None:
            connection.execute(insert(site).values(
                id=site_id, zone="", epoch=1, owner=owner, state={}, schema_version=schema.SCHEMA_VERSION
            ))
            return 1
        connection.execute(
            update(site).where(site.c.id == site_id).values(epoch=epoch + 1, owner=owner, lease_until=None)
        )
        return int(epoch) + 1

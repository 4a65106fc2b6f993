"""The ledger before a journal that fails: what ends the guard, what waits in memory, and what people are told."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from core.plants import kept_host, kept_vm, snapshot
from engine.full_disk import FullDisk
from engine.rig import Outbox
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core import events as ev
from thermo_guard.core.events import Entry, Event
from thermo_guard.core.readings import Reading
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.engine.ledger import Ledger
from thermo_guard.ports import Displaced, Fault, Refused

KEPT = snapshot([kept_host("esx1")], [kept_vm("web", "esx1")])
READING = Reading("a", 24.0, 1_767_340_000.0, 1_767_340_000.0, 0.0)
TRIP = (ev.AlarmTripped("20260102T080000Z", "high", ("hot",)),)
BLIND = ev.LevelChanged("blind", "low", ("no answer",))


class Failing(FullDisk):
    """A disk that may be full, under a journal that another guard may take or that may be broken."""

    fault: Fault | None = None

    def _write(self) -> None:
        if self.fault is not None:
            raise self.fault
        super()._write()


class Kept:
    """A ledger with what is around it."""

    def __init__(self, folder: Path) -> None:
        self.journal = Failing(SqlJournal.open(folder), takes_readings=False, reserve=None)
        self.outbox = Outbox()
        self.heard: list[Event] = []
        self.ledger = Ledger(self.journal, self.outbox, SteadyClock(epoch=1_767_340_800.0), (self._hear,))

    def _hear(self, _at: float, event: Event) -> None:
        self.heard.append(event)

    def on_record(self) -> list[Event]:
        return [entry.event for entry in self.entries()]

    def entries(self) -> Sequence[Entry]:
        return self.journal.entries()

    def snapshot(self) -> Snapshot | None:
        return self.journal.snapshot()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


async def test_a_guard_that_was_displaced_ends_at_each_of_its_writes(kept: Kept) -> None:
    """Another has the site: events, snapshot and readings alike, on the way down too, and nothing is taken up."""
    kept.ledger.write(*TRIP)
    kept.journal.is_full = True
    assert kept.ledger.write(ev.SnapshotClosed("20260102T080000Z")), "from memory"
    kept.journal.fault = Displaced("another guard has the site")
    record = kept.ledger.record
    with pytest.raises(Displaced):
        kept.ledger.write(BLIND)
    with pytest.raises(Displaced):
        kept.ledger.catch_up()
    with pytest.raises(Displaced):
        kept.ledger.keep_snapshot(KEPT)
    with pytest.raises(Displaced):
        kept.ledger.keep_readings([READING])
    assert kept.ledger.record is record
    assert kept.ledger.snapshot is None


async def test_a_broken_journal_ends_the_guard_in_quiet_time_only(kept: Kept) -> None:
    """The next start mends it; a shutdown that is under way goes on from memory."""
    kept.journal.fault = Refused("malformed")
    with pytest.raises(Refused):
        kept.ledger.write(BLIND)
    with pytest.raises(Refused):
        kept.ledger.keep_readings([READING])
    kept.journal.fault = None
    kept.ledger.write(*TRIP)
    kept.journal.fault = Refused("malformed")
    assert kept.ledger.write(ev.SnapshotClosed("20260102T080000Z"))
    kept.ledger.keep_readings([READING])
    kept.ledger.catch_up()
    assert kept.ledger.fault == "malformed"
    assert kept.outbox.titles.count("The journal cannot be written: nothing is powered on until it can") == 1


async def test_a_snapshot_that_finds_no_room_is_none_but_on_the_way_down(kept: Kept) -> None:
    """There it is kept in memory, and is the first to be written; in quiet time the one before stands."""
    kept.journal.is_full = True
    assert not kept.ledger.keep_snapshot(KEPT)
    assert kept.ledger.snapshot is None
    kept.journal.is_full = False
    kept.ledger.write(*TRIP)
    kept.journal.is_full = True
    assert kept.ledger.keep_snapshot(KEPT)
    assert kept.ledger.write(ev.SnapshotClosed("20260102T080000Z"))
    assert kept.snapshot() is None
    kept.ledger.catch_up()
    assert kept.ledger.fault is not None
    kept.journal.is_full = False
    kept.ledger.catch_up()
    assert kept.ledger.fault is None
    assert kept.snapshot() == KEPT
    assert kept.on_record() == [*TRIP, ev.SnapshotClosed("20260102T080000Z")]


async def test_an_alarm_that_is_only_observed_is_told_once_though_it_is_not_on_record(kept: Kept) -> None:
    """In observe mode on a full disk: each alarm, not each tick; anew once the room was seen otherwise."""
    kept.journal.is_full = True
    observed = ev.AlarmObserved("high", ("hot",))
    title = "is being done"
    for _ in range(3):
        assert not kept.ledger.write(observed)
    assert sum(title in one for one in kept.outbox.titles) == 1, kept.outbox.titles
    assert not kept.ledger.write(BLIND)
    assert not kept.ledger.write(observed)
    assert sum(title in one for one in kept.outbox.titles) == 2
    assert kept.heard == []
    assert kept.ledger.write(), "nothing to write is no failure"

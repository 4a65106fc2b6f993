"""A journal that does not take writes: people are told once, of alarm and blindness too although unwritten."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.events import Entry, Event
from thermo_guard.core.readings import Reading
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.wishes import Wish
from thermo_guard.ports import Journal, Transient
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office
from thermo_guard.sim.site import SENSORS

HOUR_S = 3600.0
CANNOT = "The journal cannot be written"
CAN = "The journal can be written again"


class FullDisk:
    """ports.Journal around the real one, on a disk that is full while it is told so.

    :param takes_readings: only events find no room; the rest still does.
    """

    def __init__(self, journal: Journal, *, takes_readings: bool) -> None:
        self.journal = journal
        self.takes_readings = takes_readings
        self.is_full = False

    def _write(self) -> None:
        if self.is_full:
            raise Transient("database or disk is full")

    def entries(self) -> Sequence[Entry]:
        return list(self.journal.entries())

    def append(self, at: float, *events: Event) -> Sequence[Entry]:
        self._write()
        return list(self.journal.append(at, *events))

    def snapshot(self) -> Snapshot | None:
        return self.journal.snapshot()

    def keep_snapshot(self, snapshot: Snapshot) -> None:
        if not self.takes_readings:
            self._write()
        self.journal.keep_snapshot(snapshot)

    def readings(self, since: float) -> Sequence[Reading]:
        return list(self.journal.readings(since))

    def keep_readings(self, readings: Sequence[Reading]) -> None:
        if not self.takes_readings:
            self._write()
        self.journal.keep_readings(readings)

    def wishes(self, after: int) -> Sequence[Wish]:
        return self.journal.wishes(after)

    def give_back_reserve(self) -> bool:
        return False

    def close(self) -> None:
        self.journal.close()


def on_a_disk(folder: Path, *, takes_readings: bool = False) -> tuple[Guarded, list[FullDisk]]:
    guarded = Guarded(folder, office())
    disks: list[FullDisk] = []

    def double(journal: Journal) -> Journal:
        disks.append(FullDisk(journal, takes_readings=takes_readings))
        return disks[-1]

    guarded.journal_double = double
    guarded.start()
    return guarded, disks


def told(guarded: Guarded, words: str) -> int:
    return sum(words in title for title in guarded.outbox.titles)


@pytest.mark.parametrize("takes_readings", [False, True])
def test_an_alarm_on_a_full_disk_is_told_once(tmp_path: Path, takes_readings: bool) -> None:
    """Nothing is commanded without an intent on record; that, and the alarm, is told once each; then all goes on."""

    async def scenario() -> None:
        guarded, disks = on_a_disk(tmp_path, takes_readings=takes_readings)
        await guarded.clock.sleep(900)
        disks[-1].is_full = True
        guarded.world.fail_cooling(3 * HOUR_S)
        guarded.make_room(38.5)
        await guarded.until(lambda: told(guarded, "NOTHING is being done"), 900)
        await guarded.clock.sleep(600)
        assert told(guarded, CANNOT) == 1
        alarms = [title for title in guarded.outbox.titles if "NOTHING is being done" in title]
        assert len(alarms) == len(set(alarms)), "once for each level"
        assert told(guarded, CAN) == 0
        assert "full" in str(guarded.board.last["journal_fault"])
        assert not [h for h in guarded.world.log if h.kind.startswith("call.")]
        disks[-1].is_full = False
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.kill()
        assert told(guarded, CAN) == 1
        assert told(guarded, "the cluster is being shut down") == 1
        assert guarded.board.last["journal_fault"] is None

    run(scenario())


def test_blindness_on_a_full_disk_is_told_each_time_it_begins_and_ends(tmp_path: Path) -> None:
    """Edges that are not on record are kept in memory: blind, sighted, blind again, and not at each tick."""

    async def scenario() -> None:
        guarded, disks = on_a_disk(tmp_path)
        await guarded.clock.sleep(900)
        disks[-1].is_full = True
        for times in (1, 2):
            guarded.site.faults.silence(SENSORS)
            await guarded.clock.sleep(HOUR_S)
            assert told(guarded, "BLIND") == times
            guarded.site.faults.mend(SENSORS)
            await guarded.clock.sleep(600)
            assert told(guarded, "Sighted again") == times
        assert not guarded.of(ev.AlarmTripped)
        guarded.site.faults.silence(SENSORS)
        await guarded.clock.sleep(HOUR_S)
        disks[-1].is_full = False
        await guarded.until(lambda: guarded.record.level == "blind", 600)
        await guarded.kill()
        assert told(guarded, "BLIND") == 3, "what was told is not told again when it gets on record"
        assert (told(guarded, CANNOT), told(guarded, CAN)) == (1, 1)

    run(scenario())


def test_the_end_of_a_full_disk_is_seen_without_an_event(tmp_path: Path) -> None:
    """In a quiet room there is nothing to write but readings: their being taken tells that the disk has room again."""

    async def scenario() -> None:
        guarded, disks = on_a_disk(tmp_path)
        await guarded.clock.sleep(900)
        disks[-1].is_full = True
        await guarded.until(lambda: told(guarded, CANNOT), 600)
        disks[-1].is_full = False
        await guarded.until(lambda: told(guarded, CAN), 600)
        await guarded.kill()
        assert told(guarded, CANNOT) == 1

    run(scenario())

"""A disk that is full while it is told so, under the journal of a guard."""

from collections.abc import Sequence
from pathlib import Path

from engine.rig import SETTINGS, Guarded
from thermo_guard.core.events import Entry, Event
from thermo_guard.core.readings import Reading
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.wishes import Wish
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.ports import Journal, NoRoom
from thermo_guard.sim.plans import office


class FullDisk:
    """ports.Journal around the real one, on a disk that is full while it is told so.

    :param takes_readings: only events find no room; the rest still does.
    :param reserve: so many events find room in the reserve; None: there is none.
    """

    def __init__(self, journal: Journal, *, takes_readings: bool, reserve: int | None) -> None:
        self.journal = journal
        self.takes_readings = takes_readings
        self.reserve = reserve
        self.is_full = False
        self.room = 0

    def _write(self) -> None:
        if self.is_full:
            self.room -= 1
            if self.room < 0:
                raise NoRoom("database or disk is full")

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
        if self.reserve is None:
            return False
        self.room, self.reserve = self.reserve, None
        return True

    def close(self) -> None:
        self.journal.close()


def on_a_disk(
    folder: Path, *, takes_readings: bool = False, reserve: int | None = None, settings: LoopSettings = SETTINGS
) -> tuple[Guarded, list[FullDisk]]:
    guarded = Guarded(folder, office(), settings)
    disks: list[FullDisk] = []

    def double(journal: Journal) -> Journal:
        disks.append(FullDisk(journal, takes_readings=takes_readings, reserve=reserve))
        return disks[-1]

    guarded.journal_double = double
    guarded.start()
    return guarded, disks

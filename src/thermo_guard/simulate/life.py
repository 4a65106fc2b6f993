"""One life of the guard's process, from its start to its end, which may come at any await and at every write.

What is done from memory by a process that has ended would be no crash at all: after its end nothing passes.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from thermo_guard.core.events import Entry, Event
from thermo_guard.core.readings import Reading
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.wishes import Wish
from thermo_guard.ports import Journal, NoRoom


class Killed(BaseException):
    """The process is gone. No `Exception`, since no handler of the program's is there any more to take it."""


@dataclass(slots=True)
class Crash:
    """When the process ends next: the `left`-th time that it passes a point."""

    point: str
    """'before call', 'after call', 'before write' or 'after write'."""
    left: int


@dataclass(slots=True)
class Life:
    crash: Crash | None = None
    is_over: bool = False
    task: "asyncio.Task[None] | None" = None
    """The loop's; all others hang on it."""

    def passes(self, point: str) -> None:
        """Go on, unless the process ends here or has ended before.

        :raises Killed: it has.
        """
        if self.crash is not None and self.crash.point == point and not self.is_over:
            self.crash.left -= 1
            if self.crash.left <= 0:
                self.end()
        if self.is_over:
            raise Killed

    def end(self) -> None:
        """As kill -9: at once, wherever it is."""
        self.is_over = True
        if self.task is not None and asyncio.current_task() is not self.task:
            self.task.cancel()


@dataclass(slots=True)
class Disk:
    """The folder's file system, whoever's process writes on it."""

    is_full: bool = False


@dataclass(slots=True)
class LivedJournal:
    """ports.Journal around the real one, for one life."""

    journal: Journal
    life: Life
    disk: Disk
    appended: Callable[[Sequence[Entry]], None]
    """Hears what has become durable, before the guard does."""
    kept: list[Snapshot] = field(default_factory=list)
    """The last snapshot that is durable."""

    def entries(self) -> Sequence[Entry]:
        return self.journal.entries()

    def append(self, at: float, *events: Event) -> Sequence[Entry]:
        self._begins()
        entries = self.journal.append(at, *events)
        self.appended(entries)
        self.life.passes("after write")
        return entries

    def snapshot(self) -> Snapshot | None:
        return self.journal.snapshot()

    def keep_snapshot(self, snapshot: Snapshot) -> None:
        self._begins()
        self.journal.keep_snapshot(snapshot)
        self.kept[:] = [snapshot]
        self.life.passes("after write")

    def readings(self, since: float) -> Sequence[Reading]:
        return self.journal.readings(since)

    def keep_readings(self, readings: Sequence[Reading]) -> None:
        self._begins()
        self.journal.keep_readings(readings)
        self.life.passes("after write")

    def wishes(self, after: int) -> Sequence[Wish]:
        return self.journal.wishes(after)

    def give_back_reserve(self) -> bool:
        return False

    def close(self) -> None:
        self.journal.close()

    def _begins(self) -> None:
        self.life.passes("before write")
        if self.disk.is_full:
            raise NoRoom("database or disk is full")

"""A rehearsal as it is followed from beside the guard: until it is over, with how long each step took.

The journal says what was done; that the guard still works is seen by its lock and its status.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .adapters import status as status_file
from .adapters.journal import SqlJournal
from .core import events as ev
from .core.events import Entry
from .core.messages import described
from .orders import is_running
from .ports import Clock, Refused, Transient

FOLLOWED_S = 4 * 3600.0
"""Longer than all the deadlines of one host's way down and back together."""
LOOK_EVERY_S = 1.0
ABSENT_S = 30.0
"""A guard that is gone for so long is not merely being restarted."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a rehearsal."""

    what: str
    took_s: float | None
    """None: it was not asked for, or is not over."""


@dataclass(frozen=True, slots=True)
class Course:
    """What the journal has of a rehearsal."""

    begun: ev.RehearsalWished
    entries: tuple[Entry, ...]
    """From its beginning to its end."""
    closed: ev.IncidentClosed | None = None
    overtaken_by: str = ""
    """What took its place, in words."""

    @property
    def is_over(self) -> bool:
        return self.closed is not None or bool(self.overtaken_by)

    @property
    def has_come_back(self) -> bool:
        """It ran to its end, and everything is as it was."""
        return self.closed is not None and not self.closed.differences and not self.closed.aborted_by

    @property
    def steps(self) -> tuple[Step, ...]:
        """Each phase, and under it what was seen to be done."""
        edges = [entry.at for entry in self.entries if isinstance(entry.event, ev.PhaseBegun)]
        ends = iter([*edges[1:], self.entries[-1].at if self.is_over else None])
        found: list[Step] = []
        stands: dict[str, str] = {}
        # What was seen ended the phase before the one that it was written with.
        for entry in sorted(self.entries, key=lambda entry: (entry.at, isinstance(entry.event, ev.PhaseBegun))):
            match entry.event:
                case ev.PhaseBegun(phase=phase, tier=tier):
                    end = next(ends)
                    found.append(Step(described(phase, tier), None if end is None else end - entry.at))
                case ev.Observed(sightings=sightings):
                    new = [one for one in sightings if stands.get(one.target) != one.power]  # each way looks anew
                    stands |= {one.target: one.power for one in new}
                    found += [Step(f"  {one.name} is {one.power}", one.took_s) for one in new]
                case ev.Abandoned(reason=reason):
                    found.append(Step(f"  given up: {reason}", None))
        return tuple(found)


def course_of(entries: Sequence[Entry], number: int) -> Course | None:
    """The rehearsal that the order with this number began; None where it has not begun."""
    is_taken, begun, own = False, None, list[Entry]()
    for entry in entries:
        event = entry.event
        if begun is None:
            is_taken = is_taken or (isinstance(event, ev.WishTaken) and event.wish.number == number)
            if is_taken and isinstance(event, ev.RehearsalWished):
                begun, own = event, [entry]
            continue
        own.append(entry)
        match event:
            case ev.IncidentClosed(incident=begun.incident):
                return Course(begun, tuple(own), closed=event)
            case ev.AlarmTripped():
                return Course(begun, tuple(own), overtaken_by="the alarm")
            case ev.ShutdownWished(by=by):
                return Course(begun, tuple(own), overtaken_by=f"a shutdown that {by} asked for")
    return None if begun is None else Course(begun, tuple(own))


async def follow(
    folder: Path, number: int, clock: Clock, show: Callable[[Step], None], within_s: float = FOLLOWED_S
) -> Course | None:
    """Follow the rehearsal to its end; as far as it has come by then, None where it has not begun.

    :param show: is given each step once, as soon as it is seen; a phase that has begun has no time yet.
    :raises Fault: the guard has stopped, or the journal cannot be read.
    """
    deadline, last_sign, shown = clock.now() + within_s, clock.now(), 0
    course: Course | None = None
    journal = SqlJournal.read_only(folder)
    try:
        while True:
            with suppress(Transient):  # locked for a moment, perhaps
                course = course_of(journal.entries(), number)
            steps = () if course is None else course.steps
            for step in steps[shown:]:
                show(step)
            shown = len(steps)
            if (course is not None and course.is_over) or clock.now() >= deadline:
                return course
            if is_running(folder, _status(folder)):
                last_sign = clock.now()
            elif clock.now() - last_sign >= ABSENT_S:
                raise Refused("The guard has stopped in the midst of the rehearsal: it goes on with it when it is "
                              "started again")
            await clock.sleep(LOOK_EVERY_S)
    finally:
        journal.close()


def _status(folder: Path) -> status_file.Status | None:
    """None also where it cannot be read just now."""
    try:
        return status_file.read(folder)
    except Refused:
        return None

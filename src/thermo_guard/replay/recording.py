"""What was recorded, as the instants at which the policy would have been given it.

Rows of one instant are one answer of each kind of source. What came besides, of a wrong clock or twice, is named.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

from thermo_guard.core.readings import Kind, Poll, Reading, Rejected

from .rows import NOTHING, Rows, Senders, Tally
from .time_order import Fate, never_falls, place

INSTANT_S = 1.0
"""Rows that are no further apart are one answer."""
SAME_LAG_S = 60.0
"""The clock of a sensor that is behind by this much more or less is behind by the same time."""
LATEST_S = 86400.0
"""A row that was delivered later than this tells nothing any more."""
LEAST_ROWS = 3
OFTEN = 50
"""A sensor with fewer rows than the first, where the others have so many, is a slip of whoever wrote the file."""
TWICE = "sent again with the same time and value: counted once"
TWO_VALUES = "two values of one sensor at the same time"
FUTURE = "time ahead of the rows that follow"
LATE = "time behind the rows before it"
SLIP = "a sensor that nearly no row names"


@dataclass(frozen=True, slots=True)
class Instant:
    """What came at one moment."""

    at: float
    polls: tuple[Poll, ...]


@dataclass(frozen=True, slots=True)
class Habit:
    """How the sensors of one kind were recorded."""

    sensors: tuple[str, ...] = ()
    cadence_s: float | None = None
    """The usual time between two measurements of one of them; None where there are not two."""
    lists_all: bool = False
    """One answer tells of most of them: who is missing for days was taken away."""


@dataclass(slots=True)
class Recording:
    """The rows of all files, in time."""

    senders: Senders = field(default_factory=Senders)
    tally: Tally = field(default_factory=Tally)
    notes: list[str] = field(default_factory=list)
    """What was remarkable of a whole file."""
    files: list[Rows] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    now: array[float] = field(default_factory=lambda: array("d"))
    """When the policy was given each row, seconds since 1970 UTC; the rows of all files one after the other."""
    at: array[float] = field(default_factory=lambda: array("d"))
    sender: array[int] = field(default_factory=lambda: array("I"))
    celsius: array[float] = field(default_factory=lambda: array("d"))
    nonsense: dict[int, str] = field(default_factory=dict)
    fates: dict[int, Fate] = field(default_factory=dict)
    habits: Mapping[Kind, Habit] = field(default_factory=dict)
    """As `settle` finds them."""
    slips: frozenset[int] = frozenset()
    """Numbers of senders that are none."""

    def add(self, rows: Rows) -> None:
        """Take in one file, put in time; of `rows` only the places are left."""
        placed = place(rows.at, rows.sender)
        start = len(self.now)
        self.files.append(rows)
        self._starts.append(start)
        self.now.extend(placed.now)
        self.at.extend(rows.at)
        self.sender.extend(rows.sender)
        self.celsius.extend(rows.celsius)
        self.nonsense.update({start + row: why for row, why in rows.nonsense.items()})
        self.fates.update({start + row: fate for row, fate in placed.fates.items()})
        for row, fate in sorted(placed.fates.items()):
            self.tally.add(FUTURE if fate is Fate.FUTURE else LATE, rows.place(row), moment(rows.at[row]))
        if placed.note:
            self.notes.append(f"{rows.name} {placed.note}")
        for column in (rows.at, rows.sender, rows.celsius):
            del column[:]  # they are kept here

    def __len__(self) -> int:
        return len(self.now)

    def settle(self) -> None:
        """Find out how each kind was recorded, when all files are in."""
        rows_of = Counter(self.sender)
        names = self.senders.names
        rooms = {sensor for sensor, kind in names if kind is Kind.ROOM}
        names[:] = [(f"{sensor} (inlet)" if kind is Kind.BMC and sensor in rooms else sensor, kind)
                    for sensor, kind in names]
        slips: set[int] = set()
        for kind in Kind:
            mine = [who for who in rows_of if names[who][1] is kind]
            if mine and median(rows_of[who] for who in mine) >= OFTEN:
                slips |= {who for who in mine if rows_of[who] < LEAST_ROWS}
        self.slips = frozenset(slips)
        self.habits = {kind: self._habit(kind, rows_of) for kind in Kind}

    def _habit(self, kind: Kind, rows_of: Mapping[int, int]) -> Habit:
        names = self.senders.names
        mine = [who for who in rows_of if names[who][1] is kind and who not in self.slips]
        is_mine = [who in mine for who in range(len(names))]
        times = sorted({now for now, who in zip(self.now, self.sender, strict=True) if is_mine[who]})
        apart = [after - before for before, after in pairwise(times) if after - before > INSTANT_S]
        at_once = sum(rows_of[who] for who in mine) / (len(apart) + 1)
        return Habit(
            tuple(sorted(names[who][0] for who in mine)), self._cadence_s(mine),
            lists_all=at_once >= len(mine) / 2,
        )

    def _cadence_s(self, mine: Sequence[int]) -> float | None:
        """How often the quickest of them measures: beside each other they come more often than that."""
        last: dict[int, float] = {}
        gaps: dict[int, array[float]] = {who: array("d") for who in mine}
        for now, who in zip(self.now, self.sender, strict=True):
            if who in gaps:
                if now > last.get(who, now):
                    gaps[who].append(now - last[who])
                last[who] = now
        return min((median(apart) for apart in gaps.values() if apart), default=None)

    def instants(self) -> Iterator[Instant]:
        """What came, instant by instant. What came twice is counted on the way."""
        order: Sequence[int] = range(len(self.now))
        if not never_falls(self.now):
            order = sorted(order, key=self.now.__getitem__)
        answers = _Answers(self)
        now, row, count = self.now, 0, len(order)
        while row < count:
            end_at = now[order[row]] + INSTANT_S
            end = row + 1
            while end < count and now[order[end]] <= end_at:
                end += 1
            yield Instant(now[order[end - 1]], answers.polls(order[row:end]))
            row = end

    def place(self, row: int) -> str:
        file = bisect_right(self._starts, row) - 1
        return self.files[file].place(row - self._starts[file])


class _Answers:
    """Makes the rows of an instant into the answers of the sources; knows what each sensor has said last."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._at, self._celsius, self._sender = recording.at, recording.celsius, recording.sender
        self._fates, self._slips = recording.fates, recording.slips
        self._names = [sensor for sensor, _ in recording.senders.names]
        self._kinds = [kind for _, kind in recording.senders.names]
        count = len(self._names)
        self._last_at = [NOTHING] * count
        self._last_celsius = [NOTHING] * count
        self._late: dict[int, tuple[float, float]] = {}
        """Of sensors whose last row was late: when it came, and how far it was behind."""

    def polls(self, rows: Sequence[int]) -> tuple[Poll, ...]:
        at, celsius, sender, fates = self._at, self._celsius, self._sender, self._fates
        names, kinds, slips, last_at, last_celsius = (
            self._names, self._kinds, self._slips, self._last_at, self._last_celsius)
        readings: dict[Kind, list[Reading]] = {}
        odd: list[int] = []
        for row in rows:
            who, value, stamp = sender[row], celsius[row], at[row]
            kind = kinds[who]
            if who in slips:
                self._recording.tally.add(SLIP, self._recording.place(row), names[who])
                continue
            if kind not in readings:
                readings[kind] = []
            if value != value or last_at[who] == stamp or row in fates:  # noqa: PLR0124 - NOTHING is not even itself
                odd.append(row)
                continue
            last_at[who], last_celsius[who] = stamp, value
            readings[kind].append(Reading(names[who], value, stamp, stamp, 0.0, kind))
        rejected: dict[Kind, list[Rejected]] = {}
        for row in odd:
            self._take_odd(row, readings, rejected)
        now = self._recording.now[rows[-1]]
        return tuple(
            Poll(now, tuple(mine), tuple(rejected.get(kind, ())), kind, self._recording.habits[kind].lists_all)
            for kind, mine in readings.items()
        )

    def _take_odd(
        self, row: int, readings: dict[Kind, list[Reading]], rejected: dict[Kind, list[Rejected]]
    ) -> None:
        """A row without a value, of a wrong time, or of a time that its sensor has told of already."""
        of = self._recording
        who, stamp, now, value = of.sender[row], of.at[row], of.now[row], of.celsius[row]
        sensor, kind = of.senders.names[who]
        fate, why = of.fates.get(row), of.nonsense.get(row)
        if fate is Fate.FUTURE:
            why = f"future: stamped {moment(stamp)}, {span(stamp - now)} ahead"
        elif why is not None or value != value:  # noqa: PLR0124 - as above
            pass
        elif self._last_at[who] != stamp:
            if self._is_behind(who, now, stamp):
                why = f"late: its clock is {span(now - stamp)} behind"
            elif now - stamp <= LATEST_S:
                readings[kind].append(Reading(sensor, value, stamp, now, now - stamp, kind))
        else:
            if self._last_celsius[who] == value:
                of.tally.add(TWICE, of.place(row))
                return
            why = f"two values at the same time: {self._last_celsius[who]:g} and {value:g}"
            of.tally.add(TWO_VALUES, of.place(row), f"{self._last_celsius[who]:g} and {value:g} of {sensor}")
            readings[kind][:] = [one for one in readings[kind] if one.sensor != sensor or one.stamp != stamp]
        if why is not None:
            rejected.setdefault(kind, []).append(Rejected(sensor, why, kind))


    def _is_behind(self, who: int, now: float, stamp: float) -> bool:
        """Late by the same time again while others go on: a wrong clock. What is delivered late comes all at once."""
        before_at, before_s = self._late.get(who, (now, 0.0))
        self._late[who] = (now, now - stamp)
        return before_at < now and abs(now - stamp - before_s) <= SAME_LAG_S


def moment(at: float) -> str:
    """A time as the program writes it: UTC, fractions only where there are any."""
    try:
        text = datetime.fromtimestamp(at, UTC).isoformat(timespec="auto" if at % 1 else "seconds")
    except (OverflowError, ValueError, OSError):
        return f"{at:g}"
    return text.removesuffix("+00:00") + "Z"


def span(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 3 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"

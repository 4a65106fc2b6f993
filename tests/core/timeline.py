"""A room's day as a story, for tests: who measures what when, when the source is silent, and what level is expected.

Times are minutes since the start. A source serves the newest measurement of each sensor at every poll, as often as it
is polled; the guard assesses every 15 s and after each poll, as the loop does.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from thermo_guard.core.policy import Assessment, Level, PolicySettings, Room, assess, remembered, seen
from thermo_guard.core.readings import Poll, Reading, Rejected

STARTS_AT = 1_767_340_800.0
TICK_S = 15.0


@dataclass(frozen=True)
class Moment:
    minute: float
    room: Room
    assessment: Assessment


@dataclass
class Story:
    settings: PolicySettings = field(default_factory=lambda: PolicySettings(sensors=("a", "b", "c")))
    measured: list[tuple[float, str, float]] = field(default_factory=list)
    nonsense: list[tuple[float, float, str]] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)
    clock_error_s: float = 0.0
    """The guard's line minus the source's clock."""
    _sorted: Mapping[str, list[tuple[float, float]]] | None = None

    def measure(self, minute: float, **celsius: float) -> "Story":
        """Sensors measure once."""
        self.measured += [(minute, sensor, value) for sensor, value in celsius.items()]
        return self

    def steady(self, begin: float, end: float, every: float, **celsius: float) -> "Story":
        """Sensors measure the same again and again, from `begin` to before `end`."""
        minute = begin
        while minute < end:
            self.measure(minute, **celsius)
            minute += every
        return self

    def silent(self, begin: float, end: float) -> "Story":
        """The source gives no usable answer."""
        self.outages.append((begin, end))
        return self

    def rejected(self, begin: float, end: float, sensor: str) -> "Story":
        """The source answers, with nonsense for one sensor."""
        self.nonsense.append((begin, end, sensor))
        return self

    def restart(self, minute: float) -> "Story":
        """The guard dies and starts again with the readings it has kept."""
        self.restarts.append(minute)
        return self

    def until(self, end: float) -> list[Moment]:
        """Run the story from minute 0."""
        return list(self._moments(end))

    def _moments(self, end: float) -> Iterator[Moment]:
        self._sorted = None
        room = Room(started_at=STARTS_AT)
        kept: dict[tuple[str, float], Reading] = {}
        restarts = sorted(self.restarts)
        now_s, next_poll_s = 0.0, 0.0
        while now_s <= end * 60:
            now = STARTS_AT + now_s
            while restarts and restarts[0] * 60 <= now_s:
                restarts.pop(0)
                room = remembered(Room(started_at=now, sensors=room.sensors), kept.values(), self.settings)
            if now_s >= next_poll_s:
                next_poll_s = now_s + self.settings.poll_interval_s
                if not any(begin * 60 <= now_s < stop * 60 for begin, stop in self.outages):
                    poll = self._poll(now_s)
                    for reading in poll.readings:
                        kept.setdefault((reading.sensor, reading.stamp), reading)
                    room = seen(room, poll, self.settings)
            room, assessment = assess(room, self.settings, now)
            yield Moment(now_s / 60, room, assessment)
            now_s = min(now_s - now_s % TICK_S + TICK_S, next_poll_s)

    def _poll(self, now_s: float) -> Poll:
        bad = {sensor for begin, stop, sensor in self.nonsense if begin * 60 <= now_s < stop * 60}
        now = STARTS_AT + now_s
        newest = {}
        for sensor, told in self._by_sensor().items():
            if sensor not in bad and (count := bisect_right(told, (now_s, float("inf")))):
                newest[sensor] = told[count - 1]
        readings = tuple(
            Reading(sensor, celsius, STARTS_AT + at_s - self.clock_error_s, now, now_s - at_s)
            for sensor, (at_s, celsius) in newest.items()
        )
        return Poll(now, readings, tuple(Rejected(sensor, "no number") for sensor in sorted(bad)))

    def _by_sensor(self) -> Mapping[str, list[tuple[float, float]]]:
        """(second, degC) of each sensor, in order; what was told last for a time counts."""
        if self._sorted is None:
            told: dict[str, dict[float, float]] = {}
            for minute, sensor, celsius in self.measured:
                told.setdefault(sensor, {})[minute * 60] = celsius
            self._sorted = {sensor: sorted(values.items()) for sensor, values in told.items()}
        return self._sorted


def three(**changes: object) -> PolicySettings:
    """Three sensors as configured, and the defaults."""
    return replace(PolicySettings(sensors=("a", "b", "c")), **changes)  # type: ignore[arg-type]


def levels(moments: list[Moment], begin: float = 0.0, end: float = float("inf")) -> set[Level | None]:
    """Every level that stood between two minutes."""
    return {m.assessment.level for m in moments if begin <= m.minute <= end}


def first(moments: list[Moment], *wanted: Level) -> float | None:
    """The minute in which one of these levels first stood."""
    return next((m.minute for m in moments if m.assessment.level in wanted), None)


def recovered_at(moments: list[Moment]) -> float | None:
    return next((m.minute for m in moments if m.assessment.is_recovered), None)

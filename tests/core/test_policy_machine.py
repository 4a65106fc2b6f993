"""A room through any weeks: sensors that die, lie, repeat themselves or fall silent, polls lost, the guard restarted.

At each tick the policy says what the oracle says, and never what its promises forbid (S2, S3).
"""

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from core.room_oracle import BAND, BLIND, CRITICAL, HIGH, LOW, UNKNOWN_BETWEEN_S, Oracle, Rules
from thermo_guard.core.policy import Assessment, PolicySettings, Room, assess, remembered, seen
from thermo_guard.core.readings import Poll, Reading, Rejected

NAMES = ("a", "b", "c", "d")
STARTS_AT = 1_767_340_800
TICK_S = 60
MUST_BE_BLIND_S, MAY_BE_BLIND_S = 540, 300
"""After so much silence the room must be, and before so much of it may not be, called unseen for that silence."""

names = st.sampled_from(NAMES)
temperatures = st.sampled_from([18.0, 24.0, 30.0, 30.1, 33.0, 34.9, 35.0, 37.0, 39.9, 40.0, 45.0])
spans_s = st.sampled_from([1, 20, 59, 60, 240, 300, 301, 600, 900, 2700, 2701])


@dataclass
class Sensor:
    """One at the source, which serves what it measured last for as long as it is listed."""

    last: tuple[int, float] | None = None
    is_alive: bool = True
    shows: str = "value"
    """'value', 'nonsense' or 'nothing'."""


class RoomMachine(RuleBasedStateMachine):
    @initialize(
        count=st.none() | st.integers(1, 4), votes=st.none() | st.integers(1, 4), degrade_to=st.sampled_from([1, 2]),
        on_delay_s=st.sampled_from([0, 60, 300]), max_age_s=st.sampled_from([None, 60, 900]),
        hold_s=st.sampled_from([0, 300, 900]), clock_error_s=st.sampled_from([0, -7200, 86_400]),
        liars=st.sets(names, max_size=1), poll_s=st.sampled_from([1.0, 60.0, 300.0]),
    )
    def begin(
        self, *, count: int | None, votes: int | None, degrade_to: int, on_delay_s: int, max_age_s: int | None,
        hold_s: int, clock_error_s: int, liars: set[str], poll_s: float,
    ) -> None:
        """Any settings, and a source whose clock is not the guard's."""
        configured = None if count is None else NAMES[:count]
        votes = None if votes is None or configured is None else min(votes, len(configured))
        self.settings = PolicySettings(
            sensors=configured, votes=votes, degrade_to=degrade_to, on_delay_s=on_delay_s, max_age_s=max_age_s,
            recovery_hold_s=hold_s, poll_interval_s=poll_s)
        self.oracle = Oracle(Rules(configured, votes, degrade_to, on_delay_s, max_age_s, hold_s), STARTS_AT)
        self.clock_error_s = clock_error_s
        self.now = STARTS_AT
        self.room = Room(started_at=self.now)
        self.kept: dict[tuple[str, float], Reading] = {}
        self.sensors = {name: Sensor(shows="nonsense" if name in liars else "value") for name in NAMES}
        self.measured: dict[str, list[tuple[int, float]]] = {name: [] for name in NAMES}
        """What was really measured, whether or not the guard was ever told."""
        self.doubt_s = 0
        """By so much what was kept by a clock that was ahead may seem younger than it is."""

    @rule(name=names, celsius=temperatures)
    def measure(self, name: str, celsius: float) -> None:
        sensor = self.sensors[name]
        if sensor.is_alive and (sensor.last is None or sensor.last[0] < self.now):
            sensor.last = (self.now, celsius)
            self.measured[name].append(sensor.last)

    @rule(celsius=temperatures)
    def measure_all(self, celsius: float) -> None:
        for name in NAMES:
            self.measure(name, celsius)

    @rule()
    def poll(self) -> None:
        """The source answers: each sensor with its last measurement, with nonsense, or without it."""
        self.answer({name: sensor.last for name, sensor in self.sensors.items() if sensor.shows == "value"})

    @rule(name=names, back=st.integers(1, 3))
    def an_old_answer_comes_late(self, name: str, back: int) -> None:
        """What was measured before the last measurement is no news."""
        if len(self.measured[name]) > back:
            self.answer({name: self.measured[name][-1 - back]})

    def answer(self, served: dict[str, tuple[int, float] | None]) -> None:
        readings = tuple(
            Reading(name, sample[1], sample[0] - self.clock_error_s, self.now, self.now - sample[0])
            for name, sample in served.items() if sample is not None)
        rejected = tuple(Rejected(name, "no number") for name, s in self.sensors.items() if s.shows == "nonsense")
        self.room = seen(self.room, Poll(self.now, readings, rejected), self.settings)
        self.oracle.polled_at = self.now
        self.oracle.shown |= {one.sensor for one in rejected}
        for reading in readings:
            self.kept.setdefault((reading.sensor, reading.stamp), reading)
            self.oracle.told(reading.sensor, int(reading.stamp), reading.celsius, int(reading.measured_at))
        self.tick()

    @rule(span_s=spans_s)
    def no_answer(self, span_s: int) -> None:
        """Polls are lost, and time passes."""
        end = self.now + span_s
        while self.now < end:
            self.now = min(end, self.now + TICK_S)
            self.tick()

    @rule(celsius=st.lists(temperatures, min_size=4, max_size=4), count=st.integers(1, 20),
          every_s=st.sampled_from([60, 120, 600]))
    def stay(self, celsius: list[float], count: int, every_s: int) -> None:
        """The day goes on without an event: each living sensor measures the same again and again, and is heard."""
        for _ in range(count):
            for name, value in zip(NAMES, celsius, strict=True):
                self.measure(name, value)
            self.poll()
            self.no_answer(every_s)

    @rule(celsius=temperatures, span_s=st.sampled_from([2640, 2700, 2701, 5400]))
    def measure_seldom(self, celsius: float, span_s: int) -> None:
        """Twice the same, so far apart that hardly anything is known of the time between, or nothing."""
        for wait_s in (span_s, 0):
            self.measure_all(celsius)
            self.poll()
            self.no_answer(wait_s)

    @rule(name=names)
    def die(self, name: str) -> None:
        """It measures no more; its last value is still served, older each time."""
        self.sensors[name].is_alive = False

    @rule(name=names, shows=st.sampled_from(["nonsense", "nothing"]))
    def lie(self, name: str, shows: str) -> None:
        self.sensors[name].shows = shows

    @rule(name=names)
    def come_back(self, name: str) -> None:
        self.sensors[name].is_alive, self.sensors[name].shows = True, "value"

    @rule()
    def restart(self) -> None:
        """The guard is killed and starts again with the readings that it kept and the sensors on record."""
        self._restarted(ahead_s=0)

    @precondition(lambda self: self.kept)
    @rule(ahead_s=st.sampled_from([30, 3600]))
    def restart_with_the_clock_set_back(self, ahead_s: int) -> None:
        """What it kept was kept by a clock that was ahead: some of it lies in the future now."""
        self.doubt_s = max(self.doubt_s, ahead_s)
        self._restarted(ahead_s)

    def _restarted(self, ahead_s: int) -> None:
        shifted = [Reading(r.sensor, r.celsius, r.stamp, r.seen_at + ahead_s, r.age_s) for r in self.kept.values()]
        room = Room(started_at=self.now, sensors=self.room.sensors)
        self.room = remembered(room, shifted, self.settings)
        self.oracle.restarted(self.now)
        self.oracle.samples = {}
        for reading in shifted:
            self.oracle.told(reading.sensor, int(reading.stamp), reading.celsius, int(reading.measured_at))
        self.tick()

    def tick(self) -> None:
        self.room, told = assess(self.room, self.settings, self.now)
        self.oracle.suspects = {name for name, track in self.room.tracks.items() if track.suspicion is not None}
        self.oracle.above_usual_k = {name: track.above_usual_k for name, track in self.room.tracks.items()}
        level = self.oracle.by_sensors(self.now)
        silent_s = self.oracle.silent_s(self.now)
        if silent_s > MUST_BE_BLIND_S or (silent_s > MAY_BE_BLIND_S and told.level == BLIND):
            level = BLIND
        self.oracle.judged(level, self.now)
        self._says_what_the_readme_says(told, level)
        self._promises_hold(told)

    def _says_what_the_readme_says(self, told: Assessment, level: str | None) -> None:
        assert told.level == level, told.reasons
        assert tuple(s.sensor for s in told.sensors) == self.oracle.names
        assert [s.sensor for s in told.sensors if s.is_fresh] == self.oracle.fresh(self.now)
        assert [s.sensor for s in told.sensors if s.is_voting] == self.oracle.voters(self.now)
        if told.is_recovered:
            assert self.oracle.is_recovered(self.now)
        elif self.oracle.is_recovered(self.now):  # and more than time and votes can be lacking
            assert "has risen by" in told.not_yet or "its usual level" in told.not_yet
        assert told.permits_power_on == (level == LOW or (level == BAND and self.oracle.has_cooled))

    def _promises_hold(self, told: Assessment) -> None:
        """By what was really measured lately, and not by what anybody made of it."""
        most_s = UNKNOWN_BETWEEN_S + self.doubt_s
        lately = {name: [c for at, c in self.measured[name] if self.now - at <= most_s]
                  for name in self.oracle.names}
        rules = self.oracle.rules
        if told.level == HIGH:
            hot = [name for name, values in lately.items() if any(c >= rules.high_c for c in values)]
            assert len(hot) >= self.oracle.fewest
        if told.level == CRITICAL:
            assert any(c >= rules.critical_c for values in lately.values() for c in values)
        if told.is_recovered or told.level == LOW:
            assert any(c <= rules.low_c for values in lately.values() for c in values)
        if told.level in {BLIND, None}:
            assert not any((told.is_alarm, told.is_recovered, told.permits_power_on))


def test_any_room_is_judged_as_the_readme_says() -> None:
    """Whatever the sensors do, the level, the votes and the recovery follow the README's rules (S2, S3)."""
    run_state_machine_as_test(RoomMachine)

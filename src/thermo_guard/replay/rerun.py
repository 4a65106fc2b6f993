"""The policy over a recording: given each instant at its time, asked between them as often as the guard would ask.

What was recorded is what happened without the guard: no host has stopped for its trip. So the degrees after a trip are
those of a room that went on, and the margin is against the time at which that room became CRITICAL.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from thermo_guard.core.assessment import Level
from thermo_guard.core.decisions import STILL_BLIND_EVERY_S, Course, Decision, What
from thermo_guard.core.policy_settings import PolicySettings
from thermo_guard.core.readings import Kind, Poll, Reading
from thermo_guard.core.stages import Stage

from .recording import Instant, Recording

ASKED_EVERY_S = 60.0
SLOW_S = 120.0
"""Rows that usually come further apart were not the guard's polls: it asks each minute and is answered."""
ANSWERS_FOR = 2.5
"""For so many of its usual times between two rows a slow source is taken to answer."""
_TICKS = ((3600.0, ASKED_EVERY_S), (86400.0, STILL_BLIND_EVERY_S), (8 * 86400.0, 3600.0))
"""How often the policy is asked in a pause of the recording, by how long it has lasted. After eight days nothing
changes any more."""


@dataclass(slots=True)
class Trip:
    """One trip and what came of it."""

    at: float
    high_at: float | None
    """Since when the hottest that counted stood at or above HIGH; None where it did not when it tripped."""
    critical_at: float | None
    """When the recorded room became CRITICAL; None where it never did."""
    stop_s: float
    permissive_at: float | None = None
    blind_at: float | None = None
    """When the room was out of sight after it, neither CRITICAL nor permissive by then."""

    @property
    def margin_s(self) -> float | None:
        """Time left when everything was off, until the recorded room was CRITICAL; negative: it came too late."""
        return None if self.critical_at is None else self.critical_at - self.at - self.stop_s


@dataclass(slots=True)
class Outcome:
    """What the policy made of a recording."""

    began_at: float | None = None
    ended_at: float | None = None
    hottest_c: float | None = None
    """Of the sensors that counted."""
    hottest_at: float | None = None
    critical_in_s: float | None = None
    """The shortest time to CRITICAL that was ever projected; None: the room never rose above the floor."""
    trips: list[Trip] = field(default_factory=list)
    blind_s: float = 0.0
    counts: dict[What, int] = field(default_factory=dict)


class Rerun:
    """One way through a recording; `outcome` is complete when `decisions` has been gone through."""

    def __init__(
        self, recording: Recording, settings: PolicySettings, cooling_restored_at: float | None = None
    ) -> None:
        """:param cooling_restored_at: seconds since 1970; what is permissive says how long after it that came."""
        recording.settle()
        self.outcome = Outcome()
        self._recording = recording
        self._settings = settings
        self._restored_at = cooling_restored_at
        self._stop_s = settings.stop_s or 0.0
        self._off_at: float | None = None
        self._high_at: float | None = None
        self._critical_at: float | None = None
        self._blind_since: float | None = None
        self._heard_at: float | None = None
        """When the room's sensors were last heard of, by a row."""
        self._told_at = 0.0
        """When the policy was last told that their source answers."""
        cadence_s = recording.habits[Kind.ROOM].cadence_s or 0.0
        self._answers_for_s = ANSWERS_FOR * cadence_s if cadence_s > SLOW_S else 0.0

    def decisions(self) -> Iterator[Decision]:
        """What is decided, in time."""
        course: Course | None = None
        before = 0.0
        for instant in self._recording.instants():
            if course is None:
                course = Course(self._settings, instant.at)
                self.outcome.began_at = instant.at
            else:
                for now in self._ticks(course, before, instant.at):
                    yield from self._asked(course, now)
            self._take(course, instant)
            yield from self._asked(course, instant.at, instant.polls)
            before = instant.at
        if course is not None:
            self.outcome.ended_at = before
            if self._blind_since is not None:
                self.outcome.blind_s += before - self._blind_since

    def _take(self, course: Course, instant: Instant) -> None:
        self._stop_hosts(course, instant.at)
        for poll in instant.polls:
            course.take(poll)
            if poll.kind is Kind.ROOM:
                self._heard_at = self._told_at = instant.at
                if not poll.readings and not poll.lists_all:
                    self._answer(course, instant.at)

    def _ticks(self, course: Course, before: float, until: float) -> Iterator[float]:
        """The times between two instants at which the policy is asked, just after those at which something ends."""
        if until - before <= 1.5 * ASKED_EVERY_S:
            return
        now = before + 1.0
        while (due := self._next_tick(course, before, now)) is not None and due < until:
            yield due
            now = due

    def _next_tick(self, course: Course, before: float, now: float) -> float | None:
        """When something may change next without anything coming in; None where nothing does any more."""
        every_s = next((every_s for lasts_s, every_s in _TICKS if now - before < lasts_s), None)
        told = course.assessment
        if every_s is None or told is None:
            return None
        due = now + every_s
        if told.level is Level.BLIND and not course.is_tripped and self._settings.blind_trip_s is None:
            due = now + max(every_s, STILL_BLIND_EVERY_S)
        elif told.level is Level.LOW and told.stage is Stage.NONE and not course.is_tripped:
            ends = [time for time in self._ends(course) if time > now]
            return min(ends, default=None)
        return min(due, self._off_at) if self._off_at is not None and self._off_at > now else due

    def _ends(self, course: Course) -> Iterator[float]:
        """When each sensor and the room's source will have been silent for too long, if nothing comes in."""
        for track in course.room.tracks.values():
            yield track.last.measured_at + track.max_age_s(self._settings) + 1.0
        told_at = course.room.started_at if self._heard_at is None else self._told_at
        if self._answers_for_s and self._heard_at is not None:
            answered_at = self._heard_at + self._answers_for_s - 1.0
            yield answered_at
            told_at = max(told_at, answered_at)
        yield told_at + self._settings.blind_after_s + 1.0

    def _answer(self, course: Course, now: float) -> None:
        """Tell the policy that the source of the room's sensors answers: with what one of them has said before."""
        room = course.room
        for name, track in room.tracks.items():
            if track.kind is Kind.ROOM and name not in room.rejected:
                last = track.last
                again = Reading(name, last.celsius, last.stamp, now, now - last.measured_at)
                course.take(Poll(now, (again,), lists_all=False))
                self._told_at = now
                return

    def _stop_hosts(self, course: Course, now: float) -> None:
        """They are taken to be off when the time to stop everything has passed since the trip."""
        if self._off_at is not None and now >= self._off_at:
            self._off_at, course.are_hosts_on = None, False

    def _asked(self, course: Course, now: float, polls: tuple[Poll, ...] = ()) -> Iterator[Decision]:
        """Let the policy decide upon what has just come, and keep what the closing summary needs."""
        self._stop_hosts(course, now)
        heard_at = self._heard_at
        if heard_at is not None and now - heard_at <= self._answers_for_s and now - self._told_at >= ASKED_EVERY_S:
            self._answer(course, now)
        decided = course.decide(now)
        if course.is_calm:
            self._follow_calm(polls)
            return
        assessment = course.assessment
        if assessment is not None and assessment.hottest_c is not None:
            self._follow(assessment.hottest_c, self._settings.above_room_k(assessment.kind), now)
        if assessment is not None and (going := assessment.projection) is not None:
            left_s, least_s = going.critical_in_s, self.outcome.critical_in_s
            self.outcome.critical_in_s = left_s if least_s is None else min(least_s, left_s)
        for decision in decided:
            yield self._noted(decision, course)

    def _follow_calm(self, polls: tuple[Poll, ...]) -> None:
        """All are believed and below every limit: the hottest of them is all that can be new."""
        outcome, names = self.outcome, self._settings.sensors
        for poll in polls:
            if poll.kind is Kind.ROOM:
                for reading in poll.readings:
                    if (outcome.hottest_c is None or reading.celsius > outcome.hottest_c) and (
                        names is None or reading.sensor in names
                    ):
                        outcome.hottest_c, outcome.hottest_at = reading.celsius, poll.at

    def _follow(self, hottest_c: float, above_room_k: float, now: float) -> None:
        """Since when the hottest stands at the limits of its kind."""
        outcome, settings = self.outcome, self._settings
        if outcome.hottest_c is None or hottest_c > outcome.hottest_c:
            outcome.hottest_c, outcome.hottest_at = hottest_c, now
        if hottest_c < settings.high_c + above_room_k:
            self._high_at = None
        elif self._high_at is None:
            self._high_at = now
        if hottest_c < settings.critical_c + above_room_k:
            self._critical_at = None
        elif self._critical_at is None:
            self._critical_at = now
            if outcome.trips and outcome.trips[-1].permissive_at is None and outcome.trips[-1].critical_at is None:
                outcome.trips[-1].critical_at = now

    def _noted(self, decision: Decision, course: Course) -> Decision:
        outcome, at = self.outcome, decision.at
        outcome.counts[decision.what] = outcome.counts.get(decision.what, 0) + 1
        match decision.what:
            case What.TRIPPED:
                outcome.trips.append(Trip(at, self._high_at, self._critical_at, self._stop_s))
                self._off_at = at + self._stop_s
            case What.PERMISSIVE:
                self._off_at, course.are_hosts_on = None, True
                if outcome.trips:
                    outcome.trips[-1].permissive_at = at
                if self._restored_at is not None:
                    facts = {**decision.facts, "after_cooling_restored_s": round(at - self._restored_at)}
                    return replace(decision, facts=facts)
            case What.BLIND:
                self._blind_since = at
                last = outcome.trips[-1] if outcome.trips else None
                if last is not None and last.critical_at is None and last.permissive_at is None:
                    last.blind_at = last.blind_at or at
            case What.SIGHTED:
                outcome.blind_s += at - (at if self._blind_since is None else self._blind_since)
                self._blind_since = None
        return decision

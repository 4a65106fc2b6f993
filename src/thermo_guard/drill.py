"""A drill on the virtual site: a plant file's scenario from the first alarm to the closing report, and what came of it.

The same program as always works for a virtual site in virtual time; beside it an account is kept of every promise.
What was expected is the plan's own forecast, made before anything happens.
"""

import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .adapters.clock import SteadyClock
from .core import events as ev
from .core.estimate import Forecast, forecast
from .core.events import Goal, Phase
from .core.scope import scope_of
from .engine.terms import LoopSettings
from .sim.happenings import FacesInProcess, befall
from .sim.loop import run
from .sim.plant_file import At, PlantFile, PlantRoom
from .sim.site import VirtualSite
from .sim.world import World
from .simulate.guard import Guard
from .simulate.log import be_silent, unforeseen
from .simulate.promises import Promises, Violation
from .simulate.weather import Weather

BEGINS_AT = 1_783_216_800.0
"""Sunday, 5 July 2026, 02:00 UTC: when air conditioners fail."""
LONGEST_S = 24 * 3600.0
NO_ALARM_S = 3 * 3600.0
"""After the last thing that happens in a scenario, so long an alarm is waited for."""
GLANCE_S = 10.0

Stage = tuple[Phase, int | None]


@dataclass(frozen=True, slots=True)
class StageReport:
    """One phase or tier of one way; seconds."""

    goal: Goal
    phase: Phase
    tier: int | None
    expected_s: float | None
    """None: it was not expected."""
    took_s: float | None
    """None: it did not come about."""


@dataclass(frozen=True, slots=True)
class DrillReport:
    room: str
    scenario: str
    alarm_after_s: float | None
    """From the scenario's beginning; None: there was no alarm."""
    peak_c: float
    stages: tuple[StageReport, ...]
    is_in_order: bool
    """What happened came in the order that was expected."""
    given_up: tuple[str, ...]
    differences: tuple[str, ...]
    """What is not as it was, as the closing report has it."""
    unnamed: tuple[str, ...]
    """Machines that are not as they were, and the report does not say so."""
    is_closed: bool
    violations: tuple[Violation, ...]
    checked: dict[str, int] = field(default_factory=dict)

    @property
    def is_passed(self) -> bool:
        """Every promise was kept, in the expected order, and what is missing was named."""
        return self.is_closed and self.is_in_order and not self.violations and not self.unnamed


def drill(file: PlantFile, scenario: str, settings: LoopSettings, seed: int = 1) -> list[DrillReport]:
    """Go through a scenario in each room that it has; as fast as this machine can."""
    timeline = file.scenarios[scenario]
    concerned = {one.room for one in timeline}
    reports = []
    for room in file.rooms:
        if room.name in concerned:
            with tempfile.TemporaryDirectory(prefix="thermo-guard-drill-") as folder:
                reports.append(run(_of_room(room, scenario, timeline, settings, Path(folder), seed)))
    return reports


async def _of_room(
    room: PlantRoom, scenario: str, timeline: Sequence[At], settings: LoopSettings, folder: Path, seed: int
) -> DrillReport:
    one = _Drill(room, settings, folder, seed)
    return await one.go_through(scenario, [at for at in timeline if at.room == room.name])


class _Drill:
    def __init__(self, room: PlantRoom, settings: LoopSettings, folder: Path, seed: int) -> None:
        be_silent()
        self._room = room
        self._settings = settings
        self._clock = SteadyClock(epoch=BEGINS_AT)
        self._world = World(seed, room.blueprint, BEGINS_AT)
        self._site = VirtualSite(self._world, self._clock)
        self._promises = Promises(self._world, settings)
        weather = Weather(self._clock, random.Random(seed))  # noqa: S311 - to be repeatable is the point
        self._guard = Guard(settings, folder, self._site, self._clock, weather, self._promises)

    async def go_through(self, scenario: str, timeline: Sequence[At]) -> DrillReport:
        self._guard.start()
        await self._pass_to(60.0)
        expected, before = self._forecast(), self._world.running()
        faces = FacesInProcess(self._world, self._site.faults)
        for one in sorted(timeline, key=lambda one: one.at_s):
            await self._pass_to(60.0 + one.at_s)
            try:
                await befall(self._world, faces, one.happening)
            except ValueError as error:
                self._promises.late(f"{one.happening.what} could not happen: {error}")
        await self._to_the_end()
        await self._guard.kill()
        for what in unforeseen():
            self._promises.late(f"unforeseen: {what}")
        events = [event for _, event in self._guard.events]
        closed = next((event for event in events if isinstance(event, ev.IncidentClosed)), None)
        named = "\n".join(closed.differences) if closed is not None else ""
        stages = self._stages(expected)
        self._promises.checked["liveness"] += 1
        if closed is None and self._alarm_after_s() is not None:
            self._promises.late("the incident was not closed")
        return DrillReport(
            self._room.name, scenario, self._alarm_after_s(), self._world.room.peak_c, stages,
            _is_in_order(stages, self._observed()),
            tuple(f"{e.target_kind} {e.name}: {e.reason}" for e in events if isinstance(e, ev.Abandoned)),
            () if closed is None else closed.differences,
            tuple(sorted(n for n in before.names_changed(self._world.running()) if n not in named)),
            closed is not None, tuple(self._promises.violations), dict(self._promises.checked),
        )

    def _forecast(self) -> tuple[Forecast, Forecast] | None:
        record, snapshot = self._guard.record, self._guard.snapshot
        if record is None or snapshot is None:
            return None
        return forecast(
            snapshot, record.bmc_of, self._settings.timing, self._settings.runbook, has_direct_logins=True,
            watch_s=self._settings.policy.watch_s, scope=scope_of(record),
        )

    async def _pass_to(self, at_s: float) -> None:
        while (left_s := BEGINS_AT + at_s - self._clock.now()) > 0:
            await self._glance(min(GLANCE_S, left_s))

    async def _to_the_end(self) -> None:
        """Until the incident is closed; or until it is clear that none comes."""
        last_at = self._clock.now()
        while self._clock.now() - BEGINS_AT < LONGEST_S:
            await self._glance(GLANCE_S)
            kinds = {type(event) for _, event in self._guard.events}
            if ev.IncidentClosed in kinds or self._guard.is_dead:
                return
            if ev.AlarmTripped not in kinds and self._clock.now() - last_at > NO_ALARM_S:
                return

    async def _glance(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._world.advance(self._clock.now())

    def _alarm_after_s(self) -> float | None:
        return next((at - BEGINS_AT - 60.0 for at, e in self._guard.events if isinstance(e, ev.AlarmTripped)), None)

    def _observed(self) -> list[tuple[Goal, Stage, float, float]]:
        """(way, stage, begin, end) of each stage in which something was commanded, in order."""
        found: list[tuple[Goal, Stage, float, float]] = []
        begun: Stage = (Phase.DISARM, None)
        goal, since, is_busy = Goal.OFF, 0.0, False
        for at, event in [*self._guard.events, (self._clock.now(), None)]:
            match event:
                case ev.Intended():
                    is_busy = True
                case ev.PhaseBegun() | ev.RoomRecovered() | ev.HeatReturned() | ev.IncidentClosed() | None:
                    if is_busy:
                        found.append((goal, begun, since, at))
                    since, is_busy = at, False
                    if isinstance(event, ev.PhaseBegun):
                        begun = (event.phase, event.tier)
                    elif isinstance(event, ev.RoomRecovered | ev.HeatReturned):
                        goal = Goal.ON if isinstance(event, ev.RoomRecovered) else Goal.OFF
        return found

    def _stages(self, expected: tuple[Forecast, Forecast] | None) -> tuple[StageReport, ...]:
        """What was expected, in its order, with what came of it; then what was not."""
        took: dict[tuple[Goal, Stage], float] = {}
        for goal, stage, begins, ends in self._observed():
            took[goal, stage] = took.get((goal, stage), 0.0) + ends - begins
        reports = []
        for leg in expected or ():
            for stage, expected_s in _expected(leg).items():
                reports.append(StageReport(leg.goal, *stage, expected_s, took.pop((leg.goal, stage), None)))
        return (*reports, *(StageReport(goal, *stage, None, took_s) for (goal, stage), took_s in took.items()))


def _expected(leg: Forecast) -> dict[Stage, float]:
    """How long each stage of a forecast takes, in order."""
    begins: dict[Stage, float] = {}
    ends: dict[Stage, float] = {}
    for act in leg.acts:
        stage = (act.phase, act.tier)
        begins.setdefault(stage, act.starts_s)
        ends[stage] = max(ends.get(stage, 0.0), act.ends_s)
    return {stage: ends[stage] - begins[stage] for stage in begins}


def _is_in_order(
    reports: Sequence[StageReport], observed: Sequence[tuple[Goal, Stage, float, float]]
) -> bool:
    """What came about of the expected came in the expected order; a second time is a way that was turned."""
    wanted = [(one.goal, (one.phase, one.tier)) for one in reports if one.expected_s is not None]
    first_time = list(dict.fromkeys((goal, stage) for goal, stage, _, _ in observed))
    places = [wanted.index(one) for one in first_time if one in wanted]
    return places == sorted(places)

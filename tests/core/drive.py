"""Runs the planner through time on a plant that a test moves by hand, and records what it intends, as the loop does."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from core.plants import NOW, Site
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Command, Outcome, Verb
from thermo_guard.core.planner import next_step
from thermo_guard.core.plant import Sight
from thermo_guard.core.record import Record, fold
from thermo_guard.core.step import Step


@dataclass
class Drive:
    """One leg. `looks` shows the plant at a second since its start; every command is accepted."""

    site: Site
    looks: Callable[[float, "Drive"], Sight]
    outcome: Outcome = Outcome.ACCEPTED

    def __post_init__(self) -> None:
        self.record = Record(incident=replace(self.site.incident, goal_since=NOW))
        self.sent: list[tuple[float, Command]] = []
        self.seq = 0
        self.step: Step | None = None

    def until(self, end_s: float, every_s: float = 5.0) -> "Drive":
        second = 0.0
        while second <= end_s:
            self._tick(second)
            second += every_s
        return self

    def _tick(self, second: float) -> None:
        incident = self.record.incident
        assert incident is not None
        site = replace(self.site, incident=incident, sight=self.looks(second, self))
        step = self.step = next_step(replace(site.situation(), now=NOW + second))
        events: list[ev.Event] = []
        if (incident.phase, incident.tier) != (step.phase, step.tier):
            events.append(ev.PhaseBegun(incident.id, step.phase, step.tier))
        if step.observed:
            events.append(ev.Observed(tuple(step.observed)))
        events.extend(step.abandoned)
        if step.commands:
            events.append(ev.Intended(tuple(step.commands)))
            events.append(ev.Answered(tuple(ev.Answer(c.verb, c.target, self.outcome) for c in step.commands)))
        for event in events:
            self.seq += 1
            self.record = fold(self.record, [ev.Entry(self.seq, NOW + second, event)])
        self.sent += [(second, command) for command in step.commands]

    def first(self, verb: Verb, target: str) -> float | None:
        """The second in which it was first sent."""
        return next((second for second, c in self.sent if c.key == (verb, target)), None)

    def times(self, verb: Verb, target: str) -> list[float]:
        return [second for second, c in self.sent if c.key == (verb, target)]

    @property
    def abandoned(self) -> dict[str, str]:
        """Reasons by target."""
        assert self.record.incident is not None
        return {target: event.reason for target, event in self.record.incident.abandoned.items()}

"""A room's day for tests of the policy alone: degrees by minute, and what is decided."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from thermo_guard.core.decisions import Course, Decision, What
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.readings import Kind, Poll, Reading, Rejected

STARTS_AT = 1_767_340_800.0
Degrees = float | Callable[[float], float]
"""Constant, or by the minute."""


@dataclass
class Day:
    """Three sensors of the room and some inlets, as the test wants them; a poll a minute."""

    settings: PolicySettings = field(default_factory=lambda: PolicySettings(stop_s=600.0))
    minute: float = 0.0
    decided: list[tuple[float, Decision]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.course = Course(self.settings, STARTS_AT)

    def until(
        self, minute: float, room: Mapping[str, Degrees] | None = None, inlets: Mapping[str, Degrees] | None = None,
        *, every: float = 1.0, is_running: bool | None = None, answers: bool = True, nonsense: tuple[str, ...] = (),
    ) -> "Day":
        """Let these sensors measure from now on, up to before that minute."""
        while self.minute < minute:
            now = STARTS_AT + 60 * self.minute
            for kind, sensors in ((Kind.ROOM, room), (Kind.BMC, inlets)):
                readings = tuple(
                    Reading(name, value(self.minute) if callable(value) else value, now, now, 0.0, kind,
                            is_running if kind is Kind.BMC else None)
                    for name, value in (sensors or {}).items()
                )
                rejected = tuple(Rejected(name, "no number") for name in nonsense) if kind is Kind.ROOM else ()
                if sensors is not None and answers:
                    self.course.take(Poll(now, readings, rejected, kind))
            self.decided += [(self.minute, one) for one in self.course.decide(now)]
            self.minute += every
        return self

    def when(self, what: What, sensor: str = "") -> list[float]:
        """The minutes at which it was decided."""
        return [minute for minute, one in self.decided if one.what is what and sensor in {"", one.sensor}]

    def why(self, what: What) -> str:
        """The reason of the first."""
        return next(one.reason for _, one in self.decided if one.what is what)


def rising(per_minute: float, begin: float, base: float = 22.0, top: float = 60.0) -> Callable[[float], float]:
    """Level until `begin`, then up; a tenth of a degree is what sensors show."""
    return lambda minute: round(min(top, base + max(0.0, minute - begin) * per_minute), 1)


def wobbling(celsius: float, by: float = 0.1) -> Callable[[float], float]:
    """As a sensor shows a level room."""
    return lambda minute: round(celsius + by * (int(minute) % 3 - 1), 1)

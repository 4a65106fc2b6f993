"""The journal's words for the policy turning an incident, or holding it back: part of the vocabulary in `events`."""

from dataclasses import dataclass, field
from typing import Literal

from .assessment import Grounds


@dataclass(frozen=True, slots=True)
class RoomRecovered:
    """The goal turns to ON."""

    incident: str
    reasons: tuple[str, ...]
    grounds: Grounds | None = field(default=None, compare=False)
    kind: Literal["room.recovered"] = "room.recovered"


@dataclass(frozen=True, slots=True)
class HeatReturned:
    """The goal turns back to OFF; the snapshot stays."""

    incident: str
    level: str
    reasons: tuple[str, ...]
    grounds: Grounds | None = field(default=None, compare=False)
    kind: Literal["heat.returned"] = "heat.returned"


@dataclass(frozen=True, slots=True)
class ShedBegun:
    """The room nears HIGH: an incident begins that stops what may be shed, and nothing else."""

    incident: str
    reasons: tuple[str, ...]
    grounds: Grounds | None = field(default=None, compare=False)
    kind: Literal["shed.begun"] = "shed.begun"


@dataclass(frozen=True, slots=True)
class ShedEnded:
    """The room has fallen back: what was shed comes back."""

    incident: str
    reasons: tuple[str, ...]
    grounds: Grounds | None = field(default=None, compare=False)
    kind: Literal["shed.ended"] = "shed.ended"


@dataclass(frozen=True, slots=True)
class ShedResumed:
    """It nears HIGH again while what was shed comes back: it is stopped after all."""

    incident: str
    reasons: tuple[str, ...]
    grounds: Grounds | None = field(default=None, compare=False)
    kind: Literal["shed.resumed"] = "shed.resumed"


@dataclass(frozen=True, slots=True)
class ShedWidened:
    """A confirmed alarm while something is shed: the same incident goes on with the whole cluster."""

    incident: str
    level: str
    reasons: tuple[str, ...]
    grounds: Grounds | None = field(default=None, compare=False)
    kind: Literal["shed.widened"] = "shed.widened"


@dataclass(frozen=True, slots=True)
class RestartHeld:
    """The room permits the way back, and the rules of the site do not yet."""

    incident: str
    why: str
    kind: Literal["restart.held"] = "restart.held"

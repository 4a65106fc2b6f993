"""How the room stands, as one value with its reasons in words and as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .readings import Kind
from .stages import Stage


class Level(StrEnum):
    LOW = "low"
    BAND = "band"
    HIGH = "high"
    CRITICAL = "critical"
    PROJECTED = "projected"
    """It would be CRITICAL before everything could be stopped."""
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class SensorNow:
    """One voting sensor as the decision took it."""

    sensor: str
    celsius: float | None
    age_s: float | None
    is_fresh: bool
    """And believed: it can vote."""
    is_voting: bool
    why: str
    kind: Kind = Kind.ROOM
    is_suspect: bool = False
    slope_k_per_min: float | None = None
    """Where it counts and has measured often enough lately."""
    cleared: str = ""
    """Why it is believed again after it was suspect last."""

    def as_data(self) -> Mapping[str, object]:
        return {"sensor": self.sensor, "kind": str(self.kind), "celsius": self.celsius,
                "age_s": None if self.age_s is None else round(self.age_s), "votes_high": self.is_voting,
                "counts": self.is_fresh, "why": self.why, "slope_k_per_min": self.slope_k_per_min}


@dataclass(frozen=True, slots=True)
class Projection:
    """Where the room is going."""

    sensor: str
    celsius: float
    k_per_min: float
    critical_in_s: float
    stop_s: float | None
    """What it takes to stop everything, where that is known."""
    confirmed_by: str = ""
    """The second source; empty: nobody else shows it."""

    def in_words(self) -> str:
        who = f", {self.confirmed_by} rises too" if self.confirmed_by else ", nobody confirms it"
        stop = "" if self.stop_s is None else f"; to stop everything takes {self.stop_s / 60:.0f} min"
        return (f"{self.sensor} at {self.celsius:.1f} degC rises by {self.k_per_min:.2f} K a minute and would be "
                f"CRITICAL in {self.critical_in_s / 60:.0f} min{who}{stop}")

    def as_data(self) -> Mapping[str, object]:
        return {"sensor": self.sensor, "celsius": self.celsius, "k_per_min": round(self.k_per_min, 3),
                "critical_in_s": round(self.critical_in_s), "stop_s": self.stop_s, "confirmed_by": self.confirmed_by}


@dataclass(frozen=True, slots=True)
class Grounds:
    """The reasons of a decision as data: who voted how, who was left out and why, and where the room was going."""

    level: str
    stage: str
    kind: Kind
    """Which kind of sensors decided."""
    votes: int
    demand: int
    degraded: str
    projection: Projection | None
    sensors: tuple[SensorNow, ...]
    """The room's, then the inlets."""
    stop_s: float | None = None
    """What it takes to stop everything, where that is known."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The room's level, with its reasons in words."""

    level: Level | None
    """None: the first answer is still awaited."""
    reasons: tuple[str, ...]
    sensors: tuple[SensorNow, ...]
    """Those of the room."""
    votes: int
    demand: int
    """So many votes make HIGH."""
    hottest_c: float | None
    """Of the sensors that count; None where there is none."""
    cool_since: float | None
    cool_as_of: float | None
    """When the last of the measurements that a recovery needs was made; None where the room is not so surely LOW."""
    has_cooled: bool
    is_recovered: bool
    """Every condition of recovery has held for its time."""
    inlets: tuple[SensorNow, ...] = ()
    kind: Kind = Kind.ROOM
    """Which kind of sensors decides."""
    stage: Stage = Stage.NONE
    degraded: str = ""
    """In what way fewer or others decide than were asked for; empty: all do."""
    projection: Projection | None = None
    """Only where the room rises above the floor, or did so before it was blind."""
    trips_blind: bool = False
    """By BLIND_POLICY alone."""
    not_yet: str = ""
    """Why a room that is LOW has not recovered; empty where it has, or is not LOW."""
    stop_s: float | None = None
    """What it takes to stop everything, where that is known."""

    @property
    def permits_power_on(self) -> bool:
        """A restart heats the room into the band; after heat or blindness the band says nothing of the cooling."""
        return self.level is Level.LOW or (self.level is Level.BAND and self.has_cooled)

    @property
    def is_alarm(self) -> bool:
        return self.level in {Level.HIGH, Level.CRITICAL, Level.PROJECTED} or self.trips_blind

    @property
    def sheds(self) -> bool:
        """The tiers marked sheddable stop now."""
        return self.stage >= Stage.SHED

    @property
    def grounds(self) -> Grounds:
        return Grounds(str(self.level or ""), self.stage.name.lower(), self.kind, self.votes, self.demand,
                       self.degraded, self.projection, (*self.sensors, *self.inlets), self.stop_s)

    def as_data(self) -> Mapping[str, object]:
        """The grounds as JSON has them: slope and projection in K a minute, times in seconds."""
        return {
            "level": None if self.level is None else str(self.level), "stage": self.stage.name.lower(),
            "kind": str(self.kind), "votes": self.votes, "demand": self.demand, "degraded": self.degraded,
            "stop_s": self.stop_s,
            "projection": None if self.projection is None else self.projection.as_data(),
            "sensors": [sensor.as_data() for sensor in (*self.sensors, *self.inlets)],
        }

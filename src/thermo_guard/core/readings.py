"""What a sensor said, and when: the values that the policy votes on.

Two time lines meet here. `stamp` is the source's own timestamp: it identifies a measurement, so that one sample that
is served by ten polls counts once. `seen_at` and `age_s` place the measurement on the guard's steady line; the age is
judged by the clock of the server that answered, so that a slow NAS clock blinds nobody.
"""

from dataclasses import dataclass
from enum import StrEnum

UNNAMED = "?"
"""`Rejected.sensor` of a row that names no sensor."""


class Kind(StrEnum):
    """What a sensor hangs in; the kinds never vote together."""

    ROOM = "room"
    """The room's own: Meraki, by whatever way its measurements come."""
    BMC = "bmc"
    """The air inlet of a server, as its BMC measures it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement of one sensor, plausible or not: the policy judges that."""

    sensor: str
    """Serial number; of an inlet, the BMC's address as in ILO_HOSTS."""
    celsius: float
    stamp: float
    """When it was measured, seconds since 1970 UTC, by the source's clock."""
    seen_at: float
    """When the guard was given it, seconds on the guard's line."""
    age_s: float
    """How old it was then, >= 0."""
    kind: Kind = Kind.ROOM
    is_running: bool | None = None
    """Of an inlet: its server is on and moves air past it; None: not known."""

    @property
    def measured_at(self) -> float:
        """When it was measured, on the guard's line."""
        return self.seen_at - self.age_s


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something a source sent for a sensor that is no measurement: nonsense, a future time, no number."""

    sensor: str
    reason: str
    kind: Kind = Kind.ROOM


@dataclass(frozen=True, slots=True)
class Poll:
    """One successful answer of a source of temperatures; a failed one is a fault, never an empty poll."""

    at: float
    """When it was answered, on the guard's line."""
    readings: tuple[Reading, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    kind: Kind = Kind.ROOM
    lists_all: bool = True
    """It would have listed every sensor of its kind; False where sensors speak one by one, as a BMC or over MQTT."""


@dataclass(frozen=True, slots=True)
class AlertCount:
    """How many sensors Meraki itself holds in alarm: corroboration, never degrees."""

    at: float
    temperature: int | None
    """None where the network does not support the metric."""

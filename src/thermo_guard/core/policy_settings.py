"""What the policy is told: the settings of the same names, in degrees Celsius and seconds."""

from dataclasses import dataclass

from .readings import Kind

BLIND_AFTER_S = (300.0, 540.0)
"""Without a successful poll for this long the room is unseen; under 600 s, since it is told within 10 minutes."""
INLETS_ABOVE_K = 3.0
"""How much warmer than the room the air at a server's inlet may be: some of its own comes back to it."""


@dataclass(frozen=True, slots=True)
class PolicySettings:
    high_c: float = 35.0
    low_c: float = 30.0
    critical_c: float = 40.0
    sensors: tuple[str, ...] | None = None
    """The room's voting sensors; None: all that the network has ever shown."""
    votes: int | None = None
    degrade_to: int = 2
    on_delay_s: float = 60.0
    max_age_s: float | None = None
    recovery_hold_s: float = 900.0
    watch_s: float = 600.0
    rise_c: float = 1.0
    poll_interval_s: float = 60.0

    inlet_high_c: float | None = None
    """None: `high_c` and INLETS_ABOVE_K."""
    inlet_low_c: float | None = None
    inlet_votes: int | None = None
    """None: a majority."""
    inlet_count: int = 0
    """So many are asked; of those that have not spoken nothing is known."""
    warn_c: float | None = None
    """One sensor here is told; None: `low_c`."""
    shed_c: float | None = None
    """The tiers marked sheddable stop from here; None: two degrees below `high_c`."""
    dead_band_k: float = 2.0
    """A stage ends this far below where it began."""
    off_delay_s: float = 300.0
    """And when it has stood there for so long."""
    stop_s: float | None = None
    """What it takes to stop everything; None: not known, and no projection trips."""
    stop_margin_s: float = 120.0
    projects: bool = True
    """Whether a projection may trip."""
    projection_floor_c: float | None = None
    """No projection trips below; None: `low_c`."""
    blind_trip_s: float | None = None
    """Trip when the room has been blind for so long that was rising; None: hold and tell."""
    alarm_votes: bool = False
    """Meraki's own alarm may stand for one of several votes."""

    def high_of(self, kind: Kind) -> float:
        """Where a sensor of this kind votes for the trip."""
        if kind is Kind.ROOM:
            return self.high_c
        return self.high_c + INLETS_ABOVE_K if self.inlet_high_c is None else self.inlet_high_c

    def low_of(self, kind: Kind) -> float:
        """Where every sensor of this kind must stand for the recovery."""
        if kind is Kind.ROOM:
            return self.low_c
        return self.low_c + INLETS_ABOVE_K if self.inlet_low_c is None else self.inlet_low_c

    def above_room_k(self, kind: Kind) -> float:
        """How much higher the limits of this kind stand than the room's."""
        return self.high_of(kind) - self.high_c

    @property
    def warn_at_c(self) -> float:
        return self.low_c if self.warn_c is None else self.warn_c

    @property
    def shed_at_c(self) -> float:
        return max(self.low_c, self.high_c - 2.0) if self.shed_c is None else self.shed_c

    @property
    def floor_c(self) -> float:
        return self.low_c if self.projection_floor_c is None else self.projection_floor_c

    @property
    def blind_after_s(self) -> float:
        low, high = BLIND_AFTER_S
        return min(high, max(low, 3 * self.poll_interval_s))

"""What the policy decides, as a course of events: for the log, for `replay` and for whoever scores it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class What(StrEnum):
    """What has been decided or noticed."""

    WARNED = "warned"
    WARNING_ENDED = "warning_ended"
    SHED = "shed"
    SHED_ENDED = "shed_ended"
    TRIPPED = "tripped"
    """By HIGH, CRITICAL, a projection or BLIND_POLICY; the reason says which."""
    CRITICAL = "critical"
    """The room became CRITICAL after the trip."""
    BLIND = "blind"
    STILL_BLIND = "still_blind"
    SIGHTED = "sighted"
    DEGRADED = "degraded"
    """Fewer sensors than configured decide, or another kind does."""
    WHOLE = "whole"
    PERMISSIVE = "permissive"
    """After a trip: the room permits that the hosts come back."""
    TURNED_BACK = "turned_back"
    """The heat is back on the way up."""
    SENSOR_SUSPECT = "sensor_suspect"
    SENSOR_RESTORED = "sensor_restored"


@dataclass(frozen=True, slots=True)
class Decision:
    at: float
    """Seconds since 1970 UTC."""
    what: What
    level: str
    """The room's level then; empty where it is not known yet."""
    celsius: float | None
    """The hottest that counted; of a sensor's event, what that sensor said."""
    reason: str
    sensor: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    """The reason as data: who voted how, who was left out and why, slope, projection, time to stop."""

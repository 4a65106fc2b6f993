"""What the policy notices beside its level: suspect sensors, degraded votes, stages before the trip."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Noticed:
    what: str
    """A word of `decisions.What`."""
    level: str
    """The room's then; empty where it is not known yet."""
    reason: str
    celsius: float | None = None
    """The hottest that counted; of a sensor, what that said."""
    sensor: str = ""
    kind: Literal["policy.noticed"] = "policy.noticed"

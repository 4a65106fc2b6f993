"""What an operator can ask of the guard: an order, confirmed, put into the journal's inbox, taken up at the next tick.

An operator's wish acts in any mode and on its named target only. It is kept out of the inbox's way once it is old: who
asked for a shutdown an hour ago, while no guard ran, no longer expects one.
"""

from dataclasses import dataclass
from enum import StrEnum

STALE_S = 600.0
"""An order that was not taken up within this time is declined and told."""
LONGEST_PAUSE_S = 7 * 24 * 3600.0


class Order(StrEnum):
    """The operator's hands."""

    ARM = "arm"
    """Take hold now, whatever has not been proved."""
    SHUT_DOWN = "shutdown"
    """Bring the cluster down; it stays down until POWER_ON."""
    POWER_ON = "power-on"
    """Bring back what ran before. Declined while the room is hot; while it is unseen or not yet cool, only with
    `despite_unseen`."""
    ABORT = "abort"
    """End the incident where it stands: nothing more is commanded, and the alarm that stands trips nothing again until
    the room has been below HIGH."""
    PAUSE = "pause"
    """Command nothing until RESUME or the end of `for_s`."""
    RESUME = "resume"
    """End a pause; try refused logins again at once."""
    ACKNOWLEDGE = "ack"
    """A person knows: reminders stop until something changes."""
    REHEARSE = "rehearse"
    """Stop and start one VM, or one empty host, for real, and learn how long each step takes."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One order as it lies in the inbox."""

    number: int
    """Its place in the inbox; 0 until it has one."""
    at: float
    """Seconds since 1970 UTC."""
    order: Order
    by: str
    """Who asked: user@machine."""
    reason: str = ""
    for_s: float | None = None
    """Of PAUSE; None: until RESUME."""
    despite_unseen: bool = False
    """Of POWER_ON: a person has seen for himself that the room is cool."""
    unrecorded: bool = False
    """Of POWER_ON: also the machines whose BMCs say OFF and that are not on record as running."""
    vm: str = ""
    """Of REHEARSE: a VM's name or instance UUID."""
    host: str = ""
    """Of REHEARSE: a host's name."""

"""When a recovered room's hosts may come back by themselves, by the rules of the house."""

from dataclasses import dataclass

DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True)
class RestartRules:
    """Nothing is waited for where none is set."""

    hours: tuple[int, int] | None = None
    """From and to, as minutes of the local day; over midnight where the first is the later one."""
    needs_ack: bool = False
    """A person must have acknowledged the alarm."""
    max_wait_s: float | None = None
    """After so long in a recovered room neither is waited for any more; None: for ever."""


def is_inside(hours: tuple[int, int], minute_of_day: int) -> bool:
    """Whether this minute of the local day lies within; the end does not."""
    begin, end = hours
    minute = minute_of_day % DAY_MIN
    return begin <= minute < end if begin < end else minute >= begin or minute < end

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


def restart_waits_for(
    rules: RestartRules, minute_of_day: int, *, is_acknowledged: bool, waited_s: float
) -> str:
    """What the way back of a recovered room still waits for, in words; empty where nothing.

    :param minute_of_day: of the local day.
    :param is_acknowledged: since the alarm, by a person.
    :param waited_s: since the room has first permitted it.
    """
    if rules.max_wait_s is not None and waited_s >= rules.max_wait_s:
        return ""
    waits = []
    if rules.hours is not None and not is_inside(rules.hours, minute_of_day):
        begin, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in rules.hours)
        waits.append(f"the hours from {begin} to {end} (RESTART_HOURS)")
    if rules.needs_ack and not is_acknowledged:
        waits.append("a person's `thermo-guard ack` (RESTART_NEEDS_ACK)")
    return " and ".join(waits)


def is_inside(hours: tuple[int, int], minute_of_day: int) -> bool:
    """Whether this minute of the local day lies within; the end does not."""
    begin, end = hours
    minute = minute_of_day % DAY_MIN
    return begin <= minute < end if begin < end else minute >= begin or minute < end

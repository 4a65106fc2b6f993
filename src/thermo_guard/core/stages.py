"""Warn, shed, trip, critical: each begins at its limit after a delay, and ends below its dead-band after another."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from .policy_settings import PolicySettings


class Stage(IntEnum):
    NONE = 0
    WARN = 1
    SHED = 2
    TRIP = 3
    CRITICAL = 4


class Held(NamedTuple):
    """Whether a stage is on, and since when it has wanted to turn."""

    is_on: bool = False
    turning_since: float | None = None
    newest: float = 0.0
    """When the newest measurement was made then: one sample proves no delay."""


Stages = Mapping[Stage, Held]
_LIMITED = (Stage.WARN, Stage.SHED)


def staged(
    stages: Stages, hottest_c: float, voted_c: float, newest: float, settings: PolicySettings, now: float,
    *, is_alarm: bool, is_critical: bool,
) -> Stages:
    """The stages after what has been seen now; the same where nothing turns.

    :param hottest_c: of all sensors that count, less what their kind's limits stand above the room's.
    :param voted_c: as many sensors as make HIGH stand here or above.
    """
    if not stages and hottest_c < settings.warn_at_c and not is_alarm:
        return stages
    after = {}
    for stage in _LIMITED:
        celsius, limit_c = (hottest_c, settings.warn_at_c) if stage is Stage.WARN else (voted_c, settings.shed_at_c)
        begins, ends = celsius >= limit_c, celsius < limit_c - settings.dead_band_k
        after[stage] = turned_to(stages.get(stage, Held()), newest, settings, now, begins=begins, ends=ends)
    for stage, begins, limit_c in (
        (Stage.TRIP, is_alarm, settings.high_c), (Stage.CRITICAL, is_critical, settings.critical_c)
    ):
        held = stages.get(stage, Held())
        ends = not begins and voted_c < limit_c - settings.dead_band_k
        after[stage] = Held(is_on=True) if begins else turned_to(held, newest, settings, now, begins=False, ends=ends)
    return {stage: held for stage, held in after.items() if held != Held()}


def turned_to(
    held: Held, newest: float, settings: PolicySettings, now: float, *, begins: bool, ends: bool
) -> Held:
    """One stage, which turns when what turns it has lasted for its delay."""
    if not (ends if held.is_on else begins):
        return Held(held.is_on)
    if held.turning_since is None:
        held = held._replace(turning_since=now, newest=newest)
    delay_s = settings.off_delay_s if held.is_on else settings.on_delay_s
    is_due = now - (held.turning_since or now) >= delay_s and (newest > held.newest or delay_s == 0)
    return Held(not held.is_on) if is_due else held


def highest(stages: Stages) -> Stage:
    return max((stage for stage, held in stages.items() if held.is_on), default=Stage.NONE)

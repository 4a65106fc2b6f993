"""How much time is left: the room's way to CRITICAL against the plan's way to the end, and what each is then given.

The slope is Theil and Sen's: the median of all slopes between two measurements of a sensor, which one wrong measurement
does not turn. Source: P. K. Sen, Estimates of the Regression Coefficient Based on Kendall's Tau, JASA 63 (1968).
"""

from itertools import combinations
from statistics import median

from . import events as ev
from .policy import Assessment, Level, PolicySettings, Room
from .record import Incident
from .track import Track

SLOPE_OVER_S = 900.0
"""The last measurements from which the slope is taken."""
LEAST_SPAN_S = 120.0
"""Over less than this the steps of a sensor would pass for a slope."""
MOST_HASTE = 0.1
"""The smallest share of its time that anyone is left with; at CRITICAL it is this at once."""
FIRM = 0.9
"""A new share is told and taken only where it is below this part of the one before: it never grows again on the way."""


def to_critical_s(room: Room, assessment: Assessment, settings: PolicySettings) -> float | None:
    """Seconds until as many fresh sensors as make HIGH stand at CRITICAL, if they go on so; None where fewer rise.

    One sensor that drifts must not take anybody's time.
    """
    if assessment.level is Level.CRITICAL:
        return 0.0
    times = []
    for sensor in assessment.sensors:
        track = room.tracks.get(sensor.sensor)
        slope = _slope_k_per_s(track) if track is not None and sensor.is_fresh else None
        if track is not None and slope is not None and slope > 0.0:
            times.append(max(0.0, (settings.critical_c - track.last.celsius) / slope))
    needed = max(assessment.demand, 1)
    return sorted(times)[needed - 1] if len(times) >= needed else None


def _slope_k_per_s(track: Track) -> float | None:
    last = track.last.measured_at
    recent = [m for m in track.recent if last - m.measured_at <= SLOPE_OVER_S]
    if len(recent) < 3 or last - recent[0].measured_at < LEAST_SPAN_S:
        return None
    slopes = [(b.celsius - a.celsius) / (b.measured_at - a.measured_at)
              for a, b in combinations(recent, 2) if b.measured_at > a.measured_at]
    return median(slopes) if slopes else None


def compressed(incident: Incident, critical_s: float | None, remaining_s: float) -> ev.GracesCompressed | None:
    """The event with which everyone's time shrinks, where the room will not wait for the plan.

    :param critical_s: until the room is critical; None: it does not rise.
    :param remaining_s: until everything is off, were everyone given all of his time from now on.
    """
    if incident.goal is not ev.Goal.OFF or critical_s is None or critical_s >= remaining_s:
        return None
    factor = max(MOST_HASTE, critical_s / remaining_s)
    if factor > FIRM * incident.haste:
        return None
    why = "the room is CRITICAL" if critical_s <= 0.0 else f"the room will be critical in {critical_s / 60:.0f} min"
    reason = f"{why}, and the plan takes {remaining_s / 60:.0f} min more: everyone gets {factor:.0%} of his time"
    return ev.GracesCompressed(incident.id, round(factor, 3), reason)

"""When a room that was hot may be loaded again: long enough cool, no longer moving, and level while hosts come on.

A room whose hosts are off falls below LOW by itself, its cooling still out, and would be hot again soon after a
restart. It stays warmer than it used to be; one that is cooled comes back to where it was.
"""

from dataclasses import dataclass
from statistics import median

from .assessment import Assessment, Level
from .policy_settings import PolicySettings
from .readings import Kind
from .track import Track
from .votes import Tally, votes_needed

RISE_OVER_S = 900.0
NEAR_K = 3.0
"""A cooled room whose hosts are off is no warmer than it was with them at work; so much is for sensors and habit."""
SLACK_K = 0.5
"""Further above than that before it is no longer where it was."""
SETTLED_S = 4 * 3600.0
"""One that has stood LOW for so long, whatever cools it, counts as cooled all the same."""
TOGETHER = 0.6
"""So much of the limit is too much where half of the sensors show it: one may stand in a draught, not most of them."""
EPSILON_K = 1e-6


def is_cool(level: Level | None, room: Tally, inlets: Tally, settings: PolicySettings) -> str | None:
    """Why a LOW room is not cool enough for a recovery to begin; empty where it is, None where it is not LOW."""
    if level is not Level.LOW:
        return None
    if room.blind:
        return "the room's own sensors are blind"
    if len(room.valid) < room.wanted:
        return f"only {len(room.valid)} of the {room.wanted} sensors that a recovery needs are fresh"
    warm = [name for name, track in inlets.valid.items() if track.last.celsius > settings.low_of(Kind.BMC)]
    return f"the inlet of {warm[0]} is still above {settings.low_of(Kind.BMC):g} degC" if warm else ""


def is_as_usual(room: Tally, *, was: bool) -> bool:
    """Every sensor is back where it used to be with the hosts at work: something cools."""
    most_k = NEAR_K + SLACK_K if was else NEAR_K
    return all(track.above_usual_k <= most_k for track in room.valid.values())


def not_recovered(
    room: Tally, inlets: Tally, cool_since: float, usual_since: float | None, settings: PolicySettings, now: float
) -> str:
    """What a room that has been cool, and as usual, since then still lacks; empty where nothing."""
    if now - cool_since < settings.recovery_hold_s:
        return f"cool for {(now - cool_since) / 60:.0f} of {settings.recovery_hold_s / 60:.0f} min"
    if settings.recovery_hold_s == 0:
        return ""
    again = sum(1 for track in room.valid.values() if track.last.measured_at > cool_since)
    if again < room.wanted:
        return "the sensors have not measured again since it became cool"
    since = max(cool_since, now - RISE_OVER_S)
    for name, track in (*room.valid.items(), *inlets.valid.items()):
        if track.recent[-1].celsius - min([m[0] for m in track.recent]) <= settings.rise_c:
            continue  # not even over longer
        if (rise_k := risen_k(track, since)) > settings.rise_c + EPSILON_K:
            return f"{name} has risen by {rise_k:.1f} K in the last {RISE_OVER_S / 60:.0f} min"
    if now - cool_since >= SETTLED_S or not room.valid:
        return ""
    if usual_since is not None:
        usual_s, hold_s = now - usual_since, settings.recovery_hold_s
        return "" if usual_s >= hold_s else f"near its usual level for {usual_s / 60:.0f} of {hold_s / 60:.0f} min"
    name, track = max(room.valid.items(), key=lambda one: one[1].above_usual_k)
    said = f"{name} at {track.last.celsius:.1f} degC stands {track.above_usual_k:.1f} K above its usual level"
    return f"{said}, as where the hosts are off and nothing cools"


def risen_k(track: Track, since: float) -> float:
    """From its lowest since then, what it showed then included, to what it shows now."""
    inside = [m.celsius for m in track.recent if m.measured_at >= since]
    outside = [m.celsius for m in track.recent if m.measured_at < since][-1:]
    return track.last.celsius - min(inside + outside)


@dataclass(frozen=True, slots=True)
class Watch:
    """Whether the room has stayed level since a host was switched on."""

    is_clear: bool
    why: str


def watched(
    room: Tally, inlets: Tally, assessment: Assessment, settings: PolicySettings, since: float, now: float,
    *, despite_unseen: bool = False,
) -> Watch:
    """No sensor that counts has risen by `rise_c` in the last `watch_s`, and enough have measured since `since`.

    Nor has the middle one of the room's by most of that.

    :param despite_unseen: a person answers for the room where the sensors cannot.
    """
    if now - since < settings.watch_s:
        return Watch(is_clear=False, why=f"watching the room for {settings.watch_s:g} s, {now - since:.0f} s so far")
    if despite_unseen and not assessment.permits_power_on and not assessment.is_alarm:
        return Watch(is_clear=True, why="a person answers for the room")
    if not assessment.permits_power_on:
        return Watch(is_clear=False, why=f"the room is {assessment.level}")
    measured = sum(1 for track in room.valid.values() if track.last.measured_at > since)
    if measured < min(votes_needed(settings, len(room.names)), max(len(room.valid), 1)):
        return Watch(is_clear=False, why="the sensors have not measured since the first host came on")
    begin = max(since, now - settings.watch_s)
    risen = [(risen_k(track, begin), settings.rise_c) for track in room.valid.values()]
    most = [*risen, *((risen_k(track, begin), 2 * settings.rise_c) for track in inlets.valid.values())]  # whole degrees
    if risen:
        most.append((median(rise_k for rise_k, _ in risen), TOGETHER * settings.rise_c))
    for rise_k, most_k in most:
        if rise_k >= most_k - EPSILON_K:
            return Watch(is_clear=False, why=f"the room rose by {rise_k:.1f} degC within {settings.watch_s:g} s")
    return Watch(is_clear=True, why="the room stayed level")

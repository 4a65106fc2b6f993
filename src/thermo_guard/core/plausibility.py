"""Which sensors are not to be believed, and why: a suspect sensor never votes until it has behaved for a while.

What one sensor says is held against what its thermometer can measure and air can do, then against its neighbours. A
neighbour contradicts when it has measured since and stayed where it was; one that is rising too, or has not measured
again, does not. More contradiction than support makes a sensor suspect; where two stand alone against each other, the
one that is further from its usual level. Source of the idea: voting with degradation after IEC 61511.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from .policy_settings import PolicySettings
from .projection import has_jumped
from .readings import Kind
from .track import ODD_TIMES, Suspicion, Track

COLDEST_C = 0.0
HOTTEST_C = 60.0
"""What the air of a server room can be; beyond it a value is believed only where the sensor has got there by degrees.
"""
NEAR_EDGE_K = 15.0
"""It was as near to the edge before."""
SENTINELS = {
    -127.0: "that is what a disconnected probe sends", 85.0: "that is what a probe sends that has only just got power",
    0.0: "that is what a sensor sends that measures nothing", 127.0: "that is the largest number of seven bits",
    128.0: "that is a number of bits, no temperature", -128.0: "that is a number of bits, no temperature",
    255.0: "that is the largest number of a byte", -1.0: "that is the sign of a failed reading",
    -273.15: "that is absolute zero", 327.67: "that is the largest hundredth of two bytes",
    65535.0: "that is the largest number of two bytes", -40.0: "that is the end of a sensor's scale",
}
STEP_K = 6.0
STEP_K_PER_S = 8.0 / 60.0
"""Air and a probe move by no more than this between two measurements: a closed rack's door gave 6.4 K in a minute."""
APART_K = 6.0
"""Further from its neighbours than this, both taken from their usual levels, is contradiction."""
STRANGE_K = 16.0
"""And so is this between the values themselves, whatever is usual: another place, or another thing, is measured."""
STILL_K = 1.0
"""Who has moved less than this in 15 minutes stays where he was."""
STILL_OVER_S = 900.0
AT_ONCE_S = 180.0
"""Measurements that are further apart than this may differ by as much in a room that heats."""
FOLLOWS_BY = 4
"""And who has moved by less than the fourth part of what he is away."""
DRIFT_K = 4.0
"""From its neighbours, while those are quiet."""
DRIFT_FOR_S = 3600.0
STUCK_K = 3.0
"""So far from neighbours that move, without a change of its own."""
STUCK_FOR_S = 600.0
STUCK_TIMES = 5
FROZEN_S = 1800.0
"""Without a change for so long, and against long odds, most of the sensors may be stuck and the one that moves well."""
LIVELY = 0.3
"""A neighbour that changes as often shows how a sensor of this room speaks that is well."""
STUCK_ALONE_S = 6 * 3600.0
LEAST_CHANGES = 0.05
"""Who changes less often may well stand still."""
UNLIKELY = 30.0
"""Natural logarithm of the odds against so many equal values in a row."""
BEHAVED_S = 600.0
BEHAVED_TIMES = 2
"""What a suspect sensor has to behave for before it votes again."""
FAHRENHEIT_K = 5.0
"""So near to what is expected a value in degrees Fahrenheit comes once it is converted."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One sensor among its neighbours."""

    name: str
    track: Track
    is_able: bool
    """Fresh, not suspect and where it counts: it can speak for or against others."""


def examined(
    tracks: Mapping[str, Track], names: Sequence[str], able: Callable[[Track], bool], settings: PolicySettings,
    *, witness_k: float = 0.0,
) -> dict[str, Track]:
    """The tracks of one kind that have become suspect, stay so, or are believed again; only those that change.

    :param names: of one kind, all among the tracks.
    :param able: fresh, and where its measurements count.
    :param witness_k: how far most sensors of the other kind stand above their usual level, and have risen lately.
    """
    changed: dict[str, Track] = {}
    if witness_k <= STUCK_K and not strikes([tracks[name] for name in names], able):
        return changed
    voices = {name: Voice(name, tracks[name], able(tracks[name])) for name in sorted(names)}
    quiet = [voice for voice in voices.values() if voice.is_able and voice.track.suspicion is None]
    for voice in sorted(voices.values(), key=lambda voice: (-abs(voice.track.above_usual_k), voice.name)):
        if not voice.is_able:
            continue
        others = [other for other in quiet if other.name != voice.name]
        company = [other for other in voices.values() if other.is_able and other.name != voice.name and (
            other.track.suspicion is None or other.track.suspicion.is_alone)]
        why = _alone(voice.track, others)
        is_witnessed = witness_k > STUCK_K and voice.track.above_usual_k >= witness_k / 2
        alone = None
        if why is None and not is_witnessed:
            alone = _stepped(voice.track, company) or _among(voice.track, others, company, settings)
            if alone is None and witness_k > STUCK_K and is_unchanged(voice.track):
                alone = f"it is stuck at {voice.track.last.celsius:.1f} degC, while the servers' inlets have risen"
        borne_out = ""
        if is_witnessed or any(_bears_out(one.track, voice.track) for one in company):
            borne_out = "others show it too by now"
        elif company and not others:
            borne_out = "those who spoke against it are not believed themselves"
        track = _judged(voice.track, why or alone, is_alone=alone is not None, borne_out=borne_out)
        if track is not voice.track:
            changed[voice.name] = track
            if track.suspicion is not None and voice in quiet:
                quiet.remove(voice)
    return changed


def strikes(tracks: Iterable[Track], able: Callable[[Track], bool] = lambda _: True) -> bool:
    """Whether anything strikes the eye: a misfit, one far from the others, one unchanged for long."""
    degrees, above, is_still = [], [], False
    for track in tracks:
        last = track.recent[-1]
        celsius = last.celsius
        if track.suspicion is not None or not COLDEST_C < celsius <= HOTTEST_C:
            return True
        if track.same >= STUCK_TIMES:
            same_s = last.measured_at - track.same_from
            if same_s >= STUCK_ALONE_S and track.changes >= LEAST_CHANGES:
                return True
            is_still = is_still or same_s >= STUCK_FOR_S
        if len(track.recent) > 1 and not -STEP_K <= celsius - track.recent[-2].celsius <= STEP_K:
            return True
        if able(track):
            degrees.append(celsius)
            above.append(0.0 if track.usual_c is None else celsius - track.usual_c)
    if len(degrees) < 2:
        return False
    lowest, highest = min(above), max(above)
    return (highest > DRIFT_K or lowest < -DRIFT_K or highest - lowest > (STUCK_K if is_still else APART_K)
            or max(degrees) - min(degrees) > STRANGE_K)


def slipped(track: Track, reason: str, at: float) -> Track:
    """The track of a sensor for which something was sent that is no measurement at all: once may be a slip."""
    is_again = track.slipped_at is not None and 0 < at - track.slipped_at <= BEHAVED_S
    return replace(_refused(track, reason, at) if is_again else track, slipped_at=at)


def _refused(track: Track, reason: str, at: float) -> Track:
    since = at if track.suspicion is None else track.suspicion.since
    return replace(track, suspicion=Suspicion(reason, since, judged=track.last.stamp))


def mistimed(track: Track, at: float) -> Track:
    """The track of a sensor that goes on speaking under times that do not advance; else the same."""
    times, odd = track.odd or (0, None)
    if odd is None or times < ODD_TIMES or track.suspicion is not None:
        return track
    how = ("it repeats the time of its last measurement under new values" if odd.stamp == track.last.stamp else
           f"its clock was set back by {(track.last.stamp - odd.stamp) / 60:.0f} min or more")
    return _refused(track, f"{how}: {odd.celsius:.1f} degC is of no known time", at)


def _judged(track: Track, why: str | None, *, is_alone: bool, borne_out: str) -> Track:
    """The track with its suspicion begun, renewed, nearer to its end, or ended."""
    now, doubt = track.last, track.suspicion
    if why is not None:
        if doubt is not None and doubt.judged == now.stamp and doubt.good_from is None:
            renewed = doubt._replace(reason=why, is_alone=is_alone)
            return track if renewed == doubt else replace(track, suspicion=renewed)
        since = now.measured_at if doubt is None else doubt.since
        return replace(track, suspicion=Suspicion(why, since, judged=now.stamp, is_alone=is_alone))
    if doubt is None:
        return track
    if borne_out:
        return replace(track, suspicion=None, cleared=borne_out)
    if doubt.judged == now.stamp:
        return track
    good_from = now.measured_at if doubt.good_from is None else doubt.good_from
    goods = doubt.goods + 1
    if goods >= BEHAVED_TIMES and now.measured_at - good_from >= BEHAVED_S:
        return replace(track, suspicion=None, cleared=f"it has behaved for {BEHAVED_S / 60:.0f} min")
    return replace(track, suspicion=doubt._replace(good_from=good_from, goods=goods, judged=now.stamp))


def _bears_out(other: Track, track: Track) -> bool:
    """What looked wrong is what a sensor that is believed shows by now too."""
    away_k, other_k = track.above_usual_k, other.above_usual_k
    return (abs(away_k) > STUCK_K and other_k * math.copysign(1.0, away_k) >= abs(away_k) / 2
            and abs(other_k - away_k) <= APART_K)


def _alone(track: Track, others: Sequence[Voice]) -> str | None:
    """What is wrong with what it says, whatever the room does."""
    now, before = track.last, track.before
    expected = _expected(track, others)
    is_sudden = before is None or track.suspicion is not None or abs(now.celsius - before.celsius) > STEP_K
    sentinel = SENTINELS.get(now.celsius)
    if is_sudden and expected is not None and _is_fahrenheit(now.celsius, expected) and (
        sentinel is None or (before is not None and before.celsius not in SENTINELS
                             and _is_fahrenheit(before.celsius, expected))
    ):
        return f"{now.celsius:.1f} looks like degrees Fahrenheit: that would be {_from_f(now.celsius):.1f} degC"
    if sentinel is not None and (is_sudden or not COLDEST_C < now.celsius <= HOTTEST_C):
        return f"{now.celsius:g} degC: {sentinel}"
    if not COLDEST_C < now.celsius <= HOTTEST_C:
        has_come = before is not None and not is_sudden and (
            COLDEST_C < before.celsius <= COLDEST_C + NEAR_EDGE_K or before.celsius >= HOTTEST_C - NEAR_EDGE_K
        )
        if not has_come:
            is_lost = expected is None or not COLDEST_C < expected <= HOTTEST_C
            if is_lost and _is_fahrenheit(now.celsius, 25.0, within_k=15.0):
                return f"{now.celsius:.1f} degC is out of range, and looks like degrees Fahrenheit"
            return f"{now.celsius:g} degC is out of range: a server room is between {COLDEST_C:g} and {HOTTEST_C:g}"
    return _is_stuck_alone(track)


def _expected(track: Track, others: Sequence[Voice]) -> float | None:
    """What it would show if it were well: as its neighbours do, or as it usually does."""
    if others:
        return median(other.track.last.celsius for other in others)
    return track.usual_c


def _from_f(fahrenheit: float) -> float:
    return (fahrenheit - 32.0) / 1.8


def _is_fahrenheit(celsius: float, expected_c: float, *, within_k: float = FAHRENHEIT_K) -> bool:
    return abs(_from_f(celsius) - expected_c) <= within_k and abs(celsius - expected_c) > 2 * within_k


def _stepped(track: Track, company: Sequence[Voice]) -> str | None:
    """It jumps further than air does, and no neighbour goes with it."""
    before, now = track.before, track.last
    if before is None:
        return None
    step_k = now.celsius - before.celsius
    if abs(step_k) <= STEP_K + STEP_K_PER_S * max(0.0, now.stamp - before.stamp):
        return None
    if track.suspicion is not None and track.usual_c is not None and abs(track.above_usual_k) < APART_K:
        return None  # back to where it belongs
    if any(_has_gone_too(other.track, step_k, before.measured_at) for other in company):
        return None
    how = f"from {before.celsius:.1f} to {now.celsius:.1f} degC within {now.stamp - before.stamp:.0f} s"
    return f"{how}: air does not do that, and no other sensor did"


def _has_gone_too(other: Track, step_k: float, since: float) -> bool:
    """It has moved at least half as far the same way since then."""
    was = next((m.celsius for m in reversed(other.recent) if m.measured_at <= since), other.recent[0].celsius)
    return (other.last.celsius - was) * math.copysign(1.0, step_k) >= abs(step_k) / 2


def _is_stuck_alone(track: Track) -> str | None:
    """It used to change and has not for so long that it can hardly be chance."""
    same_s = track.last.measured_at - track.same_from
    if same_s < STUCK_ALONE_S or track.changes < LEAST_CHANGES or not _is_unlikely(track, track.changes):
        return None
    return f"it is stuck at {track.last.celsius:.1f} degC: no change for {same_s / 3600:.0f} h"


def _is_unlikely(track: Track, changes: float) -> bool:
    """So many equal values in a row are, where this share of its measurements is to differ from the one before."""
    return -math.log1p(-min(changes, 0.99)) * track.same >= UNLIKELY


def _among(
    track: Track, others: Sequence[Voice], company: Sequence[Voice], settings: PolicySettings
) -> str | None:
    """What is wrong with it as its neighbours see it.

    :param others: that are believed.
    :param company: those, and who was alone with what he said: two that say the same are no longer.
    """
    if (why := _is_stuck(track, others) or _has_frozen(track, company)) is not None or not others:
        return why
    against = [other for other in others if _contradicts(other.track, track, settings)]
    if against:
        support = [other for other in company if other not in against and _supports(other.track, track)]
        is_tie = len(against) == len(others) == 1
        is_further = abs(track.above_usual_k) > abs(others[0].track.above_usual_k)
        if len(against) > len(support) and (not is_tie or is_further):
            said = ", ".join(f"{other.name} {other.track.last.celsius:.1f}" for other in against[:3])
            return f"{track.last.celsius:.1f} degC, and its neighbours do not follow: {said}"
    return _has_drifted(track, others)


def _contradicts(other: Track, track: Track, settings: PolicySettings) -> bool:
    """`other` has measured since, is elsewhere, and has stayed there."""
    apart_k = abs(track.last.celsius - other.last.celsius)
    are_alike = abs(track.above_usual_k - other.above_usual_k) <= APART_K
    if apart_k <= APART_K or (are_alike and apart_k <= STRANGE_K):
        return False
    is_hot = track.last.celsius > other.last.celsius
    is_usual = abs(track.above_usual_k) <= DRIFT_K
    if not is_hot and is_usual and (has_jumped(other) or other.moved_k(STILL_OVER_S) < _still_k(other)):
        return False  # where a rack's door was closed says nothing of one that stands as usual
    apart_s = other.last.measured_at - track.last.measured_at
    has_measured = track.before is None or other.last.measured_at > track.before.measured_at
    if abs(apart_s) > AT_ONCE_S or not has_measured:
        return False  # between their measurements the air may have changed as much
    if is_hot and other.last.celsius >= settings.high_of(other.kind):
        return False  # a hot neighbour speaks for heat
    return stands_still(other, apart_k if is_hot else -apart_k)


def stands_still(other: Track, away_k: float) -> bool:
    """It has not lately moved towards what is so far away from it, as one that only lags behind does."""
    moved_k = other.moved_k(STILL_OVER_S) * math.copysign(1.0, away_k)
    return moved_k < max(_still_k(other), abs(away_k) / FOLLOWS_BY)


def _still_k(track: Track) -> float:
    """Inlets show whole degrees: one step is no movement."""
    return STILL_K if track.kind is Kind.ROOM else 2 * STILL_K


def _supports(other: Track, track: Track) -> bool:
    """Both stand alike, from their usual levels or as they are."""
    return abs(other.above_usual_k - track.above_usual_k) <= APART_K / 2 or (
        abs(other.above_usual_k) >= abs(track.above_usual_k) / 2
        and (other.above_usual_k > 0) is (track.above_usual_k > 0)
    )


def is_unchanged(track: Track) -> bool:
    """It has said the same for long, and often."""
    return track.same >= STUCK_TIMES and track.last.measured_at - track.same_from >= STUCK_FOR_S


def witness(tracks: Iterable[Track]) -> float:
    """How far most of these sensors stand above their usual level; 0 where most have not risen lately, or one alone."""
    above = sorted(track.above_usual_k if track.moved_k(STILL_OVER_S) >= _still_k(track) else 0.0 for track in tracks)
    return above[(len(above) - 1) // 2] if len(above) > 1 else 0.0


def _is_stuck(track: Track, others: Sequence[Voice]) -> str | None:
    """It has not changed at all while most of the others have moved away from it."""
    if not is_unchanged(track):
        return None
    left = [other for other in _away(track, others)
            if abs(other.track.moved_k(STILL_OVER_S)) >= 2 * _still_k(other.track)]
    return _said_stuck(track, left) if 2 * len(left) > len(others) else None


def _has_frozen(track: Track, company: Sequence[Voice]) -> str | None:
    """So have others, all of them for longer than chance allows: they say nothing against one that has moved away."""
    away = _away(track, company)
    near = [other.track for other in company if other not in away]
    is_frozen = bool(away) and all(_is_frozen(one, company) for one in (track, *near))
    return _said_stuck(track, away) if is_frozen else None


def _is_frozen(track: Track, company: Sequence[Voice]) -> bool:
    """By how often it used to change; of one that never has, by how often others do that are well."""
    same_s = track.last.measured_at - track.same_from
    if track.same < STUCK_TIMES or same_s < FROZEN_S:
        return False
    changes = track.changes or max(other.track.changes for other in company)
    return changes >= (LEAST_CHANGES if track.changes else LIVELY) and _is_unlikely(track, changes)


def _away(track: Track, others: Sequence[Voice]) -> list[Voice]:
    """Who stands far from it, and could have been followed."""
    return [other for other in others if _has_measured_since(track, other.track)
            and abs(other.track.above_usual_k - track.above_usual_k) > STUCK_K]


def _said_stuck(track: Track, left: Sequence[Voice]) -> str:
    same_s = track.last.measured_at - track.same_from
    said = ", ".join(f"{other.name} {other.track.moved_k(STILL_OVER_S):+.1f}" for other in left[:3])
    return f"it is stuck at {track.last.celsius:.1f} degC for {same_s / 60:.0f} min, while others moved: {said} K"


def _has_measured_since(track: Track, other: Track) -> bool:
    """It could have followed: it has measured after the other's measurement before the last."""
    return other.before is not None and track.last.measured_at > other.before.measured_at


def _has_drifted(track: Track, others: Sequence[Voice]) -> str | None:
    """Most of its neighbours are quiet where they usually are, and it has long been elsewhere."""
    away_k = track.above_usual_k
    is_with_them = abs(track.last.celsius - median(other.track.last.celsius for other in others)) <= DRIFT_K
    if abs(away_k) <= DRIFT_K or is_with_them:
        return None  # whoever stands where his neighbours do has not drifted
    quiet = [other for other in others if abs(other.track.above_usual_k) <= DRIFT_K / 2
             and abs(other.track.moved_k(STILL_OVER_S)) < _still_k(other.track)]
    if 2 * len(quiet) <= len(others):
        return None
    first = track.recent[0]
    held = [m for m in track.recent if track.last.measured_at - m.measured_at <= DRIFT_FOR_S]
    is_long = track.last.measured_at - first.measured_at >= min(DRIFT_FOR_S, STILL_OVER_S)
    if not is_long or any(abs(m.celsius - (track.usual_c or 0.0)) <= DRIFT_K for m in held):
        return None
    return f"it has drifted {away_k:+.1f} K from its usual level, which its neighbours have kept"

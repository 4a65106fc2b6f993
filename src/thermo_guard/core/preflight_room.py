"""What `check` says of the room's sensors: whether they can be asked, raise the alarm in time, and end it."""

import math
from collections.abc import Iterator

from .assessment import SensorNow
from .finding import Area, Finding, Way, fail, ok, warn
from .plant import Unseen
from .policy import Assessment, PolicySettings, Room, assess, remembered, seen, votes_needed
from .readings import Poll
from .survey import Memory, Network, Survey
from .track import Track

SLOWEST_CADENCE_S = 1200.0
"""How seldom a Meraki MT sensor measures by default, where nothing better is known."""
SERVERS_STOP_C = 42.0
"""Inlet at which server firmware shuts down by default (HPE caution, Dell warning)."""
DENSE_ROOM_C_PER_MIN = 1.0
"""What a dense room gains without cooling."""


def room_findings(survey: Survey, policy: PolicySettings) -> tuple[Finding, ...]:
    found = [*_of_meraki(survey)]
    if isinstance(survey.poll, Unseen):
        if not (isinstance(survey.network, Unseen) and survey.network.reason == survey.poll.reason):
            found.append(fail(Area.ROOM, Way.DOWN, f"The sensors cannot be read: {survey.poll.reason}",
                              _remedy(survey.poll)))
        return tuple(found)
    room, assessment = _assessed(survey, survey.poll, policy)
    names = survey.network.sensors if isinstance(survey.network, Network) else {}
    found += _of_votes(assessment, policy)
    if len(assessment.sensors) == 1:
        found.append(warn(Area.ROOM, "Only one sensor votes: if it errs it stops the site alone, and if it fails the "
                                     "room is BLIND and no alarm is raised", "Hang up at least two more."))
    for sensor in assessment.sensors:
        name = names.get(sensor.sensor)
        label = f"{sensor.sensor} ({name})" if name else sensor.sensor
        found.append(_of_sensor(label, sensor, room.tracks.get(sensor.sensor), policy))
    voting = {sensor.sensor for sensor in assessment.sensors}
    for silent in sorted(set(names) - voting) if policy.sensors is None else ():
        found.append(warn(Area.ROOM, f"{silent} is in the network and has no reading: it does not count until it has",
                          "See in the dashboard whether it is online; name the sensors that count in MERAKI_SENSORS."))
    tracks = [track for sensor in assessment.sensors if (track := room.tracks.get(sensor.sensor)) is not None]
    if tracks:
        found.append(_of_delay(tracks, len(assessment.sensors), policy))
    return tuple(found)


def assessment_of(survey: Survey, policy: PolicySettings) -> Assessment | None:
    """The room as it is judged now; None where the sensors did not answer."""
    return _assessed(survey, survey.poll, policy)[1] if isinstance(survey.poll, Poll) else None


def _assessed(survey: Survey, poll: Poll, policy: PolicySettings) -> tuple[Room, Assessment]:
    """The room as the guard itself would judge it now, from what it remembers and this poll."""
    memory = survey.memory if isinstance(survey.memory, Memory) else Memory()
    room = remembered(Room(started_at=poll.at, sensors=memory.sensors), memory.readings, policy)
    return assess(seen(room, poll, policy), policy, poll.at)


def _of_meraki(survey: Survey) -> Iterator[Finding]:
    network, count = survey.network, survey.alert_count
    if isinstance(network, Unseen):
        if isinstance(survey.poll, Poll):  # the readings come all the same, and the alarm with them
            yield warn(Area.MERAKI, f"The network's description cannot be read: {network.reason}", _remedy(network))
        else:
            yield fail(Area.MERAKI, Way.DOWN, f"No alarm could be raised: {network.reason}", _remedy(network))
        return
    yield ok(Area.MERAKI, f"The API key works; network {network.name} ({network.id}), temperature sensors: "
                          f"{len(network.sensors)}")
    if isinstance(count, Unseen):
        yield warn(Area.MERAKI, f"The count of Meraki's own alarms cannot be read: {count.reason}",
                   "The guard goes on without it: it only corroborates.")
    elif count.temperature is None:
        yield warn(Area.MERAKI, "The network does not support the temperature metric of the alerts overview",
                   "The guard goes on without it: it only corroborates.")
    else:
        yield ok(Area.MERAKI, f"Sensors that Meraki itself holds in alarm: {count.temperature}")


def _remedy(unseen: Unseen) -> str:
    if unseen.is_refused:
        return "Make a key in the dashboard (read-only access to the organisation suffices) and set MERAKI_API_KEY."
    return "See MERAKI_NETWORK_ID, MERAKI_API_BASE_URL, and whether this machine reaches the Internet by https."


def _of_votes(assessment: Assessment, policy: PolicySettings) -> Iterator[Finding]:
    total = len(assessment.sensors)
    fresh = sum(sensor.is_fresh for sensor in assessment.sensors)
    wanted = votes_needed(policy, total)
    least = min(wanted, 1 if total == 1 else policy.degrade_to)
    if total == 0:
        yield fail(Area.ROOM, Way.DOWN, "The network has no temperature sensor that ever had a reading",
                   "See MERAKI_NETWORK_ID, and in the dashboard whether the sensors are online.")
    elif wanted > total:
        yield fail(Area.ROOM, Way.DOWN, f"TRIP_VOTES is {wanted} and there are {total} sensors: the alarm could only "
                                        "be raised by a critical temperature",
                   f"TRIP_VOTES={total // 2 + 1}, or leave it out.")
    elif fresh < least:
        yield fail(Area.ROOM, Way.DOWN, f"{fresh} of {total} sensors have a fresh reading, at least {least} are "
                                        "needed: the room would be BLIND",
                   "See in the dashboard whether the sensors are online.")
    elif fresh < wanted:
        yield fail(Area.ROOM, Way.BACK, f"{fresh} of {total} sensors have a fresh reading: the alarm can be raised, "
                                        f"but the room only counts as recovered when {wanted} say so",
                   "See in the dashboard whether the other sensors are online.")
    else:
        yield ok(Area.ROOM, f"{fresh} of {total} sensors have a fresh reading; {wanted} at or above "
                            f"{policy.high_c:g} degC make the alarm")


def _of_sensor(label: str, sensor: SensorNow, track: Track | None, policy: PolicySettings) -> Finding:
    if track is None or sensor.celsius is None or sensor.age_s is None:
        return warn(Area.ROOM, f"{label}: no reading ({sensor.why})",
                    "See its serial number in MERAKI_SENSORS, and in the dashboard whether it is online.")
    cadence = track.cadence_s
    every = "" if cadence is None else f", measured every {_minutes(cadence)}"
    said = f"{label}: {sensor.celsius:.1f} degC, {_minutes(sensor.age_s)} old{every}"
    if sensor.is_suspect and track.suspicion is not None:
        return warn(Area.ROOM, f"{said}: it is suspect and does not vote: {track.suspicion.reason}",
                    "Look at the sensor and at its place; it counts again when it has behaved for a while.")
    if not sensor.is_fresh:
        return warn(Area.ROOM, f"{said}: too old to count, {_minutes(track.max_age_s(policy))} are the most",
                    "See in the dashboard whether it is online, its battery, and its gateway.")
    if sensor.celsius >= policy.high_c:
        alone = ", and alone is enough for it" if sensor.celsius >= policy.critical_c else ""
        return fail(Area.ROOM, Way.BACK,
                    f"{said}: at or above HIGH ({policy.high_c:g}). It votes for the alarm now{alone}; while it stands "
                    "there nothing is brought back",
                    "Cool the room; or hang it where the cold air comes in, or leave it out of MERAKI_SENSORS.")
    if sensor.celsius > policy.low_c:
        return fail(Area.ROOM, Way.BACK,
                    f"{said}: above LOW ({policy.low_c:g}) already; while it stands there the room never counts as "
                    "recovered, and nothing would be brought back",
                    "Hang it where the cold air comes in, raise TEMPERATURE_LOW_THRESHOLD, or leave it out of "
                    "MERAKI_SENSORS.")
    if cadence is not None and track.max_age_s(policy) < cadence:
        return warn(Area.ROOM, f"{said}: between two measurements it is too old to count "
                               f"(after {_minutes(track.max_age_s(policy))})",
                    f"SENSOR_MAX_AGE={min(2700.0, math.ceil(2.5 * cadence)):g}, or leave it out.")
    return ok(Area.ROOM, said)


def worst_delay_s(cadence_s: float, policy: PolicySettings) -> float:
    """From the room's passing HIGH to one sensor's vote: a measurement just missed, the distinct ones that stand for
    the on-delay, and the poll that was just missed too.
    """
    hot_for = math.ceil(policy.on_delay_s / cadence_s) if cadence_s > 0 else 0
    return cadence_s * (1 + hot_for) + policy.poll_interval_s


def _of_delay(tracks: list[Track], sensors: int, policy: PolicySettings) -> Finding:
    """The alarm comes with the vote of the last sensor that it needs: the fastest ones count."""
    known = [track.cadence_s for track in tracks if track.cadence_s is not None]
    votes = max(1, min(votes_needed(policy, sensors), sensors))
    if len(known) < votes:
        at_worst_s = worst_delay_s(SLOWEST_CADENCE_S, policy)
        return warn(
            Area.ROOM,
            "How often the sensors measure is not known yet: one poll does not show it. If every "
            f"{_minutes(SLOWEST_CADENCE_S)}, as by default, the alarm comes {_minutes(at_worst_s)} after the room has "
            f"passed {policy.high_c:g} degC at worst, {_then(at_worst_s, policy)}",
            "Check again when the guard has run for an hour.",
        )
    slowest_s = sorted(known, key=lambda cadence_s: worst_delay_s(cadence_s, policy))[votes - 1]
    delay_s = worst_delay_s(slowest_s, policy)
    text = (
        f"The alarm comes {_minutes(delay_s)} after the room has passed {policy.high_c:g} degC at worst (a measurement "
        f"just missed, {_minutes(slowest_s)}; those that stand for TRIP_ON_DELAY, "
        f"{_minutes(delay_s - slowest_s - policy.poll_interval_s)}; a poll, {_minutes(policy.poll_interval_s)}), "
        f"{_then(delay_s, policy)}"
    )
    if _by_then_c(delay_s, policy) <= SERVERS_STOP_C:
        return ok(Area.ROOM, text)
    return warn(Area.ROOM, text, "Lower TEMPERATURE_HIGH_THRESHOLD, or take sensors that measure more often.")


def _by_then_c(delay_s: float, policy: PolicySettings) -> float:
    return policy.high_c + delay_s / 60 * DENSE_ROOM_C_PER_MIN


def _then(delay_s: float, policy: PolicySettings) -> str:
    by_then_c = _by_then_c(delay_s, policy)
    if by_then_c <= SERVERS_STOP_C:
        return f"when a dense room without cooling (a degree a minute) stands at {by_then_c:.0f} degC"
    left_s = max(0.0, SERVERS_STOP_C - policy.high_c) / DENSE_ROOM_C_PER_MIN * 60
    return (f"while a dense room without cooling (a degree a minute) needs {_minutes(left_s)} to the "
            f"{SERVERS_STOP_C:g} degC at which servers stop themselves hard")


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"

"""What a site's own history says of its settings: how near it ever was, what would have tripped, what fits better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .policy_settings import INLETS_ABOVE_K, PolicySettings
from .readings import Kind

DAY_S = 86400.0
ENOUGH_S = 7 * DAY_S - 3600.0
"""Less has not seen every weekday."""
LEAST_S = DAY_S
ABOVE_P99_K = 5.0
"""HIGH stands at least so far above what the vote reaches in all but a hundredth of the time."""
USUAL_HIGH_C = 35.0
"""A room that stays well below gains nothing by a higher one."""
HIGHEST_C = 38.0
"""Servers stop themselves hard at about 42."""
BAND_K = 3.0
LEAST_BELIEVED = 0.5
"""A sensor of which less was believed wants repair, and no other threshold."""
MOST_BLIND = 0.5
"""Of a room that was unseen for longer than this share nothing is known."""
ABOVE_USUAL_K = 2.0
ELSEWHERE_K = 6.0
"""A sensor that usually stands so far above the others measures another place."""


@dataclass(frozen=True, slots=True)
class SensorPast:
    """What one sensor has shown while it was believed."""

    sensor: str
    kind: Kind
    usual_c: float
    """Median, as the next one without the times of trips."""
    p99_c: float
    hottest_c: float
    hottest_at: float
    """Seconds since 1970 UTC."""
    cadence_s: float | None
    suspected: int = 0
    """How often it was suspect."""
    why: str = ""
    """The last time."""
    believed: float = 1.0
    """The share of its measurements that was believed."""

    @property
    def is_well(self) -> bool:
        return self.believed >= LEAST_BELIEVED


@dataclass(frozen=True, slots=True)
class Mute:
    """A sensor of which nothing was believed."""

    sensor: str
    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class Variant:
    """The same history under other settings."""

    what: str
    trips: tuple[float, ...]
    """When each came."""
    false: int | None
    """Those in whose time no incident is on record; None where there is no record."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the history has shown under the settings as they are."""

    began_at: float
    ended_at: float
    sensors: tuple[SensorPast, ...]
    voted_p99_c: float | None
    """As many sensors as make HIGH stood here or above, in all but a hundredth of the time."""
    voted_most_c: float | None
    voted_most_at: float | None
    critical_in_s: float | None
    """The shortest that was ever projected; None: it never rose above the floor."""
    blind_s: float
    left_out: tuple[float, ...] = ()
    """The trips whose heat is no habit: nothing that is said of the usual holds what was measured around them."""
    mute: tuple[Mute, ...] = ()
    odd_rows: Mapping[str, int] = field(default_factory=dict)
    """What was recorded and could not be taken, by what is wrong with it."""
    variants: tuple[Variant, ...] = ()

    @property
    def lasts_s(self) -> float:
        return self.ended_at - self.began_at


@dataclass(frozen=True, slots=True)
class Proposal:
    """Another value for a setting."""

    setting: str
    now: str
    proposed: str
    reason: str


def too_little(past: Past) -> str:
    """Why nothing can be proposed; empty where something can."""
    if past.lasts_s < LEAST_S:
        return "it is less than a day"
    if not any(one.kind is Kind.ROOM and one.is_well for one in past.sensors):
        return "there is no sensor of the room that could be believed for most of the time"
    if past.blind_s > MOST_BLIND * past.lasts_s:
        return "the room was unseen for most of the time"
    if past.voted_p99_c is None:
        return "as many sensors as the vote needs were never seen together"
    return ""


def proposals(past: Past, policy: PolicySettings) -> tuple[Proposal, ...]:
    """What fits the history better, and only that."""
    if too_little(past):
        return ()
    rooms = [one for one in past.sensors if one.kind is Kind.ROOM and one.is_well]
    middle = sorted(one.usual_c for one in rooms)[len(rooms) // 2]
    elsewhere = [one for one in rooms if one.usual_c - middle > ELSEWHERE_K]
    here = [one for one in rooms if one not in elsewhere]
    if len(here) < max(2, policy.votes or 0):
        here, elsewhere = rooms, []
    found = [*_of_thresholds(past, here, policy), *_of_inlets(past, policy)]
    if elsewhere:
        names = ",".join(one.sensor for one in here)
        hot = ", ".join(f"{one.sensor} usually {one.usual_c:.1f}" for one in elsewhere)
        now = "all of the network" if policy.sensors is None else ",".join(policy.sensors)
        found.append(Proposal("MERAKI_SENSORS", now, names,
                              f"{hot}, the others about {middle:.1f}: it measures another place"))
    if policy.max_age_s is not None:
        slow = [one for one in rooms if one.cadence_s is not None and policy.max_age_s < 2 * one.cadence_s]
        if slow:
            why = f"{slow[0].sensor} measures every {slow[0].cadence_s:.0f} s: one that is late is stale"
            found.append(Proposal("SENSOR_MAX_AGE", f"{policy.max_age_s:g}", "nothing", why))
    return tuple(found)


def _of_thresholds(past: Past, rooms: Sequence[SensorPast], policy: PolicySettings) -> list[Proposal]:
    """HIGH well above what is reached every week, LOW between that and what is usual."""
    found = []
    p99_c, warmest_c = past.voted_p99_c or 0.0, max(one.usual_c for one in rooms)
    high_c, fits_c = policy.high_c, _half(p99_c + ABOVE_P99_K)
    most_c = min(HIGHEST_C, policy.critical_c - 1.0)
    if min(fits_c, most_c) > high_c:
        high_c = min(fits_c, most_c)
        found.append(Proposal(
            "TEMPERATURE_HIGH_THRESHOLD", f"{policy.high_c:g}", f"{high_c:g}",
            f"the vote reaches {p99_c:.1f} degC in a hundredth of the time: {policy.high_c:g} is too near to that"))
    elif (enough_c := max(USUAL_HIGH_C, fits_c, policy.low_c + BAND_K)) < high_c:
        high_c = enough_c
        found.append(Proposal(
            "TEMPERATURE_HIGH_THRESHOLD", f"{policy.high_c:g}", f"{high_c:g}",
            f"the vote reaches {p99_c:.1f} degC in a hundredth of the time: an alarm at {policy.high_c:g} is late"))
    low_c = policy.low_c
    if policy.low_c < warmest_c + ABOVE_USUAL_K:
        low_c = min(_half(warmest_c + ABOVE_USUAL_K + 1), high_c - BAND_K)
        if low_c > policy.low_c:
            found.append(Proposal(
                "TEMPERATURE_LOW_THRESHOLD", f"{policy.low_c:g}", f"{low_c:g}",
                f"a sensor usually stands at {warmest_c:.1f} degC: below {low_c:g} the room would hardly recover"))
    warn_c = policy.warn_at_c if policy.warn_c is not None else low_c
    hottest_p99_c = max(one.p99_c for one in rooms)
    shed_c = max(low_c, high_c - 2.0) if policy.shed_c is None else policy.shed_c
    better_c = min(_half(hottest_p99_c + 0.5), shed_c, high_c - 1)
    if warn_c < hottest_p99_c and better_c > warn_c:
        found.append(Proposal(
            "WARN_THRESHOLD", f"{policy.warn_at_c:g}", f"{better_c:g}",
            f"a sensor passes {warn_c:g} in more than a hundredth of the time: nobody would read that warning"))
    return found


def _of_inlets(past: Past, policy: PolicySettings) -> list[Proposal]:
    inlets = [one for one in past.sensors if one.kind is Kind.BMC and one.is_well]
    if not inlets:
        return []
    found = []
    warmest = max(inlets, key=lambda one: one.usual_c)
    low_c, high_c = policy.low_of(Kind.BMC), policy.high_of(Kind.BMC)
    p99_c = sorted(one.p99_c for one in inlets)[len(inlets) // 2]
    better_c = min(_half(p99_c + ABOVE_P99_K), min(HIGHEST_C, policy.critical_c - 1.0) + INLETS_ABOVE_K)
    if high_c - p99_c < INLETS_ABOVE_K and better_c > high_c:
        found.append(Proposal(
            "INLET_HIGH_THRESHOLD", f"{high_c:g}", f"{better_c:g}",
            f"half of the inlets reach {p99_c:.1f} degC in a hundredth of the time"))
        high_c = better_c
    better_c = min(_half(warmest.usual_c + BAND_K), high_c - BAND_K)
    if warmest.usual_c + ABOVE_USUAL_K > low_c and better_c > low_c:
        found.append(Proposal(
            "INLET_LOW_THRESHOLD", f"{low_c:g}", f"{better_c:g}",
            f"the inlet {warmest.sensor} usually stands at {warmest.usual_c:.1f} degC"))
    return found


def _half(celsius: float) -> float:
    """The next half degree above."""
    return -(-celsius * 2 // 1) / 2


def variants(policy: PolicySettings) -> Mapping[str, Mapping[str, object]]:
    """The settings under which the history is gone through once more, by what is other in them."""
    lower = {f"TEMPERATURE_HIGH_THRESHOLD={policy.high_c - below:g}": {"high_c": policy.high_c - below}
             for below in (1.0, 2.0, 3.0, 5.0) if policy.high_c - below > policy.low_c}
    return {**lower, "TRIP_VOTES=1": {"votes": 1}}

"""Goes through a site's history and says what its settings make of it: the work of `thermo-guard tune`."""

import heapq
import json
import math
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

from rich.console import Console
from rich.table import Table

from .adapters import logs
from .adapters.journal import SqlJournal
from .core.decisions import What
from .core.plausibility import COLDEST_C, HOTTEST_C
from .core.policy_settings import PolicySettings
from .core.readings import Kind
from .core.track import MAX_AGE_BOUNDS_S
from .core.tuning import DAY_S, ENOUGH_S, LEAST_S, Past, SensorPast, Variant, proposals, variants
from .ports import Fault
from .replay.command import Sources, journals, read_all
from .replay.history import folder_of
from .replay.options import Asked
from .replay.recorded import UnreadableError
from .replay.recording import Recording
from .replay.rerun import Rerun

OLD_AFTER = 2.5
"""So many times its usual cadence a measurement stands for its sensor."""
_NEAR_S = 3600.0
"""A trip in the hour before an incident began, or while it was open, was none for nothing."""


def tune(sources: Sources, asked: Asked, *, as_json: bool) -> None:
    """Print what the history says, and what is proposed.

    :raises UnreadableError: something could not be read.
    """
    logs.configure("auto", "ERROR")
    recording = read_all(sources, asked)
    incidents = _incidents(sources, asked)
    past = _past(recording, asked.policy, incidents)
    if past is None:
        raise UnreadableError("There is no measurement in it. Nothing can be said of the settings.")
    tried = tuple(
        _variant(what, recording, replace(asked.policy, **changes), incidents)  # type: ignore[arg-type]
        for what, changes in {"as it is set": {}, **variants(asked.policy)}.items()
    )
    past = replace(past, variants=tried)
    if as_json:
        data = {"past": asdict(past), "proposals": [asdict(one) for one in proposals(past, asked.policy)]}
        print(json.dumps(data, allow_nan=False))  # noqa: T201 - it is the answer
    else:
        _show(past, asked.policy)


def _incidents(sources: Sources, asked: Asked) -> Sequence[tuple[float, float]]:
    """When a real incident was open, by the guard's journals that are among what is read."""
    kept: list[tuple[float, float]] = []
    for path in journals(sources, asked):
        try:
            journal = SqlJournal.read_only(folder_of(path))
            try:
                kept += [(began, math.inf if closed is None else closed) for began, closed in journal.incidents()]
            finally:
                journal.close()
        except Fault as fault:
            raise UnreadableError(str(fault)) from fault
    return sorted(kept)


def _past(recording: Recording, policy: PolicySettings, incidents: Sequence[tuple[float, float]]) -> Past | None:
    """The history under the settings as they are; what an incident has heated is no habit of the room."""
    series: dict[tuple[str, Kind], list[tuple[float, float]]] = {}
    recording.settle()
    for instant in recording.instants():
        for poll in instant.polls:
            for reading in poll.readings:
                series.setdefault((reading.sensor, reading.kind), []).append((reading.measured_at, reading.celsius))
    if not series:
        return None
    sensors = tuple(_sensor(name, kind, measured) for (name, kind), measured in sorted(series.items()))
    rerun = Rerun(recording, policy)
    suspected = Counter(one.sensor for one in rerun.decisions() if one.what is What.SENSOR_SUSPECT)
    voted = [one for one in _voted(sensors, series, policy) if not _is_within(one[1], incidents)]
    times = [at for measured in series.values() for at, _ in (measured[0], measured[-1])]
    most = max(voted, default=None)
    ordered = sorted(celsius for celsius, _ in voted)
    return Past(
        min(times), max(times),
        tuple(replace(one, suspected=suspected[one.sensor]) for one in sensors),
        ordered[int(0.99 * (len(ordered) - 1))] if ordered else None,
        None if most is None else most[0], None if most is None else most[1],
        rerun.outcome.critical_in_s, rerun.outcome.blind_s,
    )


def _voted(
    sensors: Sequence[SensorPast], series: Mapping[tuple[str, Kind], list[tuple[float, float]]], policy: PolicySettings
) -> Iterator[tuple[float, float]]:
    """At each measurement of the room: the degrees that as many sensors as the vote needs stood at, and when.

    Each sensor measures at a time of its own, so that it stands at its last measurement until that is too old.
    """
    rooms = {one.sensor: one for one in sensors
             if one.kind is Kind.ROOM and (policy.sensors is None or one.sensor in policy.sensors)}
    needed = policy.votes or len(rooms) // 2 + 1
    least_s, most_s = MAX_AGE_BOUNDS_S
    lasts_s = {name: policy.max_age_s or min(most_s, max(least_s, OLD_AFTER * (one.cadence_s or 0.0)))
               for name, one in rooms.items()}
    latest: dict[str, tuple[float, float]] = {}
    for at, name, celsius in heapq.merge(*(
        [(at, name, celsius) for at, celsius in sorted(series[name, Kind.ROOM])] for name in rooms
    )):
        if not COLDEST_C < celsius <= HOTTEST_C:
            continue
        latest[name] = (at, celsius)
        degrees = sorted((c for who, (then, c) in latest.items() if at - then <= lasts_s[who]), reverse=True)
        if len(degrees) >= needed:
            yield degrees[needed - 1], at


def _sensor(name: str, kind: Kind, measured: list[tuple[float, float]]) -> SensorPast:
    degrees = sorted(celsius for _, celsius in measured)
    hottest_at = max(measured, key=lambda one: one[1])[0]
    gaps = [b - a for (a, _), (b, _) in pairwise(measured) if b > a]
    return SensorPast(name, kind, median(degrees), degrees[int(0.99 * (len(degrees) - 1))], degrees[-1], hottest_at,
                      median(gaps) if gaps else None)


def _variant(
    what: str, recording: Recording, policy: PolicySettings, incidents: Sequence[tuple[float, float]]
) -> Variant:
    trips = tuple(one.at for one in Rerun(recording, policy).decisions() if one.what is What.TRIPPED)
    return Variant(what, trips, sum(not _is_within(at, incidents) for at in trips))


def _is_within(at: float, incidents: Sequence[tuple[float, float]]) -> bool:
    place = bisect_right(incidents, (at + _NEAR_S, float("inf")))
    return place > 0 and at <= incidents[place - 1][1]


def _show(past: Past, policy: PolicySettings) -> None:
    console = Console(highlight=False)
    days = past.lasts_s / DAY_S
    console.print(f"{days:.1f} days, {_time(past.began_at)} to {_time(past.ended_at)}")
    if past.lasts_s < ENOUGH_S:
        why = "nothing is proposed from less than a day" if past.lasts_s < LEAST_S else "it has not seen every weekday"
        console.print(f"That is little: {why}.")
    table = Table("sensor", "kind", "usual", "p99", "hottest", "when", "every", "suspect")
    for one in past.sensors:
        every = "" if one.cadence_s is None else f"{one.cadence_s:.0f} s"
        table.add_row(one.sensor, str(one.kind), f"{one.usual_c:.1f}", f"{one.p99_c:.1f}", f"{one.hottest_c:.1f}",
                      _time(one.hottest_at), every, f"{one.suspected} x" if one.suspected else "")
    console.print(table)
    if past.voted_most_c is not None and past.voted_most_at is not None:
        below_k = policy.high_c - past.voted_most_c
        how = f"{below_k:.1f} below it" if below_k > 0 else f"{-below_k:.1f} above it"
        console.print(f"Nearest to HIGH ({policy.high_c:g}): as many sensors as the vote needs stood at "
                      f"{past.voted_most_c:.1f} degC or above on {_time(past.voted_most_at)}, {how}.")
    going = "never" if past.critical_in_s is None else f"{past.critical_in_s / 60:.0f} min before it"
    console.print(f"Ever projected to be CRITICAL ({policy.critical_c:g}): {going}. "
                  f"Blind: {past.blind_s / 60:.0f} min in all.")
    table = Table("settings", "trips", "false", "when")
    for tried in past.variants:
        when = ", ".join(map(_time, tried.trips[:3])) + (" ..." if len(tried.trips) > 3 else "")
        table.add_row(tried.what, str(len(tried.trips)), str(tried.false), when)
    console.print(table)
    console.print("A trip counts as false where the journal has no incident at that time; beside files it knows none.")
    proposed = proposals(past, policy)
    for better in proposed:
        console.print(f"{better.setting}={better.proposed} instead of {better.now}: {better.reason}.")
    if not proposed and past.lasts_s >= LEAST_S:
        console.print("The settings fit this history: nothing is proposed.")
    sys.stdout.flush()


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")

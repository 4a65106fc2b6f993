"""Goes through a site's history and says what its settings make of it: the work of `thermo-guard tune`."""

import json
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

from rich.console import Console
from rich.table import Table

from .adapters import logs
from .adapters.journal import SqlJournal
from .core import events as ev
from .core.decisions import What
from .core.policy_settings import PolicySettings
from .core.readings import Kind
from .core.tuning import DAY_S, ENOUGH_S, LEAST_S, Past, SensorPast, Variant, proposals, variants
from .ports import Fault
from .replay.command import Sources, read_all
from .replay.options import Asked
from .replay.recorded import UnreadableError
from .replay.recording import Recording
from .replay.rerun import Rerun

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
    """When a real incident was open, by the guard's own journal where that is among what is read."""
    if not sources.history:
        return ()
    try:
        journal = SqlJournal.read_only(asked.settings.data_dir)
        try:
            entries = journal.entries()
        finally:
            journal.close()
    except Fault as fault:
        raise UnreadableError(str(fault)) from fault
    found, began = [], None
    for entry in entries:
        if isinstance(entry.event, ev.AlarmTripped | ev.ShutdownWished):
            began = entry.at
        elif isinstance(entry.event, ev.IncidentClosed) and began is not None:
            found.append((began, entry.at))
            began = None
    return [*found, (began, float("inf"))] if began is not None else found


def _past(recording: Recording, policy: PolicySettings, incidents: Sequence[tuple[float, float]]) -> Past | None:
    """The history under the settings as they are; what an incident has heated is no habit of the room."""
    series: dict[tuple[str, Kind], list[tuple[float, float]]] = {}
    voted: list[tuple[float, float]] = []
    recording.settle()
    needed = 0
    for instant in recording.instants():
        degrees = []
        for poll in instant.polls:
            for reading in poll.readings:
                series.setdefault((reading.sensor, reading.kind), []).append((reading.stamp, reading.celsius))
                if reading.kind is Kind.ROOM and 0.0 < reading.celsius <= 60.0:
                    degrees.append(reading.celsius)
        rooms = sum(kind is Kind.ROOM for _, kind in series)
        needed = policy.votes or max(1, rooms // 2 + 1)
        if len(degrees) >= needed and not _is_within(instant.at, incidents):
            voted.append((sorted(degrees, reverse=True)[needed - 1], instant.at))
    if not series:
        return None
    rerun = Rerun(recording, policy)
    suspected: Counter[str] = Counter()
    soonest: float | None = None
    for one in rerun.decisions():
        if one.what is What.SENSOR_SUSPECT:
            suspected[one.sensor] += 1
        going = one.facts.get("projection")
        left_s = going.get("critical_in_s") if isinstance(going, Mapping) else None
        if isinstance(left_s, int | float):
            soonest = left_s if soonest is None else min(soonest, left_s)
    times = [at for measured in series.values() for at, _ in (measured[0], measured[-1])]
    most = max(voted, default=None)
    ordered = sorted(celsius for celsius, _ in voted)
    return Past(
        min(times), max(times),
        tuple(_sensor(name, kind, measured, suspected[name]) for (name, kind), measured in sorted(series.items())),
        ordered[int(0.99 * (len(ordered) - 1))] if ordered else None,
        None if most is None else most[0], None if most is None else most[1], soonest, rerun.outcome.blind_s,
    )


def _sensor(name: str, kind: Kind, measured: list[tuple[float, float]], suspected: int) -> SensorPast:
    degrees = sorted(celsius for _, celsius in measured)
    hottest_at = max(measured, key=lambda one: one[1])[0]
    gaps = [b - a for (a, _), (b, _) in pairwise(measured) if b > a]
    return SensorPast(name, kind, median(degrees), degrees[int(0.99 * (len(degrees) - 1))], degrees[-1], hottest_at,
                      median(gaps) if gaps else None, suspected)


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

"""Goes through a site's history and says what its settings make of it: the work of `thermo-guard tune`."""

import heapq
import json
import math
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import TypeAlias

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from .adapters import logs
from .adapters.journal import SqlJournal
from .core.decisions import Decision, What
from .core.plausibility import COLDEST_C, HOTTEST_C
from .core.policy_settings import PolicySettings
from .core.readings import Kind
from .core.track import MAX_AGE_BOUNDS_S
from .core.tuning import DAY_S, ENOUGH_S, LEAST_S, Mute, Past, SensorPast, Variant, proposals, too_little, variants
from .ports import Fault
from .replay.command import Sources, journals, read_all
from .replay.history import folder_of
from .replay.options import Asked
from .replay.recorded import UnreadableError
from .replay.recording import Recording
from .replay.rerun import Outcome, Rerun

OLD_AFTER = 2.5
"""So many times its usual cadence a measurement stands for its sensor."""
_NEAR_S = 3600.0
"""So long before it an incident may have begun to heat the room."""
Span: TypeAlias = tuple[float, float]
"""From when to when, seconds since 1970 UTC."""


def tune(sources: Sources, asked: Asked, *, as_json: bool) -> None:
    """Print what the history says, and what is proposed.

    :raises UnreadableError: something could not be read.
    """
    logs.configure("auto", "ERROR")
    recording = read_all(sources, asked)
    incidents = _incidents(sources, asked)
    past = _past(recording, asked.policy, incidents or ())
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


def _incidents(sources: Sources, asked: Asked) -> Sequence[Span] | None:
    """When a real incident was open or near, by the guards' journals that are read; None where none is among them."""
    kept: list[Span] = []
    paths = journals(sources, asked)
    for path in paths:
        try:
            journal = SqlJournal.read_only(folder_of(path))
            try:
                kept += [(began - _NEAR_S, math.inf if closed is None else closed)
                         for began, closed in journal.incidents()]
            finally:
                journal.close()
        except Fault as fault:
            raise UnreadableError(str(fault)) from fault
    return _merged(kept) if paths else None


def _past(recording: Recording, policy: PolicySettings, incidents: Sequence[Span]) -> Past | None:
    """The history under the settings as they are.

    What a sensor said while it was suspect counts nowhere, and what an incident has heated is no habit of the room.
    """
    recording.settle()
    rerun = Rerun(recording, policy)
    decisions = list(rerun.decisions())
    odd_rows = dict(recording.tally.counts.most_common())  # going through it again counts the same rows again
    doubts = _doubts(decisions)
    series: dict[tuple[str, Kind], list[tuple[float, float]]] = {}
    sent: Counter[tuple[str, Kind]] = Counter()
    for instant in recording.instants():
        for poll in instant.polls:
            for reading in poll.readings:
                who = reading.sensor, reading.kind
                sent[who] += 1
                if COLDEST_C < reading.celsius <= HOTTEST_C and not _is_in(poll.at, doubts.get(reading.sensor, ())):
                    series.setdefault(who, []).append((reading.measured_at, reading.celsius))
    if not sent:
        return None
    left_out = _rare([one for one in decisions if one.what in {What.TRIPPED, What.PERMISSIVE}], rerun.outcome)
    heated = _merged([*incidents, *((begin - _NEAR_S, end) for begin, end in left_out)])
    suspects = [one for one in decisions if one.what is What.SENSOR_SUSPECT]
    suspected = Counter(one.sensor for one in suspects)
    reasons = {one.sensor: one.reason for one in suspects}
    sensors = tuple(
        replace(_sensor(*who, measured, heated), suspected=suspected[who[0]], why=reasons.get(who[0], ""),
                believed=len(measured) / sent[who])
        for who, measured in sorted(series.items()))
    voted = [one for one in _voted(sensors, series, policy) if not _is_in(one[1], incidents)]
    most = max(voted, default=None)
    ordered = sorted(celsius for celsius, at in voted if not _is_in(at, heated))
    return Past(
        rerun.outcome.began_at or 0.0, rerun.outcome.ended_at or 0.0, sensors,
        ordered[int(0.99 * (len(ordered) - 1))] if ordered else None,
        None if most is None else most[0], None if most is None else most[1],
        rerun.outcome.critical_in_s, rerun.outcome.blind_s, tuple(begin for begin, _ in left_out),
        tuple(Mute(name, kind, reasons.get(name, "no room is so cold or hot"))
              for name, kind in sorted(sent) if (name, kind) not in series),
        odd_rows,
    )


def _doubts(decisions: Sequence[Decision]) -> Mapping[str, Sequence[Span]]:
    """When each sensor was suspect."""
    found: dict[str, list[Span]] = {}
    for one in decisions:
        if one.what is What.SENSOR_SUSPECT:
            found.setdefault(one.sensor, []).append((one.at, math.inf))
        elif one.what is What.SENSOR_RESTORED and one.sensor in found:
            found[one.sensor][-1] = found[one.sensor][-1][0], one.at
    return found


def _rare(turns: Sequence[Decision], outcome: Outcome) -> Sequence[Span]:
    """The trips, each with its end, where they are too rare to be a habit of the room: no more than one a week."""
    weeks = math.ceil(((outcome.ended_at or 0.0) - (outcome.began_at or 0.0)) / (7 * DAY_S))
    trips: list[Span] = []
    for one in turns:
        if one.what is What.TRIPPED:
            trips.append((one.at, one.at + DAY_S))
        elif trips:
            trips[-1] = trips[-1][0], min(one.at, trips[-1][1])
    return trips if len(trips) <= max(1, weeks) else ()


def _merged(spans: Iterable[Span]) -> Sequence[Span]:
    """In order, and none within another."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return found


def _is_in(at: float, spans: Sequence[Span]) -> bool:
    """Whether it lies in one of these, which are in order."""
    place = bisect_right(spans, (at, math.inf))
    return place > 0 and at < spans[place - 1][1]


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


def _sensor(name: str, kind: Kind, measured: list[tuple[float, float]], heated: Sequence[Span]) -> SensorPast:
    degrees = sorted([celsius for at, celsius in measured if not _is_in(at, heated)] or [c for _, c in measured])
    hottest_at, hottest_c = max(measured, key=lambda one: one[1])
    gaps = [b - a for (a, _), (b, _) in pairwise(measured) if b > a]
    return SensorPast(name, kind, median(degrees), degrees[int(0.99 * (len(degrees) - 1))], hottest_c, hottest_at,
                      median(gaps) if gaps else None)


def _variant(what: str, recording: Recording, policy: PolicySettings, incidents: Sequence[Span] | None) -> Variant:
    trips = tuple(one.at for one in Rerun(recording, policy).decisions() if one.what is What.TRIPPED)
    return Variant(what, trips, None if incidents is None else sum(not _is_in(at, incidents) for at in trips))


def _show(past: Past, policy: PolicySettings) -> None:
    console = Console(highlight=False)
    console.print(f"{past.lasts_s / DAY_S:.1f} days, {_time(past.began_at)} to {_time(past.ended_at)}")
    if LEAST_S <= past.lasts_s < ENOUGH_S:
        console.print("That is little: it has not seen every weekday.")
    if past.odd_rows:
        told = "; ".join(f"{reason} ({count:,})" for reason, count in past.odd_rows.items())
        console.print(f"Odd rows: {told}. `thermo-guard replay` names some of them.", markup=False)
    console.print(_sensors(past))
    for one in past.mute:
        console.print(f"{one.sensor} ({one.kind}): nothing it said was believed. {one.reason}.", markup=False)
    for well in past.sensors:
        if not well.is_well:
            console.print(f"{well.sensor} ({well.kind}) was suspect for {1 - well.believed:.0%} of its measurements, "
                          f"last because of: {well.why}. It wants repair: no threshold is taken from it.", markup=False)
    if past.voted_most_c is not None and past.voted_most_at is not None:
        below_k = policy.high_c - past.voted_most_c
        how = f"{below_k:.1f} below it" if below_k > 0 else f"{-below_k:.1f} above it"
        console.print(f"The vote and HIGH ({policy.high_c:g}): as many sensors as it needs stood at "
                      f"{past.voted_most_c:.1f} degC or above on {_time(past.voted_most_at)}, {how}.")
    going = "never" if past.critical_in_s is None else f"{past.critical_in_s / 60:.0f} min away at the nearest"
    console.print(f"CRITICAL ({policy.critical_c:g}) by projection: {going}. "
                  f"Blind: {past.blind_s / 60:.0f} of {past.lasts_s / 60:.0f} min.")
    console.print(_tried(past))
    console.print(
        "A trip counts as false where the journal has no incident at that time."
        if any(one.false is not None for one in past.variants) else
        "Files know no incidents: whether a trip was false is yours to say.")
    for at in past.left_out:
        console.print(f"Left out of usual and p99: what was measured around the trip of {_time(at)}, from an hour "
                      "before it. So rare a heat is no habit of the room.")
    why_not, proposed = too_little(past), proposals(past, policy)
    for better in proposed:
        console.print(f"{better.setting}={better.proposed} instead of {better.now}: {better.reason}.", markup=False)
    if not proposed:
        console.print(f"Nothing is proposed: {why_not or 'the settings fit what was seen'}.")
    sys.stdout.flush()


def _sensors(past: Past) -> Table:
    table = Table(Column("sensor", overflow="fold", min_width=12), "kind", "usual", "p99", "hottest", "when", "every",
                  "suspect")
    for one in past.sensors:
        every = "" if one.cadence_s is None else f"{one.cadence_s:.0f} s"
        table.add_row(Text(one.sensor), str(one.kind), f"{one.usual_c:.1f}", f"{one.p99_c:.1f}", f"{one.hottest_c:.1f}",
                      _time(one.hottest_at), every, f"{one.suspected} x" if one.suspected else "")
    return table


def _tried(past: Past) -> Table:
    table = Table("settings", "trips", "false", "when")
    for tried in past.variants:
        when = ", ".join(map(_time, tried.trips[:3])) + (" ..." if len(tried.trips) > 3 else "")
        table.add_row(tried.what, str(len(tried.trips)), "-" if tried.false is None else str(tried.false), when)
    return table


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")

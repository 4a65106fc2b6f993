"""Which rows of a file are out of its time: ahead of what follows, or behind what came before.

No clock is taken for right. The longest run of rows whose times never fall, in the order of the file, is the file's
own time: rows beside it were stamped by a clock that was wrong, or came late. Rows that are only some seconds out of
order are put right and not told. A file that lists one sensor after the other is taken sensor by sensor, one with the
newest first from its end; one without any order is sorted.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from operator import le, sub

NEAR_S = 60.0
"""Rows of one minute come in any order where several sensors are written down at once."""
FEW = 0.02
"""The share of a file's rows that may be out of its time for lying a long way off everything else."""
FAR_S = 30 * 86400.0
"""No recording pauses so long and goes on for a few rows."""
_LEAST_RUN = 3
"""Rows of one sensor in a row, on average, where a file lists its sensors one after the other."""


class Fate(StrEnum):
    FUTURE = "future"
    """Stamped ahead of rows that follow: it cannot have been measured then."""
    LATE = "late"
    """Stamped behind rows that came before: a clock was set back, or the row was delivered late."""


@dataclass(slots=True)
class Placed:
    """When each row was given to the policy, and which rows are out of their time."""

    now: array[float]
    """By row; its own time but for those in `fates`, which stand where the file has them."""
    fates: dict[int, Fate] = field(default_factory=dict)
    note: str = ""
    """How the file was ordered, where that is not by time."""


def place(at: Sequence[float], sender: Sequence[int]) -> Placed:
    """Put the rows of one file in time.

    :param at: when each was measured, seconds, in the order of the file.
    :param sender: the number of its sensor.
    """
    placed = Placed(array("d", at))
    if never_falls(at):
        _set_apart_far(range(len(at)), at, placed)
        return placed
    by_sensor = _in_blocks(sender)
    lines = [range(len(at))] if by_sensor is None else by_sensor
    notes = set()
    for line in lines:
        notes.add(_place_line(line, at, sender, placed))
    notes.discard("")
    said = ["lists one sensor after the other"] if by_sensor is not None else []
    placed.note = " and ".join([*said, *sorted(notes)])
    return placed


def never_falls(at: Iterable[float]) -> bool:
    times = at if isinstance(at, Sequence) else list(at)
    return all(map(le, times, islice(times, 1, None)))


def _in_blocks(sender: Sequence[int]) -> list[Sequence[int]] | None:
    """The rows of each sensor, where the file lists them in long runs; else None."""
    rows: dict[int, list[int]] = {}
    runs: dict[int, int] = {}
    before = None
    for row, who in enumerate(sender):
        rows.setdefault(who, []).append(row)
        if who != before:
            runs[who] = runs.get(who, 0) + 1
            before = who
    many = [who for who, mine in rows.items() if len(mine) >= _LEAST_RUN]
    is_in_blocks = len(rows) > 1 and bool(many) and all(len(rows[who]) / runs[who] >= _LEAST_RUN for who in many)
    return list(rows.values()) if is_in_blocks else None


def _place_line(line: Sequence[int], at: Sequence[float], sender: Sequence[int], placed: Placed) -> str:
    """Place the rows of one line of time; how it had to be ordered, in words."""
    if never_falls([at[row] for row in line]):
        _set_apart_far(line, at, placed)
        return ""
    note = ""
    kept = _longest_run(line, at)
    if len(kept) <= len(line) / 2:
        turned = line[::-1]
        kept, line, note = _longest_run(turned, at), turned, "has the newest first"
    if len(kept) <= len(line) / 2:
        _set_apart_far(sorted(line, key=at.__getitem__), at, placed)
        return "is in no order, and was sorted"
    _take_before(line, at, kept)
    outside = _outside(line, at, sender, kept)
    inside = [row for row in line if row not in outside]
    _set_apart_far(sorted(inside, key=at.__getitem__), at, placed)
    _stand_by_neighbours(line, at, outside, placed)
    return note


def _longest_run(line: Sequence[int], at: Sequence[float]) -> set[int]:
    """The rows of the longest run whose times, to the minute, never fall; of several the one that ends first."""
    ends: list[float] = []  # by length, less one: the least time that a run of so many can end with
    rows: list[int] = []
    before: dict[int, int] = {}
    for row in line:
        minute = at[row] // NEAR_S
        if not ends or minute >= ends[-1]:
            if rows:
                before[row] = rows[-1]
            ends.append(minute)
            rows.append(row)
            continue
        length = bisect_right(ends, minute)
        if length:
            before[row] = rows[length - 1]
        ends[length], rows[length] = minute, row
    kept = set()
    row_or_none: int | None = rows[-1] if rows else None
    while row_or_none is not None:
        kept.add(row_or_none)
        row_or_none = before.get(row_or_none)
    return kept


def _take_before(line: Sequence[int], at: Sequence[float], kept: set[int]) -> None:
    """Where a clock was set back, two stretches of equal length tell of the same time: keep the one that came first.

    So the other one is late and known by its age, where the first would be from the future and lost.
    """
    reached: float | None = None
    begin = 0
    while begin < len(line):
        if line[begin] in kept:
            reached, begin = at[line[begin]], begin + 1
            continue
        end = begin
        while end < len(line) and line[end] not in kept:
            end += 1
        ahead = line[begin:end]
        minutes = [at[row] // NEAR_S for row in ahead]
        most = len(ahead) + len(ahead) // 5
        again: list[int] = []
        for row in islice(line, end, None):
            if row in kept:
                if at[row] >= at[ahead[-1]] or len(again) > most:
                    break
                again.append(row)
        if again and reached is not None and len(again) <= most and never_falls(minutes):
            step_s = max(at[again[0]] - reached, (at[ahead[-1]] - at[ahead[0]]) / len(ahead))
            if 0 <= at[ahead[0]] - reached <= max(NEAR_S, 3 * step_s):
                kept.difference_update(again)
                kept.update(ahead)
                continue
        begin = end


def _outside(line: Sequence[int], at: Sequence[float], sender: Sequence[int], kept: set[int]) -> dict[int, Fate]:
    """The rows out of time; a few seconds out of order is not. Rows of the run that are are taken out of `kept`."""
    dragged = {fate: _dragged(rows, at, sender, kept, sign) for fate, rows, sign in (
        (Fate.LATE, line[::-1], -1), (Fate.FUTURE, line, 1))}
    found = {row: fate for fate, rows in dragged.items() for row in rows}
    kept -= found.keys()
    after, before = _last_kept(line[::-1], at, kept), _last_kept(line, at, kept)
    for row in line:
        if row not in kept and row not in found:
            if at[row] > after.get(row, at[row]) + NEAR_S:
                found[row] = Fate.FUTURE
            elif at[row] < before.get(row, at[row]) - NEAR_S:
                found[row] = Fate.LATE
    return found


def _dragged(
    rows: Sequence[int], at: Sequence[float], sender: Sequence[int], kept: set[int], sign: int
) -> set[int]:
    """Rows of the run that belong to a sensor whose clock has been wrong, while nothing else has come to their time.

    At the end of a file a wrong clock would else step ahead with the run.

    :param sign: -1 where `rows` and time are gone through backwards.
    """
    found: set[int] = set()
    reached: float | None = None  # how far the others have come
    wrong: dict[int, float] = {}
    follows = _last_kept(rows[::-1], at, kept)
    for row in rows:
        mine, who = at[row] * sign, sender[row]
        if row not in kept:
            if row in follows and mine > follows[row] * sign + NEAR_S:
                wrong[who] = mine
        elif who in wrong and mine >= wrong[who] and (reached is None or reached < wrong[who]):
            found.add(row)
            wrong[who] = mine
        else:
            wrong.pop(who, None)
            reached = mine if reached is None else max(reached, mine)
    return found


def _last_kept(rows: Sequence[int], at: Sequence[float], kept: set[int]) -> dict[int, float]:
    """For each row that is not kept the time of the one before it, in the order given, that is."""
    last: float | None = None
    found: dict[int, float] = {}
    for row in rows:
        if row in kept:
            last = at[row]
        elif last is not None:
            found[row] = last
    return found


def _stand_by_neighbours(line: Sequence[int], at: Sequence[float], outside: dict[int, Fate], placed: Placed) -> None:
    """Give each row that is out of its time that of the rows about it."""
    first = next((at[row] for row in line if row not in outside and row not in placed.fates), None)
    reached = first
    for row in line:
        fate = outside.get(row)
        if fate is None and row not in placed.fates:
            reached = at[row] if reached is None else max(reached, at[row])
        elif fate is not None and reached is not None:
            placed.now[row] = reached
            placed.fates[row] = fate


def _set_apart_far(line: Sequence[int], at: Sequence[float], placed: Placed) -> None:
    """The few rows at an end that lie further off than all others are apart: 1970, or 2099.

    :param line: rows in time.
    """
    begin, end = 0, len(line)
    while end - begin > 2:
        times = array("d", [at[line[n]] for n in range(begin, end)])
        if times[-1] - times[0] < FAR_S:
            return
        gaps = list(map(sub, islice(times, 1, None), times))
        gap_s = max(gaps)
        widest = gaps.index(gap_s)
        split = begin + widest + 1
        few, is_before = (split - begin, True) if split - begin < end - split else (end - split, False)
        others_s = times[-1] - times[widest + 1] if is_before else times[widest] - times[0]
        if gap_s < FAR_S or gap_s <= others_s or few > max(1, FEW * (end - begin)):
            return
        if is_before:
            begin = split
        else:
            end = split
        for row in line[:begin]:
            placed.now[row], placed.fates[row] = at[line[begin]], Fate.LATE
        for row in line[end:]:
            placed.now[row], placed.fates[row] = at[line[end - 1]], Fate.FUTURE

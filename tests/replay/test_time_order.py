"""Which rows are out of their file's time: found by the order of the file alone, never by a clock."""

import random

import pytest

from replay.written import HOUR, MIDNIGHT, MINUTE
from thermo_guard.replay.time_order import Fate, Placed, place

Row = tuple[float, int]
DAY = 1440


def table(minutes: int = DAY, sensors: int = 3) -> list[Row]:
    return [(MIDNIGHT + n * MINUTE + 2 * k, k) for n in range(minutes) for k in range(sensors)]


def placed(rows: list[Row]) -> Placed:
    return place([at for at, _ in rows], [who for _, who in rows])


def moved(rows: list[Row], by_s: float, *, who: int | None = None, begin: int = 0, end: int | None = None) -> list[Row]:
    """The rows with a clock that is wrong: of one sensor or all, from one row to another."""
    end = len(rows) if end is None else end
    return [(at + by_s, one) if begin <= n < end and who in {None, one} else (at, one)
            for n, (at, one) in enumerate(rows)]


@pytest.mark.parametrize(("rows", "note"), [
    (table(), ""),
    (table()[::-1], "has the newest first"),
    (sorted(table(), key=lambda row: row[1]), "lists one sensor after the other"),
    (sorted(table(), key=lambda row: (row[1], -row[0])),
     "lists one sensor after the other and has the newest first"),
    (random.Random(1).sample(table(), k=3 * DAY), "is in no order, and was sorted"),
    ([(at + random.Random(n).uniform(-25, 25), who) for n, (at, who) in enumerate(table())], ""),
])
def test_no_row_of_a_sound_file_is_out_of_its_time(rows: list[Row], note: str) -> None:
    """How a file is sorted, and some seconds of disorder, say nothing against a clock; it is told."""
    found = placed(rows)
    assert found.fates == {}
    assert found.note == note
    assert list(found.now) == [at for at, _ in rows]


@pytest.mark.parametrize("row", [5, 700, 4319])
@pytest.mark.parametrize("ahead_s", [2 * HOUR, 365 * 24 * HOUR, 50 * 365 * 24 * HOUR])
def test_one_row_of_the_future_is_named_and_stands_where_the_file_has_it(row: int, ahead_s: float) -> None:
    """Others go on with their own time; even as the last row it moves nobody's now by years."""
    rows = table()
    found = placed(moved(rows, ahead_s, begin=row, end=row + 1))
    if row == 4319 and ahead_s == 2 * HOUR:
        assert found.fates == {}, "a recording may pause for two hours"
        return
    assert found.fates == {row: Fate.FUTURE}
    assert abs(found.now[row] - rows[row][0]) <= MINUTE


@pytest.mark.parametrize("who", [0, 1, 2])
@pytest.mark.parametrize(("by_s", "fate"), [(HOUR, Fate.FUTURE), (-HOUR, Fate.LATE), (400 * 24 * HOUR, Fate.FUTURE)])
@pytest.mark.parametrize(("begin", "end"), [(2000, None), (0, 2000), (1000, 3000), (0, None)])
def test_a_clock_step_of_one_sensor_moves_nobody_elses_now(
    who: int, by_s: float, fate: Fate, begin: int, end: int | None
) -> None:
    """All its rows are named, from the first to the last of the step, and no other sensor's."""
    rows = table()
    found = placed(moved(rows, by_s, who=who, begin=begin, end=end))
    wrong = {n for n, (_, one) in enumerate(rows) if one == who and begin <= n < (len(rows) if end is None else end)}
    if (by_s, end) == (HOUR, 3000) or (by_s, begin) == (-HOUR, 1000):
        assert set(found.fates) == wrong
    assert set(found.fates) <= wrong
    assert len(found.fates) >= len(wrong) - 2
    assert set(found.fates.values()) == {fate}
    assert all(abs(found.now[n] - rows[n][0]) <= 2 * MINUTE for n in found.fates)


@pytest.mark.parametrize("sensors", [1, 3])
def test_a_clock_set_back_for_all_makes_the_second_hour_late(sensors: int) -> None:
    """What came first was right as far as anyone knew; what tells of the same time again came late, and is kept."""
    rows = moved(table(sensors=sensors), -HOUR, begin=700 * sensors)
    found = placed(rows)
    assert set(found.fates.values()) == {Fate.LATE}
    assert min(found.fates) >= 700 * sensors
    assert len(found.fates) == pytest.approx(60 * sensors, abs=2 * sensors)
    assert all(found.now[n] == pytest.approx(MIDNIGHT + 700 * MINUTE, abs=2 * MINUTE) for n in found.fates)


def test_a_row_that_was_delivered_late_is_named() -> None:
    """An old row at the end of a file is no measurement of now."""
    rows = table()
    found = placed([*rows, rows[30]])
    assert found.fates == {len(rows): Fate.LATE}
    assert found.now[len(rows)] == rows[-1][0]


def test_times_before_there_was_a_clock_and_after_all_are_set_apart() -> None:
    """1970 at the begin and 2099 at the end rise as times should, and are none."""
    rows = table()
    found = placed([(0.0, 0), *rows, (4_000_000_000.0, 0)])
    assert found.fates == {0: Fate.LATE, len(rows) + 1: Fate.FUTURE}
    assert found.now[0] == rows[0][0]
    assert found.now[-1] == rows[-1][0]


def test_a_pause_of_months_between_two_recordings_is_none_of_that() -> None:
    """A file may have been put together of two summers."""
    again = [(at + 300 * 24 * HOUR, who) for at, who in table(200)]
    assert placed([*table(200), *again]).fates == {}


def test_no_rows_and_one_row_are_in_order() -> None:
    """The ends of the range."""
    assert placed([]).fates == {}
    assert placed([(MIDNIGHT, 0)]).fates == {}

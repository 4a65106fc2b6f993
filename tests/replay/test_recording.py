"""Rows as the answers that the policy would have been given: one a kind and instant, and nothing counted twice."""

import gzip
from pathlib import Path

from replay.written import HOUR, MIDNIGHT, MINUTE, quiet, recorded, row, save
from thermo_guard.core.readings import Kind, Poll, Rejected
from thermo_guard.replay.recording import FUTURE, LATE, SLIP, TWICE, TWO_VALUES, Recording, span


def polls(recording: Recording) -> list[Poll]:
    recording.settle()
    return [poll for instant in recording.instants() for poll in instant.polls]


def values(polled: list[Poll]) -> list[tuple[str, float]]:
    return [(reading.sensor, reading.celsius) for poll in polled for reading in poll.readings]


def rejected(polled: list[Poll]) -> list[tuple[float, Rejected]]:
    return [(poll.at, one) for poll in polled for one in poll.rejected]


def test_rows_of_one_instant_are_one_answer_of_each_kind(tmp_path: Path) -> None:
    """The sensors of a kind are heard together, as the guard hears them, and the kinds apart."""
    rows = [row(MIDNIGHT + n, sensor, 22.0, source) for n, sensor, source in
            ((0, "a", "room"), (0, "i", "bmc"), (1, "b", "room"), (60, "a", "room"))]
    polled = polls(recorded(save(tmp_path, rows)))
    assert [(poll.at - MIDNIGHT, poll.kind, [r.sensor for r in poll.readings]) for poll in polled] == [
        (1, Kind.ROOM, ["a", "b"]), (1, Kind.BMC, ["i"]), (60, Kind.ROOM, ["a"]),
    ]
    assert all(reading.age_s == 0 and reading.kind is poll.kind for poll in polled for reading in poll.readings)


def test_an_empty_cell_is_an_answer_without_a_reading(tmp_path: Path) -> None:
    """The source answered: it is not blind; the sensor said nothing: it grows stale."""
    polled = polls(recorded(save(tmp_path, [row(MIDNIGHT, "a", ""), row(MIDNIGHT + 60, "a", 22.0)])))
    assert [(poll.at - MIDNIGHT, len(poll.readings), poll.rejected) for poll in polled] == [(0, 0, ()), (60, 1, ())]


def test_nonsense_reaches_the_policy_at_its_time(tmp_path: Path) -> None:
    """A sensor that sends NaN is known to do so."""
    (_, one), = rejected(polls(recorded(save(tmp_path, [*quiet(2), row(MIDNIGHT + 120, "a", "NaN")]))))
    assert one == Rejected("a", "'NaN' is no measurement", Kind.ROOM)


def test_a_row_of_the_future_is_refused_when_it_came(tmp_path: Path) -> None:
    """It stands in the file at 00:10 and says 02:10: nothing that it says was measured."""
    rows = quiet(20)
    rows[30] = row(MIDNIGHT + 10 * MINUTE + 2 * HOUR, "a", 99.0)
    recording = recorded(save(tmp_path, rows))
    polled = polls(recording)
    (at, one), = rejected(polled)
    assert abs(at - MIDNIGHT - 10 * MINUTE) <= MINUTE
    assert one.sensor == "a"
    assert one.reason == "future: stamped 2026-07-05T02:10:00Z, 2.0 h ahead" or "121 min ahead" in one.reason
    assert 99.0 not in dict(values(polled)).values()
    assert recording.tally.counts == {FUTURE: 1}
    assert polled[-1].at == MIDNIGHT + 19 * MINUTE


def test_a_late_row_is_given_with_its_age(tmp_path: Path) -> None:
    """The policy knows best what an old measurement is still worth; one of another day is worth nothing."""
    late = [row(MIDNIGHT + 30 * MINUTE, "a", 23.5), row(MIDNIGHT - 48 * HOUR, "a", 24.5)]
    recording = recorded(save(tmp_path, [*quiet(90), *late]))
    old = [reading for poll in polls(recording) for reading in poll.readings if reading.age_s]
    assert [(reading.celsius, reading.age_s, reading.seen_at) for reading in old] == [
        (23.5, 59 * MINUTE, MIDNIGHT + 89 * MINUTE)]
    assert recording.tally.counts == {LATE: 2}


def test_a_clock_that_is_behind_is_told_from_rows_that_came_late(tmp_path: Path) -> None:
    """The one is behind by the same time again and again; the others come all at once, and are good measurements."""
    behind = [row(MIDNIGHT + n * MINUTE - (HOUR if sensor == "c" and n >= 60 else 0), sensor, 22.0 + 0.01 * n)
              for n in range(90) for sensor in "abc"]
    told = rejected(polls(recorded(save(tmp_path, behind))))
    assert {one.sensor for _, one in told} == {"c"}
    assert len(told) >= 28
    assert "its clock is 60 min behind" in told[-1][1].reason
    at_once = [line for line in quiet(120) if ",c," not in line or not "T00:30" <= line[10:16] < "T01:30"]
    missing = [line for line in quiet(120) if line not in at_once]
    assert rejected(polls(recorded(save(tmp_path, [*at_once, *missing])))) == []


def test_what_was_sent_twice_counts_once(tmp_path: Path) -> None:
    """The same file given twice says nothing new."""
    first = save(tmp_path, quiet(30))
    second = tmp_path / "again.csv.gz"
    second.write_bytes(gzip.compress(first.read_bytes()))
    once, twice = recorded(first), recorded(first, second)
    assert values(polls(once)) == values(polls(twice))
    assert twice.tally.counts == {TWICE: 90}


def test_two_values_at_the_same_time_are_nonsense(tmp_path: Path) -> None:
    """Nobody can say which of them was measured: neither counts, and the sensor is known to send nonsense."""
    recording = recorded(save(tmp_path, [*quiet(3), row(MIDNIGHT + 120, "a", 85.0)]))
    polled = polls(recording)
    (at, one), = rejected(polled)
    assert (at, one.sensor) == (MIDNIGHT + 120, "a")
    assert one.reason.endswith("and 85")
    assert [reading.sensor for reading in polled[-1].readings] == ["b", "c"]
    assert recording.tally.counts == {TWO_VALUES: 1}


def test_a_clock_that_stands_still_is_nonsense(tmp_path: Path) -> None:
    """One time for ever, and another value each time: only the first of them was measured then."""
    rows = [row(MIDNIGHT + (min(n, 30) if sensor == "c" else n) * MINUTE, sensor, 22.0 + 0.01 * n)
            for n in range(90) for sensor in "abc"]
    recording = recorded(save(tmp_path, rows))
    polled = polls(recording)
    assert {one.sensor for _, one in rejected(polled)} == {"c"}
    assert len(rejected(polled)) == 59
    assert recording.tally.counts == {LATE: 59, TWO_VALUES: 59}
    assert polled[-1].at == MIDNIGHT + 89 * MINUTE


def test_files_are_put_together_by_time(tmp_path: Path) -> None:
    """One file a sensor, or one a day: what counts is when it was measured."""
    whole = recorded(save(tmp_path, quiet(60)))
    parts = recorded(*(
        save(tmp_path, [line for line in quiet(60) if f",{sensor}," in line], f"{sensor}.csv") for sensor in "cab"))
    days = recorded(save(tmp_path, quiet(60)[90:], "second.csv"), save(tmp_path, quiet(60)[:90], "first.csv"))
    assert sorted(values(polls(parts))) == sorted(values(polls(whole)))
    assert values(polls(days)) == values(polls(whole))
    assert len(polls(parts)) == 60


def test_a_slip_in_a_name_makes_no_further_sensor(tmp_path: Path) -> None:
    """It would never be heard again, and raise the number of votes that a trip needs."""
    recording = recorded(save(tmp_path, [*quiet(100), row(MIDNIGHT + 6000, "q", 22.0)]))
    assert "q" not in dict(values(polls(recording)))
    assert recording.habits[Kind.ROOM].sensors == ("a", "b", "c")
    assert recording.tally.counts == {SLIP: 1}


def test_a_name_that_stands_for_both_kinds_is_two_sensors(tmp_path: Path) -> None:
    """The policy knows a sensor by its name."""
    recording = recorded(save(tmp_path, [row(MIDNIGHT, "rack-1", 22.0), row(MIDNIGHT, "rack-1", 25.0, "bmc")]))
    assert values(polls(recording)) == [("rack-1", 22.0), ("rack-1 (inlet)", 25.0)]


def test_whether_an_answer_lists_all_is_seen_from_the_rows(tmp_path: Path) -> None:
    """Sensors that are polled together are missed when they are taken away; those that speak one by one are not."""
    together = recorded(save(tmp_path, quiet(30)))
    apart = recorded(save(tmp_path, [row(MIDNIGHT + 20 * n, "abc"[n % 3], 22.0) for n in range(90)], "apart.csv"))
    assert {poll.lists_all for poll in polls(together)} == {True}
    assert {poll.lists_all for poll in polls(apart)} == {False}
    assert together.habits[Kind.ROOM].cadence_s == MINUTE


def test_spans_are_told_as_people_say_them() -> None:
    """Units as large as they stay exact enough."""
    spans = {90: "90 s", 600: "10 min", 7200: "120 min", 6 * 3600: "6.0 h", 100 * 86400: "100.0 days"}
    assert {seconds: span(seconds) for seconds in spans} == spans

"""Rules by which an answer of Meraki becomes readings, rejections and counts."""

import contextlib
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermo_guard.adapters.meraki.rows import (
    Answer,
    in_order,
    judge_alert_count,
    judge_devices,
    judge_history,
    judge_network,
    judge_readings,
)
from thermo_guard.core.readings import Reading, Rejected
from thermo_guard.ports import Fault, Refused

SERVED_AT = datetime(2026, 8, 5, 12, 0, tzinfo=UTC).timestamp()
SEEN_AT = SERVED_AT - 500  # The guard's own clock is slow.
NETWORK = "N_1"
ONE = "Q2AA-0000-0001"


def measured(celsius: Any = 21.5, ts: Any = "2026-08-05T12:00:00Z", serial: str = ONE, **row: Any) -> dict[str, Any]:
    reading = {"ts": ts, "metric": "temperature", "temperature": {"celsius": celsius}}
    return {"serial": serial, "network": {"id": NETWORK}, "readings": [reading]} | row


def judged(*rows: Any, sensors: tuple[str, ...] | None = None) -> tuple[tuple[Reading, ...], tuple[Rejected, ...]]:
    return judge_readings([Answer(list(rows), SEEN_AT, SERVED_AT)], NETWORK, sensors)


def rejection(*rows: Any, sensors: tuple[str, ...] | None = None) -> str:
    readings, rejected = judged(*rows, sensors=sensors)
    assert readings == ()
    assert len(rejected) == 1
    return rejected[0].reason


@pytest.mark.parametrize(
    ("ts", "age_s"),
    [
        ("2026-08-05T12:00:00Z", 0),
        ("2026-08-05T11:59:30.250000Z", 29.75),
        ("2026-08-05T17:20:00+05:30", 600),
        ("2026-08-05T12:02:00Z", 0),
        ("2026-08-04T12:00:00Z", 86400),
    ],
)
def test_age_is_judged_by_the_servers_clock(ts: str, age_s: float) -> None:
    """A slow clock of our own neither rejects nor ages a reading; up to 120 s ahead counts as now; stale stays one."""
    (reading,), rejected = judged(measured(ts=ts))
    assert rejected == ()
    assert reading.age_s == age_s
    assert reading.seen_at == SEEN_AT
    assert reading.stamp == datetime.fromisoformat(ts).timestamp()


@pytest.mark.parametrize(
    ("celsius", "reason"),
    [
        (None, "no degrees"),
        (True, "not a number"),
        (False, "not a number"),
        ("36.5", "not a number"),
        ([36.5], "not a number"),
        (math.nan, "not a finite"),
        (math.inf, "not a finite"),
        (-math.inf, "not a finite"),
        (10**400, "not a finite"),
    ],
)
def test_what_is_no_number_is_rejected_by_name(celsius: Any, reason: str) -> None:
    """Nonsense in place of degrees is unknown: it is never taken for 0, cool or hot."""
    assert reason in rejection(measured(celsius))


@pytest.mark.parametrize("celsius", [-127, -40.01, 0, 85, 100.01, 255, 327.67, 1e300])
def test_every_number_is_passed_on(celsius: float) -> None:
    """How plausible a number is the policy judges, with its reason: the adapter passes on whatever is finite."""
    (reading,), rejected = judged(measured(celsius))
    assert (reading.celsius, rejected) == (celsius, ())


@pytest.mark.parametrize("ts", [None, 1785931200, "", "yesterday", "2026-08-05", "2026-08-05T12:00:00", "2026-13-05T1"])
def test_a_time_that_cannot_be_read_is_rejected(ts: Any) -> None:
    """A measurement without a certain time, its zone included, cannot be told from an old one."""
    assert "time cannot be read" in rejection(measured(ts=ts))


def test_the_future_is_rejected() -> None:
    """A reading more than 120 s ahead of the answer would stay fresh too long."""
    assert rejection(measured(ts="2026-08-05T12:02:01Z")).startswith("future")


def test_of_several_measurements_the_newest_counts() -> None:
    """Duplicate rows are one sensor, one vote, whatever their order and page."""
    old, new = measured(40, "2026-08-05T11:00:00Z"), measured(20, "2026-08-05T11:50:00Z")
    for rows in ((old, new), (new, old)):
        pages = [Answer([row], SEEN_AT, SERVED_AT) for row in rows]
        readings, rejected = judge_readings(pages, NETWORK, None)
        assert [reading.celsius for reading in readings] == [20]
        assert rejected == ()


def test_two_values_under_one_time_are_none() -> None:
    """Where rows contradict each other the sensor is unknown; the same row twice is harmless."""
    assert "duplicate" in rejection(measured(20), measured(40))
    assert len(judged(measured(20), measured(20))[0]) == 1


def test_rows_of_other_sensors_and_networks_have_no_vote() -> None:
    """A server that ignores the filters does not lend this room another room's temperature."""
    elsewhere = measured(50, serial="Q2AA-0000-0009", network={"id": "N_2"})
    assert judged(elsewhere, measured())[0][0].sensor == ONE
    assert judged(elsewhere)[1] == ()
    assert judged(measured(), measured(50, serial="Q2AA-0000-0002"), sensors=(ONE,))[0][0].celsius == 21.5
    assert "another network" in rejection(elsewhere, sensors=("Q2AA-0000-0009",))


def test_a_named_sensor_that_is_missing_is_rejected() -> None:
    """Each sensor of the settings comes out of every poll, spelt as it is there."""
    readings, rejected = judged(measured(), sensors=(ONE.lower(), "Q2AA-0000-0002"))
    assert [reading.sensor for reading in readings] == [ONE.lower()]
    assert rejected == (Rejected("Q2AA-0000-0002", "missing from the answer"),)


def test_degrees_are_chosen_by_metric() -> None:
    """A row may carry every metric's object: only the one that its metric names is its measurement."""
    raw = {"ts": "2026-08-05T12:00:00Z", "metric": "rawTemperature", "temperature": {"celsius": 90}}
    row = measured()
    row["readings"].insert(0, raw)
    assert judged(row)[0][0].celsius == 21.5
    door = measured(readings=[{"ts": "2026-08-05T12:00:00Z", "metric": "door", "door": {"open": True}}])
    assert judged(door) == ((), ())
    assert "no temperature" in rejection(door, sensors=(ONE,))


@pytest.mark.parametrize("row", [None, 7, {}, {"serial": 7}, {"serial": " "}])
def test_a_row_without_a_sensor_is_shown(row: Any) -> None:
    """A row that names no sensor is not passed over in silence, and spoils no other row."""
    readings, rejected = judged(row, measured())
    assert len(readings) == 1
    assert [each.sensor for each in rejected] == ["?"]


@pytest.mark.parametrize("body", [None, {}, {"errors": ["x"]}, "[]", 0])
def test_a_page_that_is_no_list_is_refused(body: Any) -> None:
    """An answer of another shape is a fault, never an empty poll."""
    with pytest.raises(Refused):
        judge_readings([Answer(body, SEEN_AT, SERVED_AT)], NETWORK, None)


def test_the_count_of_alarms_is_a_count_or_unknown() -> None:
    """A metric that the network lacks is None; anything that is no count is a fault, never 0."""
    assert judge_alert_count({"supportedMetrics": ["temperature"], "counts": {"temperature": 4}}) == 4
    assert judge_alert_count({"supportedMetrics": ["door"], "counts": {"temperature": 0}}) is None
    for counts in ({}, None, {"temperature": True}, {"temperature": -1}, {"temperature": 1.5}, {"temperature": "4"}):
        with pytest.raises(Refused):
            judge_alert_count({"supportedMetrics": ["temperature"], "counts": counts})
    with pytest.raises(Refused):
        judge_alert_count({"counts": {"temperature": 4}})


@pytest.mark.parametrize("organisation", [None, 7, "", "../networks", "1/2"])
def test_an_organisation_that_cannot_stand_in_a_path_is_refused(organisation: Any) -> None:
    """What the network says of its organisation becomes an address only when it is an identifier."""
    with pytest.raises(Refused):
        judge_network({"organizationId": organisation, "name": "Main Office"}, NETWORK)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TIMES = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat) | st.just("2026-08-05T12:00:00Z") | JSON
READINGS = st.fixed_dictionaries(
    {},
    optional={
        "ts": TIMES,
        "metric": st.just("temperature") | JSON,
        "temperature": st.fixed_dictionaries({}, optional={"celsius": st.floats(-60, 120) | JSON}) | JSON,
    },
)
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "serial": st.sampled_from([ONE, "Q2AA-0000-0002"]) | JSON,
        "network": st.just({"id": NETWORK}) | JSON,
        "readings": st.lists(READINGS | JSON, max_size=3) | JSON,
    },
)
NEAR_ANSWERS = st.lists(ROWS | JSON, max_size=4) | JSON


@given(NEAR_ANSWERS, st.none() | st.just((ONE,)))
def test_no_json_makes_anything_but_readings(body: Any, sensors: tuple[str, ...] | None) -> None:
    """Whatever is sent ends as a fault, or as readings that are finite, past, and one a sensor."""
    try:
        readings, rejected = judge_readings([Answer(body, SEEN_AT, SERVED_AT)], NETWORK, sensors)
    except Fault:
        return
    for reading in readings:
        assert math.isfinite(reading.celsius)
        assert math.isfinite(reading.stamp)
        assert math.isfinite(reading.age_s)
        assert reading.age_s >= 0
    named = [reading.sensor for reading in readings] + [each.sensor for each in rejected]
    assert len(named) == len(set(named))
    assert sensors is None or set(sensors) <= set(named)


def moment(celsius: Any = 21.5, ts: Any = "2026-08-05T11:00:00Z", serial: str = ONE, **row: Any) -> dict[str, Any]:
    degrees = {"ts": ts, "metric": "temperature", "temperature": {"celsius": celsius}}
    return {"serial": serial, "network": {"id": NETWORK}, **degrees} | row


def past(*rows: Any, sensors: tuple[str, ...] | None = None) -> tuple[tuple[Reading, ...], list[Rejected]]:
    readings, rejected = judge_history([Answer(list(rows), SEEN_AT, SERVED_AT)], NETWORK, sensors)
    return in_order(readings), rejected


def test_the_past_is_told_oldest_first() -> None:
    """Rows of the history come out in the order of their times, with the age that the server's clock gives them."""
    readings, rejected = past(moment(22, "2026-08-05T11:30:00Z"), moment(21), moment(23, serial="Q2AA-0000-0002"))
    assert [(each.celsius, each.age_s) for each in readings] == [(21, 3600), (23, 3600), (22, 1800)]
    assert {each.seen_at for each in readings} == {SEEN_AT}
    assert rejected == []


def test_a_past_measurement_counts_once() -> None:
    """A row that two pages bring is one measurement; two values under one time are none, whatever their order."""
    assert len(past(moment(21), moment(21))[0]) == 1
    assert past(moment(21), moment(40))[0] == past(moment(40), moment(21), moment(21))[0] == ()
    assert len(past(moment(21), moment(40, serial="Q2AA-0000-0002"))[0]) == 2


def test_the_past_is_of_the_watched_sensors() -> None:
    """A server that ignores the filters lends this room no other room's past; names are spelt as in the settings."""
    rows = moment(), moment(50, serial="Q2AA-0000-0009"), moment(60, network={"id": "N_2"}), moment(metric="door")
    readings, rejected = past(*rows, sensors=(ONE.lower(),))
    assert [(each.sensor, each.celsius) for each in readings] == [(ONE.lower(), 21.5)]
    assert [each.reason for each in rejected] == ["belongs to another network", "no temperature among its readings"]


@pytest.mark.parametrize("nonsense", [
    {"celsius": None}, {"celsius": math.nan}, {"celsius": "21"}, {"ts": "2026-08-05T11:00:00"}, {"ts": 7},
    {"ts": "2026-08-05T12:02:01Z"}, {"temperature": 21.5},
])
def test_nonsense_in_the_past_is_passed_over(nonsense: dict[str, Any]) -> None:
    """One measurement that is none costs no other one."""
    readings, rejected = past(moment(**nonsense), moment(ts="2026-08-05T11:01:00Z"))
    assert (len(readings), [each.sensor for each in rejected]) == (1, [ONE])


@pytest.mark.parametrize("body", [None, {}, {"errors": ["x"]}, "[]", 0])
def test_a_past_that_is_no_list_is_refused(body: Any) -> None:
    """An answer of another shape is a fault, never an empty past."""
    with pytest.raises(Refused):
        judge_history([Answer(body, SEEN_AT, SERVED_AT)], NETWORK, None)


MOMENTS = st.builds(lambda row, more: row | more, ROWS, READINGS)


@given(st.lists(MOMENTS | ROWS | JSON, max_size=4) | JSON, st.none() | st.just((ONE,)))
def test_no_json_makes_a_past_that_never_was(body: Any, sensors: tuple[str, ...] | None) -> None:
    """Whatever is sent ends as a fault, or as finite readings of the past in order, each time of a sensor once."""
    try:
        readings, _ = judge_history([Answer(body, SEEN_AT, SERVED_AT)], NETWORK, sensors)
    except Fault:
        return
    told = in_order(readings)
    assert [each.stamp for each in told] == sorted(each.stamp for each in told)
    assert len({(each.sensor, each.stamp) for each in told}) == len(told)
    for reading in told:
        assert math.isfinite(reading.celsius)
        assert math.isfinite(reading.stamp)
        assert reading.age_s >= 0
        assert sensors is None or reading.sensor in sensors


@given(JSON)
@pytest.mark.parametrize(
    "judge",
    [judge_alert_count, lambda body: judge_network(body, NETWORK), lambda body: judge_devices([Answer(body, 0, 0)])],
    ids=["alerts", "network", "devices"],
)
def test_no_json_breaks_the_other_judges(judge: Callable[[object], object], body: Any) -> None:
    """Whatever is sent for a count, a network or the devices, nothing but a fault comes out of it."""
    with contextlib.suppress(Fault):
        judge(json.loads(json.dumps(body)))

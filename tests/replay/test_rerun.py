"""The policy over a recording: asked when something came in, and in its pauses as often as the guard would ask."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.written import HOUR, MIDNIGHT, MINUTE, STOP_10_MIN, burning, quiet, recorded, replayed, row, save, time_of
from thermo_guard.core.decisions import Decision, What
from thermo_guard.core.policy_settings import PolicySettings
from thermo_guard.replay.rerun import Rerun


def when(decisions: list[Decision], what: What) -> list[float]:
    """Minutes after midnight."""
    return [(decision.at - MIDNIGHT) / MINUTE for decision in decisions if decision.what is what]


def test_a_quiet_room_decides_nothing(tmp_path: Path) -> None:
    """A replay of good days is silent."""
    decisions, outcome = replayed(save(tmp_path, quiet(300)))
    assert decisions == []
    assert outcome.trips == []
    assert outcome.hottest_c == max(float(one.split(",")[3]) for one in quiet(300))
    assert outcome.hottest_at is not None
    assert any(one.startswith(time_of(outcome.hottest_at)) and one.endswith(f"{outcome.hottest_c:.2f}")
               for one in quiet(300))


def test_a_burning_day_trips_once_and_is_permissive_after_its_cooling(tmp_path: Path) -> None:
    """Warned, shed, tripped before CRITICAL, permissive after the cooling came back: in this order, each once."""
    decisions, outcome = replayed(save(tmp_path, burning()), cooling_restored_at=MIDNIGHT + 2 * HOUR)
    told = [decision.what for decision in decisions]
    for earlier, later in ((What.WARNED, What.TRIPPED), (What.SHED, What.CRITICAL), (What.TRIPPED, What.CRITICAL),
                           (What.CRITICAL, What.PERMISSIVE)):
        assert told.count(later) == 1
        assert told.index(earlier) < told.index(later)
    (tripped,), (permissive,) = when(decisions, What.TRIPPED), when(decisions, What.PERMISSIVE)
    assert 70 < tripped < 90
    assert 135 < permissive < 165
    (trip,) = outcome.trips
    assert trip.critical_at is not None
    assert trip.margin_s == trip.critical_at - trip.at - 600
    assert trip.permissive_at == MIDNIGHT + permissive * MINUTE
    after_s = decisions[told.index(What.PERMISSIVE)].facts["after_cooling_restored_s"]
    assert after_s == round((permissive - 120) * MINUTE)


def test_a_margin_is_negative_where_all_would_have_been_off_too_late(tmp_path: Path) -> None:
    """A site that needs three hours to stop is told so, whatever the trip looks like."""
    settings = PolicySettings(stop_s=3 * HOUR, projects=False)
    _, outcome = replayed(save(tmp_path, burning()), settings=settings)
    (trip,) = outcome.trips
    assert trip.margin_s is not None
    assert trip.margin_s < 0
    assert trip.high_at is not None
    assert trip.high_at <= trip.at


def test_a_pause_is_told_as_blindness_at_its_right_time(tmp_path: Path) -> None:
    """Not when the rows go on: the guard would have known after minutes, and told within ten."""
    paused = [*quiet(60), *quiet(60, begin=MIDNIGHT + 5 * HOUR)]
    decisions, outcome = replayed(save(tmp_path, paused))
    (blind,), (sighted,) = when(decisions, What.BLIND), when(decisions, What.SIGHTED)
    assert 59 + 5 < blind < 59 + 10
    assert sighted == 300
    assert outcome.blind_s == pytest.approx((sighted - blind) * MINUTE)


@pytest.mark.parametrize("apart_s", [0, 20])
def test_rows_without_values_are_blindness_of_the_sensors_not_of_their_source(tmp_path: Path, apart_s: float) -> None:
    """Polled and got nothing: the room is as unseen, and the reason is another; also where each is polled alone."""
    rows = [row(MIDNIGHT + n * MINUTE + k * apart_s, sensor, 22.0 + 0.1 * (n % 3 + k) if n < 60 else "")
            for n in range(90) for k, sensor in enumerate("abc")]
    decisions, _ = replayed(save(tmp_path, rows))
    (blind,) = [decision for decision in decisions if decision.what is What.BLIND]
    assert (blind.at - MIDNIGHT) / MINUTE < 70
    assert "no answer" not in blind.reason


@pytest.mark.parametrize("celsius", [22.0, 31.0])
def test_a_sensor_that_measures_seldom_does_not_blind_the_room(tmp_path: Path, celsius: float) -> None:
    """A history holds each measurement once, every 20 minutes; the guard has asked, and was answered, each minute."""
    rows = [row(MIDNIGHT + n * 20 * MINUTE, sensor, celsius + k + 0.1 * (n % 3))
            for n in range(60) for k, sensor in enumerate("abc")]
    decisions, _ = replayed(save(tmp_path, rows))
    assert when(decisions, What.BLIND) == []


def test_a_slow_source_that_ends_is_blindness_too(tmp_path: Path) -> None:
    """An answer is not supposed for ever."""
    rows = [row(MIDNIGHT + n * 5 * MINUTE, sensor, 22.0 + k + 0.1 * (n % 3))
            for n in [*range(24), 200, 201] for k, sensor in enumerate("abc")]
    (blind, *_) = when(replayed(save(tmp_path, rows))[0], What.BLIND)
    assert 115 + 10 < blind < 115 + 25


def test_a_slow_source_is_taken_to_answer_for_a_while_whatever_grows_old(tmp_path: Path) -> None:
    """One sensor each 5 minutes, two each 20: the first is stale while the others are not, and the source answers."""
    rows = [row(MIDNIGHT + n * 5 * MINUTE, "a", 22.0 + 0.1 * (n % 3)) for n in [*range(49), 200]]
    rows += [row(MIDNIGHT + n * 20 * MINUTE, sensor, 22.5) for n in [*range(13), 50] for sensor in "bc"]
    (blind, *_) = when(replayed(save(tmp_path, rows))[0], What.BLIND)
    assert 240 + 12.5 + 4 < blind < 240 + 12.5 + 6


def test_nothing_is_decided_beyond_the_last_row(tmp_path: Path) -> None:
    """The end of a recording is no silence of its sensors."""
    decisions, outcome = replayed(save(tmp_path, quiet(30)))
    assert decisions == []
    assert outcome.ended_at == MIDNIGHT + 29 * MINUTE


@pytest.mark.parametrize("by_s", [HOUR, -HOUR, 400 * 24 * HOUR])
def test_a_wrong_clock_of_one_sensor_blinds_nobody(tmp_path: Path, by_s: float) -> None:
    """Two of three go on at their own time: no blindness, no trip, and the room is watched to its end."""
    def stamped(n: int, sensor: str) -> float:
        return MIDNIGHT + n * MINUTE + (by_s if sensor == "c" and n >= 60 else 0)

    rows = [row(stamped(n, sensor), sensor, 22 + 0.3 * k + 0.1 * (n % 3))
            for n in range(180) for k, sensor in enumerate("abc")]
    decisions, outcome = replayed(save(tmp_path, rows))
    assert when(decisions, What.BLIND) == []
    assert outcome.trips == []
    assert outcome.ended_at == MIDNIGHT + 179 * MINUTE
    suspects = {decision.sensor for decision in decisions if decision.what is What.SENSOR_SUSPECT}
    assert suspects == {"c"}


def test_hosts_are_off_when_the_time_to_stop_has_passed_and_on_again_when_it_is_permissive(tmp_path: Path) -> None:
    """Inlets without moving air say nothing of the room, so that they must not hold its recovery up."""
    inlets = [row(MIDNIGHT + n * MINUTE, inlet, 26 if n < 65 else 45, "bmc") for n in range(240) for inlet in "ij"]
    decisions, outcome = replayed(save(tmp_path, burning()), save(tmp_path, inlets, "inlets.csv"))
    assert len(when(decisions, What.TRIPPED)) == 1
    (permissive,) = when(decisions, What.PERMISSIVE)
    assert 135 < permissive < 165
    assert outcome.trips[0].permissive_at == MIDNIGHT + permissive * MINUTE


def test_inlets_count_again_when_it_has_been_permissive(tmp_path: Path) -> None:
    """The hosts are taken to be back: where the room's own sensors then fall silent, the inlets decide."""
    inlets = [row(MIDNIGHT + n * MINUTE, inlet, 26 + n % 2, "bmc") for n in range(240) for inlet in "ij"]
    decisions, _ = replayed(save(tmp_path, burning(200)), save(tmp_path, inlets, "inlets.csv"))
    last = [decision for decision in decisions if decision.at > MIDNIGHT + 200 * MINUTE]
    assert [decision.what for decision in last] == [What.DEGRADED]
    assert "inlets decide" in last[0].reason


def test_a_pause_of_years_costs_no_more_than_one_of_days(tmp_path: Path) -> None:
    """A decade between two files is gone through in a moment."""
    path = save(tmp_path, [*quiet(60), *quiet(60, begin=MIDNIGHT + 10 * 365 * 24 * HOUR)])
    decisions, _ = replayed(path)
    assert len(decisions) < 1000
    assert when(decisions, What.SIGHTED) == [10 * 365 * 24 * 60]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(
    st.sampled_from([0.0, MINUTE, MINUTE, MINUTE, 301.0, -HOUR, 8 * HOUR, 9e8]), st.sampled_from("abc"),
    st.sampled_from(["22.0", "36.0", "41.0", "-127", "85", "71.6", "", "NaN", "9e99"]),
    st.sampled_from(["room", "bmc"]),
), max_size=60))
def test_no_recording_makes_the_replay_fail(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[float, str, str, str]]
) -> None:
    """Whatever the sensors said and whenever, each decision has its time, in order, and the replay ends."""
    at, rows = MIDNIGHT, []
    for step, sensor, celsius, source in steps:
        at = max(MIDNIGHT, at + step)
        rows.append(row(at, f"{source}-{sensor}", celsius, source))
    rerun = Rerun(recorded(save(tmp_path_factory.getbasetemp(), rows, "steps.csv")), STOP_10_MIN)
    times = [decision.at for decision in rerun.decisions()]
    assert times == sorted(times)

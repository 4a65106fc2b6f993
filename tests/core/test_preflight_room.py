"""`check`'s rules of the room's sensors, each by an example."""

from dataclasses import replace

import pytest

from core.surveyed import AT, OUTSIDE, REFUSED, SENSORS, SILENT, TERMS, cadence, judged, of, polled, reading, worse
from thermo_guard.core.finding import Area, Verdict, Way
from thermo_guard.core.plant import Unseen
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.preflight_room import worst_delay_s
from thermo_guard.core.readings import AlertCount, Poll, Rejected
from thermo_guard.core.survey import Memory, Network


def policy(**changes: object) -> PolicySettings:
    return replace(PolicySettings(), **changes)  # type: ignore[arg-type]


def test_a_refused_key_is_told_once() -> None:
    """Where the key is refused no alarm could be raised: one FAIL, with where a key comes from."""
    (only,) = worse(network=REFUSED, poll=REFUSED, alert_count=REFUSED)
    assert (only.area, only.way) == (Area.MERAKI, Way.DOWN)
    assert "MERAKI_API_KEY" in only.remedy


def test_sensors_that_cannot_be_read_fail_though_the_network_answers() -> None:
    """A network that is described but gives no readings raises no alarm."""
    (only,) = worse(poll=SILENT)
    assert (only.area, only.verdict, only.way) == (Area.ROOM, Verdict.FAIL, Way.DOWN)


def test_a_network_that_is_not_described_raises_the_alarm_all_the_same() -> None:
    """Where the readings come, the description that fails is a warning: arming waits for what the alarm needs."""
    (only,) = (one for one in worse(network=SILENT) if one.area is Area.MERAKI)
    assert only.verdict is Verdict.WARN


@pytest.mark.parametrize("count", [AlertCount(AT, None), SILENT])
def test_the_count_of_alarms_is_only_corroboration(count: AlertCount | Unseen) -> None:
    """A network without the metric, or whose overview fails, is a warning: the guard goes on without it."""
    (only,) = worse(alert_count=count)
    assert only.verdict is Verdict.WARN


def test_a_sensor_above_low_would_never_let_the_room_recover() -> None:
    """A voting sensor that already reads above LOW fails for the way back: as the room stands nothing would return."""
    (only,) = worse(replace(TERMS, policy=policy(low_c=26.0)), poll=polled(s2=27.0))
    assert (only.verdict, only.way) == (Verdict.FAIL, Way.BACK)
    assert only.text.startswith(f"{SENSORS[1]}: 27.0 degC")
    assert "nothing would be brought back" in only.text


def test_a_sensor_at_high_keeps_the_site_off() -> None:
    """A voting sensor at or above HIGH stands in the way back; at CRITICAL it is said that it trips alone."""
    low = policy(low_c=24.0, high_c=26.0)
    (only,) = worse(replace(TERMS, policy=low), poll=polled(s1=26.0))
    assert (only.verdict, only.way) == (Verdict.FAIL, Way.BACK)
    assert "alone" not in only.text
    critical = replace(TERMS, policy=replace(low, critical_c=27.0))
    assert "alone is enough" in worse(critical, poll=polled(s1=27.0))[0].text


def test_a_suspect_sensor_is_named_with_its_reason() -> None:
    """One that no neighbour follows does not vote: `check` warns of it and says why."""
    (only,) = worse(poll=polled(s1=35.0))
    assert only.verdict is Verdict.WARN
    assert "suspect and does not vote: 35.0 degC, and its neighbours do not follow" in only.text


def test_more_votes_than_sensors_are_no_alarm() -> None:
    """TRIP_VOTES above the number of sensors fails, with the number to set."""
    (only,) = worse(replace(TERMS, policy=policy(votes=4)))
    assert (only.verdict, only.way) == (Verdict.FAIL, Way.DOWN)
    assert "TRIP_VOTES=2," in only.remedy


def test_a_stale_reading_does_not_count() -> None:
    """Of three sensors one is too old: it is told, and two are enough. With two too old the room is BLIND."""
    aged = Poll(AT, (reading(SENSORS[0], age_s=4000), *polled().readings[1:]))
    (only,) = worse(poll=aged, memory=Memory(readings=cadence(120, SENSORS[1:]).readings))
    assert only.verdict is Verdict.WARN
    assert "too old to count" in only.text
    blind = Poll(AT, (reading(SENSORS[0], age_s=4000), reading(SENSORS[1], age_s=4000), polled().readings[2]))
    ways = [finding.way for finding in worse(poll=blind, memory=Memory()) if finding.verdict is Verdict.FAIL]
    assert ways == [Way.DOWN]


def test_too_few_fresh_sensors_for_recovery_stand_in_the_way_back() -> None:
    """With all three votes asked for and two sensors fresh the alarm can come, the recovery cannot."""
    aged = Poll(AT, (reading(SENSORS[0], age_s=4000), *polled().readings[1:]))
    found = worse(replace(TERMS, policy=policy(votes=3)), poll=aged, memory=cadence(120, SENSORS[1:]))
    assert [finding.way for finding in found if finding.verdict is Verdict.FAIL] == [Way.BACK]


def test_a_configured_sensor_without_a_reading_is_named() -> None:
    """What the source says of a sensor that gives no reading is told with its serial number."""
    poll = Poll(AT, polled().readings[:2], (Rejected(SENSORS[2], "missing from the answer"),))
    found = worse(replace(TERMS, policy=policy(sensors=SENSORS)), poll=poll, memory=cadence(120, SENSORS[:2]))
    assert any(SENSORS[2] in finding.text and "missing from the answer" in finding.text for finding in found)


def test_a_sensor_that_has_never_spoken_is_told_where_all_count() -> None:
    """A sensor of the network that has no reading is named; where MERAKI_SENSORS chooses others, it is not."""
    network = Network("N_1", "Office", dict.fromkeys((*SENSORS, "Q3CA-9")))
    (only,) = worse(network=network)
    assert only.text.startswith("Q3CA-9")
    assert worse(replace(TERMS, policy=policy(sensors=SENSORS)), network=network) == []


def test_a_network_without_thermometers_raises_no_alarm() -> None:
    """No sensor at all is a FAIL, not an empty room that is cool."""
    (only,) = worse(poll=Poll(AT), network=Network("N_1", "Office", {}), memory=Memory())
    assert only.way is Way.DOWN


@pytest.mark.parametrize(("cadence_s", "on_delay_s", "delay_s"), [
    (60, 60, 180), (300, 60, 660), (1200, 60, 2460), (1200, 0, 1260), (50, 60, 210), (20, 60, 140),
])
def test_the_worst_delay_is_a_miss_the_on_delay_and_a_poll(
    cadence_s: float, on_delay_s: float, delay_s: float
) -> None:
    """Just missed, then as many distinct measurements as span the on-delay, then the poll that just missed them."""
    assert worst_delay_s(cadence_s, policy(on_delay_s=on_delay_s)) == delay_s


def test_the_delay_is_told_in_minutes_with_what_it_means() -> None:
    """Sensors that measure every 2 min trip in time; ones that measure every 10 min let a dense room pass 42 degC."""
    good = next(finding for finding in judged() if "at worst" in finding.text)
    assert good.verdict is Verdict.OK
    assert "The alarm comes 5 min after the room has passed 35 degC" in good.text
    assert "stands at 40 degC" in good.text
    (slow,) = worse(memory=cadence(600))
    assert slow.verdict is Verdict.WARN
    assert "The alarm comes 21 min after" in slow.text
    assert "needs 7 min to the 42 degC" in slow.text


def test_the_fastest_sensors_that_suffice_make_the_delay() -> None:
    """Two votes of three: a third sensor that is slow delays nothing."""
    quick, slow = cadence(120, SENSORS[:2]), cadence(900, SENSORS[2:])
    both = Memory(readings=tuple(sorted((*quick.readings, *slow.readings), key=lambda one: one.seen_at)))
    (told,) = [finding.text for finding in judged(memory=both) if "at worst" in finding.text]
    assert "The alarm comes 5 min" in told


def test_a_cadence_that_one_poll_does_not_show_is_not_made_up() -> None:
    """Without kept readings the delay is not known yet, and the slowest sensors' is told instead."""
    (only,) = worse(memory=Memory())
    assert only.verdict is Verdict.WARN
    assert "not known yet" in only.text
    assert "41 min" in only.text


def test_an_age_below_the_cadence_makes_a_sensor_blind_between() -> None:
    """SENSOR_MAX_AGE that is shorter than what a sensor needs for its next measurement is told."""
    found = of(Area.ROOM, worse(replace(TERMS, policy=policy(max_age_s=100.0)), cluster=OUTSIDE))
    assert len(found) == 3
    assert all("SENSOR_MAX_AGE=300," in finding.remedy for finding in found)


def test_one_sensor_alone_is_warned_of() -> None:
    """A single voting sensor decides alone and, when it fails, leaves the room unseen."""
    one = Poll(AT, polled().readings[:1])
    (only,) = worse(replace(TERMS, policy=policy(sensors=SENSORS[:1])), poll=one, memory=cadence(120, SENSORS[:1]))
    assert only.verdict is Verdict.WARN
    assert "Only one sensor votes" in only.text

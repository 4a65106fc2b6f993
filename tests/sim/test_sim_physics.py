"""The room's physics against the published numbers, and against conservation of energy."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermo_guard.sim.physics import (
    STEP_S,
    Cooling,
    Heat,
    Outage,
    Probe,
    Room,
    cooling_share,
    quantised,
    room_of,
    steady,
    warmed,
)

TOLERANCE = 0.12
PUBLISHED = {  # kW, m3, racks: minutes from 22 degC to 32, 35, 40
    (3.0, 45.0, 1): (11.0, 25.0, 82.0),
    (10.0, 90.0, 3): (5.3, 8.8, 22.0),
    (20.0, 90.0, 4): (2.2, 3.2, 5.4),
}


def minutes_to(room: Room, power_kw: float, heat: Heat, *limits_c: float) -> list[float]:
    found: list[float] = []
    for seconds in itertools.count(0, STEP_S):
        while len(found) < len(limits_c) and heat.air_c >= limits_c[len(found)]:
            found.append(seconds / 60)
        if len(found) == len(limits_c):
            return found
        heat = warmed(room, heat, power_kw, 0.0, STEP_S)
    raise AssertionError


@pytest.mark.parametrize(("case", "published"), PUBLISHED.items(), ids=str)
def test_rooms_without_cooling_heat_as_fast_as_published(
    case: tuple[float, float, int], published: tuple[float, float, float]
) -> None:
    """Minutes from 22 degC to 32, 35 and 40 lie within 12 % of the published ones in all three rooms."""
    power_kw, volume_m3, racks = case
    room = room_of(volume_m3, racks)
    cooled = Heat(22.0, 22.0 + room.mass_share * power_kw / room.exchange_kw_per_k)
    assert minutes_to(room, power_kw, cooled, 32.0, 35.0, 40.0) == pytest.approx(published, rel=TOLERANCE)


@given(
    power_kw=st.floats(0, 50), cooling_kw=st.floats(0, 50), air_c=st.floats(0, 60), mass_c=st.floats(0, 60),
    seconds=st.floats(0, STEP_S), volume_m3=st.floats(20, 500), racks=st.integers(1, 10),
)
def test_energy_is_conserved(
    power_kw: float, cooling_kw: float, air_c: float, mass_c: float, seconds: float, volume_m3: float, racks: int
) -> None:
    """What air and mass gain is what was put in, less what was cooled and what leaked."""
    room = room_of(volume_m3, racks)
    after = warmed(room, Heat(air_c, mass_c), power_kw, cooling_kw, seconds)
    gained = room.air_kj_per_k * (after.air_c - air_c) + room.mass_kj_per_k * (after.mass_c - mass_c)
    leaked_kw = room.leak_kw_per_k * (air_c - room.outside_c)
    assert gained == pytest.approx((power_kw - cooling_kw - leaked_kw) * seconds, abs=1e-6)


@given(power_kw=st.floats(0.1, 8), capacity_kw=st.floats(0.5, 12), minutes=st.integers(1, 60))
def test_a_room_at_rest_stays_at_rest(power_kw: float, capacity_kw: float, minutes: int) -> None:
    """The steady state is one: under the same load and cooling nothing moves."""
    room, cooling = room_of(45.0, 1), Cooling(capacity_kw)
    heat = at_rest = steady(room, cooling, power_kw)
    for _ in range(minutes * 12):
        heat = warmed(room, heat, power_kw, cooling.kw(heat.air_c), STEP_S)
    assert heat.air_c == pytest.approx(at_rest.air_c, abs=1e-6)
    assert heat.mass_c == pytest.approx(at_rest.mass_c, abs=1e-6)


@given(start_s=st.floats(0, 1000), length_s=st.floats(0, 1000), left=st.floats(0, 1), at_s=st.floats(-100, 4000))
def test_cooling_is_never_less_than_none_nor_more_than_all(
    start_s: float, length_s: float, left: float, at_s: float
) -> None:
    """The share of the cooling stays within 0 and 1, and is what is left of it during the outage."""
    share = cooling_share([Outage(start_s, start_s + length_s, 300.0, left)], at_s)
    assert 0.0 <= share <= 1.0
    if start_s <= at_s < start_s + length_s:
        assert share == left


def test_cooling_comes_back_gradually() -> None:
    """After an outage the compressor takes its time."""
    outage = Outage(100.0, 200.0, restart_s=300.0)
    assert [outage.share(at) for at in (99, 100, 200, 350, 500, 9000)] == [1.0, 0.0, 0.0, 0.5, 1.0, 1.0]


def test_a_step_that_is_too_long_is_refused() -> None:
    """Integration never silently leaves the range in which it is right."""
    with pytest.raises(ValueError, match="step"):
        warmed(room_of(45.0, 1), Heat(22.0, 22.0), 1.0, 0.0, STEP_S * 2)


def test_a_sensor_lags_by_its_time_constant() -> None:
    """After one time constant it has made 63 % of a jump, however the time is cut up."""
    probe = Probe(tau_s=120.0, bias_c=0.5)
    at_once = probe.felt_c(20.5, 30.0, 0.0, 120.0)
    felt_c = 20.5
    for _ in range(24):
        felt_c = probe.felt_c(felt_c, 30.0, 0.0, 5.0)
    assert at_once == pytest.approx(20.5 + 10.0 * 0.632, abs=0.01)
    assert felt_c == pytest.approx(at_once)


@given(celsius=st.floats(-20, 80), step_c=st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_a_reading_is_a_whole_number_of_counts(celsius: float, step_c: float) -> None:
    """A quantised value is off by half a count at most."""
    assert abs(quantised(celsius, step_c) - celsius) <= step_c / 2 + 1e-6

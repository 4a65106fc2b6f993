"""Where a sensor is going: the robust slope with its bounds, and the time to a level."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.projection import LAG_S, slope, slope_of, time_to_s
from thermo_guard.core.readings import Reading
from thermo_guard.core.track import Measurement, Track, taken

SETTINGS = PolicySettings()


def measured(degrees: list[float], every_s: float = 60.0) -> list[Measurement]:
    return [Measurement(celsius, place * every_s, place * every_s) for place, celsius in enumerate(degrees)]


def track(degrees: list[float], every_s: float = 60.0) -> Track:
    found: Track | None = None
    for one in measured(degrees, every_s):
        found = taken(found, Reading("a", one.celsius, one.stamp, one.measured_at, 0.0), SETTINGS)
    assert found is not None
    return found


@given(st.floats(-5, 5), st.floats(-20, 60), st.integers(4, 40))
def test_a_straight_line_has_its_own_slope(per_minute: float, base: float, count: int) -> None:
    """Median and both bounds are the line's."""
    found = slope(measured([base + per_minute * place for place in range(count)]))
    assert found is not None
    assert found.k_per_s * 60 == pytest.approx(per_minute, abs=1e-6)
    assert found.low - 1e-9 <= found.k_per_s <= found.high + 1e-9


def test_one_wrong_measurement_does_not_turn_it() -> None:
    """A spike among seven is outvoted by the pairs that it is not in."""
    found = slope(measured([22, 22.5, 23, 60, 24, 24.5, 25]))
    assert found is not None
    assert found.k_per_s * 60 == pytest.approx(0.5, abs=0.05)


def test_fewer_than_four_say_nothing() -> None:
    """Three points in a row are chance too often."""
    assert slope(measured([22, 23, 24])) is None


def test_noise_is_no_rise() -> None:
    """The lower bound of a level room's slope is not above zero."""
    found = slope(measured([22.0, 22.1, 22.0, 22.1, 22.2, 22.0]))
    assert found is not None
    assert not found.rises


def test_a_steady_rise_is_projected_linearly_less_the_lag_of_the_probe() -> None:
    """9 K at 0.5 K a minute are 18 minutes; a probe shows what was a minute ago."""
    steady = track([22 + 0.5 * minute for minute in range(19)])
    now = slope_of(steady)
    assert now is not None
    assert time_to_s(steady, 40.0, now) == pytest.approx(9 / 0.5 * 60 - LAG_S, rel=0.02)


def test_a_rise_that_slows_down_may_never_arrive() -> None:
    """A light room that nears its balance at 34 degC is not taken for one that goes on to 40."""
    settling = track([round(34 - 12 * math.exp(-minute / 8), 2) for minute in range(18)])
    now = slope_of(settling)
    assert now is not None
    assert now.rises
    assert math.isinf(time_to_s(settling, 40.0, now))


def test_a_light_room_is_seen_to_settle_before_it_has_lost_half_of_its_slope() -> None:
    """Part of the cooling failed, the probe lags, and the steps grow smaller: 1.9, 2.0, 1.7, 1.4 and 1.2 K a minute."""
    settling = track([22.0] * 6 + [22.6, 24.5, 26.5, 28.2, 29.6, 30.8])
    now = slope_of(settling)
    assert now is not None
    assert math.isinf(time_to_s(settling, 40.0, now))


def test_what_has_just_stopped_rising_is_going_nowhere() -> None:
    """Cooling that is back shows in the newest measurements first."""
    back = track([22 + minute for minute in range(10)] + [31.0, 31.0, 31.0])
    now = slope_of(back)
    assert now is not None
    assert math.isinf(time_to_s(back, 40.0, now))

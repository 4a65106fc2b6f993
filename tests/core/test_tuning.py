"""What a history says of the settings, and what is proposed of it."""

from dataclasses import replace

from thermo_guard.core.policy_settings import PolicySettings
from thermo_guard.core.readings import Kind
from thermo_guard.core.tuning import DAY_S, Past, SensorPast, proposals, too_little, variants

COOL = tuple(SensorPast(name, Kind.ROOM, 22.0, 24.0, 25.0, 0.0, 60.0) for name in "abc")
WEEK = Past(0.0, 7 * DAY_S, COOL, 24.0, 25.0, 0.0, None, 0.0)


def proposed(past: Past, policy: PolicySettings | None = None) -> dict[str, str]:
    return {one.setting: one.proposed for one in proposals(past, policy or PolicySettings())}


def test_a_cool_room_needs_nothing_else() -> None:
    """Only what fits better is proposed."""
    assert proposed(WEEK) == {}


def test_nothing_is_proposed_from_an_afternoon() -> None:
    """Less than a day has not even seen a night."""
    warm = replace(WEEK, voted_p99_c=33.0)
    assert "TEMPERATURE_HIGH_THRESHOLD" in proposed(warm)
    assert proposed(replace(warm, ended_at=DAY_S - 1)) == {}


def test_high_stands_well_above_what_the_vote_reaches() -> None:
    """And never so high that the servers stop themselves first."""
    assert proposed(replace(WEEK, voted_p99_c=31.2))["TEMPERATURE_HIGH_THRESHOLD"] == "36.5"
    assert proposed(replace(WEEK, voted_p99_c=37.0))["TEMPERATURE_HIGH_THRESHOLD"] == "38"


def test_high_stays_below_critical_and_no_higher_than_it_gains() -> None:
    """A proposal that the settings refuse helps nobody; nor does an alarm that comes late."""
    warm = replace(WEEK, voted_p99_c=32.0)
    assert proposed(warm, PolicySettings(critical_c=36.5))["TEMPERATURE_HIGH_THRESHOLD"] == "35.5"
    assert proposed(WEEK, PolicySettings(high_c=45.0, critical_c=50.0))["TEMPERATURE_HIGH_THRESHOLD"] == "35"


def test_a_warning_comes_before_anything_is_shed() -> None:
    """Above SHED_THRESHOLD the settings refuse it."""
    warm = replace(WEEK, sensors=tuple(replace(one, p99_c=33.4) for one in COOL))
    assert proposed(warm)["WARN_THRESHOLD"] == "33"


def test_low_is_one_that_the_room_reaches() -> None:
    """A room that lives at 29 would never count as recovered below 30."""
    warm = replace(WEEK, sensors=tuple(replace(one, usual_c=28.9) for one in COOL))
    assert proposed(warm)["TEMPERATURE_LOW_THRESHOLD"] == "32"


def test_a_sensor_of_another_place_is_left_out() -> None:
    """In the hot aisle it would outvote or raise the alarm; with the others named it does neither."""
    hot = replace(WEEK, sensors=(*COOL, SensorPast("aisle", Kind.ROOM, 33.0, 34.0, 35.0, 0.0, 60.0)))
    assert proposed(hot) == {"MERAKI_SENSORS": "a,b,c"}


def test_warm_inlets_have_limits_of_their_own() -> None:
    """Where servers breathe their own air, HIGH + 3 is what they have every day."""
    inlets = tuple(SensorPast(f"ilo-{place}", Kind.BMC, 32.5, 36.5, 37.0, 0.0, 30.0) for place in range(3))
    found = proposed(replace(WEEK, sensors=(*COOL, *inlets)))
    assert found["INLET_LOW_THRESHOLD"] == "35.5"
    assert found["INLET_HIGH_THRESHOLD"] == "41", "as much above the highest HIGH as inlets may stand, and no more"


def test_a_sensor_that_is_hardly_believed_moves_no_threshold() -> None:
    """It wants repair: it is neither of another place, nor has it a usual level."""
    broken = SensorPast("x", Kind.ROOM, 73.0, 74.0, 85.0, 0.0, 60.0, suspected=1, believed=0.2)
    assert proposed(replace(WEEK, sensors=(*COOL, broken))) == {}
    inlet = replace(broken, kind=Kind.BMC)
    assert proposed(replace(WEEK, sensors=(*COOL, inlet))) == {}


def test_of_a_room_that_was_hardly_seen_nothing_is_said() -> None:
    """That nothing was seen is no proof that the settings fit."""
    warm = replace(WEEK, voted_p99_c=33.0)
    assert proposed(replace(warm, blind_s=0.6 * warm.lasts_s)) == {}
    assert "unseen" in too_little(replace(warm, blind_s=0.6 * warm.lasts_s))
    assert too_little(WEEK) == ""


def test_an_age_that_a_sensor_cannot_keep_is_told() -> None:
    """One that measures every 20 minutes is stale between two measurements."""
    slow = replace(WEEK, sensors=tuple(replace(one, cadence_s=1200.0) for one in COOL))
    assert proposed(slow, PolicySettings(max_age_s=900.0))["SENSOR_MAX_AGE"] == "nothing"


def test_no_variant_turns_the_thresholds_round() -> None:
    """HIGH is tried down to just above LOW, and not below."""
    tried = variants(PolicySettings(high_c=33.0, low_c=30.0))
    assert set(tried) == {"TEMPERATURE_HIGH_THRESHOLD=32", "TEMPERATURE_HIGH_THRESHOLD=31", "TRIP_VOTES=1"}

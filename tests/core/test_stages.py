"""Warn, shed, trip, critical: where each begins and ends, with its delays, as a course of events."""

from core.course_of import Day, Degrees, rising, wobbling
from thermo_guard.core.decisions import What
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.stages import Stage

COOL: dict[str, Degrees] = {"a": wobbling(26.0), "b": wobbling(26.0), "c": wobbling(26.0)}
CALM = PolicySettings(projects=False)


def all_at(celsius: Degrees) -> dict[str, Degrees]:
    return dict.fromkeys("abc", celsius)


def test_a_slow_rise_passes_every_stage_in_order() -> None:
    """Warn at LOW, shed two degrees below HIGH, trip at HIGH, critical at CRITICAL; each held for the on-delay."""
    day = Day(CALM).until(60, COOL).until(220, all_at(rising(0.1, 60, 26.0, 41.0)))
    (warned,), (shed,), (tripped,), (critical,) = map(
        day.when, (What.WARNED, What.SHED, What.TRIPPED, What.CRITICAL))
    assert (warned, shed, tripped, critical) == (101, 131, 151, 200)
    assert day.course.assessment is not None
    assert day.course.assessment.stage is Stage.CRITICAL


def test_a_stage_ends_below_its_dead_band_and_not_at_once() -> None:
    """Two degrees below where it began, for OFF_DELAY: a room that stays near its limit is told once."""
    near = Day(CALM).until(60, COOL).until(300, all_at(lambda minute: 30.2 if int(minute) % 10 < 5 else 28.5))
    assert len(near.when(What.WARNED)) == 1
    assert not near.when(What.WARNING_ENDED)
    near.until(320, COOL)
    assert near.when(What.WARNING_ENDED) == [305]


def test_one_warm_minute_is_no_warning() -> None:
    """The on-delay holds for warnings too."""
    day = Day(CALM).until(60, COOL).until(61, all_at(30.5)).until(120, COOL)
    assert not day.when(What.WARNED)


def test_one_sensor_warns_and_a_vote_sheds() -> None:
    """A warning is cheap, what stops machines takes the vote."""
    day = Day(CALM).until(60, COOL).until(120, {**COOL, "a": rising(0.5, 60, 26.0, 31.5)})
    assert day.when(What.WARNED)
    warm = Day(CALM).until(60, all_at(wobbling(29.0))).until(120, {**all_at(wobbling(29.0)), "a": 34.0})
    assert not warm.when(What.SHED)


def test_blindness_turns_no_stage() -> None:
    """What was warm when it was last seen is not known to have cooled."""
    day = Day(CALM).until(60, COOL).until(90, all_at(31.0)).until(150, None)
    assert day.when(What.WARNED)
    assert not day.when(What.WARNING_ENDED)

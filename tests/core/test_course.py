"""The course of decisions: what comes after what, and that quiet days are only quicker, not other."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from core.course_of import STARTS_AT, Day, Degrees, rising, wobbling
from thermo_guard.core.decisions import Course, Noticing, What
from thermo_guard.core.policy import PolicySettings, assess, relived, remembered, seen
from thermo_guard.core.readings import Kind, Poll, Reading
from thermo_guard.core.room import Room

COOL: dict[str, Degrees] = {"a": wobbling(22.0), "b": wobbling(22.5), "c": wobbling(23.0)}


def down_to(celsius: float) -> dict[str, Degrees]:
    """From 36 by two degrees a minute, and there it stays."""
    return dict.fromkeys("abc", lambda minute: round(max(celsius, 36.0 - 2 * (minute - 100)), 1))


def test_a_cooled_room_permits_after_its_hold() -> None:
    """A quarter of an hour at or below LOW, once after each trip; a new heat trips anew."""
    day = Day().until(60, COOL).until(100, dict.fromkeys("abc", rising(0.5, 60, 22.5, 36.0))).until(160, down_to(23.0))
    (permissive,) = day.when(What.PERMISSIVE)
    assert 118 <= permissive <= 122
    day.until(240, dict.fromkeys("abc", rising(0.5, 160, 23.0)))
    assert len(day.when(What.TRIPPED)) == 2


def test_a_room_that_only_gives_its_heat_away_does_not_permit() -> None:
    """With its hosts off it stands 5 K above what it was with them at work: nothing cools it, and LOW says little."""
    hot = Day().until(60, COOL).until(100, dict.fromkeys("abc", rising(0.5, 60, 22.5, 36.0))).until(200, down_to(27.6))
    assert not hot.when(What.PERMISSIVE)
    assert hot.course.assessment is not None
    assert "above its usual level" in hot.course.assessment.not_yet
    hot.until(400, dict.fromkeys("abc", wobbling(27.6)))
    assert 340 <= hot.when(What.PERMISSIVE)[0] <= 350, "after four hours whatever holds it there counts as cooling"


def test_a_rise_within_the_hold_permits_nothing() -> None:
    """Cooling that came back for six minutes and went again."""
    day = Day().until(60, COOL).until(100, dict.fromkeys("abc", rising(0.5, 60, 22.5, 36.0))).until(110, down_to(22.0))
    day.until(150, dict.fromkeys("abc", lambda minute: min(29.5, 22.0 + 0.25 * (minute - 110))))
    assert not day.when(What.PERMISSIVE)


def test_the_reasons_of_a_trip_are_data() -> None:
    """Who voted how, who was left out and why, and what everything was held against."""
    day = Day(PolicySettings(projects=False, stop_s=480.0)).until(60, COOL)
    day.until(100, {**dict.fromkeys("ab", rising(0.5, 60, 22.5, 36.0)), "c": 85.0})
    facts = next(one.facts for _, one in day.decided if one.what is What.TRIPPED)
    sensors = {one["sensor"]: one for one in facts["sensors"]}  # type: ignore[attr-defined]
    assert (facts["level"], facts["demand"], sensors["c"]["counts"]) == ("high", 2, False)
    assert "85 degC" in sensors["c"]["why"]
    assert sensors["a"]["votes_high"]
    assert (sensors["a"]["slope_k_per_min"], sensors["c"]["slope_k_per_min"], facts["stop_s"]) == (0.5, None, 480.0)
    assert day.why(What.WARNED).startswith("b at 30.5 degC is the hottest, WARN_THRESHOLD 30; ")
    assert "SHED_THRESHOLD 33" in day.why(What.SHED)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(
    st.sampled_from([18.0, 24.0, 29.0, 29.8, 31.0, 36.0, 85.0]), st.integers(1, 12), st.booleans()), max_size=8))
def test_what_is_passed_over_in_quiet_days_would_have_decided_nothing(spans: list[tuple[float, int, bool]]) -> None:
    """The course that judges each minute and the one that does not tell the same."""
    quick, noticing = Course(PolicySettings(stop_s=300.0), STARTS_AT), Noticing(PolicySettings(stop_s=300.0))
    room = Room(started_at=STARTS_AT)
    minute, told = 0, []
    for celsius, minutes, answers in spans:
        for _ in range(minutes):
            now = STARTS_AT + 60.0 * minute
            readings = tuple(
                Reading(name, celsius + (0.1 if (minute + place) % 2 else 0.0), now, now, 0.0)
                for place, name in enumerate("abc"))
            if answers:
                quick.take(Poll(now, readings))
                room = seen(room, Poll(now, readings), quick.settings)
            room, assessment = assess(room, quick.settings, now)
            news = tuple(noticing.news(assessment, now))
            told.append(([one.what for one in news], assessment.is_alarm))
            decided = quick.decide(now)
            alarms = {What.TRIPPED, What.CRITICAL, What.PERMISSIVE}
            assert [one.what for one in decided if one.what not in alarms] == told[-1][0]
            assert quick.is_tripped or not assessment.is_alarm
            minute += 1


def test_the_past_of_a_source_stands_in_its_place_in_time() -> None:
    """What Meraki remembers comes after the first poll, and is older: the slope is known at once."""
    settings_, now = PolicySettings(stop_s=600.0), STARTS_AT + 600.0

    def reading(name: str, minute: float) -> Reading:
        at = STARTS_AT + 60 * minute
        return Reading(name, round(22.0 + minute, 1), at, now, now - at)

    room = seen(Room(started_at=now), Poll(now, tuple(reading(name, 9.8) for name in "ab")), settings_)
    assert assess(room, settings_, now)[1].projection is None
    past = [reading(name, minute) for name in "ab" for minute in range(10)]
    room = relived(room, past, settings_)
    told = assess(room, settings_, now)[1]
    assert told.projection is not None
    assert told.is_alarm
    assert [m.stamp for m in room.tracks["a"].recent] == sorted(m.stamp for m in room.tracks["a"].recent)
    assert relived(room, past, settings_).tracks == room.tracks


def test_a_restart_in_a_room_that_nothing_cools_does_not_take_its_heat_for_usual() -> None:
    """Four hours of an outage are all that the source remembers; the guard's own day before it outweighs them."""
    settings_, now = PolicySettings(), STARTS_AT + 24 * 3600.0

    def of(begin_h: float) -> list[Reading]:
        times = [STARTS_AT + 120.0 * n for n in range(int(begin_h * 30), 24 * 30)]
        return [Reading(name, (22.0 if at < STARTS_AT + 20 * 3600 else 33.0) + 0.1 * (at // 120 % 3), at, at, 0.0)
                for at in times for name in "abc"]

    room = relived(remembered(Room(started_at=now), of(0), settings_), of(21), settings_)
    assert {round(track.usual_c or 0.0) for track in room.tracks.values()} == {22}


def test_heat_is_never_learned_as_usual() -> None:
    """A guard that is started for the first time in a hot room begins to learn when that is LOW."""
    day = Day().until(30, dict.fromkeys("abc", 34.0)).until(60, down_to(24.0))
    assert all(track.usual_c is None or track.usual_c < 30 for track in day.course.room.tracks.values())


def test_inlets_of_hosts_that_are_off_do_not_count_for_a_recording() -> None:
    """Where the readings do not say it, the caller does."""
    course = Course(PolicySettings(), STARTS_AT)
    inlet = Reading("x", 30.0, STARTS_AT, STARTS_AT, 0.0, Kind.BMC)
    course.are_hosts_on = False
    course.take(Poll(STARTS_AT, (inlet,), kind=Kind.BMC))
    assert course.room.tracks["x"].is_running is False
    course.are_hosts_on = True
    later = replace(inlet, stamp=STARTS_AT + 60, seen_at=STARTS_AT + 60)
    course.take(Poll(STARTS_AT + 60, (later,), kind=Kind.BMC))
    assert course.room.tracks["x"].running_from == STARTS_AT + 60

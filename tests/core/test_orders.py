"""What becomes of an operator's order: carried out, or declined with the reason and what to do instead."""

import math
from dataclasses import replace

import pytest

from core.plants import NOW, incident
from thermo_guard.core import events as ev
from thermo_guard.core.events import Goal
from thermo_guard.core.orders import Grounds, taken
from thermo_guard.core.policy import Assessment, Level
from thermo_guard.core.record import Record
from thermo_guard.core.wishes import STALE_S, Order, Wish

ARMED = (NOW - 3600.0, ev.GuardArmed(""))
QUIET = Record(armed=ARMED)
DOWN = Record(armed=ARMED, incident=incident(Goal.OFF))
BACK = Record(armed=ARMED, incident=incident(Goal.ON))
LOCKED = {("esx1:443", "root"): ev.LoginRefused("esx1:443", "root", NOW + 600, "wrong password")}
LACKING = ("esx1", "web")


def room(level: Level | None, *, has_cooled: bool = True) -> Assessment:
    return Assessment(level, (), (), 0, 2, 24.0, None, None, has_cooled=has_cooled, is_recovered=False)


COOL, HOT, UNSEEN = room(Level.LOW), room(Level.HIGH), room(Level.BLIND, has_cooled=False)
WARM = room(Level.BAND, has_cooled=False)


def wish(order: Order, **changes: object) -> Wish:
    return replace(Wish(7, NOW - 2, order, "ada@nas", "works on the cooling"), **changes)  # type: ignore[arg-type]


def effect(order: Order, record: Record = QUIET, assessment: Assessment = COOL, **changes: object) -> ev.Event | None:
    """What an order comes to beside having been taken up; it must not be declined."""
    said = {name: changes.pop(name) for name in ("missing", "leftovers", "report") if name in changes}
    first, *rest = taken(wish(order, **changes), record, assessment, NOW, Grounds(**said))  # type: ignore[arg-type]
    assert first == ev.WishTaken(wish(order, **changes))
    assert len(rest) <= 1
    return rest[0] if rest else None


def declined(order: Order, record: Record = QUIET, assessment: Assessment = COOL, **changes: object) -> str:
    """Why an order is declined; nothing else comes of it."""
    said = {name: changes.pop(name) for name in ("missing", "leftovers", "report") if name in changes}
    events = taken(wish(order, **changes), record, assessment, NOW, Grounds(**said))  # type: ignore[arg-type]
    assert len(events) == 1
    assert isinstance(events[0], ev.WishTaken)
    assert events[0].declined
    return events[0].declined


@pytest.mark.parametrize("assessment", [COOL, WARM, HOT, UNSEEN, room(None)])
def test_a_shutdown_needs_no_room(assessment: Assessment) -> None:
    """A person shuts down in any room, for his own reasons; the incident bears his name."""
    event = effect(Order.SHUT_DOWN, assessment=assessment)
    assert event == ev.ShutdownWished("20260102T080000Z", "ada@nas", "works on the cooling")


@pytest.mark.parametrize("record", [DOWN, BACK])
def test_a_shutdown_in_an_incident_becomes_its_goal(record: Record) -> None:
    """Of the policy's own shutdown too: from then on only a person turns it back."""
    assert record.incident is not None
    event = effect(Order.SHUT_DOWN, record)
    assert event == ev.GoalWished(record.incident.id, Goal.OFF, "ada@nas", "works on the cooling")


def test_a_shutdown_that_a_person_has_ordered_already_is_declined() -> None:
    """Nothing would change."""
    theirs = replace(DOWN, incident=incident(Goal.OFF, wished_by="bob@nas"))
    assert "bob@nas" in declined(Order.SHUT_DOWN, theirs)


def test_power_on_turns_the_incident_that_is_open() -> None:
    """Whoever began it, and also where it is on the way back already: the person answers for it then."""
    for record in (DOWN, BACK, replace(DOWN, incident=incident(Goal.OFF, wished_by="bob@nas"))):
        assert record.incident is not None
        event = effect(Order.POWER_ON, record)
        assert event == ev.GoalWished(record.incident.id, Goal.ON, "ada@nas", "works on the cooling")


def test_power_on_without_an_incident_brings_back_what_the_snapshot_shows() -> None:
    """What does not run and did is on record: an incident of its own brings it back."""
    event = effect(Order.POWER_ON, missing=LACKING)
    assert event == ev.PowerOnWished("20260102T080000Z", "ada@nas", "works on the cooling")


def test_power_on_of_what_is_not_on_record_opens_no_incident() -> None:
    """Nobody knows what would have to run at its end; the machines are asked for On and that is all."""
    assert effect(Order.POWER_ON, leftovers=("ilo-esx1",)) is None


def test_power_on_where_all_runs_is_declined() -> None:
    """There is nothing to do, and saying so is kinder than silence."""
    assert "runs" in declined(Order.POWER_ON)


@pytest.mark.parametrize("record", [QUIET, DOWN])
@pytest.mark.parametrize("level", [Level.HIGH, Level.CRITICAL])
@pytest.mark.parametrize("despite_unseen", [False, True])
def test_nothing_is_powered_on_into_the_heat(record: Record, level: Level, *, despite_unseen: bool) -> None:
    """Not by anybody's word (S3)."""
    why = declined(Order.POWER_ON, record, room(level), missing=LACKING, despite_unseen=despite_unseen)
    assert str(level) in why


@pytest.mark.parametrize("record", [QUIET, DOWN])
@pytest.mark.parametrize(("assessment", "says"), [(UNSEEN, "blind"), (WARM, "band"), (room(None), "not known yet")])
def test_power_on_in_a_room_that_is_not_known_to_be_cool_needs_a_person_s_eyes(
    record: Record, assessment: Assessment, says: str
) -> None:
    """Declined with the words to say; with them it is his answer, which goes on record."""
    why = declined(Order.POWER_ON, record, assessment, missing=LACKING)
    assert says in why
    assert "--despite-unseen" in why
    event = effect(Order.POWER_ON, record, assessment, missing=LACKING, despite_unseen=True)
    assert isinstance(event, ev.PowerOnWished | ev.GoalWished)
    assert event.despite_unseen


def test_a_restart_s_own_warmth_does_not_keep_power_on_away() -> None:
    """The band is permitted once the room has been cool."""
    assert isinstance(effect(Order.POWER_ON, DOWN, room(Level.BAND)), ev.GoalWished)


def test_abort_ends_the_incident_where_it_stands() -> None:
    """With the report of what is not as it was, and the name of who ended it."""
    for record in (DOWN, BACK):
        assert record.incident is not None
        event = effect(Order.ABORT, record, HOT, report=("VM web was on and is off",))
        assert event == ev.IncidentClosed(record.incident.id, ("VM web was on and is off",), aborted_by="ada@nas")
    assert "no incident" in declined(Order.ABORT)


def test_arm_takes_hold_by_a_person_s_word_and_once() -> None:
    """His name stands beside it."""
    assert effect(Order.ARM, Record(), HOT) == ev.GuardArmed("ada@nas")
    assert "armed already" in declined(Order.ARM)


def test_pause_resume_and_ack_are_on_record_by_having_been_taken_up() -> None:
    """The record follows from the order itself; no second event could be lost between."""
    for record in (QUIET, DOWN, replace(QUIET, paused_until=NOW + 60)):
        assert effect(Order.PAUSE, record, for_s=7200.0) is None
        assert effect(Order.ACKNOWLEDGE, record) is None
    for record in (replace(QUIET, paused_until=math.inf), replace(QUIET, refused=LOCKED)):
        assert effect(Order.RESUME, record) is None
    assert "not paused" in declined(Order.RESUME)


@pytest.mark.parametrize("order", [Order.SHUT_DOWN, Order.POWER_ON, Order.ABORT])
def test_in_a_pause_no_order_acts(order: Order) -> None:
    """Who has paused the guard is working on the plant; the next person has to know of it."""
    assert "thermo-guard resume" in declined(order, replace(DOWN, paused_until=NOW + 1), missing=LACKING)
    effect(order, replace(DOWN, paused_until=NOW), missing=LACKING)


@pytest.mark.parametrize("order", Order)
def test_an_order_that_nobody_took_up_in_time_is_declined(order: Order) -> None:
    """Who asked for a shutdown before lunch no longer expects one; who wanted this very incident ended still does."""
    record = replace(DOWN, armed=None, refused=LOCKED)
    effect(order, record, at=NOW - STALE_S)
    assert DOWN.incident is not None
    if order in {Order.ABORT, Order.PAUSE}:
        opened = replace(DOWN.incident, opened_at=NOW - STALE_S - 120)
        effect(order, replace(record, incident=opened), at=NOW - STALE_S - 60)
    record = replace(record, incident=replace(DOWN.incident, opened_at=NOW - STALE_S + 60))
    why = declined(order, record, at=NOW - STALE_S - 60)
    assert "11 minutes old" in why

"""What people are told: every edge that the issue names, and nothing that only the journal needs."""

from typing import get_args

import pytest

from core.plants import NOW, asked, incident
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Command, Outcome, Verb
from thermo_guard.core.messages import described, facts, message
from thermo_guard.core.wishes import Order, Wish

WEB = Command(Verb.SHUT_DOWN_GUEST, "id-web", "web", VCENTER)
GIVEN_UP = ev.Abandoned("host", "esx2", "esx2", ev.Phase.HOSTS, "it did not go off and still heats the room")


def wish(order: Order, for_s: float | None = None) -> Wish:
    return Wish(7, NOW, order, "ada@nas", "works on the cooling", for_s)



@pytest.mark.parametrize(("event", "title", "body", "is_urgent"), [
    (ev.AlarmTripped("i", "high", ("2 of 3 sensors",)), "HIGH", "2 of 3 sensors", True),
    (ev.HeatReturned("i", "critical", ("a at 41",)), "CRITICAL", "a at 41", True),
    (ev.LevelChanged("blind", "low", ("no answer",)), "BLIND", "no answer", True),
    (ev.LevelChanged("band", "blind", ("32",)), "Sighted again", "32", False),
    (ev.RoomRecovered("i", ("all cool",)), "recovered", "all cool", False),
    (ev.PhaseBegun("i", ev.Phase.GUESTS, 2), "VMs shutting down, tier 2", "i", False),
    (GIVEN_UP, "Needs a person: host esx2", "still heats the room", True),
    (ev.PowerOnHeld("twice today"), "Needs a person", "twice today", True),
    (ev.IncidentClosed("i", ()), "Everything is back as it was", "i", False),
    (ev.IncidentClosed("i", ("host esx2 was on and is off", "VM db")), "2 differences",
     "host esx2 was on and is off\nVM db", True),
    (ev.IncidentClosed("i", ("VM db was on and is off",), aborted_by="ada@nas"), "ended where it stood, by ada@nas",
     "VM db", True),
    (ev.AlarmObserved("high", ("a at 36",), "NOT ARMED"), "HIGH temperature, and NOT ARMED: NOTHING is being done",
     "a at 36", True),
    (ev.GuardArmed(""), "ARMED: all that a shutdown needs has been seen", "shuts the cluster down", False),
    (ev.GuardArmed("ada@nas", ("brought down, not back",)), "ARMED: by ada@nas", "brought down, not back", False),
    (ev.ShutdownWished("i", "ada@nas", "a pipe"), "being shut down, as ada@nas asked", "a pipe", True),
    (ev.PowerOnWished("i", "ada@nas", "dry"), "being brought back, as ada@nas asked", "dry", True),
    (ev.GoalWished("i", ev.Goal.OFF, "ada@nas", "a pipe"), "being shut down, as ada@nas asked", "a pipe", True),
    (ev.GoalWished("i", ev.Goal.ON, "ada@nas", "dry"), "being brought back, as ada@nas asked", "dry", True),
    (ev.WishTaken(wish(Order.SHUT_DOWN), "too old"), "Declined: shutdown, asked by ada@nas", "too old", False),
    (ev.WishTaken(wish(Order.PAUSE)), "PAUSED by ada@nas: nothing is commanded until `thermo-guard resume`", "works",
     True),
    (ev.WishTaken(wish(Order.PAUSE, 7200.0)), "nothing is commanded for 120 minutes", "works", True),
    (ev.WishTaken(wish(Order.RESUME)), "Resumed by ada@nas", "works", False),
    (ev.WishTaken(wish(Order.ACKNOWLEDGE)), "Acknowledged by ada@nas", "works", False),
    (ev.LoginRefused("vc:443", "guard", NOW, "wrong password"), "Login refused: guard at vc:443", "thermo-guard resume",
     True),
    (ev.LoginAccepted("vc:443", "guard"), "Login works again: guard at vc:443", "", False),
])
def test_each_edge_is_told(event: ev.Event, title: str, body: str, is_urgent: bool) -> None:
    """Alarm, phases, blind and sighted again, what needs a person, recovery, the closing report in full."""
    told = message(event, None, NOW)
    assert told is not None
    assert title in told.title
    assert body in told.body
    assert told.is_urgent is is_urgent


@pytest.mark.parametrize("event", [
    ev.LevelChanged("high", "band", ("hot",)), ev.LevelChanged("low", "band", ("cool",)), ev.SnapshotClosed("i"),
    ev.Intended((WEB,)), ev.Answered((ev.Answer(WEB.verb, WEB.target, Outcome.ACCEPTED),)), ev.SitePoweredOn("i"),
    ev.NamesResolved((("vc", ("192.0.2.1",)),)), ev.GuardStarted("o", "1"), ev.GuardStopped("o"),
    *(ev.WishTaken(wish(order)) for order in (Order.SHUT_DOWN, Order.POWER_ON, Order.ABORT, Order.ARM)),
])
def test_what_only_the_journal_needs_wakes_nobody(event: ev.Event) -> None:
    """One message a change: HIGH is told by the alarm it raises, an order by the event that carries it out."""
    assert message(event, incident(ev.Goal.OFF), NOW) is None


def test_the_end_of_a_phase_is_told_with_the_next_one() -> None:
    """Start and end of each phase in one message."""
    before = incident(ev.Goal.OFF, phase=ev.Phase.GUESTS, tier=1, phase_since=NOW - 60)
    told = message(ev.PhaseBegun("i", ev.Phase.HOSTS), before, NOW)
    assert told is not None
    assert "After 60 s of: VMs shutting down, tier 1" in told.body


def test_force_is_told_once() -> None:
    """A VM that had to be powered off is named, the first time it is asked."""
    force = ev.Intended((WEB, Command(Verb.POWER_OFF_VM, "id-db", "db", VCENTER)))
    told = message(force, incident(ev.Goal.OFF), NOW)
    assert told is not None
    assert "db" in told.title
    assert "web" not in told.title
    again = incident(ev.Goal.OFF, intents=asked(Verb.POWER_OFF_VM, "id-db", 60))
    assert message(force, again, NOW) is None


@pytest.mark.parametrize(("goal", "power", "is_told"), [
    (ev.Goal.OFF, "off", True), (ev.Goal.OFF, "on", False), (ev.Goal.ON, "on", True), (ev.Goal.ON, "off", False),
])
def test_what_gets_there_after_all_is_told(goal: ev.Goal, power: str, is_told: bool) -> None:
    """Who was told that a person is needed is told when none is any more."""
    event = ev.Observed((ev.Sighting("host", "esx2", "esx2", power, "bmc"),))
    told = message(event, incident(goal, abandoned={"esx2": GIVEN_UP}), NOW)
    assert (told is not None) is is_told
    assert message(event, incident(goal), NOW) is None


def test_every_phase_has_its_words() -> None:
    """None is told by its name in the code."""
    assert all(described(phase) != str(phase) for phase in ev.Phase)


def test_every_event_has_a_kind_of_its_own() -> None:
    """A stored event is read back as what it was."""
    kinds = [kind.__dataclass_fields__["kind"].default for kind in get_args(ev.Event)]
    assert len(set(kinds)) == len(kinds)


def test_the_log_of_a_thousand_commands_is_a_line() -> None:
    """The first ones, and how many more there are."""
    shown = facts(ev.Intended((WEB,) * 1000), {})
    assert len(str(shown)) < 1000
    assert "and 992 more" in str(shown)

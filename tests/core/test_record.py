"""The record is the fold of the journal and nothing else: what was known before kill -9 is known after it."""

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Command, Outcome, Verb
from thermo_guard.core.events import Entry, Goal, Phase
from thermo_guard.core.record import Record, fold
from thermo_guard.core.step import Timing, is_due
from thermo_guard.core.wishes import Order, Wish

AT = 1_767_340_800.0
INCIDENT = "20260102T080000Z"
TRIPPED = ev.AlarmTripped(INCIDENT, "high", ("hot",))
STOP = Command(Verb.SHUT_DOWN_GUEST, "id-web", "web", VCENTER)
HOST_OFF = Command(Verb.SHUT_DOWN_HOST, "esx1", "esx1", VCENTER)
HOST_ON = Command(Verb.POWER_ON_HOST, "esx1", "esx1", "ilo-esx1")


def folded(*events: ev.Event, every_s: float = 10.0) -> Record:
    return fold(Record(), [Entry(i + 1, AT + i * every_s, event) for i, event in enumerate(events)])


def answered(command: Command, outcome: Outcome, text: str = "") -> ev.Answered:
    return ev.Answered((ev.Answer(command.verb, command.target, outcome, text),))


def off(target: str, kind: str = "host") -> ev.Observed:
    return ev.Observed((ev.Sighting(kind, target, target, "off", "bmc"),))  # type: ignore[arg-type]



def test_a_trip_opens_an_incident_with_its_goal_off() -> None:
    """From its first event on: the reasons, and since when."""
    record = folded(ev.LevelChanged("high", "band", ("hot",)), TRIPPED)
    assert record.level == "high"
    assert record.incident is not None
    assert (record.incident.goal, record.incident.opened_at) == (Goal.OFF, AT + 10)
    assert not record.incident.is_snapshot_closed
    closed = folded(TRIPPED, ev.SnapshotClosed(INCIDENT))
    assert closed.incident is not None
    assert closed.incident.is_snapshot_closed


def test_an_intent_without_an_answer_stays_one() -> None:
    """The process may have died before it was sent: only a look can tell."""
    record = folded(TRIPPED, ev.Intended((STOP,)))
    assert record.incident is not None
    intent = record.incident.intents[STOP.key]
    assert (intent.outcome, intent.tries, intent.first_at) == (None, 1, AT + 10)


def test_a_second_try_keeps_the_first_time_and_forgets_the_first_answer() -> None:
    """Deadlines count from the first time, repetition from the last."""
    record = folded(TRIPPED, ev.Intended((STOP,)), answered(STOP, Outcome.REFUSED, "no"), ev.Intended((STOP,)))
    assert record.incident is not None
    intent = record.incident.intents[STOP.key]
    assert (intent.first_at, intent.at, intent.tries, intent.outcome) == (AT + 10, AT + 30, 2, None)


def test_what_was_never_sent_starts_no_grace() -> None:
    """A first try that did not leave the guard is no intent: its target has not been asked, and is asked at once."""
    record = folded(TRIPPED, ev.Intended((STOP,)), answered(STOP, Outcome.UNSENT, "not sent"))
    assert record.incident is not None
    assert record.incident.intents == {}
    unsent = (ev.Intended((HOST_OFF,)), answered(HOST_OFF, Outcome.UNSENT))
    turned = folded(TRIPPED, *unsent, ev.RoomRecovered(INCIDENT, ()))
    assert turned.incident is not None
    assert turned.incident.stopping == {}, "nobody has told it to stop"


def test_a_repetition_that_was_never_sent_leaves_the_try_before_it() -> None:
    """Its time, its count and its answer: so it is as due as it was, and the grace goes on from the first time."""
    tried = (TRIPPED, ev.Intended((STOP,)), answered(STOP, Outcome.TRANSIENT, "busy"))
    unsent = (ev.Intended((STOP,)), answered(STOP, Outcome.UNSENT, "not sent"))
    once, again = folded(*tried), folded(*tried, *unsent, *unsent)
    assert once.incident is not None
    assert again.incident is not None
    assert again.incident.intents == once.incident.intents
    assert is_due(again.incident.intents[STOP.key], Timing(), AT + 50)


def test_an_answer_to_nothing_is_nothing() -> None:
    """A task that someone else started and that failed is not ours."""
    record = folded(TRIPPED, answered(STOP, Outcome.REFUSED, "no"))
    assert record.incident is not None
    assert record.incident.intents == {}


def test_what_was_seen_off_is_asked_anew_when_it_comes_on_again() -> None:
    """On the way down an intent ends with its deed."""
    record = folded(TRIPPED, ev.Intended((HOST_OFF,)), off("esx1"))
    assert record.incident is not None
    assert record.incident.intents == {}
    assert record.incident.observed["esx1"] == ("off", AT + 20)


def test_a_turn_forgets_what_bound_the_leg_and_keeps_what_may_still_be_stopping() -> None:
    """Intents and give-ups end with the goal; a host that was told to stop may still do so."""
    given_up = ev.Abandoned("host", "esx2", "esx2", Phase.HOSTS, "stuck")
    record = folded(TRIPPED, ev.SnapshotClosed(INCIDENT), ev.PhaseBegun(INCIDENT, Phase.HOSTS),
                    ev.Intended((HOST_OFF, STOP)), answered(STOP, Outcome.REFUSED), given_up,
                    ev.RoomRecovered(INCIDENT, ("cool",)))
    assert record.incident is not None
    assert (record.incident.id, record.incident.goal, record.incident.opened_at) == (INCIDENT, Goal.ON, AT)
    assert record.incident.is_snapshot_closed, "not rewritten until the incident ends, relapses included"
    assert (record.incident.intents, record.incident.abandoned, record.incident.phase) == ({}, {}, None)
    assert record.incident.stopping == {"esx1": AT + 30}, "a refused command stops nobody"


def test_what_is_seen_off_is_no_longer_stopping() -> None:
    """Then it can be started."""
    record = folded(TRIPPED, ev.Intended((HOST_OFF,)), ev.RoomRecovered(INCIDENT, ()), off("esx1"))
    assert record.incident is not None
    assert record.incident.stopping == {}


def test_power_ons_of_the_site_are_counted_over_incidents() -> None:
    """At most two in 24 hours: the record knows them after the incident is closed, and forgets those of yesterday."""
    one = (TRIPPED, ev.RoomRecovered(INCIDENT, ()), ev.SitePoweredOn(INCIDENT), ev.IncidentClosed(INCIDENT, ()))
    record = folded(*one, *one)
    assert record.incident is None
    assert len(record.power_ons) == 2
    assert len(folded(*one, *one, every_s=6 * 3600.0).power_ons) == 1


def test_heat_on_the_way_back_turns_the_same_incident() -> None:
    """Its snapshot stays, its power-on stays counted, the next leg counts its own."""
    record = folded(TRIPPED, ev.RoomRecovered(INCIDENT, ()), ev.SitePoweredOn(INCIDENT), ev.Intended((HOST_ON,)),
                    ev.HeatReturned(INCIDENT, "high", ("hot",)))
    assert record.incident is not None
    assert (record.incident.goal, record.incident.is_powered_on) == (Goal.OFF, False)
    assert record.incident.stopping == {}, "a power-on stops nobody"
    assert len(record.power_ons) == 1


def test_a_closed_incident_leaves_its_report() -> None:
    """The last one can still be shown."""
    record = folded(TRIPPED, ev.IncidentClosed(INCIDENT, ("host esx2 was on and is off",)))
    assert record.incident is None
    assert record.closed == (AT + 10, ev.IncidentClosed(INCIDENT, ("host esx2 was on and is off",)))


# --- arming, orders, logins ---

def order(what: Order, number: int = 1, declined: str = "", **changes: object) -> ev.WishTaken:
    wish = replace(Wish(number, AT, what, "ada@nas", "works"), **changes)  # type: ignore[arg-type]
    return ev.WishTaken(wish, declined)


HOT, COOL = ev.LevelChanged("high", "band", ("hot",)), ev.LevelChanged("band", "high", ("cooler",))


def test_the_guard_arms_once() -> None:
    """Who armed it first stays on record."""
    record = folded(ev.GuardArmed(""), ev.GuardArmed("ada@nas"))
    assert record.armed == (AT, ev.GuardArmed(""))


def test_the_last_order_that_was_answered_is_known() -> None:
    """Taken up or declined: neither is read from the inbox again."""
    assert folded(order(Order.ARM, 3), order(Order.PAUSE, 4, "no")).wish == 4
    assert folded(order(Order.PAUSE, 4, "no")).paused_until is None


def test_a_pause_ends_by_its_time_or_by_resume() -> None:
    """Its time runs from when it was taken up."""
    assert folded(order(Order.PAUSE)).paused_until == math.inf
    assert folded(order(Order.PAUSE, for_s=600.0)).paused_until == AT + 600
    assert folded(order(Order.PAUSE), order(Order.RESUME, 2)).paused_until is None


def test_a_pause_ends_the_deadlines_of_the_leg_and_nothing_else() -> None:
    """What may still be stopping is kept; goal, snapshot and count of power-ons are as they were."""
    given_up = ev.Abandoned("host", "esx2", "esx2", Phase.HOSTS, "stuck")
    record = folded(TRIPPED, ev.SnapshotClosed(INCIDENT), ev.PhaseBegun(INCIDENT, Phase.HOSTS),
                    ev.Intended((HOST_OFF,)), given_up, order(Order.PAUSE))
    assert record.incident is not None
    assert (record.incident.intents, record.incident.abandoned) == ({}, {})
    assert record.incident.stopping == {"esx1": AT + 30}
    assert (record.incident.phase, record.incident.is_interrupted) == (Phase.HOSTS, True)
    assert (record.incident.goal, record.incident.goal_since) == (Goal.OFF, AT)
    assert record.incident.is_snapshot_closed
    back = folded(TRIPPED, ev.RoomRecovered(INCIDENT, ()), ev.SitePoweredOn(INCIDENT), order(Order.PAUSE))
    assert back.incident is not None
    assert back.incident.is_powered_on


def test_an_aborted_alarm_is_shelved_until_the_room_was_below_high() -> None:
    """Blindness does not end it, the band does; an abort in a cool room shelves nothing."""
    closed = ev.IncidentClosed(INCIDENT, (), aborted_by="ada@nas")
    aborted = (HOT, TRIPPED, order(Order.ABORT), closed)
    assert folded(*aborted).is_shelved
    assert folded(*aborted, ev.LevelChanged("blind", "high", ()), HOT).is_shelved
    assert not folded(*aborted, COOL).is_shelved
    assert not folded(*aborted, COOL, HOT).is_shelved
    assert not folded(COOL, ev.ShutdownWished(INCIDENT, "ada@nas", ""), order(Order.ABORT), closed).is_shelved


def test_a_person_s_incident_bears_his_name_until_the_policy_turns_it() -> None:
    """A way back that heat has turned is the policy's own again, and ends by recovery."""
    wished = ev.PowerOnWished(INCIDENT, "ada@nas", "dry", despite_unseen=True)
    record = folded(order(Order.POWER_ON), wished)
    assert record.incident is not None
    assert (record.incident.goal, record.incident.wished_by) == (Goal.ON, "ada@nas")
    assert record.incident.is_snapshot_closed, "it is what is brought back"
    assert record.incident.despite_unseen
    turned = folded(wished, ev.HeatReturned(INCIDENT, "high", ("hot",)))
    assert turned.incident is not None
    assert (turned.incident.wished_by, turned.incident.despite_unseen) == ("", False)


def test_a_shutdown_that_a_person_confirms_goes_on_as_it_is() -> None:
    """No guest is asked anew and no deadline begins again; only who may end it changes."""
    begun = (TRIPPED, ev.PhaseBegun(INCIDENT, Phase.GUESTS, 1), ev.Intended((STOP,)))
    record = folded(*begun, ev.GoalWished(INCIDENT, Goal.OFF, "ada@nas", "stay down"))
    before = folded(*begun).incident
    assert before is not None
    assert record.incident == replace(before, wished_by="ada@nas")
    turned = folded(*begun, ev.GoalWished(INCIDENT, Goal.ON, "ada@nas", "dry"))
    assert turned.incident is not None
    assert (turned.incident.goal, turned.incident.intents) == (Goal.ON, {})
    assert turned.incident.stopping == {"id-web": AT + 20}


def test_a_power_on_that_opens_no_incident_is_one_by_hand() -> None:
    """What is not on record has no planner; an incident ends it."""
    by_hand = order(Order.POWER_ON)
    assert folded(by_hand).by_hand == (AT, by_hand.wish)
    assert folded(by_hand, TRIPPED).by_hand is None
    assert folded(order(Order.POWER_ON, declined="hot")).by_hand is None
    assert folded(TRIPPED, by_hand, ev.IncidentClosed(INCIDENT, ())).by_hand is None


def test_refused_logins_stand_until_one_works_or_a_person_resumes() -> None:
    """By endpoint and user; resume lets each be tried at once, and what is refused again is told again."""
    esx = ev.LoginRefused("esx1:443", "root", AT + 1200, "wrong password")
    bmc = ev.LoginRefused("ilo:443", "guard", AT + 1200, "wrong password")
    assert set(folded(esx, bmc).refused) == {("esx1:443", "root"), ("ilo:443", "guard")}
    assert set(folded(esx, bmc, ev.LoginAccepted("ilo:443", "guard")).refused) == {("esx1:443", "root")}
    assert folded(esx, order(Order.RESUME)).refused == {}


def test_the_newest_addresses_of_the_names_and_the_newest_ack_stand() -> None:
    """Each event holds all that is known then."""
    names = (("vc", ("192.0.2.1",)),)
    assert folded(ev.NamesResolved((("old", ("192.0.2.9",)),)), ev.NamesResolved(names)).names == dict(names)
    assert folded(order(Order.ACKNOWLEDGE), order(Order.ACKNOWLEDGE, 2)).acknowledged == (AT + 10, "ada@nas")


commands = st.sampled_from([STOP, HOST_OFF, HOST_ON])
any_event = st.one_of(
    st.just(TRIPPED), st.just(ev.SnapshotClosed(INCIDENT)), st.just(ev.RoomRecovered(INCIDENT, ("cool",))),
    st.just(ev.HeatReturned(INCIDENT, "high", ("hot",))), st.just(ev.SitePoweredOn(INCIDENT)),
    st.just(ev.IncidentClosed(INCIDENT, ())), st.builds(ev.PhaseBegun, st.just(INCIDENT), st.sampled_from(Phase)),
    st.lists(commands, max_size=3, unique=True).map(lambda some: ev.Intended(tuple(some))),
    st.builds(answered, commands, st.sampled_from(Outcome)), st.sampled_from(["esx1", "id-web"]).map(off),
    st.just(ev.Abandoned("host", "esx1", "esx1", Phase.HOSTS, "stuck")), st.just(ev.GuardStarted("nas", "1")),
    st.just(ev.SensorsLearned(("a", "b"))), st.just(ev.BmcsMatched((("esx1", "ilo-esx1"),))),
    st.sampled_from(Order).map(order), st.just(ev.GoalWished(INCIDENT, Goal.ON, "ada@nas", "dry")),
    st.just(ev.GuardArmed("")), st.just(COOL), st.just(ev.LoginAccepted("esx1:443", "root")),
    st.just(ev.LoginRefused("esx1:443", "root", AT + 1200, "wrong")),
    st.just(ev.PowerOnHeld("twice")), st.just(ev.LevelChanged("blind", "low", ("silent",))),
)


@settings(deadline=None)
@given(st.lists(any_event, max_size=20), st.data())
def test_a_journal_read_twice_or_in_parts_gives_the_same_record(
    events: list[ev.Event], data: st.DataObject
) -> None:
    """Kill -9 after any entry: what is folded from the journal then, and what follows, add up to the same (S6)."""
    entries = [Entry(i + 1, AT + i, event) for i, event in enumerate(events)]
    cut = data.draw(st.integers(0, len(entries)))
    whole = fold(Record(), entries)
    first = fold(Record(), entries[:cut])
    assert fold(first, entries[cut:]) == whole == fold(Record(), entries)
    assert whole.seq == len(entries)
    assert fold(Record(), entries[:cut]) == first, "and folding on has not changed the part"


@settings(deadline=None)
@given(st.lists(any_event, max_size=20))
def test_an_old_entry_without_an_incident_opens_none(events: list[ev.Event]) -> None:
    """Only an alarm opens an incident, only its close ends it."""
    entries = [Entry(i + 1, AT + i, event) for i, event in enumerate(events)]
    opens = [isinstance(e, ev.AlarmTripped) for e in events if isinstance(e, ev.AlarmTripped | ev.IncidentClosed)]
    record = fold(Record(), entries)
    assert (record.incident is not None) is bool(opens and opens[-1])

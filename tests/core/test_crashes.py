"""When the guard itself is what fails: three lives in a row that end over the same command set its target aside."""

import pytest

from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Command, Outcome, Verb
from thermo_guard.core.crashes import CRASHES, fatal_commands, set_aside, suspects
from thermo_guard.core.events import Entry, Goal, Phase

INCIDENT = "20260102T080000Z"
TRIPPED = ev.AlarmTripped(INCIDENT, "high", ("hot",))
STARTED, STOPPED = ev.GuardStarted("o", "1"), ev.GuardStopped("o")
WEB = Command(Verb.SHUT_DOWN_GUEST, "id-web", "web", VCENTER)
DB = Command(Verb.SHUT_DOWN_GUEST, "id-db", "db", VCENTER)
ESX = Command(Verb.SHUT_DOWN_HOST, "esx1", "esx1", VCENTER)
HA = Command(Verb.DISARM_HA, "Office", "Office", VCENTER)


def answer(*commands: Command) -> ev.Answered:
    return ev.Answered(tuple(ev.Answer(c.verb, c.target, Outcome.ACCEPTED) for c in commands))


def fatal(*events: ev.Event) -> set[str]:
    """Names of the targets over which the guard ended, as its next life reads them."""
    return {command.name for command in fatal_commands(Entry(i, i * 10.0, event) for i, event in enumerate(events))}


def life(*events: ev.Event) -> list[ev.Event]:
    """One that ends with a crash."""
    return [STARTED, *events]


def test_three_crashes_over_one_command_are_its_fault() -> None:
    """Two may be chance; the third says that it is this that the guard cannot survive."""
    over_web = life(ev.Intended((WEB,)))
    assert fatal(STARTED, TRIPPED, ev.Intended((WEB,)), *over_web * (CRASHES - 2)) == set()
    assert fatal(STARTED, TRIPPED, ev.Intended((WEB,)), *over_web * (CRASHES - 1)) == {"web"}


def test_a_command_that_was_answered_is_not_what_it_ended_over() -> None:
    """Of several in one step, only those that were never answered."""
    over_both = life(ev.Intended((WEB, DB)), answer(DB))
    assert fatal(STARTED, TRIPPED, *over_both[1:], *over_both, *over_both) == {"web"}


def test_a_crash_that_has_nothing_to_do_with_it_breaks_the_row() -> None:
    """In a row means in a row."""
    over_web = life(ev.Intended((WEB,)))
    assert fatal(STARTED, TRIPPED, ev.Intended((WEB,)), answer(WEB), *over_web, *over_web) == set()
    assert fatal(*over_web, *over_web, *life(ev.Intended((WEB,)), answer(WEB)), *over_web) == set()


def test_a_life_that_was_ended_in_order_breaks_the_row() -> None:
    """Who stops and starts the container in mid-shutdown three times has crashed nothing."""
    over_web = life(ev.Intended((WEB,)))
    assert fatal(TRIPPED, *over_web, STOPPED, *over_web, STOPPED, *over_web, STOPPED) == set()
    assert fatal(TRIPPED, *over_web, *over_web, STOPPED, *over_web) == set()


def test_what_was_done_and_lost_its_answer_once_is_not_held_against_it_later() -> None:
    """Its deed is seen and it is never asked again: later crashes are not over it."""
    first = life(ev.Intended((WEB, HA)))
    assert fatal(TRIPPED, *first, *life(ev.Intended((DB,)), answer(DB)), *life()) == set()
    assert fatal(TRIPPED, *first, *life(), *life(), *life()) == set()


@pytest.mark.parametrize("turn", [
    ev.RoomRecovered(INCIDENT, ()), ev.HeatReturned(INCIDENT, "high", ()),
    ev.GoalWished(INCIDENT, Goal.ON, "ada@nas", ""), ev.IncidentClosed(INCIDENT, ()),
])
def test_a_new_leg_begins_anew(turn: ev.Event) -> None:
    """What could not be stopped may well be started."""
    over_web = life(ev.Intended((WEB,)))
    assert fatal(TRIPPED, *over_web, *over_web, STARTED, ev.Intended((WEB,)), turn) == set()


def test_what_was_set_aside_is_not_set_aside_again() -> None:
    """Told once: a fourth crash, over something else, does not tell of the first target again."""
    over_web = life(ev.Intended((WEB,)))
    aside = ev.Abandoned("vm", "id-web", "web", Phase.GUESTS, "fatal", is_set_aside=True)
    told = life(aside, ev.Intended((DB,)))
    over_db = life(ev.Intended((DB,)))
    assert fatal(TRIPPED, *over_web, *over_web, *over_web, *told) == set()
    assert fatal(TRIPPED, *over_web, *over_web, *over_web, *told, *over_db, *over_db) == {"db"}


def test_after_two_crashes_over_several_commands_each_of_them_is_suspected() -> None:
    """So that the third life sends them one by one, and ends over the one whose fault it is."""
    def suspected(*events: ev.Event) -> set[str]:
        return {target for _, target in suspects(Entry(i, i * 10.0, event) for i, event in enumerate(events))}

    both = life(ev.Intended((WEB, DB)))
    assert suspected(TRIPPED, *both) == set()
    assert suspected(TRIPPED, *both, *both) == {"id-web", "id-db"}
    one_by_one = life(ev.Intended((WEB,)), answer(WEB), ev.Intended((DB,)))
    assert fatal(TRIPPED, *both, *both, *one_by_one) == {"db"}
    assert suspected(TRIPPED, *both, *both, STOPPED) == set()


@pytest.mark.parametrize(("command", "kind"), [
    (WEB, "vm"), (ESX, "host"), (HA, "cluster"), (Command(Verb.ADOPT_VM, "id-web", "web", "esx2"), "vm"),
    (Command(Verb.POWER_ON_HOST, "esx1", "esx1", "ilo-esx1"), "host"),
    (Command(Verb.RESTORE_DRS, "Office", "Office", VCENTER), "cluster"),
])
def test_what_is_set_aside_is_named_as_what_it_is(command: Command, kind: str) -> None:
    """The message says which thing is left as it is, and over which act."""
    lives = [TRIPPED, *life(ev.Intended((command,))) * CRASHES]
    (event,) = set_aside([Entry(i, i * 10.0, each) for i, each in enumerate(lives)], Phase.HOSTS)
    assert (event.target_kind, event.target, event.name) == (kind, command.target, command.name)
    assert (event.phase, event.is_set_aside) == (Phase.HOSTS, True)
    assert str(command.verb) in event.reason

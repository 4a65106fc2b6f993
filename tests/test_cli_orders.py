"""The operator's commands, as typed beside a guard: what they say, how they are confirmed, and how they end."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from operators_desk import HOSTS, INCIDENT, guard, say, type_at_terminal
from thermo_guard import orders
from thermo_guard.adapters.clock import wall_now
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.adapters.status import StatusFile
from thermo_guard.cli import app
from thermo_guard.cli_orders import duration_s
from thermo_guard.core import events as ev
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.wishes import LONGEST_PAUSE_S, Order, Wish

ALL = tuple(str(order) for order in Order)
TO_CONFIRM = ("shutdown", "power-on", "abort", "pause", "arm", "rehearse")


# How they end


@pytest.mark.parametrize("order", ALL)
def test_an_order_that_is_taken_up_ends_with_zero(tmp_path: Path, order: str) -> None:
    """Each of them reaches the guard once, as meant and by whom, and says what begins."""
    with guard(tmp_path, incident=INCIDENT) as there:
        done = say(tmp_path, order, "--reason", "tëst", *(["--yes"] if order in TO_CONFIRM else []))
    assert done.exit_code == 0, done.output
    assert "Taken up. " in done.stdout
    assert [(wish.order, wish.reason, wish.for_s, wish.despite_unseen) for wish in there.taken] == [
        (order, "tëst", None, False)
    ]
    assert there.taken[0].by == orders.operator()


def test_what_the_guard_declines_ends_with_one_and_says_why(tmp_path: Path) -> None:
    """A script must not take a declined order for a done one."""
    with guard(tmp_path, declined="the room is high"):
        done = say(tmp_path, "power-on", "--yes")
    assert done.exit_code == 1
    assert "Declined: the room is high." in done.stderr


@pytest.mark.parametrize("order", TO_CONFIRM)
def test_without_a_terminal_nothing_is_ordered_unless_confirmed(tmp_path: Path, order: str) -> None:
    """Exit 2: what takes protection away, or the cluster down, is never ordered by accident."""
    with guard(tmp_path) as there:
        done = say(tmp_path, order)
        assert there.inbox() == 0
    assert done.exit_code == 2
    assert "no terminal" in done.stderr
    assert "--yes" in done.stderr


@pytest.mark.parametrize("order", ["resume", "ack"])
def test_what_is_not_dangerous_asks_nothing(tmp_path: Path, order: str) -> None:
    """A pause is ended, and a reminder stopped, with one line and no terminal."""
    with guard(tmp_path, is_paused=True) as there:
        assert say(tmp_path, order).exit_code == 0
    assert len(there.taken) == 1


@pytest.mark.parametrize("order", ALL)
def test_where_no_guard_has_ever_run_nothing_is_ordered(tmp_path: Path, order: str) -> None:
    """Exit 1 with how to start one; the folder stays as it is."""
    done = say(tmp_path, order, *(["--yes"] if order in TO_CONFIRM else []))
    assert done.exit_code == 1
    assert "Nothing was ordered: No guard has run" in done.stderr
    assert "docker compose up -d" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_where_the_guard_has_stopped_nothing_lies_in_wait_for_it(tmp_path: Path) -> None:
    """Who asks a stopped guard for a shutdown must not be surprised by one when it is started an hour later."""
    with guard(tmp_path):
        pass
    done = say(tmp_path, "shutdown", "--yes")
    reader = SqlJournal.open(tmp_path)
    assert len(reader.wishes(0)) == 0
    reader.close()
    assert done.exit_code == 1
    assert "NOT running" in done.stderr
    assert "thermo-guard run" in done.stderr


class PassingClock:
    """Time passes only where it is waited for."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


async def test_an_answer_is_waited_for_and_no_longer_than_a_tick_may_take(tmp_path: Path) -> None:
    """A guard that hangs must not hang the person too; what is said then tells where the order lies."""
    journal, clock = SqlJournal.open(tmp_path), PassingClock()
    try:
        number = orders.put(tmp_path, Wish(0, 1000.0, Order.SHUT_DOWN, "me@here"))
        assert await orders.answer(tmp_path, number, clock) is None
        assert orders.TAKEN_WITHIN_S <= clock.at < orders.TAKEN_WITHIN_S + 1
        [wish] = journal.wishes(0)
        journal.append(1001.0, ev.WishTaken(wish))
        began = clock.at
        assert await orders.answer(tmp_path, number, clock) == ev.WishTaken(wish)
        assert clock.at == began
    finally:
        journal.close()


def test_as_json_there_is_one_object_and_words_stay_out_of_it(tmp_path: Path) -> None:
    """Programs get the outcome, the number and what was ahead; also where nothing was ordered."""
    with guard(tmp_path, cluster="Office"):
        done = say(tmp_path, "shutdown", "--yes", "--json", "--reason", "test")
        refused = say(tmp_path, "shutdown", "--json")
    told = json.loads(done.stdout)
    assert (told["order"], told["outcome"], told["number"], told["cluster"], told["reason"]) == (
        "shutdown", "taken_up", 1, "Office", "test"
    )
    assert told["outlook"]["does"]
    assert refused.exit_code == 2
    assert json.loads(refused.stdout)["outcome"] == "not_ordered"
    assert "Cluster Office" in refused.stderr


# How they are confirmed


@pytest.mark.parametrize(("order", "typed", "facts"), [
    ("shutdown", "office", {}), ("pause", "yes", {}), ("arm", "arm", {"cluster": None}),
])
def test_at_a_terminal_it_is_confirmed_by_typing(
    tmp_path: Path, order: str, typed: str, facts: dict[str, Any]
) -> None:
    """The cluster's name, in any case; yes for a pause; the order itself where the name is not known."""
    with guard(tmp_path, **facts) as there:
        code, shown = type_at_terminal(tmp_path, typed, order)
    assert code == 0, shown
    assert "Taken up." in shown
    assert [wish.order for wish in there.taken] == [order]
    assert ("name is not known yet" in shown) is (order == "arm")


@pytest.mark.parametrize(("order", "typed"), [("shutdown", "yes"), ("abort", ""), ("pause", "n"), ("power-on", "\x04")])
def test_anything_else_orders_nothing(tmp_path: Path, order: str, typed: str) -> None:
    """A yes is no cluster's name, and the end of input is no yes: exit 1, nothing in the inbox, no traceback."""
    with guard(tmp_path) as there:
        code, shown = type_at_terminal(tmp_path, typed, order)
        assert there.inbox() == 0
    assert code == 1, shown
    assert "Nothing was ordered" in shown
    assert "Traceback" not in shown


# What they say will happen


def told(
    folder: Path, *arguments: str, before: Sequence[ev.Event] = (), kept: Snapshot | None = None, **facts: Any
) -> str:
    """The words before the confirmation."""
    with guard(folder, before=before, kept=kept, **facts):
        return " ".join(say(folder, *arguments).stdout.split())


def test_before_anything_it_says_what_it_meets(tmp_path: Path) -> None:
    """Which cluster, how much of it, how warm, what is under way: the wrong terminal is noticed in time."""
    words = told(tmp_path, "shutdown", incident=INCIDENT | {"wished_by": "eve@nas"}, level="high", hottest_c=36.0)
    assert "Cluster Office: 3 of 3 hosts on, 12 VMs on; vCenter answers." in words
    assert "Room: HIGH, hottest 36.0 degC." in words
    assert "Incident 20260801T020000Z is open: goal everything OFF, as eve@nas asked; now: VMs shutting down" in words


@pytest.mark.parametrize(("facts", "why"), [
    ({"mode": "observe", "standing": "MODE=observe"}, "MODE=observe"),
    ({"is_armed": False, "standing": "NOT ARMED"}, "NOT ARMED"),
])
def test_a_shutdown_says_that_it_acts_in_any_mode(tmp_path: Path, facts: dict[str, Any], why: str) -> None:
    """Who has set observe shall not believe that it holds back his own order."""
    words = told(tmp_path, "shutdown", **facts)
    assert f"be held back by {why}: a person's order acts all the same" in words
    assert "keep it down, however cool the room is, until `thermo-guard power-on`" in words


def test_a_shutdown_names_what_it_will_leave_up_and_cannot_bring_back(tmp_path: Path) -> None:
    """The guard's own VM stays; a host without BMC needs a person's finger."""
    words = told(tmp_path, "shutdown", guard_vms=["nas-vm"], hosts=[*HOSTS, HOSTS[0] | {"name": "esx9", "bmc": None}])
    assert "stop nas-vm, in which the guard itself runs, nor its host" in words
    assert "switch on again esx9: no BMC" in words


PAUSED = ev.WishTaken(Wish(1, 1e9, Order.PAUSE, "eve@nas"))


@pytest.mark.parametrize(("facts", "arguments", "why"), [
    ({"level": "high", "permits_power_on": False}, (), "nothing is powered on into the heat"),
    ({"level": "critical", "permits_power_on": False}, ("--despite-unseen",), "nothing is powered on into the heat"),
    ({"level": "blind", "permits_power_on": False}, (), "the room is blind, not yet cool; if you stand in"),
    ({"level": "band", "permits_power_on": False}, (), "the room is band, not yet cool; if you stand in it"),
    ({"before": [PAUSED]}, (), "`thermo-guard resume` first"),
])
def test_a_power_on_says_beforehand_that_it_would_be_declined(
    tmp_path: Path, facts: dict[str, Any], arguments: tuple[str, ...], why: str
) -> None:
    """Nobody types a cluster's name for an order that cannot be taken up."""
    words = told(tmp_path, "power-on", *arguments, **facts)
    assert "As things stand the guard will DECLINE it:" in words
    assert why in words


def test_what_is_not_known_from_outside_is_not_claimed(tmp_path: Path) -> None:
    """On a full disk the guard goes on from memory: nothing is said to be declined by a journal that stands still."""
    assert "DECLINE" in told(tmp_path, "abort")
    assert "DECLINE" not in told(tmp_path, "abort", journal_fault="the disk is full", incident=INCIDENT)


def test_a_power_on_despite_unseen_says_what_that_means(tmp_path: Path) -> None:
    """The person becomes the thermometer, and the order says so to the guard."""
    with guard(tmp_path, level="blind", permits_power_on=False) as there:
        done = say(tmp_path, "power-on", "--despite-unseen", "--yes")
    words = " ".join(done.stdout.split())
    assert "a person stands in the room and has read that it is cool" in words
    assert "DECLINE" not in words
    assert [wish.despite_unseen for wish in there.taken] == [True]


def test_an_abort_says_that_nothing_is_undone(tmp_path: Path) -> None:
    """It is no way back: HA, DRS and what is off stay; in the heat the alarm is silenced until it has passed."""
    words = told(tmp_path, "abort", incident=INCIDENT, level="high")
    assert "HA and DRS stay as they are, what is off stays off" in words
    assert "until the room has been below HIGH" in words
    assert "`thermo-guard power-on` still can, within 24 hours" in words
    assert "will DECLINE it: no incident is open" in told(tmp_path, "abort")


def test_a_pause_says_that_it_takes_the_protection_away(tmp_path: Path) -> None:
    """And until when; the bound goes to the guard in seconds."""
    assert "an alarm shuts NOTHING down" in told(tmp_path, "pause")
    with guard(tmp_path) as there:
        assert say(tmp_path, "pause", "--for", "2h", "--yes").exit_code == 0
    assert [wish.for_s for wish in there.taken] == [7200.0]


def test_to_arm_in_observe_says_what_stands_above_it(tmp_path: Path) -> None:
    """Armed and observing is not guarded: said before the confirmation and after it."""
    with guard(tmp_path, mode="observe", is_armed=False, standing="MODE=observe"):
        done = say(tmp_path, "arm", "--yes")
    assert done.exit_code == 0
    assert " ".join(done.stdout.split()).count("MODE=observe, which stands above it") == 2


def test_to_arm_says_what_is_not_proved_and_that_a_standing_alarm_acts_at_once(tmp_path: Path) -> None:
    """Whoever overrides the proof sees what he overrides."""
    words = told(tmp_path, "arm", is_armed=False, standing="NOT ARMED", level="high",
                 lacking=["vCenter: the login is refused. Mend VCENTER_PASSWORD"])
    assert "although this is not in order: vCenter: the login is refused. Mend VCENTER_PASSWORD" in words
    assert "SHUT DOWN AT ONCE" in words


@pytest.mark.parametrize("order", TO_CONFIRM)
def test_facts_of_an_older_guard_are_met_gracefully(tmp_path: Path, order: str) -> None:
    """After an upgrade the guard that still runs may publish less than the command knows to ask."""
    with closing(SqlJournal.open(tmp_path)):
        StatusFile(tmp_path, wall_now).publish({"mode": "armed", "level": None, "incident": None}, 20.0)
        done = say(tmp_path, order)
    assert done.exit_code == 2, done.output
    assert "Cluster (its name is not known yet): 0 of 0 hosts on" in done.stdout


# What goes into the inbox


@pytest.mark.parametrize(("text", "seconds"), [
    ("90", 90.0), ("90s", 90.0), ("30m", 1800.0), ("2h", 7200.0), (" 1D ", 86400.0), ("1.5h", 5400.0),
    ("7d", LONGEST_PAUSE_S),
])
def test_durations(text: str, seconds: float) -> None:
    """Written as people write them."""
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "2h30m", "0", "0.5s", "8d", "1e3", "nan", "2 weeks", "٣h"])
def test_what_is_no_duration_ends_with_two(tmp_path: Path, text: str) -> None:
    """A pause that lasts otherwise than meant is worse than none: nothing is ordered, and the forms are told."""
    with pytest.raises(typer.BadParameter):
        duration_s(text)
    with guard(tmp_path) as there:
        done = say(tmp_path, "pause", "--yes", f"--for={text}")
        assert there.inbox() == 0
    assert done.exit_code == 2


def test_a_reason_is_one_line_of_bounded_length_that_steers_no_terminal() -> None:
    """It is printed by `status` and sent in messages: no colour codes, no bells, no line breaks."""
    assert orders.printable("fan\x1b[31m\nbroken\a \u202e\udcff now") == "fan [31m broken now"
    assert len(orders.printable("x" * 2000)) == orders.LONGEST_REASON


def test_who_asked_is_the_person_behind_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """root@nas tells nobody whom to ask."""
    monkeypatch.setenv("SUDO_USER", "eve")
    assert orders.operator().startswith("eve@")


def test_an_order_is_dated_on_the_guards_own_line(tmp_path: Path) -> None:
    """A clock that was set back must not make each order look older than it is, and so declined."""
    ahead_s = 5 * 3600.0
    with guard(tmp_path, at=wall_now() + ahead_s) as there:
        assert say(tmp_path, "ack").exit_code == 0
    assert abs(there.taken[0].at - (wall_now() + ahead_s)) < 60


@pytest.mark.parametrize("order", ALL)
def test_each_order_has_help_that_says_what_it_does_not_do(tmp_path: Path, order: str) -> None:
    """And how it ends, in the same words for each."""
    done = CliRunner().invoke(app, [order, "--help"], env={"COLUMNS": "200"})
    words = " ".join(done.stdout.split())
    assert done.exit_code == 0
    assert "Ends with 0 when the guard has taken it up" in words or "Ends with 0 only when everything" in words
    assert any(f"{word} " in words.lower() for word in ("not", "nothing", "declined"))
    assert "--json" in words


def test_a_shutdown_in_mid_rehearsal_is_no_going_on(tmp_path: Path) -> None:
    """The rehearsal stops one VM; who orders a shutdown then is told of all that it will stop."""
    incident = {"id": "rehearsal-1", "goal": "off", "phase_in_words": "the VM shutting down", "wished_by": "ann"}
    with guard(tmp_path, incident=incident):
        shown = " ".join(say(tmp_path, "shutdown").output.split())
    assert "take the place of rehearsal-1 at once: shut down all VMs" in shown
    assert "goal its one VM or host OFF" in shown
    assert "go on with" not in shown

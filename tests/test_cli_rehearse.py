"""`rehearse`, as typed beside a guard: what it says beforehand, how it is confirmed, followed and ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.surveyed import SETTINGS
from engine.rig import Guarded
from operators_desk import HOSTS, REHEARSAL, REHEARSED, guard, say, type_at_terminal
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core import events as ev
from thermo_guard.core.events import Goal
from thermo_guard.core.plant import Role
from thermo_guard.core.snapshot import KeptHost, KeptVm, Snapshot
from thermo_guard.core.wishes import Order, Wish
from thermo_guard.ports import Refused
from thermo_guard.rehearse import Course, follow
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office


def kept(name: str, on: str = "esx1", **changes: Any) -> KeptVm:
    return replace(KeptVm(f"id-{name}", name, on, is_on=True, tier=1), **changes)


KEPT = Snapshot(
    1e9, "Office",
    tuple(KeptHost(f"esx{n}", f"esx{n}:443", f"u{n}", (), is_on=True, in_maintenance=False) for n in (1, 2, 3, 4)),
    (
        kept("web"), kept("vcsa", "esx2", is_vcenter=True), kept("nas", is_guard=True), kept("cam", is_untouched=True),
        kept("db-2nd", role=Role.FT_SECONDARY), kept("vCLS-1", role=Role.VCLS), kept("off", is_on=False),
    ), SETTINGS,
)
MATCHED = (ev.BmcsMatched((("esx1", "bmc1"), ("esx2", "bmc2"), ("esx3", "bmc3"))),)
ALL_HOSTS = [*HOSTS, {"name": "esx4", "power": "on", "in_maintenance": False, "bmc": None}]


def rehearse(folder: Path, *arguments: str, then: Sequence[ev.Event] = REHEARSED, **facts: Any) -> Any:
    with guard(folder, before=MATCHED, then=then, kept=KEPT, **{"hosts": ALL_HOSTS, **facts}):
        return say(folder, "rehearse", *arguments)


def words(result: Any) -> str:
    return " ".join(result.output.split())


@pytest.mark.parametrize("arguments", [(), ("--vm", "web", "--host", "esx1"), ("--vm", " ")])
def test_exactly_one_target_is_named(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Exit 2 and nothing in the inbox: a rehearsal without a name, or with two, is no order."""
    with guard(tmp_path) as there:
        done = say(tmp_path, "rehearse", *(arguments or ("--host", "")), "--yes")
        assert there.inbox() == 0
    assert done.exit_code == 2
    assert "either --vm NAME or --host NAME" in words(done)


def test_it_ends_with_each_step_and_how_long_it_took(tmp_path: Path) -> None:
    """Exit 0 only when all has come back; the phases and what was seen stand in the table, and as JSON for programs."""
    done = rehearse(tmp_path, "--vm", "web", "--yes")
    assert done.exit_code == 0, done.output
    said = words(done)
    assert "REALLY shut down the VM web (on esx1, tier 1)" in said
    assert "DECLINE" not in said
    assert "web is off, 41 s after it was asked" in said
    assert "VMs shutting down, tier 1" in said
    assert said.endswith("web is back as it was.")
    told = json.loads(rehearse(tmp_path, "--vm", "web", "--yes", "--json").stdout)
    assert (told["outcome"], told["incident"], told["differences"]) == ("came_back", REHEARSAL, [])
    assert [step["took_s"] for step in told["steps"] if step["what"].startswith("  web")] == [41.3, 12.0]


@pytest.mark.parametrize(("end", "outcome", "why"), [
    (ev.IncidentClosed(REHEARSAL, ("VM web was on and is off",)), "differs", "NOT everything is as it was: VM web"),
    (ev.IncidentClosed(REHEARSAL, (), aborted_by="eve@nas"), "aborted", "ended where it stood, by eve@nas"),
    (ev.AlarmTripped("20260801T020500Z", "high", ("hot",)), "overtaken", "The alarm has taken its place."),
    (ev.ShutdownWished("20260801T020500Z", "eve@nas", ""), "overtaken", "A shutdown that eve@nas asked for has taken"),
])
def test_what_does_not_come_back_ends_with_one(tmp_path: Path, end: ev.Event, outcome: str, why: str) -> None:
    """A script must not take a half rehearsal for a whole one."""
    done = rehearse(tmp_path, "--vm", "web", "--yes", "--json", then=(*REHEARSED[:-1], end))
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["outcome"] == outcome
    assert why in told["why"]


@pytest.mark.parametrize(("arguments", "why"), [
    (("--vm", "wbe"), "no VM is named wbe"), (("--vm", "vcsa"), "vcsa is vCenter itself"),
    (("--vm", "nas"), "nas runs the guard itself"), (("--vm", "CAM"), "cam is never touched"),
    (("--vm", "id-db-2nd"), "db-2nd is the secondary of a fault-tolerant pair"),
    (("--vm", "vCLS-1"), "cluster services"), (("--vm", "off"), "off is not on"),
    (("--host", "esx9"), "no host is named esx9"), (("--host", "esx1"), "esx1 is not empty"),
    (("--host", "esx2"), "esx2 is not empty: 1 VMs run on it, vcsa among them"), (("--host", "esx4"), "no BMC"),
])
def test_what_stands_against_a_target_is_said_beforehand(tmp_path: Path, arguments: tuple[str, ...], why: str) -> None:
    """By the guard's own rule, before anybody types a name."""
    done = rehearse(tmp_path, *arguments)
    assert done.exit_code == 2  # no terminal to confirm it at
    assert "will DECLINE it:" in words(done)
    assert why in words(done)
    assert "REALLY" not in words(done)


def test_an_empty_host_is_shown_with_its_bmc_and_a_room_that_is_warm_declines_it(tmp_path: Path) -> None:
    """Where it could not be started again it is not stopped."""
    fine = words(rehearse(tmp_path, "--host", "esx3"))
    assert "REALLY bring the host esx3 into maintenance mode and shut it down" in fine
    assert "power it on by its BMC bmc3" in fine
    assert "DECLINE" not in fine
    warm = words(rehearse(tmp_path, "--host", "esx3", level="band", permits_power_on=False))
    assert "what is stopped now could not be started again" in warm


def test_it_is_confirmed_by_the_targets_name(tmp_path: Path) -> None:
    """The cluster's name would do for any target: the wrong one is noticed in time."""
    with guard(tmp_path, before=MATCHED, kept=KEPT) as there:
        code, shown = type_at_terminal(tmp_path, "Office", "rehearse", "--vm", "web")
        assert there.inbox() == 0
        assert code == 1, shown
        code, shown = type_at_terminal(tmp_path, "WEB", "rehearse", "--vm", "web")
    assert code == 0, shown
    assert [(wish.order, wish.vm, wish.host) for wish in there.taken] == [(Order.REHEARSE, "web", "")]


def test_ctrl_c_leaves_it_running_and_says_so(tmp_path: Path) -> None:
    """The guard goes on; whoever leaves learns how to look and how to end it."""
    with guard(tmp_path, before=MATCHED, kept=KEPT, then=REHEARSED[:3]) as there, subprocess.Popen(
        [sys.executable, "-c", "from thermo_guard.cli import app; app()", "rehearse", "--vm", "web", "--yes",
         "--data-dir", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert any("web is off" in line for line in iter(process.stdout.readline, ""))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 1
        said = process.stderr.read()
        assert there.inbox() == 1
    assert "It goes on without you." in said
    assert "`thermo-guard abort` ends it" in said


class PassingClock:
    """Time passes only where it is waited for."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


async def test_it_is_followed_no_longer_than_its_bound_and_not_without_a_guard(tmp_path: Path) -> None:
    """A rehearsal that hangs hangs no terminal, and a guard that has stopped is said to have, but not for a moment."""
    clock, wish = PassingClock(), Wish(1, 0.0, Order.REHEARSE, "me@here", vm="web")
    journal = SqlJournal.open(tmp_path)
    try:
        assert await follow(tmp_path, 1, clock, lambda _: None, within_s=5) is None
        journal.append(0.0, ev.WishTaken(wish), *REHEARSED[:2], ev.GoalWished(REHEARSAL, Goal.ON, "me@here", ""))
        course = await follow(tmp_path, 1, clock, lambda _: None, within_s=5)
        assert course is not None
        assert not course.is_over
        assert clock.at == 10
    finally:
        journal.close()
    with pytest.raises(Refused, match="has stopped in the midst"):
        await follow(tmp_path, 1, clock, lambda _: None)
    assert clock.at == 40


@pytest.mark.parametrize(("target", "words_of"), [
    ({"vm": "mail"}, ("mail is off", "mail is on")), ({"host": "esx3"}, ("esx3 is off", "esx3 is on")),
])
def test_what_a_real_guard_writes_is_what_is_followed(
    tmp_path: Path, target: dict[str, str], words_of: tuple[str, str]
) -> None:
    """On the virtual site: a VM, or a host that is empty, comes down and back, and each end of it has its time."""

    async def rehearsed() -> tuple[Course | None, list[str]]:
        guarded = Guarded(tmp_path, emptied(office(), "esx3"))
        guarded.start()
        await guarded.until(lambda: guarded.board.last.get("snapshot_at") and guarded.record.bmc_of, 300)
        await guarded.until(lambda: guarded.board.last.get("permits_power_on"), 300)
        number, shown = guarded.order(Order.REHEARSE, **target), list[str]()
        course = await follow(tmp_path, number, guarded.clock, lambda step: shown.append(step.what.strip()))
        await guarded.kill()
        assert course is not None, guarded.story()
        assert course.is_over, guarded.story()
        return course, shown

    course, shown = run(rehearsed())
    assert course is not None
    assert course.closed == ev.IncidentClosed(course.begun.incident, ())
    assert [one for one in shown if one in words_of] == list(words_of)
    assert all(step.took_s for step in course.steps if step.what.strip() in words_of)
    assert "is off" in course.steps[1].what  # under the phase that it ended


def emptied(plan: Blueprint, host: str) -> Blueprint:
    """The site with no VM on that host."""
    other = next(one.name for one in plan.hosts if one.name != host)
    return replace(plan, vms=tuple(replace(vm, host=other) if vm.host == host else vm for vm in plan.vms))

"""The chart of the plan: it fits the terminal, marks what the leg waits for, and groups what is many."""

import io
from dataclasses import replace

from rich.console import Console

from core.surveyed import CLUSTER, SOUND, TERMS, VCENTER, cadence, vm
from thermo_guard.core.events import Goal, Took
from thermo_guard.core.outline import Outline, outline
from thermo_guard.core.record import Way
from thermo_guard.core.runbook import Runbook, VmRule
from thermo_guard.core.step import Timing
from thermo_guard.plan_screen import outline_as_data, show_outline

MANY = tuple(vm(f"web-{n:02}") for n in range(30))
SLOW, DB = vm("slow"), vm("db", "esx3")
RULES = Runbook(default=2, rules=(
    VmRule(("db",), keep_last=True), VmRule(("slow",), after=("web-00",), grace_s=500.0),
    VmRule(("web-29",), never_touch=True),
))


def planned() -> Outline:
    measured: dict[Way, tuple[Took, ...]] = {("vm", SLOW.id, Goal.OFF): (Took(1_793_620_800.0, 300.0),)}
    memory = replace(cadence(120), took=measured)
    site = replace(SOUND, cluster=replace(CLUSTER, vms=(*MANY, SLOW, DB, VCENTER)), memory=memory)
    plan = outline(site, TERMS, Timing(), RULES)
    assert plan is not None
    return plan


def on_terminal(encoding: str = "utf-8", *, show_all: bool = False) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    show_outline(Console(file=file, force_terminal=True, width=80, color_system=None, highlight=False), planned(),
                 show_all=show_all)
    file.flush()
    return raw.getvalue().decode(encoding)


def test_eighty_columns_are_enough() -> None:
    """No line of the chart is wider than the terminal, with all VMs or grouped."""
    for show_all in (False, True):
        assert max(len(line) for line in on_terminal(show_all=show_all).splitlines()) <= 80


def test_a_terminal_without_utf_8_gets_plain_ascii() -> None:
    """What the terminal cannot show is not sent to it: a strict ASCII stream takes the whole chart."""
    assert "#" in on_terminal("ascii")
    assert "█" not in on_terminal("ascii")
    assert "█" in on_terminal()


def test_many_vms_are_one_row_with_the_one_that_is_waited_for() -> None:
    """A tier is one row named after its critical member; --all draws each VM."""
    rows = [line for line in on_terminal().splitlines() if line.startswith("  2 stop ")]
    assert len(rows) == 1
    assert rows[0].startswith("  2 stop slow +29")
    assert "█" in rows[0]
    assert sum(line.startswith("  2 stop ") for line in on_terminal(show_all=True).splitlines()) == 30


def test_the_chain_says_who_and_why() -> None:
    """The time of a leg is told by its chain, with the measured day, and JSON carries the same chain."""
    text = on_terminal("ascii")
    assert "because:" in text
    assert "tier 2, slow: shut down by VMware Tools, 5 min (measured 300 s on" in text
    links = outline_as_data(planned())["down"]["critical"]  # type: ignore[index]
    assert any(link["name"] == "slow" and "measured" in link["why"] for link in links)


def test_the_runbooks_rules_are_shown_beside_the_tier() -> None:
    """After, grace, keep_last and never_touch each show on the VM that they are about."""
    text = " ".join(on_terminal().split())
    assert "slow (by default; grace 500 s; starts after and stops before web-00)" in text
    assert "last db (kept to the last by the runbook, as db)" in text
    assert "kept to the last, db: shut down" in text
    assert "100" not in text
    assert "web-29, which the runbook never touches, and its host" in text

"""A tier that is ready once a TCP port answers: looked at while it is waited for, on the virtual site."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import FAST, HOUR_S, cool, heat, is_as_before
from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Verb
from thermo_guard.core.events import Phase
from thermo_guard.core.runbook import Ready, Runbook, VmRule
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office

READY_S = 90.0


def plan() -> Blueprint:
    """The office, whose database listens some time after its tools run."""
    return replace(office(), vms=tuple(
        replace(vm, addresses=("192.0.2.30",), ports=(5432,), ready_s=READY_S) if vm.name == "erp-db" else vm
        for vm in office().vms
    ))


def asked_at(guarded: Guarded, name: str) -> float:
    """When its start was first intended."""
    return next(at for at, event in guarded.events if isinstance(event, ev.Intended)
                for command in event.commands if (command.verb, command.name) == (Verb.POWER_ON_VM, name))


@pytest.mark.parametrize(("port", "least_s", "most_s"), [
    (5432, READY_S, READY_S + 40.0), (22, FAST.timing.vm_start_s, FAST.timing.vm_start_s + 40.0),
])
def test_the_next_tier_follows_once_the_port_answers(
    tmp_path: Path, port: int, least_s: float, most_s: float
) -> None:
    """Not before, and soon after; a port that never answers costs the time of a start, and no more."""

    async def scenario() -> None:
        book = Runbook(rules=(VmRule(("erp-db",), ready=Ready(port=port)),))
        guarded = Guarded(tmp_path, plan(), replace(FAST, runbook=book))
        guarded.start()
        await guarded.clock.sleep(900)
        heat(guarded)
        await guarded.until(lambda: any(one.phase is Phase.ALL_OFF for one in guarded.of(ev.PhaseBegun)), 2 * HOUR_S)
        cool(guarded)
        await guarded.until(guarded.is_closed, 4 * HOUR_S)
        assert least_s <= asked_at(guarded, "mail") - asked_at(guarded, "erp-db") <= most_s
        assert is_as_before(guarded)
        await guarded.kill()

    run(scenario())

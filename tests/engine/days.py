"""Hot days and what is asked of them: heat and cold, an operator's words, and the end as it began."""

import itertools
from dataclasses import replace
from pathlib import Path

from engine.rig import SETTINGS, STARTS_AT, Guarded, quick
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Verb
from thermo_guard.core.events import Phase
from thermo_guard.core.wishes import Order
from thermo_guard.engine.logins import NO_LOGIN_S
from thermo_guard.sim.blueprint import Blueprint, Infrastructure
from thermo_guard.sim.plans import day_of_failing_cooling, office

HOUR_S = 3600.0
ARM_AFTER_S = SETTINGS.arm_after_s
FAST = replace(quick(), policy=replace(quick().policy, recovery_hold_s=300.0, watch_s=120.0))
POWER_ONS = {f"call.{verb}" for verb in (Verb.POWER_ON_HOST, Verb.POWER_ON_VM, Verb.ADOPT_VM)}


def hot_day(plan: Blueprint | None = None) -> Blueprint:
    return day_of_failing_cooling(plan or office(), for_s=2400.0)


def with_vm(plan: Blueprint, name: str, **changes: object) -> Blueprint:
    return replace(plan, vms=tuple(replace(vm, **changes) if vm.name == name else vm for vm in plan.vms))  # type: ignore[arg-type]


def heat(guarded: Guarded) -> None:
    """The cooling fails in a room that is as hot as it can be without the servers' own protection."""
    guarded.world.fail_cooling(1.5 * HOUR_S)
    guarded.make_room(38.5)


def cool(guarded: Guarded) -> None:
    """The cooling is back, and the room is as cool as it ever was."""
    guarded.world.repair_cooling(restart_s=1.0)
    guarded.make_room(21.0)


async def hot_for(guarded: Guarded, celsius: float, seconds: float) -> None:
    """The room stands at a temperature, whatever the cooling does."""
    until = guarded.clock.now() + seconds
    while guarded.clock.now() < until:
        guarded.make_room(celsius)
        await guarded.clock.sleep(30.0)
        guarded.world.advance(guarded.clock.now())


def in_phase(guarded: Guarded, phase: Phase) -> bool:
    incident = guarded.record.incident
    return incident is not None and incident.phase is phase


def calls(guarded: Guarded, verb: Verb, target: str) -> list[str]:
    return [h.detail for h in guarded.world.log if h.kind == f"call.{verb}" and h.object == target]


def commands(guarded: Guarded) -> list[str]:
    return [h.kind for h in guarded.world.log if h.kind.startswith("call.")]


def told(guarded: Guarded, words: str) -> list[str]:
    return [title for title, body in guarded.outbox.told if words in title or words in body]


async def answered(guarded: Guarded, number: int, within_s: float = 30.0) -> str:
    """Why it was declined; empty where it was taken up."""
    await guarded.until(lambda: guarded.answer_to(number), within_s)
    answer = guarded.answer_to(number)
    assert answer is not None
    return answer.declined


async def declined(guarded: Guarded, order: Order, **changes: object) -> str:
    return await answered(guarded, guarded.order(order, **changes))


def is_taken(event: ev.Event) -> bool:
    return isinstance(event, ev.WishTaken)


async def restart(guarded: Guarded, after_s: float = 0.0) -> None:
    await guarded.kill()
    await guarded.clock.sleep(after_s)
    guarded.world.advance(guarded.clock.now())
    guarded.start()


async def as_it_began(guarded: Guarded, within_s: float) -> None:
    """The incident closes within these seconds, and what ran before it runs again, each VM where it did."""
    await guarded.until(guarded.is_closed, within_s)
    await guarded.kill()
    assert guarded.before.differences(guarded.world.running()) == ()


def power_ons(guarded: Guarded) -> list[str]:
    return [f"{h.kind} {h.object}" for h in guarded.world.log if h.kind in POWER_ONS]


def leaning_on(plan: Blueprint, **vms: str) -> Blueprint:
    """A hot day of a site of which only these parts stand on VMs."""
    return replace(hot_day(plan), infrastructure=Infrastructure(**vms))  # type: ignore[arg-type]


def is_as_before(guarded: Guarded) -> bool:
    """By the world's own account and by the report."""
    closed = guarded.of(ev.IncidentClosed)
    return guarded.before.differences(guarded.world.running()) == () and closed[-1].differences == ()


def assert_tried_rarely(guarded: Guarded, endpoint: str) -> None:
    """No two refused logins within the time in which they would count towards a lockout."""
    at = guarded.site.doors.refusals(endpoint)
    assert at, "the login was never tried"
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert all(gap >= NO_LOGIN_S for gap in gaps), gaps


def first_evening(folder: Path, plan: Blueprint | None = None, **changes: object) -> Guarded:
    guarded = Guarded(folder, plan or office(), replace(SETTINGS, **changes))  # type: ignore[arg-type]
    guarded.new_folder()
    return guarded


def reminders(guarded: Guarded) -> list[str]:
    return [body for title, body in guarded.outbox.told if title == "NOT ARMED: a confirmed alarm would do nothing"]


def armed_after_s(guarded: Guarded) -> float | None:
    return next((at - STARTS_AT for at, event in guarded.events if isinstance(event, ev.GuardArmed)), None)


def touched(guarded: Guarded) -> set[str]:
    """Whatever a command has reached."""
    return {h.object for h in guarded.world.log if h.kind.startswith("call.")}

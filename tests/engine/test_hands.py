"""Commands on their way: one that breaks, an edge that hangs, what has become wrong while it waited."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from engine.rig import SETTINGS, Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Command, Outcome, Verb
from thermo_guard.engine.hands import AT_HOST, AT_VCENTER, TURN_S, Hands
from thermo_guard.ports import Hypervisor
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.hypervisor import SiteHypervisor
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import big, day_of_failing_cooling, office

HOUR_S = 3600.0


class Breaks(SiteHypervisor):
    """The virtual hypervisor with a bug that the first command of one verb runs into."""

    def __init__(self, hypervisor: SiteHypervisor, verb: Verb) -> None:
        self.__dict__.update(hypervisor.__dict__)
        self.verb: Verb | None = verb

    async def execute(self, command: Command, address: str | None = None) -> None:
        if command.verb is self.verb:
            self.verb = None
            raise AttributeError("'NoneType' object has no attribute 'info'")
        await super().execute(command, address)


@pytest.mark.parametrize("verb", [Verb.DISARM_HA, Verb.SHUT_DOWN_GUEST, Verb.SHUT_DOWN_HOST, Verb.POWER_ON_VM])
def test_a_command_that_breaks_does_not_end_the_guard(tmp_path: Path, verb: Verb) -> None:
    """What no adapter foresaw may have been done: it is looked at, asked again, and the day ends as it began."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(office()))
        guarded.hypervisor = Breaks(guarded.site.hypervisor, verb)
        guarded.start()
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        broken = [a for event in guarded.of(ev.Answered) for a in event.answers if "AttributeError" in a.text]
        assert [(a.verb, a.outcome) for a in broken] == [(verb, Outcome.AMBIGUOUS)]
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def hall(**changes: object) -> Blueprint:
    """Many VMs on few hosts, with vCenter elsewhere: nothing but vCenter's silence stands between them and a grace."""
    plan = big(10, 600, tiers=1, is_vcenter_inside=False)
    return replace(plan, vms=tuple(replace(vm, **changes) for vm in plan.vms))  # type: ignore[arg-type]


def test_vcenter_that_hangs_right_after_the_intents_costs_no_guest_its_grace(tmp_path: Path) -> None:
    """What waits behind a hanging vCenter goes to the hosts directly: every guest is asked, none is powered off."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hall(shut_s=40.0), silence_s=27.0)
        guarded.dies_on = silence_vcenter_at_first_guest(guarded, for_s=900.0)
        guarded.world.fail_cooling(2 * HOUR_S)
        guarded.make_room(38.5)
        guarded.start()
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.kill()
        taken = [(h.kind, h.object) for h in guarded.world.log if h.detail.endswith("taken")]
        asked = {name for kind, name in taken if kind == f"call.{Verb.SHUT_DOWN_GUEST}"}
        assert asked == {vm for vm, _ in guarded.before.vms}
        assert not [name for kind, name in taken if kind == f"call.{Verb.POWER_OFF_VM}"]

    run(scenario())


def silence_vcenter_at_first_guest(guarded: Guarded, for_s: float) -> Callable[[ev.Event], bool]:
    """Something for `dies_on` that kills nobody: the intents are durable, nothing of them is sent yet."""
    is_done = False

    def hears(event: ev.Event) -> bool:
        nonlocal is_done
        verbs = {command.verb for command in event.commands} if isinstance(event, ev.Intended) else set()
        if not is_done and Verb.SHUT_DOWN_GUEST in verbs:
            is_done = True
            guarded.site.faults.silence(VCENTER, for_s)
        return False

    return hears


def test_no_queue_of_power_ons_outlives_the_heat(tmp_path: Path) -> None:
    """When HIGH comes back while hundreds of power-ons wait for their turn, none of them is sent any more (S3)."""

    async def scenario() -> None:
        settings = replace(SETTINGS, policy=replace(SETTINGS.policy, recovery_hold_s=60.0, watch_s=60.0))
        guarded = Guarded(tmp_path, hall(), settings)
        slow = guarded.hypervisor = Slow(guarded.site.hypervisor, guarded)
        guarded.world.fail_cooling(2 * HOUR_S)
        guarded.make_room(38.5)
        guarded.start()
        await guarded.until(guarded.all_off, HOUR_S)
        guarded.world.repair_cooling(restart_s=1.0)
        guarded.make_room(21.0)
        await guarded.until(lambda: slow.power_ons, 3 * HOUR_S)
        guarded.world.fail_cooling(2 * HOUR_S)
        guarded.make_room(38.5)
        await guarded.until(lambda: guarded.of(ev.HeatReturned), 600)
        returned_at = next(at for at, event in guarded.events if isinstance(event, ev.HeatReturned))
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.kill()
        assert len(slow.power_ons) < 600, "the heat came while they waited"
        assert [at for at in slow.power_ons if at >= returned_at] == []

    run(scenario())


class Slow(SiteHypervisor):
    """The virtual hypervisor, where each power-on of a VM takes long; notes when each was sent."""

    def __init__(self, hypervisor: SiteHypervisor, guarded: Guarded) -> None:
        self.__dict__.update(hypervisor.__dict__)
        self.guarded = guarded
        self.power_ons: list[float] = []

    async def execute(self, command: Command, address: str | None = None) -> None:
        if command.verb is Verb.POWER_ON_VM:
            self.power_ons.append(self.guarded.clock.now())
            await self.guarded.clock.sleep(8.0)
        await super().execute(command, address)


class Hangs:
    """ports.Hypervisor as far as commands go: one edge never answers; notes what the others were asked."""

    def __init__(self, edge: str) -> None:
        self.edge = edge
        self.sent: list[str] = []

    async def execute(self, command: Command, address: str | None = None) -> None:
        self.sent.append(command.name)
        if command.via == self.edge:
            await asyncio.Event().wait()


def stops(via: str, count: int) -> list[Command]:
    return [Command(Verb.SHUT_DOWN_GUEST, f"{via}-{n}", f"{via}-{n}", via) for n in range(count)]


@pytest.mark.parametrize(("edge", "at_once"), [(VCENTER, AT_VCENTER), ("esx1", AT_HOST)])
def test_an_edge_that_hangs_holds_up_no_other(edge: str, at_once: int) -> None:
    """Each endpoint has slots of its own; what waits behind one that hangs is answered as unsent, and free again."""

    async def scenario() -> None:
        hypervisor = Hangs(edge)
        hands = Hands(cast("Hypervisor", hypervisor), {})
        behind = stops(edge, 100)
        hands.start(behind, {})
        hands.start(stops("esx2", 100), {})
        await asyncio.sleep(1.0)
        answers = hands.answers()
        assert {a.outcome for a in answers} == {Outcome.ACCEPTED}
        assert len(answers) == 100
        await asyncio.sleep(TURN_S)
        answers = hands.answers()
        assert [a.outcome for a in answers] == [Outcome.UNSENT] * (100 - at_once)
        assert "not sent: its turn did not come" in answers[0].text
        assert len(hands.idle(behind)) == 100 - at_once
        assert len([name for name in hypervisor.sent if name.startswith(edge)]) == at_once
        await hands.aclose()

    run(scenario())


def test_what_is_recalled_is_never_sent() -> None:
    """A goal that turns takes back what waits; what is on the wire already is waited for."""

    async def scenario() -> None:
        hypervisor = Hangs("esx1")
        hands = Hands(cast("Hypervisor", hypervisor), {})
        hands.start(stops("esx1", 10), {})
        await asyncio.sleep(1.0)
        recalled = hands.recall()
        assert [a.outcome for a in recalled] == [Outcome.UNSENT] * (10 - AT_HOST)
        await asyncio.sleep(60.0)
        assert hands.answers() == ()
        assert len(hands.tasks) == len(hypervisor.sent) == AT_HOST
        await hands.aclose()

    run(scenario())


def test_each_is_asked_about_just_before_it_is_sent() -> None:
    """A reason not to send that comes up while it waits is the answer."""

    async def scenario() -> None:
        hypervisor = Hangs("nobody")
        hands = Hands(cast("Hypervisor", hypervisor), {})
        hands.start(stops("esx1", 3), {}, lambda command: "heat" if command.name.endswith("1") else None)
        await asyncio.sleep(1.0)
        assert [(a.outcome, a.text) for a in hands.answers()] == [
            (Outcome.ACCEPTED, ""), (Outcome.UNSENT, "not sent: heat"), (Outcome.ACCEPTED, ""),
        ]
        assert hypervisor.sent == ["esx1-0", "esx1-2"]

    run(scenario())

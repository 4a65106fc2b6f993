"""The whole loop on the virtual site, in virtual time: trip, down, recovery, back."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.rig import SETTINGS, Guarded, quick
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER
from thermo_guard.core.goal import Mode
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import big, day_of_failing_cooling, office, vcenter_outside

HOUR_S = 3600.0


async def whole_day(guarded: Guarded) -> None:
    guarded.start()
    await guarded.until(guarded.is_closed, 6 * HOUR_S)
    await guarded.kill()


@pytest.mark.parametrize("plan", [office(), vcenter_outside(), big(4, 40)], ids=["inside", "outside", "big"])
def test_everything_goes_down_and_comes_back_as_it_was(tmp_path: Path, plan: Blueprint) -> None:
    """A confirmed alarm ends with every host off, recovery with exactly what ran before, HA and DRS included."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(plan))
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        assert guarded.record.power_ons == ()
        await guarded.until(guarded.is_closed, 4 * HOUR_S)
        await guarded.kill()
        assert guarded.before.differences(guarded.world.running()) == ()
        assert guarded.of(ev.IncidentClosed)[-1].differences == ()

    run(scenario())


def test_the_order_of_the_shutdown(tmp_path: Path) -> None:
    """VMs go tier by tier, then the other hosts, then vCenter's VM, and its host last of all (S4)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(office()))
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.kill()
        off = [h.object for h in guarded.world.log if h.kind in {"vm.off", "host.off"}]
        tiers = {vm.name: vm.tier or 1 for vm in guarded.world.plan.vms}
        vms = [tiers[name] for name in off if name in tiers and name != "vcenter"]
        assert vms == sorted(vms), off
        assert set(off[-4:-2]) == {"esx1", "esx3"}, off
        assert off[-2:] == ["vcenter", "esx2"]

    run(scenario())


def test_what_is_not_ours_is_never_touched(tmp_path: Path) -> None:
    """Templates, suspended and stopped VMs, other clusters and a foreign server's BMC get no command (S1, S3)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(vcenter_outside()))
        await whole_day(guarded)
        world = guarded.world
        foreign = {host.name for host in world.plan.hosts if host.cluster != world.plan.cluster}
        foreign |= {vm.name for vm in world.plan.vms if vm.host in foreign or not vm.is_on}
        foreign |= {bmc.address for bmc in world.plan.bmcs if bmc.host is None or bmc.host in foreign}
        called = {h.object for h in world.log if h.kind.startswith("call.")}
        assert called
        assert called.isdisjoint(foreign)

    run(scenario())


def test_the_next_host_waits_for_the_room(tmp_path: Path) -> None:
    """One host comes first; the others follow after RESTART_WATCH, staggered."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(office()))
        await whole_day(guarded)
        on = [h.at for h in guarded.world.log if h.kind == "call.power_on_host"]
        assert len(on) == 3
        assert on[1] - on[0] >= guarded.settings.policy.watch_s
        assert on[2] - on[1] >= guarded.settings.timing.host_stagger_s - 1

    run(scenario())


@pytest.mark.parametrize("plan", [office(), vcenter_outside()], ids=["inside", "outside"])
def test_a_quiet_wait_does_not_flicker(tmp_path: Path, plan: Blueprint) -> None:
    """Each phase of a day without trouble is told once: waiting for the room makes no look grow stale in between."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(plan), replace(SETTINGS, active_s=2.0))
        await whole_day(guarded)
        phases = [(event.phase, event.tier) for event in guarded.of(ev.PhaseBegun)]
        restores = [phase for phase in phases if phase[0] is ev.Phase.RESTORE]
        others = [phase for phase in phases if phase[0] is not ev.Phase.RESTORE]
        assert len(others) == len(set(others)), phases
        assert len(restores) <= 2, "before the VMs, and for admission control after them"

    run(scenario())


def test_observing_touches_nothing(tmp_path: Path) -> None:
    """MODE=observe sends no command, however hot the room is (S1)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(office()), quick(mode=Mode.OBSERVE))
        guarded.start()
        await guarded.until(lambda: any(e.level == "high" for e in guarded.of(ev.LevelChanged)), 2 * HOUR_S)
        await guarded.clock.sleep(600)
        await guarded.kill()
        assert not [h for h in guarded.world.log if h.kind.startswith("call.")]
        assert not guarded.of(ev.AlarmTripped)
        assert [title for title in guarded.outbox.titles if "NOTHING is being done" in title]

    run(scenario())


def test_observing_holds_an_open_incident(tmp_path: Path) -> None:
    """A guard that is restarted with MODE=observe in mid-incident touches nothing either, and says so (S1)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(office()))
        guarded.start()
        await guarded.until(lambda: guarded.of(ev.PhaseBegun), 2 * HOUR_S)
        await guarded.kill()
        guarded.settings = quick(mode=Mode.OBSERVE)
        called = len([h for h in guarded.world.log if h.kind.startswith("call.")])
        guarded.start()
        await guarded.clock.sleep(3 * HOUR_S)
        await guarded.kill()
        assert len([h for h in guarded.world.log if h.kind.startswith("call.")]) == called
        assert [title for title in guarded.outbox.titles if "An incident is open" in title]

    run(scenario())


def test_nothing_known_of_the_plant_is_told(tmp_path: Path) -> None:
    """A trip before vCenter was ever seen can stop nothing: a person is told so, once, and it acts once it can."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(vcenter_outside()))
        guarded.site.faults.silence(VCENTER)
        guarded.start()
        await guarded.until(lambda: guarded.of(ev.Abandoned), 2 * HOUR_S)
        await guarded.clock.sleep(600)
        assert len([title for title in guarded.outbox.titles if "Needs a person" in title]) == 1
        guarded.site.faults.mend(VCENTER)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        await guarded.kill()

    run(scenario())


def test_people_are_told_each_change_once(tmp_path: Path) -> None:
    """Alarm, phases, recovery and the closing report are told, each once (edges, not levels)."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(office()))
        await whole_day(guarded)
        titles = guarded.outbox.titles
        for wanted in ("HIGH temperature", "The room has recovered", "Everything is back as it was"):
            assert sum(title.startswith(wanted) for title in titles) == 1, titles
        assert [title for title in titles if "by force" in title] == ["Powered off by force: legacy-fax"]
        assert [title for title in titles if "arning" in title] == [
            "Warning: 31.9 degC in the room", "The warning is over: 23.6 degC in the room"]
        beside = [title for title in titles if title.startswith("The room nears HIGH")]
        assert len(titles) == 6 + len(beside) + len(guarded.of(ev.PhaseBegun))

    run(scenario())

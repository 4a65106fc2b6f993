"""Logins that are refused: tried rarely, told, and no delay for anybody else."""

from pathlib import Path

import pytest

from engine.days import HOUR_S, assert_tried_rarely, hot_day, in_phase, is_as_before, restart
from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER
from thermo_guard.core.events import Phase
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import day_of_failing_cooling, office


def edge_of(guarded: Guarded, what: str) -> tuple[str, str]:
    """Edge and endpoint of the BMC or the host of esx3, or of vCenter."""
    if what == "bmc":
        address = next(bmc.address for bmc in guarded.world.plan.bmcs if bmc.host == "esx3")
        return address, f"{address}:443"
    if what == "host":
        return "esx3", guarded.world.cluster.hosts["esx3"].address
    return VCENTER, f"{guarded.world.plan.vcenter.address}:443"


@pytest.mark.parametrize("what", ["bmc", "host", "vcenter"])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_refused_login_is_tried_once(tmp_path: Path, what: str, *, is_restarted: bool) -> None:
    """Neither ticks nor restarts lock an account: once in 20 minutes at most, told once, and the rest goes on."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(office()))
        guarded.start()
        await guarded.until(lambda: guarded.record.level == "band", 2 * HOUR_S)
        edge, endpoint = edge_of(guarded, what)
        guarded.site.faults.deny_login(edge)
        if what == "host":  # vCenter does not get through to it: it is asked directly
            guarded.site.faults.silence(VCENTER)
        await guarded.until(lambda: guarded.of(ev.AlarmTripped), 2 * HOUR_S)
        ends = guarded.clock.now() + HOUR_S
        while guarded.clock.now() < ends:
            await guarded.clock.sleep(100)
            if is_restarted:
                await restart(guarded)
        guarded.world.advance(guarded.clock.now())
        assert_tried_rarely(guarded, endpoint)
        refusals = [title for title in guarded.outbox.titles if title.startswith("Login refused")]
        assert len(refusals) == 1, refusals
        assert endpoint in refusals[0]
        off = {h.name for h in guarded.world.cluster.hosts.values() if h.stage == "off"}
        assert off == ({"esx1", "esx2"} if what == "host" else {"esx1", "esx2", "esx3"})
        guarded.site.faults.clear()
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        assert [vm for vm, _ in guarded.world.running().vms] == [vm for vm, _ in guarded.before.vms]

    run(scenario())


@pytest.mark.parametrize("what", ["bmc", "vcenter"])
def test_a_login_refused_in_quiet_time_is_tried_rarely(tmp_path: Path, what: str) -> None:
    """A password that somebody changed is no reason to lock the account for everybody else."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        edge, endpoint = edge_of(guarded, what)
        guarded.site.faults.deny_login(edge)
        guarded.start()
        for _ in range(12):
            await guarded.clock.sleep(500)
            await restart(guarded)
        await guarded.kill()
        assert_tried_rarely(guarded, endpoint)
        assert len([title for title in guarded.outbox.titles if title.startswith("Login refused")]) == 1

    run(scenario())


def test_a_bmc_that_refuses_the_login_for_a_while_delays_its_host_only(tmp_path: Path) -> None:
    """Its host comes back once the login may be tried again; the others do not wait for it."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.start()
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        edge, endpoint = edge_of(guarded, "bmc")
        guarded.site.faults.deny_login(edge)
        await guarded.until(lambda: guarded.site.doors.refusals(endpoint), 600)
        guarded.site.faults.mend(edge)
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        assert_tried_rarely(guarded, endpoint)
        assert is_as_before(guarded)

    run(scenario())


@pytest.mark.parametrize("host", ["esx2", "esx3"])
def test_a_host_that_refuses_the_login_for_a_while_goes_down_all_the_same(tmp_path: Path, host: str) -> None:
    """What was given up is asked as soon as its login may be tried again: no host heats the room for want of a retry.

    esx2 carries vCenter.
    """

    async def scenario() -> None:
        guarded = Guarded(tmp_path, hot_day())
        guarded.start()
        await guarded.until(lambda: in_phase(guarded, Phase.GUESTS), 2 * HOUR_S)
        endpoint = guarded.world.cluster.hosts[host].address
        guarded.site.faults.deny_login(host)
        if host != "esx2":
            guarded.site.faults.silence(VCENTER)
        await guarded.until(lambda: guarded.site.doors.refusals(endpoint), HOUR_S)
        guarded.site.faults.mend(host)
        await guarded.until(guarded.all_off, HOUR_S)
        assert_tried_rarely(guarded, endpoint)
        guarded.site.faults.clear()
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        assert is_as_before(guarded)

    run(scenario())


def test_a_login_that_works_again_is_told(tmp_path: Path) -> None:
    """After the 20 minutes the login is tried, and a person who mended it learns that it works."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, office())
        edge, _ = edge_of(guarded, "bmc")
        guarded.site.faults.deny_login(edge, 600.0)
        guarded.start()
        await guarded.until(lambda: guarded.of(ev.LoginAccepted), HOUR_S)
        await guarded.kill()
        assert [t for t in guarded.outbox.titles if t.startswith("Login works again")]

    run(scenario())

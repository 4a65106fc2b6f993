"""The inlets of the virtual servers: what they show of the room, of their server, and of what is wrong with them."""

from dataclasses import replace

import pytest

from sim.on_site import OnSite
from thermo_guard.core.readings import Kind
from thermo_guard.ports import Fault, Refused
from thermo_guard.sim.blueprint import Blueprint, BmcPlan, InletPlan
from thermo_guard.sim.happenings import FacesInProcess, Happening, befall
from thermo_guard.sim.inlets import RECIRCULATION_K_PER_KW
from thermo_guard.sim.plans import office
from thermo_guard.sim.site import SiteBmc


def office_with(**inlet: object) -> Blueprint:
    plan = office()
    return replace(plan, bmcs=tuple(replace(bmc, inlet=InletPlan(**inlet)) for bmc in plan.bmcs))  # type: ignore[arg-type]


def bmc_of(on: OnSite, host: str) -> SiteBmc:
    address = next(bmc.plan.address for bmc in on.world.cluster.bmcs.values() if bmc.plan.host == host)
    return next(bmc for bmc in on.site.bmcs if bmc.address == address)


async def shown(on: OnSite, host: str = "esx1") -> float | None:
    poll = await bmc_of(on, host).inlet()
    return poll.readings[0].celsius if poll.readings else None


async def test_inlet_follows_the_room_and_its_own_server() -> None:
    """In whole degrees: the room's air, what its height in the rack adds, and what comes back of its own heat."""
    on = OnSite(office_with(bias_k=0.0))
    plan = on.host("esx1").plan
    over_k = plan.inlet_offset_k + RECIRCULATION_K_PER_KW * plan.busy_kw
    poll = await bmc_of(on, "esx1").inlet()
    reading = poll.readings[0]
    assert (poll.kind, poll.lists_all) == (Kind.BMC, False)
    assert (reading.sensor, reading.kind, reading.age_s) == (bmc_of(on, "esx1").address, Kind.BMC, 0.0)
    assert reading.stamp == reading.seen_at == poll.at == on.clock.now()
    assert reading.is_running
    assert reading.celsius == round(on.world.air_c + over_k)
    on.world.fail_cooling(7200.0)
    await on.wait(900.0)
    assert on.world.air_c + over_k - 1.5 < (await shown(on) or 0.0) <= on.world.air_c + over_k + 0.5


async def test_server_that_is_off() -> None:
    """Its inlet comes down to the air before it and goes on being shown; by some BMCs it is not shown then."""
    on = OnSite(office_with(bias_k=0.0, step_c=0.01))
    on.world.cut_power("esx1")
    await on.wait(600.0)
    reading = (await bmc_of(on, "esx1").inlet()).readings[0]
    assert reading.is_running is False
    assert reading.celsius == pytest.approx(on.world.air_c + on.host("esx1").plan.inlet_offset_k, abs=0.05)
    other = OnSite(office_with(shows_when_off=False))
    assert await shown(other) is not None
    other.world.cut_power("esx1")
    assert await shown(other) is None


async def test_inlet_draws_from_nobodys_dice() -> None:
    """A BMC more or less, and looks at it, change nothing of what the room sensors measure by the same seed."""
    plan = office()
    plain, more = OnSite(plan), OnSite(replace(plan, bmcs=(*plan.bmcs, BmcPlan("new.virtual.invalid", None))))
    for _ in range(20):
        for bmc in more.site.bmcs[:2]:
            await bmc.inlet()
        await more.wait(60.0)
    plain.world.advance(more.clock.now())
    assert plain.world.room.poll().readings == more.world.room.poll().readings
    biased = [{seed: OnSite(seed=seed).world.inlets[bmc.address].shown_c for seed in range(9)} for bmc in more.site.bmcs
              if bmc.address in plain.world.inlets]
    assert all(len(set(by_seed.values())) > 1 for by_seed in biased)


async def test_faults_of_an_inlet() -> None:
    """Stuck it shows what it showed, and then zero, nothing, or the truth again; others show on."""
    on = OnSite()
    faces = FacesInProcess(on.world, on.site.faults)
    before = await shown(on)
    await befall(on.world, faces, Happening("inlet", "esx1", "stuck"))
    on.world.fail_cooling(7200.0)
    await on.wait(900.0)
    assert await shown(on) == before
    await befall(on.world, faces, Happening("inlet", "esx1", "zero"))
    assert await shown(on) == 0.0
    await befall(on.world, faces, Happening("inlet", "esx1", "silent"))
    assert await shown(on) is None
    assert (await shown(on, "esx2") or 0.0) > (before or 0.0) + 2
    await befall(on.world, faces, Happening("inlet", "esx1", "none"))
    assert (await shown(on) or 0.0) > (before or 0.0) + 2
    with pytest.raises(ValueError, match="no fault of an inlet; there are none, stuck, zero, silent"):
        await befall(on.world, faces, Happening("inlet", "esx1", "hot"))


async def test_bmcs_without_one_and_without_an_answer() -> None:
    """A BMC without an inlet sensor says so, and one that does not answer is a fault, not an inlet without air."""
    on = OnSite(office_with(is_there=False))
    with pytest.raises(Refused, match="no inlet sensor"):
        await bmc_of(on, "esx1").inlet()
    dead = OnSite()
    dead.site.faults.silence(bmc_of(dead, "esx1").address)
    with pytest.raises(Fault, match="does not answer"):
        await bmc_of(dead, "esx1").inlet()
    assert [inlet.address for inlet in dead.site.inlets] == [bmc.address for bmc in dead.site.bmcs]

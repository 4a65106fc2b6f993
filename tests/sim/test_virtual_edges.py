"""What goes wrong between the guard and the virtual site, when it is told to."""

from dataclasses import replace

import pytest

from sim.on_site import OnSite
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import Power
from thermo_guard.ports import (
    Ambiguous,
    Fault,
    Hypervisor,
    MissingPrivilege,
    PowerController,
    Refused,
    RoomSensors,
    Transient,
    Unauthorized,
)
from thermo_guard.sim.plans import office
from thermo_guard.sim.site import Effect


def test_the_faces_are_the_ports() -> None:
    """What the engine is given here has the type of what it is given in life."""
    site = OnSite().site
    faces: tuple[RoomSensors, Hypervisor, PowerController] = (site.sensors, site.hypervisor, site.bmcs[0])
    assert faces[2].address == "ilo-c.virtual.invalid"


async def test_a_call_takes_time_and_a_silent_peer_more() -> None:
    """An answer takes the latency; no answer takes the timeout on top."""
    on = OnSite()
    began = on.clock.now()
    await on.site.hypervisor.observe()
    assert on.clock.now() - began == pytest.approx(0.05)
    on.site.faults.silence(VCENTER)
    with pytest.raises(Transient):
        await on.site.hypervisor.observe()
    assert on.clock.now() - began == pytest.approx(5.1)


@pytest.mark.parametrize(
    ("effect", "fault", "is_done"),
    [
        (Effect.REFUSE, Refused, False),
        (Effect.FORBID, Unauthorized, False),
        (Effect.LOSE_REQUEST, Transient, False),
        (Effect.LOSE_ANSWER, Ambiguous, True),
    ],
)
async def test_the_next_calls_of_a_verb_are_spoiled(effect: Effect, fault: type[Fault], *, is_done: bool) -> None:
    """Each effect raises its fault the given number of times, and only a lost answer has been done."""
    on = OnSite()
    on.site.faults.next_calls(Verb.POWER_OFF_VM, effect, times=2)
    for _ in range(2):
        with pytest.raises(fault):
            await on.vm(Verb.POWER_OFF_VM, "mail")
    await on.wait(10.0)
    assert on.is_on("mail") is not is_done
    await on.vm(Verb.POWER_OFF_VM, "mail")


async def test_a_fault_can_be_for_one_target() -> None:
    """Others of the same verb are left alone."""
    on = OnSite()
    on.site.faults.next_calls(Verb.POWER_OFF_VM, Effect.REFUSE, target="mail")
    await on.vm(Verb.POWER_OFF_VM, "files")
    with pytest.raises(Refused):
        await on.vm(Verb.POWER_OFF_VM, "mail")


async def test_a_lost_power_on_may_have_happened() -> None:
    """A BMC whose answer is lost has switched the host on all the same."""
    on = OnSite()
    on.world.cut_power("esx1")
    on.site.faults.next_calls(Verb.POWER_ON_HOST, Effect.LOSE_ANSWER)
    with pytest.raises(Ambiguous):
        await on.power_on("esx1")
    assert (await on.bmc_seen("esx1")).power is Power.MOVING


async def test_logins_are_denied_per_edge_until_mended() -> None:
    """One host refuses the login while vCenter, its BMC and the other hosts accept it."""
    on = OnSite()
    on.site.faults.deny_login("esx2")
    with pytest.raises(Unauthorized):
        await on.site.hypervisor.look_at_host("esx2", on.host("esx2").address)
    await on.site.hypervisor.look_at_host("esx1", on.host("esx1").address)
    await on.site.hypervisor.observe()
    await on.bmc_seen("esx2")
    on.site.faults.mend("esx2")
    await on.site.hypervisor.look_at_host("esx2", on.host("esx2").address)


async def test_a_dead_bmc_says_nothing() -> None:
    """It neither shows its power nor takes an order."""
    on = OnSite()
    on.site.faults.silence("ilo-a.virtual.invalid")
    with pytest.raises(Transient):
        await on.bmc_seen("esx1")
    with pytest.raises(Transient):
        await on.power_on("esx1")
    assert [h.kind for h in on.world.log] == []


async def test_missing_rights_are_listed_and_enforced() -> None:
    """A right that the account lacks on one VM is named by the check, and refused when it is used."""
    lack = MissingPrivilege("vm", "mail", "VirtualMachine.Interact.PowerOff")
    on = OnSite(replace(office(), denied=(lack,)))
    assert await on.site.hypervisor.missing_privileges() == (lack,)
    with pytest.raises(Unauthorized, match="PowerOff"):
        await on.vm(Verb.SHUT_DOWN_GUEST, "mail")
    await on.vm(Verb.SHUT_DOWN_GUEST, "files")


async def test_another_certificate_than_vcenter_showed_is_refused() -> None:
    """A direct look that expects a thumbprint gets no answer from a host with another."""
    plan = office()
    on = OnSite(replace(plan, hosts=tuple(replace(host, thumbprint="ab" * 32) for host in plan.hosts)))
    address = on.host("esx1").address
    await on.site.hypervisor.look_at_host("esx1", address, (await on.host_seen("esx1")).thumbprint)
    with pytest.raises(Refused, match="certificate"):
        await on.site.hypervisor.look_at_host("esx1", address, "cd" * 32)


async def test_a_verb_for_bmcs_is_no_hypervisors() -> None:
    """Asking the hypervisor to power on a host is a bug and looks like one."""
    on = OnSite()
    with pytest.raises(ValueError, match="hypervisor"):
        await on.site.hypervisor.execute(Command(Verb.POWER_ON_HOST, "esx1", "esx1", VCENTER))


async def test_every_call_that_acts_is_in_the_log() -> None:
    """The log names verb, target, way and answer, so that a test can say who was asked for what."""
    on = OnSite()
    await on.vm(Verb.SHUT_DOWN_GUEST, "mail")
    with pytest.raises(Refused):
        await on.act(Verb.SHUT_DOWN_HOST, "esx1")
    assert [(h.kind, h.object, h.detail) for h in on.world.log] == [
        ("call.shut_down_guest", "mail", "via vcenter: taken"),
        ("call.shut_down_host", "esx1", "via vcenter: Refused: esx1 is not in maintenance mode"),
    ]

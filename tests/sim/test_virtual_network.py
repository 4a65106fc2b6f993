"""Names, logins, mail and the way out of the virtual site, as they go with the VMs that they stand on."""

from dataclasses import replace

import pytest

from sim.on_site import OnSite
from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Clock, Logins, Names, Transient, Unauthorized
from thermo_guard.sim.blueprint import Infrastructure
from thermo_guard.sim.plans import infrastructure, office

NO_LOGIN_S = 1200.0


class Memory:
    """ports.Logins for 20 minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}
        self.accepted_at: list[str] = []

    def refusal(self, endpoint: str, user: str) -> str | None:
        return "not yet" if self._clock.now() < self._until.get((endpoint, user), 0.0) else None

    def refused(self, endpoint: str, user: str, why: str) -> str:
        self._until[endpoint, user] = self._clock.now() + NO_LOGIN_S
        return why

    def accepted(self, endpoint: str, user: str) -> None:
        self.accepted_at.append(endpoint)


async def everything(on: OnSite) -> None:
    """Reach every machine of the site once."""
    await on.site.sensors.poll()
    for host in (await on.site.hypervisor.observe()).hosts:
        await on.site.hypervisor.look_at_host(host.name, host.address)
    for bmc in on.site.bmcs:
        await bmc.observe()


def test_its_names_and_logins_are_the_ports() -> None:
    """What the adapters are given here has the type of what they are given in life."""
    on = OnSite()
    names: Names = on.site.names
    memory: Logins = Memory(on.clock)
    on.site.begin_process(memory)
    assert names.known() == {}


async def test_every_machine_goes_by_its_name() -> None:
    """Host names stand in the inventory as in life, and each is resolved to reach its machine."""
    on = OnSite(infrastructure())
    await everything(on)
    assert {"vcenter.virtual.invalid", "esx1.virtual.invalid", "ilo-a.virtual.invalid",
            "sensors.virtual.invalid"} <= on.site.names.known().keys()
    assert (await on.host_seen("esx1")).address == "esx1.virtual.invalid:443"


async def test_without_its_dns_server_what_was_resolved_still_works() -> None:
    """Addresses that are remembered reach their machines; one question in half a minute waits in vain."""
    on = OnSite(infrastructure())
    await everything(on)
    on.world.turn_vm("dns", is_on=False)
    began = on.clock.now()
    await everything(on)
    assert 5.0 < on.clock.now() - began < 10.0


async def test_without_its_dns_server_a_process_that_remembers_nothing_reaches_nothing() -> None:
    """A guard that starts into the outage has only the addresses that it is told."""
    on = OnSite(infrastructure())
    await everything(on)
    kept = on.site.names.known()
    on.world.turn_vm("dns", is_on=False)
    on.site.begin_process()
    for look in (on.site.hypervisor.observe, on.site.sensors.poll, on.site.bmcs[0].observe):
        with pytest.raises(Transient) as fault:
            await look()
        assert fault.value.trouble is Trouble.NO_NAME
    on.site.names.recall(kept)
    await everything(on)


async def test_a_dns_server_answers_again_once_it_has_started() -> None:
    """Not while it boots, and with what is true by then."""
    on = OnSite(infrastructure())
    on.world.turn_vm("dns", is_on=False)
    on.world.turn_vm("dns", is_on=True)
    with pytest.raises(Transient):
        await on.site.hypervisor.observe()
    await on.wait(60.0)
    await on.site.hypervisor.observe()


async def test_a_remembered_address_that_moved_leads_nowhere() -> None:
    """A name that is remembered wrong is a machine that does not answer, until names are answered again."""
    on = OnSite(infrastructure())
    await everything(on)
    on.host("esx1").ip = "198.18.9.9"
    on.world.turn_vm("dns", is_on=False)
    with pytest.raises(Transient, match="does not answer"):
        await on.site.hypervisor.look_at_host("esx1", on.host("esx1").address)
    on.world.turn_vm("dns", is_on=True)
    await on.wait(60.0)
    await on.site.hypervisor.look_at_host("esx1", on.host("esx1").address)


async def test_an_outside_dns_server_never_stops() -> None:
    """Where no VM answers for names, none of them takes names away."""
    on = OnSite()
    for vm in on.world.cluster.vms.values():
        if vm.name != "vcenter" and vm.is_on:
            on.world.turn_vm(vm.name, is_on=False)
    await everything(on)


async def test_without_its_domain_controller_a_session_lasts_and_a_login_fails() -> None:
    """Who is logged in stays so; a guard that begins anew is refused, as with a wrong password."""
    on = OnSite(infrastructure())
    await on.site.hypervisor.observe()
    on.world.turn_vm("dc-1", is_on=False)
    await on.site.hypervisor.observe()
    on.site.begin_process()
    with pytest.raises(Unauthorized, match=r"thermo-guard@office\.virtual\.invalid"):
        await on.site.hypervisor.observe()
    await on.site.hypervisor.look_at_host("esx1", on.host("esx1").address)
    on.world.turn_vm("dc-1", is_on=True)
    await on.wait(60.0)
    await on.site.hypervisor.observe()


@pytest.mark.parametrize("way", ["idle", "restart"])
async def test_a_session_ends_when_idle_and_with_vcenter(way: str) -> None:
    """A session is forgotten after half an hour without a call, and by a vCenter that was restarted."""
    on = OnSite(infrastructure())
    await on.site.hypervisor.observe()
    on.world.turn_vm("dc-1", is_on=False)
    if way == "restart":
        on.world.turn_vm("vcenter", is_on=False)
        on.world.turn_vm("vcenter", is_on=True)
    await on.wait(1000.0)
    if way == "idle":
        await on.site.hypervisor.observe()
        await on.wait(1900.0)
    with pytest.raises(Unauthorized):
        await on.site.hypervisor.observe()


async def test_a_local_account_needs_no_domain_controller() -> None:
    """Where no VM knows the password, none takes the login away."""
    plan = infrastructure()
    on = OnSite(replace(plan, infrastructure=replace(plan.infrastructure, domain_controller=None)))
    on.world.turn_vm("dc-1", is_on=False)
    await on.site.hypervisor.observe()


async def test_a_refused_login_goes_over_the_wire_once() -> None:
    """As in life, the memory of refusals is asked before each login, and told of each: nobody is locked out."""
    on = OnSite()
    memory = Memory(on.clock)
    on.site.begin_process(memory)
    address = on.host("esx2").address
    on.site.faults.deny_login("esx2")
    for _ in range(3):
        with pytest.raises(Unauthorized):
            await on.site.hypervisor.look_at_host("esx2", address)
        on.site.begin_process(memory)
    assert len(on.site.doors.refusals(address)) == 1
    on.site.faults.mend("esx2")
    with pytest.raises(Unauthorized, match="not yet"):
        await on.site.hypervisor.look_at_host("esx2", address)
    await on.wait(NO_LOGIN_S)
    await on.site.hypervisor.look_at_host("esx2", address)
    assert memory.accepted_at == [address]


async def test_a_bmc_has_a_login_of_its_own() -> None:
    """Its refusal is remembered under its own address, and leaves hosts and vCenter alone."""
    on = OnSite()
    memory = Memory(on.clock)
    on.site.begin_process(memory)
    bmc = on.site.bmcs[0]
    on.site.faults.deny_login(bmc.address)
    for _ in range(3):
        with pytest.raises(Unauthorized):
            await bmc.observe()
    assert len(on.site.doors.refusals(f"{bmc.address}:443")) == 1
    await on.site.hypervisor.observe()


async def test_a_password_that_is_changed_ends_sessions() -> None:
    """A denied login is not got round by an old session."""
    on = OnSite()
    await on.site.hypervisor.observe()
    on.site.faults.deny_login("vcenter")
    with pytest.raises(Unauthorized):
        await on.site.hypervisor.observe()


async def test_without_the_wan_the_sensors_are_silent_and_nothing_else() -> None:
    """One act takes the way out; the plant stays within reach, and the log says when."""
    on = OnSite()
    on.world.cut_wan()
    on.world.cut_wan()
    with pytest.raises(Transient):
        await on.site.sensors.poll()
    await on.site.hypervisor.observe()
    on.world.mend_wan()
    await everything(on)
    assert [h.kind for h in on.world.log] == ["wan.down", "wan.up"]


async def test_a_site_can_begin_without_the_wan() -> None:
    """The blueprint says whether there is a way out."""
    on = OnSite(replace(office(), infrastructure=Infrastructure(is_wan_up=False)))
    with pytest.raises(Transient):
        await on.site.sensors.poll()


async def test_mail_goes_with_its_server() -> None:
    """It takes no message from the time it is told to stop until it has started again."""
    on = OnSite(infrastructure())
    assert on.world.network.mail_answers
    on.world.turn_vm("mail", is_on=False)
    assert not on.world.network.mail_answers
    on.world.turn_vm("mail", is_on=True)
    assert not on.world.network.mail_answers
    await on.wait(60.0)
    assert on.world.network.mail_answers


async def test_the_guards_own_vm_shows_the_guards_addresses_and_its_death() -> None:
    """The guard finds itself by its addresses; that it was switched off can be told, even once it is on again."""
    on = OnSite(infrastructure(is_guard_inside=True))
    assert (await on.vm_seen("nas")).addresses == on.world.network.guard_addresses
    assert not on.world.network.has_guard_died
    on.world.turn_vm("nas", is_on=False)
    on.world.turn_vm("nas", is_on=True)
    assert on.world.network.has_guard_died


def test_a_guard_of_its_own_is_in_no_vm() -> None:
    """On a machine outside, its addresses are none of the cluster's."""
    on = OnSite(infrastructure())
    assert not any(
        set(on.world.network.guard_addresses) & set(vm.plan.addresses) for vm in on.world.cluster.vms.values()
    )


def test_infrastructure_on_a_vm_that_is_not_there_is_an_error() -> None:
    """A blueprint that leans on nothing is a mistake, not an outage."""
    with pytest.raises(ValueError, match="nobody"):
        OnSite(replace(office(), infrastructure=Infrastructure(mail="nobody")))

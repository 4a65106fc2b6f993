"""A refused login stops its account at its endpoint: for every tick, every caller, and the next process."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from peers.vsphere import ESXI_USER, PASSWORD, USER, VirtualVsphere
from thermo_guard.adapters.vsphere import Vsphere
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.ports import Clock, Unauthorized

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]


class Noted(RefusedLogins):
    """Keeps what would be journaled, and in which thread each call was made."""

    def __init__(self, clock: Clock, known: tuple[ev.LoginRefused, ...] = ()) -> None:
        super().__init__(clock)
        self.events: list[ev.Event] = []
        self.threads: set[int] = set()
        self.heard = asyncio.Event()
        """A login was refused."""
        self.bind({(event.endpoint, event.user): event for event in known}, self.events.append)

    def refusal(self, endpoint: str, user: str) -> str | None:
        self.threads.add(threading.get_ident())
        return super().refusal(endpoint, user)

    def refused(self, endpoint: str, user: str, why: str) -> str:
        self.threads.add(threading.get_ident())
        self.heard.set()
        return super().refused(endpoint, user, why)

    def accepted(self, endpoint: str, user: str) -> None:
        self.threads.add(threading.get_ident())
        super().accepted(endpoint, user)


async def test_a_refusal_outlives_the_process(
    start_plant: StartPlant, open_vsphere: OpenVsphere, hand_clock: Clock
) -> None:
    """A guard that starts again with what the journal remembers does not try the refused accounts, and says until when
    not.
    """
    plant = start_plant(hosts=1, vms=1)
    host, before = plant.hosts[0], Noted(hand_clock)
    first = open_vsphere(plant, password="wrong", esxi_password="wrong", logins=before)
    with pytest.raises(Unauthorized, match="refuses the user name or the password"):
        await first.observe()
    with pytest.raises(Unauthorized):
        await first.look_at_host(host.name, host.address)
    known = tuple(event for event in before.events if isinstance(event, ev.LoginRefused))
    assert [(event.endpoint, event.user) for event in known] == [(plant.vcenter, USER), (host.address, ESXI_USER)]
    after = Noted(hand_clock, known)
    second = open_vsphere(plant, logins=after)
    for _ in range(2):
        with pytest.raises(Unauthorized, match=r"not tried again before .* UTC"):
            await second.observe()
        with pytest.raises(Unauthorized, match=r"not tried again before .* UTC"):
            await second.look_at_host(host.name, host.address)
    assert plant.count()["Login"] == 2
    assert after.events == []


async def test_an_accepted_login_is_told(
    start_plant: StartPlant, open_vsphere: OpenVsphere, hand_clock: Clock
) -> None:
    """A login that works, once a person lets it be tried, takes the refusal out of the memory; the calls to the memory
    come from the event loop's thread.
    """
    plant = start_plant(hosts=1, vms=1)
    logins = Noted(hand_clock)
    with pytest.raises(Unauthorized):
        await open_vsphere(plant, password="wrong", logins=logins).observe()
    mended = open_vsphere(plant, logins=logins)
    logins.forgive()
    await mended.observe()
    assert logins.events[1:] == [ev.LoginAccepted(plant.vcenter, USER)]
    assert logins.refusal(plant.vcenter, USER) is None
    assert logins.threads == {threading.get_ident()}


async def test_a_host_in_lockdown_is_a_refused_login(
    start_plant: StartPlant, open_vsphere: OpenVsphere, hand_clock: Clock
) -> None:
    """A host whose lockdown mode keeps the account out is not tried again either, and the text says so."""
    plant = start_plant(hosts=2, vms=2)
    shut, other = plant.hosts
    plant.fault("Login", "fault", face=shut.name, fault="NoPermission")
    adapter = open_vsphere(plant, logins=Noted(hand_clock))
    for _ in range(3):
        with pytest.raises(Unauthorized, match=r"lockdown.*not tried again before"):
            await adapter.look_at_host(shut.name, shut.address)
    await adapter.look_at_host(other.name, other.address)
    assert plant.count(shut.name)["Login"] == 1


async def test_many_callers_are_one_refused_login(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Sixteen commands at once with a wrong password are one failed login, not sixteen."""
    plant = start_plant(hosts=1, vms=16)
    adapter = open_vsphere(plant, password="wrong")
    real = {vm["name"]: vm["instance_uuid"] for vm in plant.state()["vms"]}
    found = await asyncio.gather(
        *(adapter.execute(Command(Verb.SHUT_DOWN_GUEST, real[name], name, VCENTER)) for name in plant.vms),
        return_exceptions=True,
    )
    assert {type(fault) for fault in found} == {Unauthorized}
    assert plant.count()["Login"] == 1


async def test_a_refusal_is_heard_after_its_caller_has_gone(
    start_plant: StartPlant, open_vsphere: OpenVsphere, hand_clock: Clock
) -> None:
    """A slow server's refusal is remembered although the look that needed the login was given up before it came."""
    plant = start_plant(hosts=1, vms=1)
    plant.post("/timing", call_delay_ms=300)
    logins = Noted(hand_clock)
    adapter = open_vsphere(plant, password="wrong", logins=logins)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(adapter.observe(), 0.1)
    await asyncio.wait_for(logins.heard.wait(), 5)
    with pytest.raises(Unauthorized):
        await adapter.observe()
    assert plant.count()["Login"] == 1


async def test_the_endpoint_is_in_lower_case(
    start_plant: StartPlant, open_vsphere: OpenVsphere, hand_clock: Clock
) -> None:
    """However the settings write the server, the refusal is kept under one name."""
    plant = start_plant(hosts=1, vms=1)
    port = plant.vcenter.rpartition(":")[2]
    plant.vcenter = f"LocalHost:{port}"
    logins = RefusedLogins(hand_clock)
    logins.refused(f"localhost:{port}", USER, "no")
    with pytest.raises(Unauthorized, match="no; it is not tried again"):
        await open_vsphere(plant, password=PASSWORD, logins=logins).observe()
    assert plant.count() == {}

"""Whom the vSphere adapter speaks to, and how it keeps its login: TLS, pins, passwords, sessions, servers that hang."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest
import trustme

from peers.vsphere import PASSWORD, VirtualVsphere
from thermo_guard.adapters.vsphere import Limits, TlsTrust, Vsphere
from thermo_guard.adapters.vsphere.session import Endpoint, Login, Outside
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.ports import Ambiguous, Clock, Fault, Refused, Transient, Unauthorized

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]


class Ahead(Protocol):
    ahead_s: float


async def test_an_unknown_ca_is_refused(start_plant: StartPlant, open_vsphere: OpenVsphere, tmp_path: Path) -> None:
    """A certificate that the given CA did not sign is refused before the password is sent, on every face."""
    plant = start_plant(hosts=1, vms=1)
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    for trust in (TlsTrust(ca_file=str(other)), TlsTrust()):
        adapter = open_vsphere(plant, tls=trust)
        with pytest.raises(Refused, match="not trusted"):
            await adapter.observe()
        with pytest.raises(Refused, match="not trusted"):
            await adapter.look_at_host(plant.hosts[0].name, plant.hosts[0].address)
    assert plant.count() == {}


async def test_the_right_pin_is_enough(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A certificate with the pinned SHA-256 is trusted without its CA, in any common writing; tags come too."""
    plant = start_plant(hosts=1, vms=1)
    plant.post("/tier", vm=plant.vms[0], how="tag", value="7")
    pairs = [plant.fingerprint[i : i + 2].upper() for i in range(0, 64, 2)]
    adapter = open_vsphere(plant, tls=TlsTrust(fingerprint=":".join(pairs)))
    await adapter.observe()
    assert [vm.tier for vm in (await adapter.observe()).vms] == [7]


async def test_the_wrong_pin_is_refused(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A certificate other than the pinned one is refused before anything is sent, and the text shows both."""
    plant = start_plant(hosts=1, vms=1)
    with pytest.raises(Refused, match=plant.fingerprint):
        await open_vsphere(plant, tls=TlsTrust(fingerprint="ab" * 32)).observe()
    assert plant.count() == {}


async def test_a_changed_certificate_is_refused(
    start_plant: StartPlant, open_vsphere: OpenVsphere, vsphere_ca: trustme.CA, tmp_path: Path
) -> None:
    """A pinned server that comes back with another certificate is refused, although the same CA signed it."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant, tls=TlsTrust(fingerprint=plant.fingerprint))
    await adapter.observe()
    address = plant.vcenter
    plant.__exit__(None, None, None)
    with VirtualVsphere(tmp_path / "again", vsphere_ca, hosts=1, vms=1, listen=address) as impostor:
        for _ in range(2):
            with pytest.raises(Refused):
                await adapter.observe()
        assert impostor.count() == {}


async def test_insecure_trusts_anything(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Only the explicit setting turns verification off, for vCenter and for the hosts."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant, tls=TlsTrust(insecure=True))
    assert len((await adapter.observe()).vms) == 1
    assert len((await adapter.look_at_host(plant.hosts[0].name, plant.hosts[0].address)).vms) == 1


async def test_a_host_is_trusted_by_what_vcenter_showed(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A direct connection trusts the thumbprint given for that host; vCenter's own pin says nothing about it."""
    plant = start_plant(hosts=1, vms=1)
    host = plant.hosts[0]
    adapter = open_vsphere(plant, tls=TlsTrust(fingerprint=plant.fingerprint))
    with pytest.raises(Refused, match="not trusted"):
        await adapter.look_at_host(host.name, host.address)
    assert len((await adapter.look_at_host(host.name, host.address, plant.fingerprint)).vms) == 1


async def test_a_renewed_certificate_of_a_host_falls_back_to_the_ca(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """A host whose certificate was renewed since vCenter showed it is still trusted where the CA signed it."""
    plant = start_plant(hosts=1, vms=1)
    host = plant.hosts[0]
    assert len((await open_vsphere(plant).look_at_host(host.name, host.address, "cd" * 32)).vms) == 1


async def test_a_wrong_password_is_tried_once(
    start_plant: StartPlant, open_vsphere: OpenVsphere, hand_clock: Ahead
) -> None:
    """A refused login is not repeated for 20 minutes, so that the account is not locked, and shows no password."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant, password="not-the-password", esxi_password="nor-this-one")
    host = plant.hosts[0]
    for _ in range(3):
        with pytest.raises(Unauthorized) as refused:
            await adapter.observe()
        assert "not-the-password" not in str(refused.value)
        assert "it is not tried again before" in str(refused.value)
        assert "this process" not in str(refused.value)
        with pytest.raises(Unauthorized):
            await adapter.look_at_host(host.name, host.address)
    assert plant.count()["Login"] == 2
    hand_clock.ahead_s = 21 * 60
    with pytest.raises(Unauthorized):
        await adapter.observe()
    assert plant.count()["Login"] == 3


async def test_a_host_can_have_a_login_of_its_own(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """The login given for one host is used there instead of the common one."""
    plant = start_plant(hosts=2, vms=2)
    first, second = plant.hosts
    adapter = open_vsphere(plant, esxi_password="wrong", per_host_logins={first.name: ("root", PASSWORD)})
    await adapter.look_at_host(first.name, first.address)
    with pytest.raises(Unauthorized):
        await adapter.look_at_host(second.name, second.address)


async def test_many_commands_log_in_once(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Calls that come at once share one login."""
    plant = start_plant(hosts=1, vms=16)
    adapter = open_vsphere(plant)
    real = {vm["name"]: vm["instance_uuid"] for vm in plant.state()["vms"]}
    await asyncio.gather(
        *(adapter.execute(Command(Verb.SHUT_DOWN_GUEST, real[name], name, VCENTER)) for name in plant.vms)
    )
    assert plant.count()["Login"] == 1
    assert sum(plant.calls("ShutdownGuest", name) for name in plant.vms) == 16


async def test_a_restarted_vcenter_gets_a_new_login(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """A vCenter that is gone is Transient, and when it is back, not knowing the session, a new login is made."""
    plant = start_plant(hosts=2, vms=3, vcenter_vm="vcsa")
    adapter = open_vsphere(plant)
    before = await adapter.observe()
    plant.change_vm("vcsa", power="off")
    with pytest.raises(Transient, match="cannot be reached"):
        await adapter.observe()
    plant.change_vm("vcsa", power="on")
    await asyncio.to_thread(plant.wait, lambda state: state["vcenter"]["answering"] and state["vcenter"]["up"])
    assert {vm.id for vm in (await adapter.observe()).vms} == {vm.id for vm in before.vms}
    assert plant.count("vcenter")["Login"] == 2


async def test_an_ended_session_is_renewed(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A session that the server has ended is replaced once, unseen by the caller, for a look and for an act."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant)
    vm = (await adapter.observe()).vms[0]
    plant.fault("RetrievePropertiesEx", "fault", fault="NotAuthenticated", count=1)
    await adapter.observe()
    plant.fault("ShutdownGuest", "fault", fault="NotAuthenticated", count=1)
    await adapter.execute(Command(Verb.SHUT_DOWN_GUEST, vm.id, vm.name, VCENTER))
    assert plant.count()["Login"] == 3
    plant.fault("RetrievePropertiesEx", "fault", fault="NotAuthenticated", count=2)
    with pytest.raises(Transient):
        await adapter.observe()


async def test_a_hanging_answer_ends_in_time(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A server that takes a call and never answers costs the bound and no more: Transient for a look, Ambiguous for
    an act; other calls go on meanwhile.
    """
    plant = start_plant(hosts=1, vms=2)
    adapter = open_vsphere(plant, limits=Limits(connect_s=1, answer_s=1))
    vm, other = (await adapter.observe()).vms
    plant.fault("ShutdownGuest", "timeout", name=vm.name)
    began = time.monotonic()
    hanging = asyncio.create_task(adapter.execute(Command(Verb.SHUT_DOWN_GUEST, vm.id, vm.name, VCENTER)))
    await adapter.execute(Command(Verb.SHUT_DOWN_GUEST, other.id, other.name, VCENTER))
    assert time.monotonic() - began < 0.9
    with pytest.raises(Ambiguous):
        await hanging
    assert time.monotonic() - began < 4
    plant.fault("RetrievePropertiesEx", "timeout", count=1)
    with pytest.raises(Transient):
        await adapter.observe()


async def test_a_frozen_server_ends_in_time(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A server whose process is frozen, so that connections open and nothing comes, ends within the bound, and the
    end of the program is not held up by it.
    """
    plant = start_plant(hosts=1, vms=1)
    limits = Limits(connect_s=1, answer_s=1, logout_s=0.5)
    warm, cold = open_vsphere(plant, limits=limits), open_vsphere(plant, limits=limits)
    await warm.observe()
    os.kill(plant.process_id, signal.SIGSTOP)
    try:
        for adapter in (warm, cold):
            began = time.monotonic()
            with pytest.raises(Transient):
                await adapter.observe()
            assert time.monotonic() - began < 3
        began = time.monotonic()
        await warm.aclose()
        assert time.monotonic() - began < 1.5
    finally:
        os.kill(plant.process_id, signal.SIGCONT)


async def test_who_waited_for_a_login_that_found_no_answer_shares_its_failure(hand_clock: Clock) -> None:
    """Many calls to a frozen server end together, not one login after another; a later call tries anew."""
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        endpoint = Endpoint(
            "vCenter", f"127.0.0.1:{frozen.getsockname()[1]}", Login("guard", PASSWORD),
            TlsTrust(insecure=True), Outside(RefusedLogins(hand_clock)), calls_at_once=16,
            limits=Limits(connect_s=0.5, answer_s=0.5),
        )
        began = time.monotonic()
        found = await asyncio.gather(*(endpoint.look(lambda _: None) for _ in range(8)), return_exceptions=True)
        assert time.monotonic() - began < 1.5
        assert {type(fault) for fault in found} == {Transient}
        began = time.monotonic()
        with pytest.raises(Transient):
            await endpoint.look(lambda _: None)
        assert time.monotonic() - began > 0.4, "it asked the server again"


async def test_the_end_does_not_wait_for_a_login(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A program that is told to end while a server hangs in its login ends at once, and so does who waited for it."""
    plant = start_plant(hosts=1, vms=1)
    plant.fault("Login", "timeout")
    adapter = open_vsphere(plant)
    waiting = asyncio.create_task(adapter.observe())
    async with asyncio.timeout(5):
        while "Login" not in await asyncio.to_thread(plant.count):
            continue
        began = time.monotonic()
        await adapter.aclose()
        with pytest.raises(Transient, match="given up"):
            await waiting
    assert time.monotonic() - began < 1


async def test_a_cancelled_call_leaves_the_loop_free(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Cancelling a call that hangs returns at once."""
    plant = start_plant(hosts=1, vms=1)
    adapter = open_vsphere(plant, limits=Limits(connect_s=2, answer_s=2))
    await adapter.observe()
    plant.fault("RetrievePropertiesEx", "timeout", count=1)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(adapter.observe(), 0.2)
    assert time.monotonic() - began < 1


async def test_everything_is_logged_out(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """At the end each session is given back, vCenter's and the hosts'."""
    plant = start_plant(hosts=2, vms=2)
    adapter = open_vsphere(plant)
    await adapter.observe()
    for host in plant.hosts:
        await adapter.look_at_host(host.name, host.address)
    await adapter.aclose()
    assert plant.count()["Logout"] == 3


@pytest.mark.parametrize("address", ["127.0.0.2:1", "no-such-host.invalid"])
async def test_nobody_there_is_transient(open_vsphere: OpenVsphere, start_plant: StartPlant, address: str) -> None:
    """Where nothing listens or the name is unknown the fault is worth another try."""
    plant = start_plant(hosts=1, vms=1)
    plant.vcenter = address
    with pytest.raises(Fault) as told:
        await open_vsphere(plant).observe()
    assert isinstance(told.value, Transient)

"""By which addresses the vSphere adapter reaches a server, and that TLS goes on checking its name."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pytest
import trustme

from peers.vsphere import VirtualVsphere
from thermo_guard.adapters.vsphere import Limits, Vsphere
from thermo_guard.core.commands import Command, Verb
from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Refused, Transient

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]

NAMED = {"vcenter_name": "vc.lab.test", "host_names": "esx%d.lab.test"}


class Ahead(Protocol):
    ahead_s: float


class Book:
    """Names as a test gives them; a name that is not in it stands for nothing."""

    def __init__(self, names: Mapping[str, str | tuple[str, ...]]) -> None:
        self.names = {name: (to,) if isinstance(to, str) else to for name, to in names.items()}
        self.threads: set[int] = set()

    async def resolve(self, host: str) -> tuple[str, ...]:
        self.threads.add(threading.get_ident())
        if host not in self.names:
            raise Transient(f"The name {host} stands for no address: nobody knows it.").of(Trouble.NO_NAME)
        return self.names[host]

    def known(self) -> Mapping[str, tuple[str, ...]]:
        return dict(self.names)

    def recall(self, names: Mapping[str, tuple[str, ...]]) -> None:
        self.names = {**names, **self.names}


async def test_every_connection_goes_where_the_names_lead(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Without any DNS, vCenter, its tags and each host are reached at the addresses that are known of their names, with
    certificates that are made out for the names.
    """
    plant = start_plant(hosts=2, vms=4, vcenter_vm="vcsa", **NAMED)
    plant.post("/tier", vm=plant.vms[1], how="tag", value="7")
    names = Book(plant.names)
    adapter = open_vsphere(plant, names=names)
    seen = await adapter.observe()
    assert seen.addresses == ("vc.lab.test", "127.0.0.2")
    assert [host.name for host in seen.hosts] == ["esx1.lab.test", "esx2.lab.test"]
    assert {vm.name: vm.tier for vm in seen.vms}[plant.vms[1]] == 7
    own = next(vm for vm in seen.vms if vm.name == "vcsa")
    assert (own.guest_name, own.addresses) == ("vc.lab.test", ("127.0.0.2",))
    for host in seen.hosts:
        assert (await adapter.look_at_host(host.name, host.address)).name == host.name
        await adapter.execute(
            Command(Verb.ENTER_MAINTENANCE, host.name, host.name, host.name, timeout_s=30), host.address
        )
    assert all(plant.calls("EnterMaintenanceMode_Task", host.name) == 1 for host in plant.hosts)
    assert names.threads == {threading.get_ident()}


async def test_the_name_is_what_tls_checks(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """Whoever answers at the known address with a certificate for that address, but not for the name, is refused, and
    gets nothing.
    """
    plant = start_plant(hosts=1, vms=1)
    port = plant.vcenter.rpartition(":")[2]
    plant.vcenter = f"vc.lab.test:{port}"
    with pytest.raises(Refused, match="not trusted"):
        await open_vsphere(plant, names=Book({"vc.lab.test": "127.0.0.2"})).observe()
    assert plant.count() == {}


async def test_addresses_are_tried_in_turn(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """An address that refuses and one that swallows everything cost their share of the bound, and the third answers;
    for the certificate that is compared with a pin as for the calls.
    """
    plant = start_plant(hosts=1, vms=1, **NAMED)
    port = int(plant.vcenter.rpartition(":")[2])
    names = Book({"vc.lab.test": ("127.0.0.97", "127.0.0.98", "127.0.0.2")})
    with swallowing("127.0.0.98", port):
        for pins in (None, Pinned({plant.vcenter: plant.fingerprint})):
            began = time.monotonic()
            adapter = open_vsphere(plant, names=names, pins=pins, limits=Limits(connect_s=1.5, answer_s=5))
            assert len((await adapter.observe()).vms) == 1
            assert time.monotonic() - began < 6


class Pinned(dict[str, str]):
    def pin_of(self, endpoint: str) -> str | None:
        return self.get(endpoint)


@contextmanager
def swallowing(host: str, port: int) -> Iterator[None]:
    """A listener whose queue is full: whoever connects hears nothing at all, as of a machine without power."""
    with ExitStack() as stack:
        stack.enter_context(socket.create_server((host, port), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        yield


async def test_a_name_that_nobody_knows_is_said(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """A name without an address is worth another try later, and the trouble says what a person mends."""
    plant = start_plant(hosts=1, vms=1, **NAMED)
    with pytest.raises(Transient, match=r"vCenter vc.lab.test:\d+ cannot be reached: .*no address") as told:
        await open_vsphere(plant, names=Book({})).observe()
    assert told.value.trouble is Trouble.NO_NAME


async def test_vcenters_addresses_outlive_its_dns(
    start_plant: StartPlant, open_vsphere: OpenVsphere, hand_clock: Ahead
) -> None:
    """A complete look after the resolver is gone still shows where vCenter is, with Names and without."""
    plant = start_plant(hosts=1, vms=1, **NAMED)
    names = Book(plant.names)
    adapter = open_vsphere(plant, names=names)
    assert (await adapter.observe()).addresses == ("vc.lab.test", "127.0.0.2")
    names.names = {}
    hand_clock.ahead_s += 301
    assert (await adapter.observe()).addresses == ("vc.lab.test", "127.0.0.2")


async def test_a_server_that_moved_is_found(
    start_plant: StartPlant, open_vsphere: OpenVsphere, vsphere_ca: trustme.CA, tmp_path: Path
) -> None:
    """A vCenter that comes back at another address under its name is found by the session that is still open."""
    plant = start_plant(hosts=1, vms=1, **NAMED)
    names = Book(plant.names)
    adapter = open_vsphere(plant, names=names)
    await adapter.observe()
    port = plant.vcenter.rpartition(":")[2]
    plant.__exit__(None, None, None)
    with VirtualVsphere(
        tmp_path / "moved", vsphere_ca, hosts=1, vms=1, listen=f"127.0.0.3:{port}", vcenter_name="vc.lab.test"
    ) as moved:
        names.names["vc.lab.test"] = ("127.0.0.3",)
        with pytest.raises(Transient):
            await adapter.observe()
        assert len((await adapter.observe()).vms) == 1
        assert moved.count()["Login"] == 1


async def test_without_names_the_machines_resolver_is_asked(
    start_plant: StartPlant, open_vsphere: OpenVsphere
) -> None:
    """Without Names a host name goes to the machine's own resolver, for connections and for where vCenter is."""
    plant = start_plant(hosts=1, vms=1, listen="127.0.0.1:0", vcenter_name="localhost")
    seen = await open_vsphere(plant).observe()
    assert seen.addresses[0] == "localhost"
    assert "127.0.0.1" in seen.addresses

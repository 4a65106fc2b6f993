"""The three vSpheres of the adapter's contract: the virtual site's wire, the overlay as the tests start it, and
VMware's simulator as it is, which shows what was not put there by the overlay.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import trustme

from peers import absent
from peers.vsphere import ESXI_USER, PASSWORD, USER, VirtualVsphere
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.vsphere import Limits, TlsTrust, Vsphere
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import ClusterSeen, Host, Vm
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.sim import plans
from thermo_guard.sim.wire.overlay import OverlayMissing
from thermo_guard.sim.wire.vsphere import VsphereFace
from thermo_guard.sim.world import World

WITHIN_S = 20.0
_SPEED = 150.0


class Peer(StrEnum):
    WIRE = "wire"
    OVERLAY = "overlay"
    PLAIN = "plain"


@dataclass(slots=True)
class Contract:
    """A cluster of three hosts with VMs on each, vCenter elsewhere; nobody but the adapter does anything to it."""

    address: str
    user: str
    cluster: str
    clock: SteadyClock
    adapter: Vsphere

    def opened(self, **changes: Any) -> Vsphere:
        """Another adapter, which the test closes."""
        given = {"cluster": self.cluster, "password": PASSWORD, **changes}
        return Vsphere(
            self.address, self.user, given.pop("password"), self.clock, logins=RefusedLogins(self.clock),
            tls=TlsTrust(insecure=True), esxi_user=ESXI_USER, esxi_password=PASSWORD,
            limits=Limits(connect_s=3, answer_s=10), **given,
        )

    async def look(self) -> ClusterSeen:
        return await self.adapter.observe()

    async def host(self, name: str) -> Host:
        return next(host for host in (await self.look()).hosts if host.name == name)

    async def vm(self, vm_id: str) -> Vm:
        return next(vm for vm in (await self.look()).vms if vm.id == vm_id)

    async def ask_vm(self, verb: Verb, vm: Vm, via: str = VCENTER, address: str | None = None) -> None:
        await self.adapter.execute(Command(verb, vm.id, vm.name, via), address)

    async def ask_host(self, verb: Verb, host: Host, timeout_s: int = 0) -> None:
        await self.adapter.execute(replace(Command(verb, host.name, host.name, VCENTER), timeout_s=timeout_s))

    async def until(self, is_so: Callable[[ClusterSeen], bool]) -> ClusterSeen:
        """Look until the cluster is so.

        :raises TimeoutError: it did not become so.
        """
        async with asyncio.timeout(WITHIN_S):
            while not is_so(seen := await self.look()):  # noqa: ASYNC110 - nothing else says what became of it
                await asyncio.sleep(0.05)
        return seen


@asynccontextmanager
async def contract(peer: Peer, folder: Path) -> AsyncIterator[Contract]:
    if peer is Peer.WIRE:
        async with _on_the_wire(folder) as at:
            yield at
        return
    options: dict[str, Any] = {"guest_ms": 50, "vm_boot_ms": 50, "host_off_ms": 50, "maintenance_ms": 20}
    if peer is Peer.PLAIN:
        options = {"plain": True}
    with VirtualVsphere(folder, trustme.CA(), hosts=3, vms=6, self_signed=True, **options) as plant:
        async with _asked(plant.vcenter, USER, plant.cluster) as at:
            yield at


@asynccontextmanager
async def _on_the_wire(folder: Path) -> AsyncIterator[Contract]:
    began, epoch = time.monotonic(), 1_800_000_000.0

    class QuickClock:
        def now(self) -> float:
            return epoch + _SPEED * (time.monotonic() - began)

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(seconds / _SPEED)

    world = World(7, plans.vcenter_outside(), epoch)
    try:
        face = await VsphereFace(world, QuickClock(), speed=_SPEED, folder=folder, hosts_net=79).__aenter__()
    except OverlayMissing as missing:
        absent("virtual_vsphere", str(missing))
    try:
        async with _asked(face.vcenter, face.user, world.plan.cluster) as at:
            yield at
    finally:
        await face.__aexit__(None, None, None)


@asynccontextmanager
async def _asked(address: str, user: str, cluster: str) -> AsyncIterator[Contract]:
    clock = SteadyClock()
    at = Contract(address, user, cluster, clock, None)  # type: ignore[arg-type]
    at.adapter = at.opened()
    try:
        yield at
    finally:
        await at.adapter.aclose()

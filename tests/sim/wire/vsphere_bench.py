"""What the tests of the virtual site's vSphere share: a world beside VMware's simulator, and the adapter on it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from peers import absent
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.vsphere import Limits, TlsTrust, Vsphere
from thermo_guard.adapters.vsphere.standalone import Standalone
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import ClusterSeen, Host, Vm
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.wire.overlay import OverlayMissing
from thermo_guard.sim.wire.vsphere import VsphereFace
from thermo_guard.sim.world import World

SEED = 7
SPEED = 150.0
EPOCH = 1_800_000_000.0
WITHIN_S = 20.0
"""Real time in which anything that a test waits for has happened."""


@dataclass(slots=True)
class QuickClock:
    """The site's: SPEED times as quick as the guard's, which keeps to real time."""

    began: float = field(default_factory=time.monotonic)

    def now(self) -> float:
        return EPOCH + SPEED * (time.monotonic() - self.began)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


@dataclass(slots=True)
class Bench:
    world: World
    face: VsphereFace
    vsphere: Vsphere

    async def look(self) -> ClusterSeen:
        return await self.vsphere.observe()

    async def vm(self, name: str) -> Vm:
        return next(vm for vm in (await self.look()).vms if vm.name == name)

    async def host(self, label: str) -> Host:
        """As vCenter shows it."""
        address = self.face.host_addresses[label]
        return next(host for host in (await self.look()).hosts if host.address == address)

    async def ask_vm(self, verb: Verb, name: str) -> None:
        await self.vsphere.execute(Command(verb, (await self.vm(name)).id, name, VCENTER))

    async def ask_host(self, verb: Verb, label: str) -> None:
        name = (await self.host(label)).name
        await self.vsphere.execute(Command(verb, name, name, VCENTER))

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until the world is so.

        :raises TimeoutError: it did not become so.
        """
        async with asyncio.timeout(WITHIN_S):
            while not is_so():
                await self.face.settle()
                await asyncio.sleep(0.02)


@asynccontextmanager
async def bench(plan: Blueprint, folder: Path) -> AsyncIterator[Bench]:
    """One plant, its simulator, and the adapter with the settings that the face gives to a guard."""
    world = World(SEED, plan, EPOCH)
    try:
        face = await VsphereFace(world, QuickClock(), speed=SPEED, folder=folder, hosts_net=77).__aenter__()
    except OverlayMissing as missing:
        absent("virtual_vsphere", str(missing))
    given, clock = face.settings(), SteadyClock()
    if plan.is_standalone:
        vsphere: Vsphere = Standalone(
            given["ESXI_HOSTS"].split(","), clock, logins=RefusedLogins(clock), tls=TlsTrust(insecure=True),
            user=given["ESXI_USER"], password=given["ESXI_PASSWORD"],
        )
    else:
        vsphere = _with_vcenter(given, clock)
    try:
        yield Bench(world, face, vsphere)
    finally:
        await vsphere.aclose()
        await face.__aexit__(None, None, None)


def _with_vcenter(given: Mapping[str, str], clock: SteadyClock) -> Vsphere:
    return Vsphere(
        given["VCENTER_HOST"], given["VCENTER_USER"], given["VCENTER_PASSWORD"], clock, logins=RefusedLogins(clock),
        cluster=given["VCENTER_CLUSTER"], tls=TlsTrust(fingerprint=given["VCENTER_FINGERPRINT"]),
        esxi_user=given["ESXI_USER"], esxi_password=given["ESXI_PASSWORD"], limits=Limits(connect_s=3, answer_s=5),
    )

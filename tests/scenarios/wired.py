"""The days of the plants over the wire: the same blueprint on the virtual site's servers, and the guard's own adapters.

Only the site's hours are quick, and quicker while nothing is awaited but the room. How quick they may be is set by the
guard: what it has seen counts for ten seconds, and within those every look has to be answered, also on a busy machine.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.rig import Guarded
from peers import absent
from scenarios.chronicle import live, patient
from thermo_guard.adapters.meraki import Meraki
from thermo_guard.adapters.names import SystemNames
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.adapters.vsphere import Limits, TlsTrust, Vsphere
from thermo_guard.adapters.vsphere.standalone import Standalone
from thermo_guard.core import events as ev
from thermo_guard.core.events import Phase
from thermo_guard.core.plant import Role
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import VirtualTimeLoop, run
from thermo_guard.sim.wire.overlay import OverlayMissing
from thermo_guard.sim.wire.site import BMC_PASSWORD, BMC_USER, KEY, Room, WireSite

BUSY, QUIET = 20.0, 150.0
"""The site's seconds for a real one, from the alarm on and while nothing is awaited but the room."""
PATIENCE_S = 600.0
"""Of the site's, for any answer: 4 to 30 real ones, or the load of a machine would tell."""


@dataclass(frozen=True)
class _Plan:
    blueprint: Blueprint
    name: str = "room"
    flavours: Mapping[str, str] = field(default_factory=dict)


class Wired(Guarded):
    """A guard whose every edge is a real adapter on a server of one room."""

    room: Room

    def __init__(self, folder: Path, plan: Blueprint, settings: LoopSettings) -> None:
        super().__init__(folder / "data", plan, settings)
        self._wire = WireSite([_Plan(plan)], self.clock, speed=QUIET, folder=folder / "site", seed=0)
        self._adapters = AsyncExitStack()
        self._speed = QUIET
        self._rescaling: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._wire)
            except OverlayMissing as missing:
                absent("virtual_vsphere", str(missing))
            (self.room,) = self._wire.rooms.values()
            self.world = self.room.world
            self.before = self.world.running()
            yield

    def open_edges(self, logins: RefusedLogins) -> None:
        self.names = SystemNames(self.clock)
        self.sensors = sensors = Meraki(
            KEY, self.room.network, self.clock, base_url=self._wire.meraki.url, deadline_s=PATIENCE_S,
            request_timeout_s=PATIENCE_S,
        )
        self.hypervisor = vsphere = self._open_vsphere(logins)
        self.bmcs = bmcs = [
            Bmc(face.address, BMC_USER, BMC_PASSWORD, self.clock, logins=logins, fingerprint=face.fingerprint,
                connect_timeout_s=PATIENCE_S, request_timeout_s=PATIENCE_S)
            for face in self.room.bmcs.values()
        ]
        for close in (sensors.aclose, vsphere.aclose, *(bmc.aclose for bmc in bmcs)):
            self._adapters.push_async_callback(close)

    def _open_vsphere(self, logins: RefusedLogins) -> Vsphere:
        assert self.room.vsphere is not None
        given, limits = self.room.vsphere.settings(), Limits(PATIENCE_S, PATIENCE_S, PATIENCE_S)
        if self.world.plan.is_standalone:
            return Standalone(
                given["ESXI_HOSTS"].split(","), self.clock, logins=logins, tls=TlsTrust(insecure=True),
                user=given["ESXI_USER"], password=given["ESXI_PASSWORD"], limits=limits,
            )
        return Vsphere(
            given["VCENTER_HOST"], given["VCENTER_USER"], given["VCENTER_PASSWORD"], self.clock, logins=logins,
            cluster=given["VCENTER_CLUSTER"], tls=TlsTrust(fingerprint=given["VCENTER_FINGERPRINT"]),
            esxi_user=given["ESXI_USER"], esxi_password=given["ESXI_PASSWORD"], limits=limits,
        )

    async def kill(self) -> None:
        await super().kill()
        await self._adapters.aclose()

    def _hear(self, at: float, event: ev.Event) -> None:
        super()._hear(at, event)
        match event:
            case ev.PhaseBegun(phase=phase):
                self._go_at(QUIET if phase is Phase.ALL_OFF else BUSY)
            case ev.HeatReturned():
                self._go_at(BUSY)
            case _:
                pass

    def _go_at(self, speed: float) -> None:
        """Let the site's time go on at another speed, the simulator's with it."""
        if speed != self._speed:
            self._speed = speed
            running = asyncio.get_running_loop()
            assert isinstance(running, VirtualTimeLoop)
            running.speed = speed
            self._rescaling = asyncio.ensure_future(self._wire.rescale(speed))

    def named(self, text: str) -> str:
        """The plan's names for hosts and BMCs that are known by their addresses, and the world's for vCLS made anew."""
        of_plan = sum(vm.role is Role.VCLS for vm in self.world.plan.vms)
        if (made := self._made_anew()).get(text) is not None:
            return f"vCLS-{of_plan + made[text]}"
        labels = {face.address: address for address, face in self.room.bmcs.items()}
        for label, address in self.room.host_addresses.items():
            labels |= {address: label, address.rpartition(":")[0]: label}
        return re.sub(r"127\.0\.\d+\.\d+(:\d+)?", lambda found: labels.get(found[0], found[0]), text)

    def _made_anew(self) -> dict[str, int]:
        """Number of each VM that vCenter made, in their order: it gives them names of its own."""
        known = {vm.name for vm in self.world.plan.vms}
        made = [h.object for h in self.world.log if h.kind == "vm.on" and h.object not in known]
        return {name: number for number, name in enumerate(dict.fromkeys(made), start=1)}


def lived_on_the_wire(
    folder: Path, plan: Blueprint, settings: LoopSettings, meanwhile: Callable[[Guarded], object] | None = None,
) -> Wired:
    """A guard on a site of real servers, after its day."""

    async def day() -> Wired:
        guarded = Wired(folder, plan, patient(settings))
        async with guarded.served():
            await live(guarded, meanwhile)
        return guarded

    return run(day(), speed=QUIET)

"""A virtual site with a clock that a test turns by hand."""

from collections.abc import Callable

from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import BmcSeen, ClusterSettings, Host, Vm
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.machines import HostState
from thermo_guard.sim.plans import office
from thermo_guard.sim.site import VirtualSite
from thermo_guard.sim.world import World

STARTS_AT = 1_767_340_800.0


class ManualClock:
    """ports.Clock on which sleeping is what moves time."""

    def __init__(self, at: float) -> None:
        self._at = at

    def now(self) -> float:
        return self._at

    async def sleep(self, seconds: float) -> None:
        self._at += seconds


class OnSite:
    def __init__(self, plan: Blueprint | None = None, seed: int = 1) -> None:
        self.clock = ManualClock(STARTS_AT)
        self.world = World(seed, plan or office(), STARTS_AT)
        self.site = VirtualSite(self.world, self.clock)

    async def wait(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self.world.advance(self.clock.now())

    async def until(self, holds: Callable[[], bool], within_s: float) -> float:
        """Go on until something holds; seconds that took."""
        began = self.clock.now()
        while not holds():
            assert self.clock.now() - began < within_s, f"did not come about within {within_s} s"
            await self.wait(1.0)
        return self.clock.now() - began

    def id(self, name: str) -> str:
        return next(vm.id for vm in self.world.cluster.vms.values() if vm.name == name)

    def is_on(self, name: str) -> bool:
        return self.world.cluster.vms[self.id(name)].is_on

    def host(self, name: str) -> HostState:
        return self.world.cluster.hosts[name]

    async def vm_seen(self, name: str) -> Vm:
        return next(vm for vm in (await self.site.hypervisor.observe()).vms if vm.name == name)

    async def host_seen(self, name: str) -> Host:
        return next(host for host in (await self.site.hypervisor.observe()).hosts if host.name == name)

    async def bmc_seen(self, host: str) -> BmcSeen:
        address = next(bmc.address for bmc in self.world.plan.bmcs if bmc.host == host)
        return await next(bmc for bmc in self.site.bmcs if bmc.address == address).observe()

    async def power_on(self, host: str) -> None:
        address = next(bmc.address for bmc in self.world.plan.bmcs if bmc.host == host)
        await next(bmc for bmc in self.site.bmcs if bmc.address == address).power_on()

    async def vm(
        self, verb: Verb, name: str, *, via: str = VCENTER, path: str | None = None,
        answer: tuple[str, str] | None = None,
    ) -> None:
        await self._send(Command(verb, self.id(name), name, via, path=path, answer=answer))

    async def act(
        self, verb: Verb, host: str, *, via: str = VCENTER, force: bool = False, timeout_s: float = 600.0,
        settings: ClusterSettings | None = None,
    ) -> None:
        await self._send(Command(verb, host, host, via, force=force, timeout_s=timeout_s, settings=settings))

    async def _send(self, command: Command) -> None:
        address = None if command.via == VCENTER else self.host(command.via).address
        await self.site.hypervisor.execute(command, address)

    async def disarm(self) -> None:
        """HA and DRS keep their hands off."""
        await self.act(Verb.DISARM_HA, "Office")
        await self.act(Verb.DISARM_DRS, "Office")

    async def empty(self, host: str) -> None:
        """Switch off every VM of a host."""
        for vm in self.world.cluster.vms_on(host):
            if vm.is_on:
                await self.vm(Verb.POWER_OFF_VM, vm.name, via=host)
        await self.until(lambda: not any(vm.is_on for vm in self.world.cluster.vms_on(host)), within_s=10)

    def kinds(self, name: str) -> list[str]:
        """What happened to a thing, calls apart."""
        return [h.kind for h in self.world.log if h.object == name and not h.kind.startswith("call.")]

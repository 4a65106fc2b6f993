"""The virtual site behind the ports of the real one: room sensors, hypervisor, BMCs and TCP ports.

Every machine is reached by the name or address that it was given, and every account goes through its door.
"""

from collections.abc import Sequence

from thermo_guard.core.commands import Command, Verb
from thermo_guard.core.plant import BmcSeen, Power
from thermo_guard.core.readings import AlertCount, Kind, Poll, Reading
from thermo_guard.ports import Clock, Logins, Refused, Unauthorized

from .doors import Door, Doors
from .edges import SENSORS as SENSORS  # noqa: PLC0414 - drills take it from here
from .edges import Edges, Faults, Peer
from .edges import Effect as Effect  # noqa: PLC0414 - drills take it from here
from .hypervisor import SiteHypervisor, StandaloneHosts
from .machines import BmcState
from .names import SiteNames
from .network import SENSORS_IP
from .world import World

BMC_USER = "thermo-guard"


class SiteSensors:
    """ports.RoomSensors and ports.Past of the virtual room."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        network = edges.world.network
        self._peer = Peer(
            SENSORS, "the sensors' source", edges.world.plan.infrastructure.sensors_address, SENSORS_IP,
            answers=lambda: network.is_wan_up,
        )

    async def poll(self) -> Poll:
        await self.reach()
        return self._edges.world.room.poll()

    async def history(self, for_s: float) -> Sequence[Reading]:
        await self.reach()
        return self._edges.world.room.past(for_s)

    async def alert_count(self) -> AlertCount:
        await self.reach()
        return self._edges.world.room.alert_count()

    async def aclose(self) -> None:
        return

    async def reach(self) -> None:
        """Ask for nothing in particular.

        :raises Fault: the source would answer nothing else either.
        """
        await self._edges.reach(self._peer)
        if self._edges.faults.denies(SENSORS):
            raise Unauthorized("the sensors' source refuses the key")


class SiteBmc:
    """ports.PowerController and ports.Inlet of one virtual BMC. It lives on standby power, whatever its host does."""

    def __init__(self, edges: Edges, state: BmcState) -> None:
        self._edges = edges
        self._state = state
        self._sensor = edges.world.inlets[state.plan.address]

    @property
    def address(self) -> str:
        return self._state.plan.address

    async def observe(self) -> BmcSeen:
        await self._reach()
        world = self._edges.world
        return self._state.seen(world.now, world.cluster.bmc_power(self._state))

    @property
    def inlet_sensor(self) -> str | None:
        return "Inlet Temp" if self._sensor.plan.is_there else None

    async def inlet(self) -> Poll:
        await self._reach()
        if not self._sensor.plan.is_there:
            raise Refused(f"BMC {self.address} shows no inlet sensor: name one by inlet_sensor in ILO_HOSTS")
        world, celsius = self._edges.world, self._sensor.shown_c
        power = self._state.seen(world.now, world.cluster.bmc_power(self._state)).power
        readings = () if celsius is None else (Reading(
            self.address, celsius, stamp=world.now, seen_at=world.now, age_s=0.0, kind=Kind.BMC,
            is_running={Power.ON: True, Power.OFF: False}.get(power),
        ),)
        return Poll(world.now, readings, kind=Kind.BMC, lists_all=False)

    async def power_on(self) -> None:
        await self._reach()
        cluster = self._edges.world.cluster
        host = self._state.plan.host
        command = Command(Verb.POWER_ON_HOST, host or self.address, host or self.address, self.address)

        def starts() -> None:
            if host is not None:
                cluster.start(cluster.hosts[host], f"by BMC {self.address}")

        await self._edges.act(command, starts)

    async def force_off(self) -> None:
        await self._reach()
        cluster, host = self._edges.world.cluster, self._state.plan.host
        command = Command(Verb.FORCE_OFF_HOST, host or self.address, host or self.address, self.address)

        def cuts() -> None:
            if host is not None:
                cluster.cut_power(cluster.hosts[host], f"by BMC {self.address}")

        await self._edges.act(command, cuts)

    async def aclose(self) -> None:
        return

    async def _reach(self) -> None:
        name = f"BMC {self.address}"
        door = Door(name, f"{self.address}:443".lower(), BMC_USER)
        is_dead = self._state.plan.is_dead
        await self._edges.reach(Peer(self.address, name, self.address, self._state.ip, lambda: not is_dead, door))


class SitePorts:
    """ports.TcpPorts of the virtual VMs."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._by_address = {
            ip: vm for vm in edges.world.cluster.vms.values() if vm.plan.ports for ip in vm.plan.addresses
        }

    async def is_open(self, address: str, port: int) -> bool:
        vm = self._by_address.get(address)
        await self._edges.call(address)
        if vm is not None and vm.listens(self._edges.world.now, port) and not self._edges.faults.is_silent(address):
            return True
        if vm is None or not vm.is_on:
            await self._edges.wait_in_vain()
        return False


class VirtualSite:
    """The faces of one world.

    :param latency_s: what a call takes that is answered.
    :param silence_s: what a call takes on top that is not.
    """

    def __init__(self, world: World, clock: Clock, *, latency_s: float = 0.05, silence_s: float = 5.0) -> None:
        self.world = world
        self.faults = Faults(world)
        self.names = SiteNames(world, clock)
        self.doors = Doors(world)
        edges = Edges(world, clock, self.faults, self.names, self.doors, latency_s, silence_s)
        self.sensors = SiteSensors(edges)
        self.hypervisor = StandaloneHosts(edges) if world.plan.is_standalone else SiteHypervisor(edges)
        self.bmcs = [SiteBmc(edges, state) for state in world.cluster.bmcs.values()]
        self.inlets = self.bmcs
        self.ports = SitePorts(edges)

    def begin_process(self, logins: Logins | None = None) -> None:
        """A guard's process begins: it has no session and remembers no name but what it is told.

        :param logins: its memory of refused logins; None: it has none.
        """
        self.names.forget()
        self.hypervisor.forget()
        self.doors.close_all()
        self.doors.logins = logins

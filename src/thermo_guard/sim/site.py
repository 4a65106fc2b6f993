"""The virtual site behind the ports of the real one: room sensors, hypervisor and BMCs as their adapters would be.

Each call takes virtual time, moves the world to that time, and then answers or raises the port's faults. `faults` is
where a drill or a test says what shall go wrong at these edges; what goes wrong in the plant itself is the world's.
Every machine is reached by the name or address that it was given, and every account goes through its door.
"""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import StrEnum

from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import BmcSeen, ClusterSeen, CommandFailure, Host, HostSeen, Power
from thermo_guard.core.readings import AlertCount, Poll
from thermo_guard.ports import Ambiguous, Clock, Fault, Logins, MissingPrivilege, Refused, Transient, Unauthorized

from .doors import Door, Doors
from .machines import BmcState, HostState, Stage
from .names import SiteNames
from .network import SENSORS_IP
from .orders import carry_out
from .world import World

HOST_USER = "root"
BMC_USER = "thermo-guard"
SENSORS = "sensors"
"""The edge to the sensors' source; the others are VCENTER, a host's name, a BMC's address."""


class Effect(StrEnum):
    """What becomes of a call."""

    REFUSE = "refuse"
    FORBID = "forbid"
    LOSE_REQUEST = "lose_request"
    """It times out before anything was done."""
    LOSE_ANSWER = "lose_answer"
    """It is done, and the answer times out."""


@dataclass(slots=True)
class _Rule:
    verb: Verb
    effect: Effect
    left: int
    target: str | None


@dataclass(slots=True)
class Faults:
    """What shall go wrong at the edges."""

    world: World
    _rules: list[_Rule] = field(default_factory=list)
    _silent_until: dict[str, float] = field(default_factory=dict)
    _denied_until: dict[str, float] = field(default_factory=dict)

    def next_calls(self, verb: Verb, effect: Effect, times: int = 1, target: str | None = None) -> None:
        """Spoil the next calls of a verb; `target` narrows it to one VM, host or BMC, by its name or id."""
        self._rules.append(_Rule(verb, effect, times, target))

    def silence(self, edge: str, for_s: float = math.inf) -> None:
        """Let an edge not answer: SENSORS, VCENTER, a host's name (its API), a BMC's address."""
        self._silent_until[edge] = self.world.now + for_s

    def deny_login(self, edge: str, for_s: float = math.inf) -> None:
        """Let an edge end its sessions and refuse every login, as when a password was changed."""
        self._denied_until[edge] = self.world.now + for_s

    def mend(self, edge: str) -> None:
        """Let an edge answer and accept logins again."""
        self._silent_until.pop(edge, None)
        self._denied_until.pop(edge, None)

    def clear(self) -> None:
        """Nothing goes wrong at the edges any more."""
        self._rules.clear()
        self._silent_until.clear()
        self._denied_until.clear()

    def is_silent(self, edge: str) -> bool:
        return self.world.now < self._silent_until.get(edge, -math.inf)

    def denies(self, edge: str) -> bool:
        return self.world.now < self._denied_until.get(edge, -math.inf)

    def effect_on(self, verb: Verb, *targets: str) -> Effect | None:
        """What becomes of this call; counts it."""
        for rule in self._rules:
            if rule.verb is verb and rule.left > 0 and (rule.target is None or rule.target in targets):
                rule.left -= 1
                return rule.effect
        return None


@dataclass(frozen=True, slots=True)
class _Peer:
    """A machine of the site as one call goes to it; what may change while the call is on its way is asked there."""

    edge: str
    """As in `Faults`."""
    name: str
    """For people."""
    address: str
    """Host name or IP address by which the guard knows it."""
    ip: str | None
    """Where it stands in truth; None: nowhere."""
    answers: Callable[[], bool] = lambda: True
    door: Door | None = None
    life: Callable[[], Hashable] = lambda: 0
    """Changes when it forgets its sessions."""
    refuses: Callable[[], bool] = lambda: False
    """Whether it takes no new login of the door's account."""


class _Edges:
    """What all faces share: the time a call takes, and the faults at its edge."""

    def __init__(
        self, world: World, clock: Clock, faults: Faults, names: SiteNames, doors: Doors, latency_s: float,
        silence_s: float,
    ) -> None:
        self.world = world
        self.faults = faults
        self._clock = clock
        self._names = names
        self._doors = doors
        self._latency_s = latency_s
        self._silence_s = silence_s

    async def reach(self, peer: _Peer) -> None:
        """Spend a call's time and come out where the peer has the request.

        :raises Transient: its name stands for no address, or it does not answer at that address.
        :raises Unauthorized: it refuses the login, or did so a while ago.
        """
        if peer.door is not None:
            self._doors.knock(peer.door, peer.life())
        addresses = await self._names.resolve(peer.address)
        await self._clock.sleep(self._latency_s)
        self.world.advance(self._clock.now())
        if self.faults.is_silent(peer.edge) or peer.ip not in addresses or not peer.answers():
            await self.wait_in_vain()
            raise Transient(f"{peer.name} does not answer")
        if peer.door is not None:
            self._log_in(peer, peer.door)

    def _log_in(self, peer: _Peer, door: Door) -> None:
        is_denied = self.faults.denies(peer.edge)
        if is_denied:
            self._doors.close(door)
        refuses = is_denied or peer.refuses()
        why_not = f"refuses the user name or the password of {door.user}" if refuses else ""
        self._doors.enter(door, peer.life(), why_not)

    async def wait_in_vain(self) -> None:
        await self._clock.sleep(self._silence_s)
        self.world.advance(self._clock.now())

    async def act(self, command: Command, do: Callable[[], None]) -> None:
        """Carry out what a peer was asked, or spoil it, and note both.

        :raises Fault: as it was spoiled, or as the peer declined.
        """
        effect = self.faults.effect_on(command.verb, command.target, command.name, command.via)
        try:
            await self._spoiled(command, effect, do)
        except Fault as fault:
            self._note(command, f"{type(fault).__name__}: {fault}")
            raise
        self._note(command, "taken")

    async def _spoiled(self, command: Command, effect: Effect | None, do: Callable[[], None]) -> None:
        if effect is Effect.REFUSE:
            raise Refused(f"{command.name}: refused by drill")
        if effect is Effect.FORBID:
            raise Unauthorized(f"{command.name}: no right, by drill")
        if effect is Effect.LOSE_REQUEST:
            await self.wait_in_vain()
            raise Transient(f"{command.name}: timed out before it was sent")
        do()
        if effect is Effect.LOSE_ANSWER:
            await self.wait_in_vain()
            raise Ambiguous(f"{command.name}: the answer was lost")

    def _note(self, command: Command, result: str) -> None:
        self.world.timeline.note(f"call.{command.verb.value}", command.name, f"via {command.via}: {result}")


class SiteSensors:
    """ports.RoomSensors of the virtual room."""

    def __init__(self, edges: _Edges) -> None:
        self._edges = edges
        network = edges.world.network
        self._peer = _Peer(
            SENSORS, "the sensors' source", edges.world.plan.infrastructure.sensors_address, SENSORS_IP,
            answers=lambda: network.is_wan_up,
        )

    async def poll(self) -> Poll:
        await self.reach()
        return self._edges.world.room.poll()

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


class SiteHypervisor:
    """ports.Hypervisor of the virtual cluster."""

    def __init__(self, edges: _Edges) -> None:
        self._edges = edges
        self._world = edges.world
        self._cluster = edges.world.cluster

    async def observe(self) -> ClusterSeen:
        await self._reach_vcenter()
        now, plan = self._world.now, self._world.plan
        states = [state for state in self._cluster.hosts.values() if state.plan.cluster == plan.cluster]
        reachable = {state.name: self._cluster.is_connected(state) for state in states}
        vms = tuple(
            vm.seen(now, is_reachable=reachable[vm.host], is_known=self._cluster.hosts[vm.host].stage is Stage.UP)
            for vm in self._cluster.vms.values() if vm.host in reachable
        )
        return ClusterSeen(
            at=now, name=plan.cluster, hosts=tuple(self._host(state, is_connected=reachable[state.name])
                                                   for state in states),
            vms=vms, settings=self._cluster.settings, addresses=(plan.vcenter.address, plan.vcenter.ip),
            failures=self._failures(VCENTER),
        )

    async def look_at_host(self, name: str, address: str, thumbprint: str | None = None) -> HostSeen:
        host = await self._reach_host(name, address)
        if thumbprint is not None and host.plan.thumbprint is not None and thumbprint != host.plan.thumbprint:
            raise Refused(f"{name} shows another certificate than vCenter showed for it")
        now = self._world.now
        return HostSeen(
            at=now, name=name, uuid=host.uuid, in_maintenance=host.in_maintenance,
            vms=tuple(vm.seen(now) for vm in self._cluster.vms_on(name)), failures=self._failures(name),
        )

    async def missing_privileges(self) -> tuple[MissingPrivilege, ...]:
        await self._reach_vcenter()
        return self._world.denied

    async def execute(self, command: Command, address: str | None = None) -> None:
        if command.via == VCENTER:
            await self._reach_vcenter()
        else:
            await self._reach_host(command.via, address)
        await self._edges.act(command, lambda: carry_out(self._cluster, command))

    async def aclose(self) -> None:
        return

    async def _reach_vcenter(self) -> None:
        plan, cluster = self._world.plan.vcenter, self._cluster
        await self._edges.reach(_Peer(
            VCENTER, "vCenter", plan.address, plan.ip, lambda: cluster.vcenter_answers,
            Door("vCenter", f"{plan.address}:443".lower(), plan.user, plan.idle_s),
            lambda: 0 if cluster.vcenter_vm is None else cluster.vcenter_vm.epoch,
            lambda: not self._world.network.domain_answers,
        ))

    async def _reach_host(self, name: str, address: str | None) -> HostState:
        host = self._cluster.hosts.get(name)
        at, _, port = (address or "").rpartition(":")
        label = f"{name} ({address})"
        await self._edges.reach(_Peer(
            name, label, at or name, None if host is None or port != "443" else host.ip,
            lambda: host is not None and host.stage is Stage.UP,
            Door(f"ESXi host {label}", f"{address}".lower(), HOST_USER), lambda: None if host is None else host.epoch,
        ))
        return self._cluster.hosts[name]

    def _host(self, state: HostState, *, is_connected: bool) -> Host:
        return Host(
            name=state.name, address=state.address, uuid=state.uuid,
            serials=state.plan.serials or (f"SN-{state.name}",),
            is_connected=is_connected, in_maintenance=state.in_maintenance,
            power=Power.ON if is_connected else Power.UNKNOWN, thumbprint=state.plan.thumbprint,
        )

    def _failures(self, via: str) -> tuple[CommandFailure, ...]:
        return tuple(self._cluster.failures.pop(via, ()))


class SiteBmc:
    """ports.PowerController of one virtual BMC. It lives on standby power, whatever its host does."""

    def __init__(self, edges: _Edges, state: BmcState) -> None:
        self._edges = edges
        self._state = state

    @property
    def address(self) -> str:
        return self._state.plan.address

    async def observe(self) -> BmcSeen:
        await self._reach()
        world = self._edges.world
        return self._state.seen(world.now, world.cluster.bmc_power(self._state))

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
        await self._edges.reach(_Peer(self.address, name, self.address, self._state.ip, door=door))


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
        edges = _Edges(world, clock, self.faults, self.names, self.doors, latency_s, silence_s)
        self.sensors = SiteSensors(edges)
        self.hypervisor = SiteHypervisor(edges)
        self.bmcs = [SiteBmc(edges, state) for state in world.cluster.bmcs.values()]

    def begin_process(self, logins: Logins | None = None) -> None:
        """A guard's process begins: it has no session and remembers no name but what it is told.

        :param logins: its memory of refused logins; None: it has none.
        """
        self.names.forget()
        self.doors.close_all()
        self.doors.logins = logins

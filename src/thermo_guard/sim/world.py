"""The virtual world: one site, one time line, one seed.

It moves only when somebody asks it to: `advance` lets everything happen, in order, that is due by then. Integration
keeps to a fixed grid from the start on, so that what happens does not depend on how often anybody looks.
"""

from dataclasses import replace

from thermo_guard.core.plant import Question, Role, Vcls
from thermo_guard.ports import MissingPrivilege

from .availability import HighAvailability
from .blueprint import Blueprint
from .cluster import VirtualCluster
from .cluster_services import ClusterServices
from .drs import Drs
from .followers import Agents, FaultTolerance
from .hands import Hands, protect_from
from .inlets import InletFault, inlets_of
from .machines import VmState
from .network import VirtualNetwork
from .physics import STEP_S
from .room import SensorFault, VirtualRoom
from .running import Running
from .timeline import Happening, Timeline
from .watcher import Watcher


class World:
    """A virtual site.

    :param starts_at: seconds since 1970 UTC, on the line of the clock by which it will be advanced.
    """

    def __init__(self, seed: int, plan: Blueprint, starts_at: float = 0.0) -> None:
        self.seed = seed
        self.plan = plan
        self.starts_at = starts_at
        self.timeline = Timeline(starts_at)
        self.cluster = VirtualCluster(plan, seed, self.timeline)
        self.cluster.watchers += _watchers_of(self.cluster)
        self.network = VirtualNetwork(plan, self.cluster, self.timeline)
        self.room = VirtualRoom(plan, seed, self.timeline, self.power_kw)
        self.inlets = inlets_of(self.cluster.bmcs.values(), self.cluster, self.room, seed)
        """What each BMC's inlet sensor shows, by its address."""
        self._grid_at = starts_at

    @property
    def now(self) -> float:
        return self.timeline.now

    @property
    def log(self) -> list[Happening]:
        """What has happened, oldest first."""
        return self.timeline.log

    @property
    def air_c(self) -> float:
        return self.room.heat.air_c

    @property
    def peak_c(self) -> float:
        """The hottest that the air has been."""
        return self.room.peak_c

    @property
    def own_hosts(self) -> frozenset[str]:
        """Names of the hosts of the guarded cluster."""
        return frozenset(host.name for host in self.plan.hosts if host.cluster == self.plan.cluster)

    @property
    def power_kw(self) -> float:
        """All heat given off in the room."""
        return self.cluster.load_kw + self.plan.other_kw

    @property
    def denied(self) -> tuple[MissingPrivilege, ...]:
        return self.plan.denied

    def advance(self, now: float) -> None:
        """Let everything happen that is due by then; a time gone by changes nothing."""
        timeline = self.timeline
        while True:
            step_at = self._grid_at + STEP_S
            if timeline.next_at <= min(step_at, now):
                timeline.happen()
            elif step_at <= now:
                timeline.now = self._grid_at = step_at
                self.room.step(self.power_kw, STEP_S)
                protect_from(self.cluster, self.air_c)
            else:
                break
        timeline.now = max(timeline.now, now)

    def running(self) -> Running:
        """What runs now, for a comparison with later."""
        return self.cluster.running()

    def log_text(self) -> str:
        """The log, one line each; the same seed and the same calls give the same bytes."""
        return "".join(f"{happening}\n" for happening in self.log)

    # ---- what a person or fate does to it, at the time it stands at ----

    def fail_cooling(self, for_s: float, *, restart_s: float = 300.0, left: float = 0.0) -> None:
        self.room.fail_cooling(for_s, restart_s=restart_s, left=left)

    def repair_cooling(self, *, restart_s: float = 300.0) -> None:
        self.room.repair_cooling(restart_s=restart_s)

    def cut_wan(self) -> None:
        """The way out is gone, and the sensors' source with it."""
        self.network.cut_wan()

    def mend_wan(self) -> None:
        self.network.mend_wan()

    def set_sensor(self, serial: str, fault: SensorFault) -> None:
        self.room.set_fault(serial, fault)

    def set_inlet(self, host: str, fault: InletFault) -> None:
        """Let the inlet sensor of a host go wrong, or be right again."""
        for bmc in self.cluster.bmcs.values():
            if bmc.plan.host == host:
                self.inlets[bmc.plan.address].set_fault(fault)
        self.timeline.note("inlet.fault", host, fault.value)

    def cut_power(self, host: str) -> None:
        """Take a host's power away at once."""
        self._hands.cut_power(self.cluster.hosts[host], "power cut")

    def press_power(self, host: str) -> None:
        """A person at the button of a host that is off."""
        self._hands.start(self.cluster.hosts[host], "by hand")

    def break_host(self, host: str) -> None:
        """From its next start on, it has power and never an operating system."""
        self.cluster.hosts[host].is_broken = True

    def mend_host(self, host: str) -> None:
        """It starts properly again, once its power has been off."""
        self.cluster.hosts[host].is_broken = False

    def let_go(self, host: str) -> None:
        """Have vCenter disconnect it; it takes it back only when it is asked to."""
        self._hands.let_go(self.cluster.hosts[host])

    def join_cluster(self, host: str) -> None:
        """A person adds it, with all that runs on it, to the cluster that is guarded."""
        state = self.cluster.hosts[host]
        state.plan = replace(state.plan, cluster=self.plan.cluster)

    def lock_down(self, host: str, *, is_on: bool = True) -> None:
        """Lockdown mode: from now on it takes no direct login, or takes them again."""
        self._hands.lock_down(self.cluster.hosts[host], is_on=is_on)

    def break_vcenter(self) -> None:
        """It dies where it runs, and a new start of its VM does not help."""
        self._hands.break_vcenter(is_broken=True)

    def mend_vcenter(self) -> None:
        """A person sees to it that it answers again."""
        self._hands.break_vcenter(is_broken=False)

    def turn_vm(self, name: str, *, is_on: bool) -> None:
        """A person switches a VM."""
        vm = self._vm(name)
        if is_on and not vm.is_on:
            self._hands.power_on(vm, "by hand")
        elif not is_on and vm.is_on:
            self._hands.switch_off(vm, "by hand")

    def move_vm(self, name: str, host: str, why: str = "by hand") -> None:
        """A VM moves, on or off, also in the middle of a shutdown.

        :raises ValueError: that host takes no VM now.
        """
        if not self.cluster.hosts[host].takes_vms:
            raise ValueError(f"{host} takes no VM now")
        self._hands.move(self._vm(name), host, why)

    def ask_of_vm(self, name: str, question: Question) -> None:
        """A running VM asks something, and stands still until it is answered or loses its power."""
        self._hands.ask(self._vm(name), question)

    def hang_guest(self, name: str) -> None:
        """From now on its guest takes a shutdown and never ends it."""
        vm = self._vm(name)
        vm.plan = replace(vm.plan, hangs=True)

    def lose_vm(self, name: str) -> None:
        """Its files are gone: nobody can do anything with it any more."""
        self._hands.lose(self._vm(name))

    @property
    def _hands(self) -> Hands:
        return self.cluster.hands

    def _vm(self, name: str) -> VmState:
        return next(vm for vm in self.cluster.vms.values() if vm.name == name)


def _watchers_of(cluster: VirtualCluster) -> list[Watcher]:
    """Those who have something to do in this cluster."""
    roles = {vm.role for vm in cluster.vms.values()}
    watchers: list[Watcher] = [HighAvailability(cluster), Drs(cluster)]
    if cluster.settings.vcls is not Vcls.NONE:
        watchers.append(ClusterServices(cluster))
    if Role.FT_SECONDARY in roles:
        watchers.append(FaultTolerance(cluster))
    if Role.AGENT in roles:
        watchers.append(Agents(cluster))
    return watchers

"""The virtual world: one site, one time line, one seed.

It moves only when somebody asks it to: `advance` lets everything happen, in order, that is due by then. Integration
keeps to a fixed grid from the start on, so that what happens does not depend on how often anybody looks.
"""

from thermo_guard.ports import MissingPrivilege

from .blueprint import Blueprint
from .cluster import Running, VirtualCluster
from .network import VirtualNetwork
from .physics import STEP_S
from .room import SensorFault, VirtualRoom
from .timeline import Happening, Timeline


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
        self.network = VirtualNetwork(plan, self.cluster, self.timeline)
        self.room = VirtualRoom(plan, seed, self.timeline, self.power_kw)
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
                self.cluster.protect_from(self.air_c)
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

    def cut_power(self, host: str) -> None:
        """Take a host's power away at once."""
        self.cluster.cut_power(self.cluster.hosts[host])

    def press_power(self, host: str) -> None:
        """A person at the button of a host that is off."""
        self.cluster.start(self.cluster.hosts[host], "by hand")

    def break_host(self, host: str) -> None:
        """From its next start on, it has power and never an operating system."""
        self.cluster.hosts[host].is_broken = True

    def mend_host(self, host: str) -> None:
        """It starts properly again, once its power has been off."""
        self.cluster.hosts[host].is_broken = False

    def turn_vm(self, name: str, *, is_on: bool) -> None:
        """A person switches a VM."""
        vm = next(vm for vm in self.cluster.vms.values() if vm.name == name)
        if is_on and not vm.is_on:
            self.cluster.power_on(vm, "by hand")
        elif not is_on and vm.is_on:
            self.cluster.stop_by_hand(vm)

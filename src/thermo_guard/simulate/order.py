"""In which order things may stop and start, and what ran before: by the world's own truth."""

from collections import deque
from collections.abc import Set as AbstractSet

from thermo_guard.core.commands import Command, Verb
from thermo_guard.core.events import Sighting
from thermo_guard.core.plant import Role
from thermo_guard.core.step import Timing
from thermo_guard.sim.machines import HostState, Stage, VmState
from thermo_guard.sim.world import World

LATELY_S = 180.0
"""What has changed since may not have been seen yet: looks are some seconds apart, and may be silent for a while."""
LOOKS = 3
"""So many looks in a cool room it takes until what is off is meant to be."""
_STOPS = {Verb.SHUT_DOWN_GUEST, Verb.POWER_OFF_VM, Verb.TERMINATE_VM}
_HOST_STOPS = {Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST}


class Order:
    def __init__(self, world: World, timing: Timing) -> None:
        self._world = world
        self._timing = timing
        self._read = 0
        self._changed: dict[tuple[str, str], float] = {}
        """(kind of happening, name) to when it last happened."""
        self._ran: set[str] = set()
        """VMs that ran when the incident began or shortly before; names."""
        self._hosts_on: set[str] = set()
        self._is_open = False
        self.sheds_tiers: frozenset[int] | None = None
        """Tiers that are shed while nothing else is stopped; None: everything stops."""
        self.confirmed: frozenset[str] | None = None
        """Hosts that are the guard's; None: all of the cluster."""
        self._cool_at = world.now
        """When the sensors last said so."""
        self._seen_at = deque([world.now], maxlen=LOOKS)
        """When the plant was lately looked at in a cool room."""

    def begin(self, snapshot_s: float) -> None:
        """An incident begins: what runs now may come back, and what did when the plant was last looked at in a cool
        room; what went off since then, the heat may have taken.
        """
        self.catch_up()
        cluster = self._world.cluster
        since = min(self._cool_at - 3 * snapshot_s, self._seen_at[0]) - LATELY_S
        shown = {vm.name for vm in cluster.vms.values() if vm.is_on or vm.was_on}  # vCenter shows a dead host's as on
        lost = {vm.name for vm in cluster.vms.values() if cluster.hosts[vm.host].stage is not Stage.UP}
        self._ran = shown | self._gone("vm.off", since) | (self._ran & lost)  # nobody sees that those are off
        self._hosts_on = {host.name for host in cluster.hosts.values() if host.stage is not Stage.OFF}
        self._hosts_on |= self._gone("host.off", since)
        self._is_open = True

    def room_is_cool(self) -> None:
        self._cool_at = self._world.now

    def seen_in_the_cool(self) -> None:
        self._seen_at.append(self._world.now)

    def may_run(self, name: str) -> bool:
        """The VM or host ran before, as far as the guard can know: it may come back."""
        return name in self._ran or name in self._hosts_on

    def _gone(self, kind: str, since: float) -> set[str]:
        return {name for (what, name), at in self._changed.items() if what == kind and at >= since}

    def snapshot_is_closed(self) -> None:
        self.catch_up()
        self._ran |= {vm.name for vm in self._world.cluster.vms.values() if vm.is_on}
        self._is_open = False

    def catch_up(self) -> None:
        """Take in what the world has logged since."""
        log = self._world.log
        for happening in log[self._read:]:
            self._changed[happening.kind, happening.object] = happening.at
            if self._is_open and happening.kind == "vm.on":
                self._ran.add(happening.object)
        self._read = len(log)

    def why_not_back(self, command: Command) -> str | None:
        """Why this is nothing to power on."""
        if command.verb is Verb.POWER_ON_HOST:
            return None if command.target in self._hosts_on else "it was off before"
        vm = self._world.cluster.vms.get(command.target)
        return None if vm is not None and vm.name in self._ran else "it did not run before"

    def why_too_early(self, command: Command, given_up: AbstractSet[str]) -> str | None:
        """What is still to be done before it on the way down; None where it is its turn."""
        cluster = self._world.cluster
        vm = cluster.vms.get(command.target)
        if command.verb in _STOPS and vm is not None and self._is_guest(vm):
            return self._lower_tier_runs(vm, given_up)
        if command.verb in _STOPS and vm is not None and vm.name == self._world.plan.vcenter.vm:
            return self._others_run(vm, given_up)
        if command.verb in _HOST_STOPS:
            return self._guests_run_on(cluster.hosts[command.target], given_up)
        if command.verb is Verb.FORCE_OFF_HOST and not self._timing.force_bmc_off:
            return "it is not allowed by the settings"
        return None

    def _lower_tier_runs(self, vm: VmState, given_up: AbstractSet[str]) -> str | None:
        tier = self._tier(vm)
        for other in self._world.cluster.vms.values():
            if self._tier(other) < tier and self._is_shed(other) and self._still_runs(other, given_up):
                return f"{other.name} of tier {self._tier(other)} runs, and was not given up"
        return None

    def why_not_shed(self, command: Command) -> str | None:
        """Why this is nothing that may be shed; None where it is, or where everything stops."""
        if self.sheds_tiers is None:
            return None
        cluster = self._world.cluster
        if (vm := cluster.vms.get(command.target)) is not None:
            is_shed = self._is_guest(vm) and self._tier(vm) in self.sheds_tiers
            return None if is_shed else "the runbook does not have it shed"
        if (host := cluster.hosts.get(command.target)) is None:
            return "the cluster runs on: its settings stay"
        up = [one for one in cluster.hosts.values() if one.plan.cluster == host.plan.cluster and one.stage is Stage.UP]
        return "it is the last host that is up" if command.verb in _HOST_STOPS and up == [host] else None

    def _is_shed(self, vm: VmState) -> bool:
        return self.sheds_tiers is None or (self._tier(vm) in self.sheds_tiers and vm.name in self._ran)

    def _others_run(self, vcenter: VmState, given_up: AbstractSet[str]) -> str | None:
        for other in self._world.cluster.vms.values():
            if other is not vcenter and self._still_runs(other, given_up):
                return f"{other.name} runs, and was not given up"
        for host in self._world.cluster.hosts.values():
            is_other = host.plan.cluster == self._world.plan.cluster and host.name != vcenter.host
            is_other = is_other and (self.confirmed is None or host.name in self.confirmed)
            if is_other and host.stage is Stage.UP and self._is_settled("host.on", host.name) and (
                host.name not in given_up and not self._world.plan.has_vsan
            ):
                return f"host {host.name} is up, and was not given up"
        return None

    def _guests_run_on(self, host: HostState, given_up: AbstractSet[str]) -> str | None:
        for vm in self._world.cluster.vms_on(host.name):
            if self._still_runs(vm, given_up):
                return f"{vm.name} runs on it, and was not given up"
        return None

    def _still_runs(self, vm: VmState, given_up: AbstractSet[str]) -> bool:
        """It is one of those that stop, and has run for so long that the guard must know."""
        if not self._is_guest(vm) or not vm.is_on or vm.id in given_up or vm.is_lost:
            return False
        is_old = self._is_settled("vm.on", vm.name) and self._is_settled("vm.moved", vm.name)
        host = self._world.cluster.hosts[vm.host]
        return is_old and host.stage is Stage.UP and self._is_settled("host.on", host.name)

    def _is_settled(self, kind: str, name: str) -> bool:
        at = self._changed.get((kind, name))
        return at is None or self._world.now - at > LATELY_S

    def _is_guest(self, vm: VmState) -> bool:
        plan, host = self._world.plan, self._world.cluster.hosts[vm.host]
        is_other = vm.name in {plan.vcenter.vm, plan.infrastructure.guard} or vm.role is not Role.WORKLOAD
        is_ours = host.plan.cluster == plan.cluster and (self.confirmed is None or host.name in self.confirmed)
        return is_ours and not is_other and not vm.plan.is_template

    def was_so(self, seen: Sighting) -> bool:
        """What is on record as seen is so, or was lately."""
        self.catch_up()
        cluster = self._world.cluster
        if seen.target_kind == "vm":
            vm = cluster.vms.get(seen.target)
            if vm is None or self._is_lied_about(vm.host):
                return True
            last = cluster.hosts.get(seen.by)
            if seen.power == "off" and last is not None and last.stage is Stage.OFF:
                return True  # nothing shows it, and it was there: it goes with its host until a look says that it moved
            is_on, until_then = vm.is_on, ("vm.on" if vm.is_on else "vm.off")
        else:
            host = cluster.hosts.get(seen.target)
            if host is None or self._is_lied_about(host.name):
                return True
            if seen.by == "silence" and host.stage is Stage.STOPPING:
                return True  # without a BMC its silence is all that there is to see
            is_on = host.stage is not Stage.OFF
            until_then = "host.power_on" if is_on else "host.off"
        if is_on is (seen.power == "on"):
            return True
        at = self._changed.get((until_then, seen.name))
        return at is not None and self._world.now - at < LATELY_S

    def _is_lied_about(self, host: str) -> bool:
        """Its BMC says Off whatever it does."""
        return any(bmc.plan.host == host and bmc.plan.says_off for bmc in self._world.cluster.bmcs.values())

    def _tier(self, vm: VmState) -> int:
        """A host by itself knows no tags."""
        return vm.plan.tier if vm.plan.tier is not None and not self._world.plan.is_standalone else 1

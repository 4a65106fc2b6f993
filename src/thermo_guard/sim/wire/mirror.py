"""What VMware's simulator has done to hosts and VMs, written into the world entry by entry of its journal.

The world itself then does nothing of its own to them: no HA, no DRS and no cluster services, no guest that takes its
time. Its heat, its BMCs and its log follow from what is written here.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from thermo_guard.core.commands import Verb
from thermo_guard.core.plant import ClusterSettings, Question, Role, Vcls
from thermo_guard.sim.blueprint import VmPlan
from thermo_guard.sim.cluster import VirtualCluster
from thermo_guard.sim.machines import HostState, Stage, VmState

from .hands import OverlayHands

_LOST = {"orphaned", "inaccessible", "invalid"}
"""A VM's connection when nobody has its files."""


class Mirror:
    """One world's picture of its simulator.

    :param labels: the world's name of each host, by the simulator's.
    """

    def __init__(self, cluster: VirtualCluster, hands: OverlayHands, labels: Mapping[str, str]) -> None:
        self._cluster = cluster
        self._timeline = cluster.timeline
        self._hands = hands
        self._labels = labels
        self._vms = {vm.name: vm for vm in cluster.vms.values()}
        self._on_host: Mapping[str, Callable[[HostState], None]] = {
            "host.silent": self._fall_silent, "host.off": self._lose_power, "host.on": self._get_power,
            "host.booted": self._answer, "host.standby": self._stand_by,
            "host.disconnected": lambda host: self._connect(host, is_let_go=True),
            "host.connected": lambda host: self._connect(host, is_let_go=False),
            "host.reconnected": lambda host: self._connect(host, is_let_go=False),
            "maintenance.on": lambda host: self._maintain(host, is_on=True),
            "maintenance.off": lambda host: self._maintain(host, is_on=False),
        }
        self._on_vm: Mapping[str, Callable[[VmState, Mapping[str, Any]], None]] = {
            "vm.off": self._switch_off, "vm.suspended": self._switch_off, "vm.on": self._switch_on,
            "vm.tools": self._run_tools, "vm.moved": self._move, "vm.registered": self._move,
            "vm.asked": self._ask, "vm.question": self._ask, "vm.answered": self._take_answer,
            "vm.connection": self._lose, "vcls.removed": self._remove,
        }

    def show(self, entry: Mapping[str, Any]) -> None:
        """Write one entry of the journal into the world, at the time it stands at."""
        what, name = entry["what"], entry["object"]
        if what == "vcls.spawned":
            self._spawn(name, entry["host"])
        elif (on_host := self._on_host.get(what)) is not None:
            on_host(self._cluster.hosts[self._labels.get(name, name)])
        elif (on_vm := self._on_vm.get(what)) is not None:
            if name in self._vms:  # one that somebody has made in vSphere is none of the world's
                on_vm(self._vms[name], entry)
        elif what in {"vcenter.cut", "vcenter.reachable"}:
            self._cluster.is_vcenter_broken = what == "vcenter.cut"
        elif what == "cluster.reconfigured" and name == self._cluster.plan.cluster:
            self._set(entry["settings"])
        elif what in {"vcls.retreat", "vcls.wanted"}:
            is_wanted = what == "vcls.wanted"
            self._cluster.settings = replace(self._cluster.settings, vcls=Vcls.ON if is_wanted else Vcls.RETREAT)
            self._note_settings(Verb.RESTORE_VCLS if is_wanted else Verb.RETREAT_VCLS)

    # ---- the cluster ----

    def _set(self, told: Mapping[str, Any]) -> None:
        before, now = self._cluster.settings, ClusterSettings(
            ha_enabled=told["ha_enabled"], ha_host_monitoring=told["ha_host_monitoring"],
            ha_admission_control=told["ha_admission_control"], drs_enabled=told["drs_enabled"],
            drs_behavior=told["drs_behavior"], drs_overrides=told["drs_vm_overrides"], dpm_enabled=told["dpm_enabled"],
            vcls=self._cluster.settings.vcls,
        )
        self._cluster.settings = now
        if now.ha_enabled is not before.ha_enabled:
            self._note_settings(Verb.RESTORE_HA if now.ha_enabled else Verb.DISARM_HA)
        elif now.ha_admission_control is not before.ha_admission_control:
            self._note_settings(Verb.RESTORE_ADMISSION)
        if _of_drs(now) != _of_drs(before):
            self._note_settings(Verb.DISARM_DRS if now.drs_behavior == "manual" else Verb.RESTORE_DRS)

    def _note_settings(self, verb: Verb) -> None:
        """In the words of the world's own log: whoever did it, it is what the guard would have asked for."""
        self._timeline.note("cluster.settings", self._cluster.plan.cluster, verb.value)

    # ---- hosts ----

    def _fall_silent(self, host: HostState) -> None:
        self._cluster.to_stage(host, Stage.STOPPING)
        host.silent_since = self._timeline.now
        self._timeline.note("host.stopping", host.name, self._hands.reason(host.name))

    def _lose_power(self, host: HostState) -> None:
        if host.stage is Stage.UP:
            host.silent_since = self._timeline.now
        if host.stage is not Stage.OFF:
            self._cluster.to_stage(host, Stage.OFF)
            self._timeline.note("host.off", host.name, self._hands.reason(host.name))
        if not host.is_broken:
            self._hands.isolate(host, is_cut=False)

    def _get_power(self, host: HostState) -> None:
        host.is_standby = False
        self._cluster.to_stage(host, Stage.BOOTING)
        self._timeline.note("host.power_on", host.name, self._hands.reason(host.name))
        if host.is_broken:
            self._hands.isolate(host, is_cut=True)

    def _answer(self, host: HostState) -> None:
        if host.is_broken:
            return
        self._cluster.to_stage(host, Stage.UP)
        self._timeline.note("host.on", host.name, "in maintenance mode" if host.in_maintenance else "")

    def _stand_by(self, host: HostState) -> None:
        self._lose_power(host)
        host.is_standby = True

    def _connect(self, host: HostState, *, is_let_go: bool) -> None:
        if host.is_let_go is not is_let_go:
            host.is_let_go = is_let_go
            self._timeline.note("host.let_go" if is_let_go else "host.reconnected", host.name)

    def _maintain(self, host: HostState, *, is_on: bool) -> None:
        host.in_maintenance = is_on
        self._timeline.note("host.maintenance_entered" if is_on else "host.maintenance_left", host.name)

    # ---- VMs ----

    def _switch_off(self, vm: VmState, entry: Mapping[str, Any]) -> None:
        self._cluster.switch_off(vm, entry.get("detail") or self._hands.reason(vm.name))
        if vm is self._cluster.vcenter_vm and self._cluster.is_vcenter_broken:
            self._hands.break_vcenter(is_broken=True)

    def _switch_on(self, vm: VmState, _: Mapping[str, Any]) -> None:
        if not vm.is_on:
            self._cluster.power_on(vm, self._hands.reason(vm.name))

    def _run_tools(self, vm: VmState, _: Mapping[str, Any]) -> None:
        """It has started, by whichever clock."""
        vm.on_since = min(vm.on_since, self._timeline.now - vm.plan.start_s)

    def _move(self, vm: VmState, entry: Mapping[str, Any]) -> None:
        host = self._labels.get(entry["host"], entry["host"])
        if host != vm.host:
            self._cluster.move(vm, host, self._hands.reason(vm.name))

    def _ask(self, vm: VmState, entry: Mapping[str, Any]) -> None:
        asks, text = vm.plan.asks, entry.get("detail", "")
        self._cluster.ask(vm, asks if asks is not None and asks.text == text else Question(entry["what"], text))

    def _take_answer(self, vm: VmState, _: Mapping[str, Any]) -> None:
        vm.question = None
        self._timeline.note("vm.answered", vm.name)

    def _lose(self, vm: VmState, entry: Mapping[str, Any]) -> None:
        vm.is_lost = entry["detail"] in _LOST

    def _spawn(self, name: str, host: str) -> None:
        plan = VmPlan(name, self._labels.get(host, host), role=Role.VCLS, has_tools=False)
        self._cluster.add(plan, "made anew")
        self._vms = {vm.name: vm for vm in self._cluster.vms.values()}

    def _remove(self, vm: VmState, _: Mapping[str, Any]) -> None:
        if vm.is_on:
            self._cluster.switch_off(vm, "removed by vCenter")
        self._cluster.delete(vm)
        del self._vms[vm.name]


def _of_drs(settings: ClusterSettings) -> tuple[object, ...]:
    return settings.drs_enabled, settings.drs_behavior, settings.drs_overrides, settings.dpm_enabled

"""Who may ask the virtual cluster for what, and how it declines: the rules of vCenter and ESXi, not those of a wire.

What is already as it was asked for is taken, as the real adapters do. Raises the faults of the ports.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import ClusterSettings, Role, Vcls
from thermo_guard.ports import Refused, Transient, Unauthorized

from .cluster import VirtualCluster
from .machines import HostState, Stage, VmState

PRIVILEGES = {
    Verb.DISARM_HA: "Host.Inventory.EditCluster",
    Verb.DISARM_DRS: "Host.Inventory.EditCluster",
    Verb.RESTORE_HA: "Host.Inventory.EditCluster",
    Verb.RESTORE_DRS: "Host.Inventory.EditCluster",
    Verb.RESTORE_ADMISSION: "Host.Inventory.EditCluster",
    Verb.RETREAT_VCLS: "Global.Settings",
    Verb.RESTORE_VCLS: "Global.Settings",
    Verb.ANSWER_VM: "VirtualMachine.Interact.AnswerQuestion",
    Verb.TERMINATE_VM: "VirtualMachine.Interact.PowerOff",
    Verb.RECONNECT_HOST: "Host.Config.Connection",
    Verb.SHUT_DOWN_GUEST: "VirtualMachine.Interact.PowerOff",
    Verb.POWER_OFF_VM: "VirtualMachine.Interact.PowerOff",
    Verb.POWER_ON_VM: "VirtualMachine.Interact.PowerOn",
    Verb.ENTER_MAINTENANCE: "Host.Config.Maintenance",
    Verb.EXIT_MAINTENANCE: "Host.Config.Maintenance",
    Verb.SHUT_DOWN_HOST: "Host.Config.Maintenance",
}
"""What vCenter asks of an account for each verb."""


def carry_out(cluster: VirtualCluster, command: Command) -> None:
    """Take one command by a way that answers.

    :raises Refused: it makes no sense now, or never.
    :raises Transient: the machine it is for does not answer, or is busy.
    :raises Unauthorized: the account lacks the right for it.
    """
    if command.via == VCENTER:
        _check_privilege(cluster, command)
    if (setter := _SETTERS.get(command.verb)) is not None:
        _set(cluster, command, setter)
    elif command.verb is Verb.ADOPT_VM:
        _adopt(cluster, command)
    elif command.verb is Verb.RECONNECT_HOST:
        _reconnect(cluster, command)
    elif (vm_order := _VM_ORDERS.get(command.verb)) is not None:
        vm_order(cluster, _vm(cluster, command), command)
    elif (host_order := _HOST_ORDERS.get(command.verb)) is not None:
        host_order(cluster, _host(cluster, command), command)
    else:
        raise ValueError(f"{command.verb} is not for a hypervisor")


def _check_privilege(cluster: VirtualCluster, command: Command) -> None:
    wanted = PRIVILEGES.get(command.verb)
    for lack in cluster.plan.denied:
        if lack.privilege == wanted and lack.entity == command.name:
            raise Unauthorized(f"the account lacks {lack.privilege} on {lack.entity_kind} {lack.entity}")


def _vm(cluster: VirtualCluster, command: Command) -> VmState:
    vm = cluster.vms.get(command.target)
    if vm is None or (command.via not in {VCENTER, vm.host}):
        where = "vCenter" if command.via == VCENTER else command.via
        raise Refused(f"{where} has no VM {command.name}")
    if cluster.hosts[vm.host].stage is not Stage.UP:
        raise Transient(f"{vm.host}, where {vm.name} is registered, does not answer")
    if command.via == VCENTER and cluster.hosts[vm.host].is_let_go:
        raise Transient(f"vCenter is not connected to {vm.host}, where {vm.name} is registered")
    if vm.is_lost:
        raise Refused(f"the files of {vm.name} are not accessible")
    if vm.role is Role.FT_SECONDARY:
        raise Refused(f"{vm.name} is the secondary of a fault-tolerant pair: only {vm.plan.ft_primary} takes orders")
    return vm


def _host(cluster: VirtualCluster, command: Command) -> HostState:
    host = cluster.hosts.get(command.target)
    if host is None or (command.via not in {VCENTER, host.name}):
        raise Refused(f"there is no host {command.name} at {command.via}")
    if host.stage is not Stage.UP:
        raise Transient(f"{host.name} does not answer")
    if command.via == VCENTER and host.plan.refuses_vcenter:
        raise Refused(f"{host.name} declines what vCenter asks of it")
    if command.via == VCENTER and not cluster.is_connected(host):
        raise Transient(f"vCenter is not connected to {host.name}")
    return host


# ---- VMs ----


def _shut_down_guest(cluster: VirtualCluster, vm: VmState, _: Command) -> None:
    if not vm.is_on:
        return
    if vm.question is not None:
        raise Refused(f"{vm.name} waits for an answer: {vm.question.text}")
    if not vm.has_tools(cluster.timeline.now):
        raise Refused(f"the tools of {vm.name} do not run")
    cluster.shut_down_guest(vm)


def _power_off_vm(cluster: VirtualCluster, vm: VmState, command: Command) -> None:
    if vm.is_on:
        cluster.power_off(vm, command.via)


def _terminate_vm(cluster: VirtualCluster, vm: VmState, command: Command) -> None:
    if vm.is_on:
        cluster.terminate(vm, command.via)


def _answer_vm(cluster: VirtualCluster, vm: VmState, command: Command) -> None:
    """What is no longer asked is no error: somebody else has answered."""
    if vm.question is None or command.answer is None or command.answer[0] != vm.question.id:
        return
    if command.answer[1] not in {key for key, _ in vm.question.choices}:
        raise Refused(f"{vm.name} takes no such answer: {command.answer[1]}")
    cluster.answer(vm)


def _power_on_vm(cluster: VirtualCluster, vm: VmState, command: Command) -> None:
    if vm.is_on:
        return
    host = cluster.hosts[vm.host]
    if vm.plan.is_template:
        raise Refused(f"{vm.name} is a template")
    if command.via == VCENTER and not cluster.is_connected(host):
        raise Transient(f"vCenter is not connected to {host.name}")
    if host.in_maintenance or host.entering_until is not None:
        raise Refused(f"{host.name} is in maintenance mode")
    settings = cluster.settings
    hosts = [other for other in cluster.hosts.values() if other.plan.cluster == host.plan.cluster]
    is_guarded = settings.ha_enabled and settings.ha_admission_control
    if command.via == VCENTER and is_guarded and len(hosts) > 1 and sum(other.takes_vms for other in hosts) <= 1:
        raise Refused("admission control: no second host could take the VM if its host failed")
    cluster.power_on(vm)


def _adopt(cluster: VirtualCluster, command: Command) -> None:
    """Register the VM of a dead host on a living one; its files lie on storage that both reach."""
    taker, vm = cluster.hosts.get(command.via), cluster.vms.get(command.target)
    if taker is None:
        raise Refused(f"a VM is registered by a host, and {command.via} is none")
    if vm is None or command.path != vm.seen(cluster.timeline.now).path:
        raise Refused(f"there is no file {command.path}")
    if vm.host == taker.name:
        return
    if vm.is_lost:
        raise Refused(f"the files of {vm.name} are not accessible")
    if cluster.hosts[vm.host].stage is Stage.UP:
        raise Refused(f"{vm.name} is registered on {vm.host}, which lives")
    cluster.move(vm, taker.name, "registered anew")


# ---- hosts ----


def _enter_maintenance(cluster: VirtualCluster, host: HostState, command: Command) -> None:
    if host.in_maintenance:
        return
    if host.entering_until is not None:
        raise Transient(f"{host.name} is entering maintenance mode already")
    if host.plan.refuses_maintenance:
        raise Refused(f"{host.name} declines maintenance mode")
    cluster.enter_maintenance(host, command.via, command.timeout_s)


def _exit_maintenance(cluster: VirtualCluster, host: HostState, _: Command) -> None:
    if host.in_maintenance or host.entering_until is not None:
        cluster.exit_maintenance(host)


def _shut_down_host(cluster: VirtualCluster, host: HostState, command: Command) -> None:
    if not host.in_maintenance and not command.force:
        raise Refused(f"{host.name} is not in maintenance mode")
    cluster.shut_down(host, "shut down" if host.in_maintenance else "shut down by force")


def _reconnect(cluster: VirtualCluster, command: Command) -> None:
    """Have vCenter take it back: the one order of a host's for which it is not connected to it."""
    host = cluster.hosts.get(command.target)
    if host is None or command.via != VCENTER:
        raise Refused(f"there is no host {command.name} that could be taken back by {command.via}")
    if not host.is_let_go:
        return
    if host.stage is not Stage.UP:
        raise Transient(f"{host.name} does not answer")
    cluster.reconnect(host)


# ---- settings ----


def _set(
    cluster: VirtualCluster, command: Command, setter: Callable[[ClusterSettings, ClusterSettings], ClusterSettings]
) -> None:
    if command.via != VCENTER:
        raise Refused("a host knows nothing of cluster settings")
    if command.verb in {Verb.RETREAT_VCLS, Verb.RESTORE_VCLS} and cluster.settings.vcls is Vcls.NONE:
        raise Refused("this vCenter has no cluster services that could retreat")
    cluster.change_settings(setter(cluster.settings, command.settings or cluster.settings))
    cluster.timeline.note("cluster.settings", cluster.plan.cluster, command.verb.value)


def _restored_drs(now: ClusterSettings, kept: ClusterSettings) -> ClusterSettings:
    return replace(
        now, drs_enabled=kept.drs_enabled, drs_behavior=kept.drs_behavior, drs_overrides=kept.drs_overrides,
        dpm_enabled=kept.dpm_enabled,
    )


def _restored_ha(now: ClusterSettings, kept: ClusterSettings) -> ClusterSettings:
    """Admission control waits until the last VM runs, for it would keep VMs off while hosts are missing."""
    return replace(
        now, ha_enabled=kept.ha_enabled, ha_host_monitoring=kept.ha_host_monitoring, ha_admission_control=False
    )


_SETTERS: Mapping[Verb, Callable[[ClusterSettings, ClusterSettings], ClusterSettings]] = {
    Verb.DISARM_HA: lambda now, _: replace(now, ha_enabled=False),
    Verb.DISARM_DRS: lambda now, _: replace(now, drs_behavior="manual", drs_overrides=False, dpm_enabled=False),
    Verb.RETREAT_VCLS: lambda now, _: replace(now, vcls=Vcls.RETREAT),
    Verb.RESTORE_VCLS: lambda now, _: replace(now, vcls=Vcls.ON),
    Verb.RESTORE_HA: _restored_ha,
    Verb.RESTORE_DRS: _restored_drs,
    Verb.RESTORE_ADMISSION: lambda now, kept: replace(now, ha_admission_control=kept.ha_admission_control),
}
_VM_ORDERS: Mapping[Verb, Callable[[VirtualCluster, VmState, Command], None]] = {
    Verb.SHUT_DOWN_GUEST: _shut_down_guest,
    Verb.POWER_OFF_VM: _power_off_vm,
    Verb.TERMINATE_VM: _terminate_vm,
    Verb.ANSWER_VM: _answer_vm,
    Verb.POWER_ON_VM: _power_on_vm,
}
_HOST_ORDERS: Mapping[Verb, Callable[[VirtualCluster, HostState, Command], None]] = {
    Verb.ENTER_MAINTENANCE: _enter_maintenance,
    Verb.EXIT_MAINTENANCE: _exit_maintenance,
    Verb.SHUT_DOWN_HOST: _shut_down_host,
}

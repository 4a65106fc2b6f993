"""A world's plant as VMware's simulator is told it: the inventory and the options of virtual_vsphere.

Durations are the blueprint's seconds, given in real milliseconds: a site that runs faster than real time has a
simulator that is as much quicker.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from thermo_guard.core.plant import Question, Role, Vcls
from thermo_guard.sim.blueprint import HostPlan
from thermo_guard.sim.cluster import ENTER_S, VirtualCluster
from thermo_guard.sim.cluster_services import RESPAWN_S
from thermo_guard.sim.followers import AGENT_STARTS_S, AGENT_STOPS_S
from thermo_guard.sim.machines import HostState, VmState

_ROLES = {Role.VCLS: "vcls", Role.AGENT: "agent", Role.FT_SECONDARY: "ft_secondary"}


def milliseconds(seconds: float, speed: float) -> int:
    """Real time of so many of the site's seconds; never nothing."""
    return max(1, round(seconds * 1000 / speed))


def inventory(cluster: VirtualCluster, speed: float) -> dict[str, Any]:
    """What the file for -inventory holds."""
    settings = cluster.settings
    return {
        "cluster": cluster.plan.cluster,
        "hosts": [_host(host, speed) for host in cluster.hosts.values()],
        "vms": [_vm(vm, speed, is_vcenter=vm is cluster.vcenter_vm) for vm in cluster.vms.values()],
        "settings": {
            "ha": settings.ha_enabled, "admission_control": bool(settings.ha_admission_control),
            "drs": settings.drs_enabled, "drs_behavior": settings.drs_behavior or "manual",
            "drs_overrides": bool(settings.drs_overrides), "dpm": bool(settings.dpm_enabled),
        },
        "vsan": cluster.plan.has_vsan,
    }


def timing(cluster: VirtualCluster, speed: float) -> dict[str, int]:
    """What takes as long wherever it happens, by the name of its option."""
    return {
        "maintenance-ms": milliseconds(ENTER_S, speed),
        "vcenter-boot-ms": milliseconds(cluster.plan.vcenter.start_s, speed),
        "vcls-ms": milliseconds(RESPAWN_S, speed),
        "agent-stop-ms": milliseconds(AGENT_STOPS_S, speed),
        "agent-start-ms": milliseconds(AGENT_STARTS_S, speed),
        "call-delay-ms": round(cluster.plan.vcenter.latency_s * 1000 / speed),
    }


def options(cluster: VirtualCluster, speed: float) -> list[str]:
    """What the command line says of this plant beside its inventory."""
    plan, has_services = cluster.plan, cluster.settings.vcls is not Vcls.NONE
    told = [f"-{name}={value}" for name, value in timing(cluster, speed).items()]
    told += ["-drs-moves", "-ha-strict", f"-vcls-mode={'option' if has_services else 'none'}"]
    return [*told, *(["-standalone"] if plan.is_standalone else [])]


def rules(cluster: VirtualCluster, names: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """What is refused from the beginning, as paths and forms of the control face.

    :param names: the simulator's name of each host, by the world's.
    """
    for lack in cluster.plan.denied:
        entity = names.get(lack.entity, lack.entity) if lack.entity_kind == "host" else lack.entity
        yield "/deny", {"privilege": lack.privilege, "entity": entity}
    yield from (("/fault", rule) for rule in _faults(cluster, names))


def durations_of_host(plan: HostPlan, speed: float) -> Mapping[str, int]:
    return {"boot_ms": milliseconds(plan.boot_s, speed), "off_ms": milliseconds(plan.shut_s, speed)}


def durations_of_vm(vm: VmState, speed: float) -> Mapping[str, int]:
    return {"guest_ms": milliseconds(vm.plan.shut_s, speed), "boot_ms": milliseconds(vm.plan.start_s, speed)}


def _faults(cluster: VirtualCluster, names: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for host in cluster.hosts.values():
        name = names.get(host.name, host.name)
        if host.plan.refuses_maintenance:
            yield {"method": "EnterMaintenanceMode_Task", "name": name, "kind": "fault"}
        if host.plan.refuses_vcenter:
            yield from ({"method": method, "name": name, "kind": "fault", "face": "vcenter"}
                        for method in ("EnterMaintenanceMode_Task", "ExitMaintenanceMode_Task", "ShutdownHost_Task"))
    for vm in cluster.vms.values():
        if vm.plan.is_stuck:
            yield from ({"method": method, "name": vm.name, "kind": "task" if method.endswith("Task") else "fault"}
                        for method in ("PowerOffVM_Task", "TerminateVM"))


def _host(host: HostState, speed: float) -> dict[str, Any]:
    plan = host.plan
    return {
        "name": host.name, "cluster": plan.cluster, "uuid": host.uuid,
        "serial": (plan.serials or (f"SN-{host.name}",))[0], "on": plan.is_on and not plan.is_standby,
        "maintenance": plan.in_maintenance, "standby": plan.is_standby, "lockdown": plan.in_lockdown,
        "connected": not plan.is_let_go, "shutdown_hang": plan.hangs_down, **durations_of_host(plan, speed),
    }


def _vm(vm: VmState, speed: float, *, is_vcenter: bool) -> dict[str, Any]:
    plan = vm.plan
    return {
        "name": vm.name, "host": vm.host, "power": "on" if vm.is_on else "suspended" if plan.is_suspended else "off",
        "tools": plan.has_tools, "template": plan.is_template, "hang": plan.hangs or plan.is_stuck,
        "power_hang": plan.hangs_power_off, "vcenter": is_vcenter, "tier": plan.tier, "instance_uuid": vm.id,
        "addresses": [] if is_vcenter else list(plan.addresses), "guest_id": plan.guest_os or "",
        "role": _ROLES.get(vm.role, "workload"), "managed_by": plan.managed_by, "ft_primary": plan.ft_primary or "",
        "connection": "inaccessible" if vm.is_lost else "connected",
        **({} if plan.asks is None else {"question": question(plan.asks)}), **durations_of_vm(vm, speed),
    }


def question(asked: Question) -> dict[str, Any]:
    return {"id": asked.id, "text": asked.text, "default": asked.default,
            "choices": [{"key": key, "label": label} for key, label in asked.choices]}

"""A rehearsal: one VM, or one empty host, stopped and started for real, so that its times are measured and its ways
proved. It is an incident whose scope is that one target; what may be rehearsed is decided here.
"""

from . import events as ev
from .goal import incident_id
from .plant import Power, Role
from .policy import Assessment
from .record import Record
from .snapshot import KeptVm, Snapshot
from .view import PlantNow
from .wishes import Wish

_NAME = "rehearsal-"


def is_rehearsal(incident: str) -> bool:
    """Whether an incident's id is that of one."""
    return incident.startswith(_NAME)


def rehearsal(
    wish: Wish, record: Record, assessment: Assessment, snapshot: Snapshot | None, plant: PlantNow, now: float
) -> ev.RehearsalWished | str:
    """The event that begins it, or why it is declined."""
    if record.incident is not None:
        return f"the incident {record.incident.id} is open"
    if not assessment.permits_power_on:
        state = "not known yet" if assessment.level is None else assessment.level
        return f"the room is {state}: what is stopped now could not be started again"
    if snapshot is None:
        return "nothing is on record of the cluster yet"
    if wish.host and snapshot.has_vsan:
        return "the cluster has vSAN, and this version does not shut down its hosts"
    begun = _of_host(wish.host, record, snapshot, plant) if wish.host else _of_vm(wish.vm, snapshot, plant)
    if isinstance(begun, str):
        return begun
    kind, target, name = begun
    return ev.RehearsalWished(f"{_NAME}{incident_id(now)}", wish.by, kind, target, name)


def _of_vm(wanted: str, snapshot: Snapshot, plant: PlantNow) -> tuple[ev.TargetKind, str, str] | str:
    found = [vm for vm in snapshot.vms if wanted.lower() in {vm.id, vm.name.lower()}]
    if not found:
        return f"no VM is named {wanted}"
    if len(found) > 1:
        return f"{len(found)} VMs are named {wanted}: give its instance UUID"
    (kept,) = found
    vm = plant.vms.get(kept.id)
    if why := _why_not(kept):
        return f"{kept.name} {why}"
    if vm is None or vm.power is not Power.ON:
        return f"{kept.name} is not on"
    return "vm", kept.id, kept.name


def _why_not(kept: KeptVm) -> str:
    if kept.is_vcenter:
        return "is vCenter itself: without it nothing else could be commanded"
    if kept.is_guard:
        return "runs the guard itself"
    if kept.is_untouched:
        return "is never touched, as the runbook says"
    match kept.role:
        case Role.VCLS:
            return "is one of vSphere's cluster services: it would start itself anew"
        case Role.AGENT:
            return "is an agent of another solution and left to it"
        case Role.FT_SECONDARY:
            return "is the secondary of a fault-tolerant pair: name its primary"
        case Role.WORKLOAD:  # pragma: no branch - there is no other
            return ""


def _of_host(
    wanted: str, record: Record, snapshot: Snapshot, plant: PlantNow
) -> tuple[ev.TargetKind, str, str] | str:
    host = next((host for host in plant.hosts.values() if host.name.lower() == wanted.lower()), None)
    if host is None:
        return f"no host is named {wanted}"
    if host.power is not Power.ON or host.in_maintenance:
        return f"{host.name} is {'in maintenance mode' if host.in_maintenance else host.power}"
    if host.name not in record.bmc_of:
        return f"no BMC is matched to {host.name}: a person would have to power it on again"
    running = [vm for vm in plant.vms.values()
               if vm.host == host.name and vm.power is Power.ON and vm.role not in {Role.VCLS, Role.AGENT}]
    if running:
        return f"{host.name} is not empty: {len(running)} VMs run on it, {min(vm.name for vm in running)} among them"
    if host.name in {vm.host for vm in (*snapshot.vcenter_vms, *snapshot.guard_vms)}:
        return f"{host.name} carries vCenter or the guard itself"
    return "host", host.name, host.name

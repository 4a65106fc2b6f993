"""How the plant differs from its snapshot: the closing report, in which every difference has a line."""

from collections.abc import Iterator

from .plant import ClusterSettings, Power, Role
from .record import Incident
from .restore import are_services_restored, is_admission_restored, is_drs_restored, is_ha_restored
from .scope import Scope
from .snapshot import Snapshot
from .view import PlantNow


def differences(
    snapshot: Snapshot, plant: PlantNow, incident: Incident, scope: Scope | None = None
) -> tuple[str, ...]:
    """Each way in which what the incident may touch is not as it was; empty when everything is back."""
    lines, scope = [], scope or Scope()
    for host in snapshot.hosts:
        if not scope.has_host(host.name):
            continue
        now = plant.hosts.get(host.name)
        if not host.is_on:
            if now is not None and now.power is Power.ON:
                lines.append(f"host {host.name} was off and is on: someone else started it")
        elif now is None or now.power is not Power.ON:
            lines.append(f"host {host.name} was on and is {now.power if now else 'gone'}{_why(incident, host.name)}")
        elif now.in_maintenance != host.in_maintenance:
            lines.append(f"host {host.name} is {'' if now.in_maintenance else 'not '}in maintenance mode"
                         f"{_why(incident, host.name)}")
    for vm in snapshot.vms:
        seen = plant.vms.get(vm.id)
        if vm.role is Role.VCLS or not scope.has_vm(vm):
            continue  # vSphere makes its cluster services anew
        if vm.is_on and (seen is None or seen.power is not Power.ON):
            lines.append(f"VM {vm.name} was on and is {seen.power if seen else 'gone'}{_why(incident, vm.id)}")
        elif vm.is_on and seen is not None and seen.host != vm.host:
            lines.append(f"VM {vm.name} runs on {seen.host}, it ran on {vm.host}")
        elif not vm.is_on and seen is not None and seen.power is Power.ON:
            lines.append(f"VM {vm.name} was off and is on: someone else started it")
    if snapshot.is_standalone or not scope.has_settings:
        return tuple(lines)
    if plant.settings is None:
        lines.append(f"HA and DRS of {snapshot.cluster} are not known: vCenter does not answer")
    else:
        lines.extend(f"{what} of {snapshot.cluster} is not as it was{_why(incident, snapshot.cluster)}"
                     for what in _changed_settings(plant.settings, snapshot.settings))
    return tuple(lines)


def missing(snapshot: Snapshot, plant: PlantNow) -> tuple[str, ...]:
    """What a power-on would bring back: names of hosts and VMs that ran and are not known to run now, or settings."""
    hosts = [host.name for host in snapshot.hosts
             if host.is_on and (host.name not in plant.hosts or plant.hosts[host.name].power is not Power.ON)]
    workloads = (vm for vm in snapshot.vms if vm.role is not Role.VCLS)
    vms = [vm.name for vm in workloads
           if vm.is_on and (vm.id not in plant.vms or plant.vms[vm.id].power is not Power.ON)]
    entered = [f"maintenance mode of {host.name}" for host in snapshot.hosts
               if not host.in_maintenance and host.name in plant.hosts and plant.hosts[host.name].in_maintenance]
    changed = [] if plant.settings is None else _changed_settings(plant.settings, snapshot.settings)
    return (*hosts, *vms, *entered, *changed)


def _changed_settings(now: ClusterSettings, kept: ClusterSettings) -> Iterator[str]:
    """What the guard restores and has not, and what someone else has switched on or off meanwhile."""
    if not are_services_restored(now, kept):
        yield "retreat mode of the cluster services (vCLS)"
    if not is_ha_restored(now, kept) or now.ha_enabled is not kept.ha_enabled:
        yield "HA"
    if not is_drs_restored(now, kept) or now.drs_enabled is not kept.drs_enabled:
        yield "DRS"
    elif bool(now.dpm_enabled) is not bool(kept.dpm_enabled):
        yield "DPM"
    if not is_admission_restored(now, kept):
        yield "HA admission control"


def _why(incident: Incident, target: str) -> str:
    event = incident.abandoned.get(target)
    return f" ({event.reason})" if event is not None else ""

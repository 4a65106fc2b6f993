"""How the plant differs from its snapshot: the closing report, in which every difference has a line."""

from .plan_up import is_admission_restored, is_drs_restored, is_ha_restored
from .plant import Power
from .record import Incident
from .snapshot import Snapshot
from .view import PlantNow


def differences(snapshot: Snapshot, plant: PlantNow, incident: Incident) -> tuple[str, ...]:
    """Each way in which the plant is not as it was; empty when everything is back."""
    lines = []
    for host in snapshot.hosts:
        now = plant.hosts.get(host.name)
        if not host.is_on:
            continue
        if now is None or now.power is not Power.ON:
            lines.append(f"host {host.name} was on and is {now.power if now else 'gone'}{_why(incident, host.name)}")
        elif now.in_maintenance != host.in_maintenance:
            lines.append(f"host {host.name} is {'' if now.in_maintenance else 'not '}in maintenance mode")
    for vm in snapshot.vms:
        seen = plant.vms.get(vm.id)
        if vm.is_on and (seen is None or seen.power is not Power.ON):
            lines.append(f"VM {vm.name} was on and is {seen.power if seen else 'gone'}{_why(incident, vm.id)}")
        elif vm.is_on and seen is not None and seen.host != vm.host:
            lines.append(f"VM {vm.name} runs on {seen.host}, it ran on {vm.host}")
        elif not vm.is_on and seen is not None and seen.power is Power.ON:
            lines.append(f"VM {vm.name} was off and is on: someone else started it")
    if plant.settings is None:
        lines.append(f"HA and DRS of {snapshot.cluster} are not known: vCenter does not answer")
    else:
        for is_back, what in (
            (is_ha_restored(plant.settings, snapshot.settings), "HA"),
            (is_drs_restored(plant.settings, snapshot.settings), "DRS"),
            (is_admission_restored(plant.settings, snapshot.settings), "HA admission control"),
        ):
            if not is_back:
                lines.append(f"{what} of {snapshot.cluster} is not as it was{_why(incident, snapshot.cluster)}")
    return tuple(lines)


def _why(incident: Incident, target: str) -> str:
    event = incident.abandoned.get(target)
    return f" ({event.reason})" if event is not None else ""

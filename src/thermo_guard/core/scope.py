"""What an incident may touch (S1): the hosts of the last confirmed plan with every VM on them, what may be shed of
those, or one rehearsed target.

A host that joined the cluster after the plan was confirmed is left alone, and so is what runs on it: nobody has yet
said, and no check has yet shown, that it belongs to what this guard is to stop.
"""

from dataclasses import dataclass

from .plant import Vm
from .record import Record
from .shedding import shed_hosts, shed_vms
from .snapshot import KeptVm, Snapshot


@dataclass(frozen=True, slots=True)
class Scope:
    """None: everything that the cluster has."""

    hosts: frozenset[str] | None = None
    """Names of the hosts that are stopped and started."""
    vms: frozenset[str] | None = None
    """Ids of the VMs; None: each VM on a host of the scope."""
    has_settings: bool = True
    """HA, DRS and the cluster services belong to it."""
    within: frozenset[str] | None = None
    """Hosts that its VMs must be on; None: any."""
    why_not: str = ""
    """Why another host is left alone, for people; empty: it goes without saying."""

    def has_host(self, name: str) -> bool:
        return self.hosts is None or name in self.hosts

    def has_vm(self, vm: Vm | KeptVm) -> bool:
        """By where it is now; of what is brought back by where it was: there it was stopped."""
        if self.vms is None:
            return self.has_host(vm.host)
        return vm.id in self.vms and (self.within is None or vm.host in self.within)


def scope_of(record: Record, snapshot: Snapshot | None = None) -> Scope:
    """What the open incident may touch.

    :param snapshot: as the incident has closed it; without one nothing can be shed.
    """
    incident = record.incident
    if incident is not None and incident.is_shed:
        within = None if record.confirmed is None else frozenset(record.confirmed.hosts)
        if snapshot is None:
            return Scope(frozenset(), frozenset(), has_settings=False)
        hosts = shed_hosts(snapshot, within, record.bmc_of)
        return Scope(hosts, shed_vms(snapshot, within), has_settings=False, within=within)
    if incident is not None and (tried := incident.rehearsal) is not None:
        hosts = frozenset({tried.target} if tried.kind == "host" else ())
        vms = frozenset({tried.target} if tried.kind == "vm" else ())
        return Scope(hosts, vms, has_settings=False)
    if record.confirmed is None:
        return Scope()
    return Scope(frozenset(record.confirmed.hosts), why_not=(
        "it was not in the last confirmed plan: it and its VMs are left alone. `thermo-guard arm` confirms the cluster "
        "as it is now"
    ))

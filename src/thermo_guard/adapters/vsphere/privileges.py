"""Which of the rights that the runbook needs the account lacks, asked of vCenter entity by entity.

Rights can be overridden anywhere below the cluster, so that one answer for the cluster would prove nothing.
"""

from collections.abc import Iterator, Mapping, Sequence

from pyVmomi import vim

from thermo_guard.ports import MissingPrivilege

from .collector import ref
from .session import Session

OF_CLUSTER = ("Host.Inventory.EditCluster",)
OF_HOST = ("Host.Config.Maintenance",)
OF_VM = ("VirtualMachine.Interact.PowerOff", "VirtualMachine.Interact.PowerOn")

_BATCH = 500
"""Entities a call: 8,000 VMs take 16 calls, each an answer of some 200 kB."""


def missing(
    session: Session, cluster: Mapping[str, str], hosts: Mapping[str, str], vms: Mapping[str, str]
) -> tuple[MissingPrivilege, ...]:
    """Ask for every entity; each mapping is reference -> name."""
    kinds: tuple[tuple[str, type[vim.ManagedEntity], Mapping[str, str], tuple[str, ...]], ...] = (
        ("cluster", vim.ClusterComputeResource, cluster, OF_CLUSTER),
        ("host", vim.HostSystem, hosts, OF_HOST),
        ("vm", vim.VirtualMachine, vms, OF_VM),
    )
    rights = session.content.authorizationManager
    if rights is None:
        return ()
    lacking: list[MissingPrivilege] = []
    for word, kind, names, privileges in kinds:
        for batch in _batches(list(names)):
            entities: list[vim.ManagedEntity] = [kind(r, session.wire) for r in batch]
            answer = rights.HasPrivilegeOnEntities(entities, session.key, list(privileges))
            lacking += [
                MissingPrivilege(word, names[ref(told.entity)], right.privId)
                for told in answer
                for right in told.privAvailability
                if not right.isGranted
            ]
    return tuple(lacking)


def _batches(refs: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(refs), _BATCH):
        yield refs[start : start + _BATCH]

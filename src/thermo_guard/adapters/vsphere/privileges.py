"""Every call of this adapter that needs a right, the rights by pyVmomi's own word, and which of them an account lacks.

What is listed here is what `check` asks for and what `thermo-guard role` prints; tests hold it against the adapter.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyVmomi import vim, vmodl

from thermo_guard.ports import MissingPrivilege

from .collector import ref
from .session import Session
from .vcls import is_switch_needed

Call = tuple[type[Any], str]
"""A managed type and one of its methods, as pyVmomi names them."""

CLUSTER_CALLS: tuple[Call, ...] = ((vim.ClusterComputeResource, "ReconfigureEx"),)
HOST_CALLS: tuple[Call, ...] = (
    (vim.HostSystem, "EnterMaintenanceMode"), (vim.HostSystem, "ExitMaintenanceMode"), (vim.HostSystem, "Shutdown"),
    (vim.HostSystem, "Reconnect"),
)
VM_CALLS: tuple[Call, ...] = (
    (vim.VirtualMachine, "ShutdownGuest"), (vim.VirtualMachine, "Answer"), (vim.VirtualMachine, "PowerOff"),
    (vim.VirtualMachine, "Terminate"), (vim.VirtualMachine, "PowerOn"),
)
ROOT_CALLS: tuple[Call, ...] = ((vim.option.OptionManager, "UpdateValues"),)
"""Of vCenter itself: its advanced settings."""
DIRECT_CALLS: tuple[Call, ...] = ((vim.Folder, "RegisterVm"),)
"""Asked of a host over its own API only."""
READING_CALLS: tuple[Call, ...] = (
    (vim.ServiceInstance, "RetrieveContent"), (vim.SessionManager, "Login"), (vim.SessionManager, "Logout"),
    (vmodl.query.PropertyCollector, "RetrievePropertiesEx"),
    (vmodl.query.PropertyCollector, "ContinueRetrievePropertiesEx"),
    (vim.AuthorizationManager, "HasPrivilegeOnEntities"), (vim.option.OptionManager, "QueryView"),
)
"""What every account may ask that may see the object: System.View, System.Read, System.Anonymous come with any role."""

_UNSAID = {(vim.option.OptionManager, "UpdateValues"): ("Global.Settings",)}
"""Where the metadata names none, since it depends on whose settings they are; for vCenter's its documents do."""


def wire_name(call: Call) -> str:
    """As it is called in SOAP: PowerOffVM_Task."""
    kind, method = call
    return str(kind._GetMethodInfo(method).wsdlName)  # noqa: SLF001 - pyVmomi has no public name for it


def needed(calls: Sequence[Call]) -> tuple[str, ...]:
    """The privileges of calls and of what is named in them (System.* left out), each once."""
    found: dict[str, None] = {}
    for kind, method in calls:
        info = kind._GetMethodInfo(method)  # noqa: SLF001 - as above
        said = (info.privId, *(param.privId for param in info.params))
        for privilege in (*said, *_UNSAID.get((kind, method), ())):
            if privilege and not privilege.startswith("System."):
                found[privilege] = None
    return tuple(found)


OF_CLUSTER, OF_HOST, OF_VM, OF_ROOT = (needed(calls) for calls in (CLUSTER_CALLS, HOST_CALLS, VM_CALLS, ROOT_CALLS))
ON_ESXI = needed((*(call for call in HOST_CALLS if call[1] != "Reconnect"), *VM_CALLS))
"""On a host without vCenter, for itself and its VMs."""
ON_ESXI_OF_VCENTER = tuple(dict.fromkeys((*ON_ESXI, *needed(DIRECT_CALLS))))
"""The same for the direct login to a host of a vCenter, whose VM may have to be taken over from a dead host."""

_BATCH = 500
"""Entities a call: 8,000 VMs take 16 calls, each an answer of some 200 kB."""


def missing(
    session: Session, cluster: Mapping[str, str], hosts: Mapping[str, str], vms: Mapping[str, str]
) -> tuple[MissingPrivilege, ...]:
    """Ask for every entity, since a right can be overridden anywhere below the cluster.

    :param cluster: name by reference, as `hosts` and `vms`; empty where the host itself is asked.
    """
    own = ON_ESXI if not cluster else None
    kinds: list[tuple[str, type[vim.ManagedEntity], Mapping[str, str], Sequence[str]]] = [
        ("cluster", vim.ClusterComputeResource, cluster, OF_CLUSTER),
        ("host", vim.HostSystem, hosts, [right for right in OF_HOST if own is None or right in own]),
        ("vm", vim.VirtualMachine, vms, OF_VM),
    ]
    if cluster and is_switch_needed(session):
        kinds.append(("root folder", vim.Folder, {ref(session.content.rootFolder): "of vCenter"}, OF_ROOT))
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

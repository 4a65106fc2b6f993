"""The vSphere cluster services (vCLS) of a cluster: whether it has them, retreat mode and the way back.

There are two switches, and either takes the VMs away: the advanced setting config.vcls.clusters.domain-cN.enabled of
vCenter (KB 316514, from 7.0 U1 on) and, from API 8.0.2 on, the cluster's own deployment mode, which needs no privilege
beyond that of HA and DRS. A cluster that shows a mode is switched by it; where it shows none the setting alone decides.

vCenter 9.0 needs no vCLS and a later one has none, but 9.0 still runs those that nobody put into retreat (KB 312147):
there only what is switched or seen counts.
"""

from xml.etree.ElementTree import Element

import structlog
from pyVmomi import vim, vmodl

from thermo_guard.core.plant import Vcls

from . import collector
from .page import text
from .session import Session

_log = structlog.get_logger(__name__)

_FIRST, _NEEDLESS, _WITH_MODE = (7, 0, 1), (9,), (8, 0, 2)
_ABSENT, _MANAGED = "ABSENT", "SYSTEM_MANAGED"

_NOT_THERE = (vim.fault.InvalidName, vmodl.fault.NotSupported, vmodl.fault.NotImplemented)


def switch_of(session: Session, cluster: str) -> str | None:
    """Read the advanced setting, lower case; None where nobody ever set it."""
    setting, key = session.content.setting, _key(cluster)
    if setting is None or session.api < _FIRST:
        return None
    try:
        found = setting.QueryView(key)
    except _NOT_THERE:
        return None
    return next((str(option.value).strip().lower() for option in found if option.key == key), None)


def is_switch_needed(session: Session) -> bool:
    """Retreat has no other way than the advanced setting, and its privilege."""
    return session.content.setting is not None and _FIRST <= session.api < _WITH_MODE


def state(api: tuple[int, ...], switch: str | None, configuration: Element | None, *, has_vms: bool) -> Vcls:
    """Say how the services stand.

    :param switch: as `switch_of` read it.
    :param has_vms: VMs of theirs are seen in the cluster.
    """
    if api < _FIRST:
        return Vcls.NONE
    if switch == "false" or _mode(configuration) == _ABSENT:
        return Vcls.RETREAT
    return Vcls.ON if api < _NEEDLESS or switch is not None or has_vms else Vcls.NONE


def retreat(session: Session, cluster: str) -> str | None:
    """Have vCenter remove the VMs; give the task's reference, where there is one.

    :raises vim.fault.NoPermission: the account may use neither of the switches.
    """
    if _mode(_configuration(session, cluster)) is not None:
        return _deploy(session, cluster, _ABSENT)
    try:
        _set(session, cluster, "false")
    except (vim.fault.NoPermission, *_NOT_THERE) as error:
        if session.api >= _WITH_MODE:
            return _deploy(session, cluster, _ABSENT)
        if isinstance(error, vim.fault.NoPermission):
            raise
        _log.info("vsphere.vcls_absent", cluster=cluster, meaning="there is nothing to retreat")
    return None


def restore(session: Session, cluster: str) -> str | None:
    """Undo whatever keeps the VMs away; give the task's reference, where there is one."""
    if switch_of(session, cluster) == "false":
        _set(session, cluster, "true")
    is_absent = _mode(_configuration(session, cluster)) == _ABSENT
    return _deploy(session, cluster, _MANAGED) if is_absent else None


def _set(session: Session, cluster: str, value: str) -> None:
    if session.content.setting is None:
        raise vmodl.fault.NotSupported
    session.content.setting.UpdateValues([vim.option.OptionValue(key=_key(cluster), value=value)])


def _deploy(session: Session, cluster: str, mode: str) -> str | None:
    spec = vim.cluster.ConfigSpecEx(systemVMsConfig=vim.cluster.SystemVMsConfigSpec(deploymentMode=mode))
    try:
        return collector.ref(session.cluster(cluster).ReconfigureEx(spec, modify=True))
    except _NOT_THERE:
        _log.info("vsphere.vcls_absent", cluster=cluster, meaning="there is no deployment mode to set")
        return None


def _configuration(session: Session, cluster: str) -> Element | None:
    known = [session.cluster(cluster)]
    found = collector.of(session, known, vim.ClusterComputeResource, ("configurationEx",))
    seen = found[cluster].get("configurationEx")
    return seen if isinstance(seen, Element) else None


def _mode(configuration: Element | None) -> str | None:
    """The cluster's deployment mode; unset means that the advanced setting alone decides."""
    return text(configuration, "systemVMsConfig/deploymentMode")


def _key(cluster: str) -> str:
    """`cluster` is the server's own identifier of it: domain-c8."""
    return f"config.vcls.clusters.{cluster}.enabled"

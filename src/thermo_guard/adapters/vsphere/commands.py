"""One command as one request to vSphere: each returns when the server has taken it."""

import math
from dataclasses import dataclass

import structlog
from pyVmomi import vim

from thermo_guard.core.commands import Command, Verb
from thermo_guard.core.plant import ClusterSettings

from . import vcls
from .collector import ref
from .session import Session

_log = structlog.get_logger(__name__)

EXIT_MAINTENANCE_S = 300
"""The server's bound on leaving maintenance mode."""

OF_CLUSTER = frozenset({
    Verb.DISARM_HA, Verb.DISARM_DRS, Verb.RETREAT_VCLS, Verb.RESTORE_VCLS, Verb.RESTORE_HA, Verb.RESTORE_ADMISSION,
    Verb.RESTORE_DRS,
})
OF_HOST = frozenset({Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST, Verb.RECONNECT_HOST, Verb.EXIT_MAINTENANCE})
OF_VM = frozenset({Verb.SHUT_DOWN_GUEST, Verb.ANSWER_VM, Verb.POWER_OFF_VM, Verb.TERMINATE_VM, Verb.POWER_ON_VM})
OF_BMC = frozenset({Verb.POWER_ON_HOST, Verb.FORCE_OFF_HOST})


@dataclass(frozen=True, slots=True)
class Adoption:
    """Where a VM of a dead host is registered: references on the host that takes it."""

    host: str
    folder: str
    pool: str


def ask_cluster(session: Session, cluster: str, command: Command, *, is_drs_enabled: bool) -> str | None:
    """Reconfigure the cluster; give the task's reference.

    :raises ValueError: the command carries no settings to restore.
    """
    match command.verb:
        case Verb.RETREAT_VCLS:
            return vcls.retreat(session, cluster)
        case Verb.RESTORE_VCLS:
            return vcls.restore(session, cluster)
    spec = cluster_spec(command.verb, command.settings, is_drs_enabled=is_drs_enabled)
    return _ref(session.cluster(cluster).ReconfigureEx(spec, modify=True))


def ask_host(session: Session, host: str, command: Command, *, has_vsan: bool) -> str | None:
    """Give the task's reference."""
    it = session.host(host)
    match command.verb:
        case Verb.ENTER_MAINTENANCE:
            # Without a bound the task would wait for ever, and vSAN's default would begin to move data.
            spec = None
            if has_vsan:
                mode = vim.vsan.host.DecommissionMode(objectAction="noAction")
                spec = vim.host.MaintenanceSpec(vsanMode=mode)
            bound_s = max(1, math.ceil(command.timeout_s))
            return _ref(it.EnterMaintenanceMode(bound_s, evacuatePoweredOffVms=False, maintenanceSpec=spec))
        case Verb.SHUT_DOWN_HOST:
            return _ref(it.Shutdown(force=command.force))
        case Verb.RECONNECT_HOST:
            return _ref(it.Reconnect(None, None))
        case Verb.EXIT_MAINTENANCE:
            return _ref(it.ExitMaintenanceMode(EXIT_MAINTENANCE_S))
    raise ValueError(f"{command.verb} is no command to a host")


def ask_vm(session: Session, vm: str, command: Command) -> str | None:
    """Give the task's reference; a guest's shutdown, an answer and a kill have none.

    :raises ValueError: the command carries no answer to give.
    """
    it = session.vm(vm)
    match command.verb:
        case Verb.SHUT_DOWN_GUEST:
            it.ShutdownGuest()
            return None
        case Verb.ANSWER_VM:
            if command.answer is None:
                raise ValueError("a VM's question is answered with one of its choices")
            try:
                it.Answer(*command.answer)
            except vim.fault.ConcurrentAccess:
                _log.info("vsphere.question_answered", vm=command.name, answer="another's")
            return None
        case Verb.POWER_OFF_VM:
            return _ref(it.PowerOff())
        case Verb.TERMINATE_VM:
            it.Terminate()
            return None
        case Verb.POWER_ON_VM:
            return _ref(it.PowerOn(None))
    raise ValueError(f"{command.verb} is no command to a VM")


def register(session: Session, at: Adoption, path: str) -> str | None:
    """Register a VM's files on a host; give the task's reference."""
    folder = vim.Folder(at.folder, session.wire)
    pool = vim.ResourcePool(at.pool, session.wire)
    return _ref(folder.RegisterVm(path, name=None, asTemplate=False, pool=pool, host=session.host(at.host)))


def cluster_spec(
    verb: Verb, settings: ClusterSettings | None, *, is_drs_enabled: bool
) -> vim.cluster.ConfigSpecEx:
    """Say only what is changed; the rest of the cluster's configuration stays.

    DRS is made manual and never disabled, as that would delete the resource pools. Where it is disabled it moves
    nothing and is left as it is; DPM, which stops hosts, has a switch of its own.

    :raises ValueError: nothing to restore was given.
    """
    if verb is Verb.DISARM_HA:
        return vim.cluster.ConfigSpecEx(dasConfig=vim.cluster.DasConfigInfo(enabled=False))
    if verb is Verb.DISARM_DRS:
        return vim.cluster.ConfigSpecEx(
            drsConfig=vim.cluster.DrsConfigInfo(defaultVmBehavior="manual", enableVmBehaviorOverrides=False)
            if is_drs_enabled else None,
            dpmConfig=vim.cluster.DpmConfigInfo(enabled=False),
        )
    if settings is None:
        raise ValueError(f"{verb} needs the settings that it restores")
    if verb is Verb.RESTORE_HA:
        # Admission control would refuse to start VMs while hosts are still missing: it comes back after the last tier.
        # Where it is not known how it stood, nobody could put it back: it stays as it is.
        das = vim.cluster.DasConfigInfo(
            enabled=settings.ha_enabled, hostMonitoring=settings.ha_host_monitoring,
            admissionControlEnabled=None if settings.ha_admission_control is None else False,
        )
        return vim.cluster.ConfigSpecEx(dasConfig=das)
    if verb is Verb.RESTORE_ADMISSION:
        das = vim.cluster.DasConfigInfo(admissionControlEnabled=settings.ha_admission_control)
        return vim.cluster.ConfigSpecEx(dasConfig=das)
    if verb is Verb.RESTORE_DRS:
        drs = vim.cluster.DrsConfigInfo(
            defaultVmBehavior=settings.drs_behavior, enableVmBehaviorOverrides=settings.drs_overrides
        ) if is_drs_enabled else None
        dpm = None if settings.dpm_enabled is None else vim.cluster.DpmConfigInfo(enabled=settings.dpm_enabled)
        return vim.cluster.ConfigSpecEx(drsConfig=drs, dpmConfig=dpm)
    raise ValueError(f"{verb} is no command to a cluster")


def _ref(task: vim.Task | None) -> str | None:
    return None if task is None else ref(task)

"""The cluster as it was: hosts taken back and out of maintenance mode, cluster services, HA, DRS, admission control.

All is verified by reading it, and what is restored is what the snapshot kept.
"""

from collections.abc import Sequence

from .commands import VCENTER, Command, Verb
from .events import Abandoned, Phase
from .plant import ClusterSettings, Power, Vcls
from .step import RESTORE_S, Leg, last_answer
from .view import HostNow
from .way import way_to

LATE_VCENTER_S = 1800.0
"""Where vCenter was given up, so long is waited for it once the guests run: a refused login may be tried again after 20
minutes."""


def restore(leg: Leg) -> bool:
    """Hosts back with vCenter and out of maintenance mode; cluster services, HA, then DRS as they were."""
    leg.begin(Phase.RESTORE)
    until = leg.since + RESTORE_S
    settled = True
    for host in leg.s.plant.hosts.values():
        if host.power is Power.ON and leg.s.scope.has_host(host.name):
            settled &= _take_back(leg, host, until)
    if not leg.s.scope.has_settings:
        return settled
    wanted = leg.s.snapshot.settings
    return _restore_settings(leg, _unrestored(leg.s.plant.settings, wanted), until) and settled


def _take_back(leg: Leg, host: HostNow, until: float) -> bool:
    """Connected to vCenter and out of maintenance mode, where it was so before; whether it is, or has had its time."""
    kept = leg.kept_hosts.get(host.name)
    if host.is_let_go and kept is not None and not kept.is_let_go:
        verb, what = Verb.RECONNECT_HOST, "be taken back by vCenter"
    elif host.in_maintenance and should_leave_maintenance(leg, host.name):
        verb, what = Verb.EXIT_MAINTENANCE, "leave maintenance mode"
    else:
        return True
    if leg.now >= until:
        why = f"it did not {what}" + last_answer(leg.s.incident.intents, host.name, verb)
        leg.abandon(Abandoned("host", host.name, host.name, Phase.RESTORE, why))
        return True
    route = VCENTER if verb is Verb.RECONNECT_HOST else way_to(leg, host, must_be_direct=False)
    if route is not None:
        leg.ask(Command(verb, host.name, host.name, route))
    if leg.is_abandoned(host.name):
        return True
    leg.wait(host.name, f"host to {what}", until)
    return False


def should_leave_maintenance(leg: Leg, name: str) -> bool:
    kept = leg.kept_hosts.get(name)
    return kept is not None and kept.is_on and not kept.in_maintenance


def restore_admission(leg: Leg) -> bool:
    """Admission control, and whatever else vCenter could not be asked for before the guests ran."""
    if leg.s.snapshot.is_standalone or not leg.s.scope.has_settings:
        return True
    leg.begin(Phase.RESTORE)
    now, kept = leg.s.plant.settings, leg.s.snapshot.settings
    given_up = leg.s.incident.abandoned.get(leg.s.snapshot.cluster)
    if given_up is not None and given_up.phase is Phase.START_VCENTER:
        return _restore_late(leg, now, kept)
    verbs = [Verb.RESTORE_ADMISSION] if now is not None and not is_admission_restored(now, kept) else []
    return _restore_settings(leg, verbs, leg.since + RESTORE_S)


def _restore_late(leg: Leg, now: ClusterSettings | None, kept: ClusterSettings) -> bool:
    """After the guests ran without vCenter: a domain controller among them may be what its login waited for."""
    cluster, until = leg.s.snapshot.cluster, leg.since + LATE_VCENTER_S
    is_over = leg.now >= until or leg.s.incident.phase is Phase.VERIFY
    if is_over or not (kept.ha_enabled or kept.drs_enabled or kept.vcls is Vcls.ON):
        return True
    if now is None:
        leg.wait(cluster, "vCenter to answer, for HA and DRS", until)
        return False
    verbs = _unrestored(now, kept)
    if not verbs and not is_admission_restored(now, kept):
        verbs = [Verb.RESTORE_ADMISSION]
    for verb in verbs:
        leg.ask(Command(verb, cluster, cluster, VCENTER, settings=kept))
    if verbs:
        leg.wait(cluster, "HA and DRS as they were", until)
    return not verbs


def is_admission_restored(now: ClusterSettings, kept: ClusterSettings) -> bool:
    """Also where it is not known how it stood: there is nothing to restore then."""
    return not kept.ha_enabled or kept.ha_admission_control in {None, now.ha_admission_control}


def is_ha_restored(now: ClusterSettings, kept: ClusterSettings) -> bool:
    return not kept.ha_enabled or (now.ha_enabled and now.ha_host_monitoring == kept.ha_host_monitoring)


def are_services_restored(now: ClusterSettings, kept: ClusterSettings) -> bool:
    return kept.vcls is not Vcls.ON or now.vcls is not Vcls.RETREAT


def is_drs_restored(now: ClusterSettings, kept: ClusterSettings) -> bool:
    if kept.dpm_enabled and not now.dpm_enabled:
        return False
    return not kept.drs_enabled or (
        (now.drs_behavior, bool(now.drs_overrides)) == (kept.drs_behavior, bool(kept.drs_overrides))
    )


def _unrestored(now: ClusterSettings | None, kept: ClusterSettings) -> list[Verb]:
    if now is None:
        return []
    wanted = {
        Verb.RESTORE_VCLS: are_services_restored(now, kept), Verb.RESTORE_HA: is_ha_restored(now, kept),
        Verb.RESTORE_DRS: is_drs_restored(now, kept),
    }
    return [verb for verb, is_restored in wanted.items() if not is_restored]


def _restore_settings(leg: Leg, verbs: Sequence[Verb], until: float) -> bool:
    cluster = leg.s.plant.cluster
    if not verbs:
        return True
    for verb in verbs:
        leg.ask(Command(verb, cluster, cluster, VCENTER, settings=leg.s.snapshot.settings))
    if leg.is_abandoned(cluster):
        return True
    if leg.now < until:
        leg.wait(cluster, "HA and DRS as they were", until)
        return False
    why = "HA and DRS could not be restored" + last_answer(leg.s.incident.intents, cluster, *verbs)
    leg.abandon(Abandoned("cluster", cluster, cluster, Phase.RESTORE, why))
    return True

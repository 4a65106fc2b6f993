"""Keeps what will be needed when it can no longer be asked for: who is which BMC, and what ran where."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from thermo_guard.core import events as ev
from thermo_guard.core.appliance import find_vcenter
from thermo_guard.core.guard_vm import find_guard
from thermo_guard.core.matching import Matching, match_bmcs, merged_pairs
from thermo_guard.core.plant import BmcSeen, ClusterSeen, Host
from thermo_guard.core.policy import Assessment, Level
from thermo_guard.core.record import Incident
from thermo_guard.core.report import missing
from thermo_guard.core.snapshot import Snapshot, take, undisturbed
from thermo_guard.core.view import PlantNow

from .ledger import Ledger
from .lookout import Lookout
from .terms import LoopSettings

FRESH_LOOK_S = 45.0
"""After a trip, so long is waited for one more look at the cluster before the snapshot is closed with what is known."""
HELD_S = 24 * 3600.0
"""So long after an abort nothing of what the incident has stopped is forgotten, for a person's power-on: in a cool room
a guard that only looks would take it for what somebody has switched off.

So long after a start too, while the room has not been cool since: a life that ended on a full disk may have been in
mid-shutdown, and what it had done is then not on record."""


class Snapshots:
    def __init__(
        self, settings: LoopSettings, ledger: Ledger, lookout: Lookout, own_addresses: Callable[[], Sequence[str]]
    ) -> None:
        self._settings = settings
        self._own_addresses = own_addresses
        self._ledger = ledger
        self._lookout = lookout
        self._learned_from: list[float | None] = []
        self._matched: object = None
        """The identities from which `_matching` was made: they hardly ever change."""
        self._matching = Matching((), ())
        self._first_at: float | None = None
        """Of the cluster's looks since the start."""
        self._has_been_cool = False

    def learn(self, assessment: Assessment, plant: PlantNow) -> None:
        """Take in new looks: which BMC is which host, always; the snapshot, in quiet time."""
        cluster = self._lookout.cluster.shown
        looked_at = [self._lookout.cluster.shown_at, *(look.shown_at for look in self._lookout.bmcs.values())]
        if not self._lookout.has_looked or looked_at == self._learned_from:
            return
        self._learned_from = looked_at
        self._match(cluster)
        if cluster is not None:
            self._first_at = cluster.at if self._first_at is None else self._first_at
            as_of = assessment.cool_as_of
            self._has_been_cool |= as_of is not None and as_of > self._first_at
        if self._ledger.record.incident is not None or cluster is None:
            return
        if self._ledger.snapshot is None or cluster.at > self._ledger.snapshot.at:
            self._take(cluster, plant, assessment.level, assessment.cool_as_of)

    def _match(self, cluster: ClusterSeen | None) -> None:
        """By what vCenter shows of the hosts; by the snapshot where it is silent."""
        hosts = cluster.hosts if cluster is not None else self._kept_hosts()
        looks = {address: look.value(2 * self._settings.snapshot_s) for address, look in self._lookout.bmcs.items()}
        found = [look for look in looks.values() if isinstance(look, BmcSeen)]
        shown = (tuple((host.name, host.uuid, host.serials) for host in hosts),
                 tuple((bmc.address, bmc.uuid, bmc.serials) for bmc in found))
        if shown != self._matched:
            self._matched, self._matching = shown, match_bmcs(hosts, found, self._settings.bmc_overrides)
        matching = self._matching
        pairs = merged_pairs(self._ledger.record.bmc_of, matching, set(looks) - {bmc.address for bmc in found})
        if dict(pairs) != dict(self._ledger.record.bmc_of):
            self._ledger.write(ev.BmcsMatched(pairs))

    def _kept_hosts(self) -> tuple[Host, ...]:
        kept = self._ledger.snapshot.hosts if self._ledger.snapshot is not None else ()
        return tuple(Host(host.name, host.address, host.uuid, host.serials) for host in kept)

    def _is_held(self, before: Snapshot | None, plant: PlantNow, now: float) -> bool:
        """An abort lately or a start into a warm room, and not all is as it was before."""
        closed = self._ledger.record.closed
        is_aborted = closed is not None and bool(closed[1].aborted_by) and now - closed[0] < HELD_S
        is_new = not self._has_been_cool and (self._first_at is None or now - self._first_at < HELD_S)
        return (is_aborted or is_new) and before is not None and bool(missing(before, plant))

    def _take(
        self, cluster: ClusterSeen, plant: PlantNow, level: Level | None, cool_as_of: float | None,
        *, keeps_settings: bool = False,
    ) -> bool:
        bmcs = self._lookout.sight(2 * self._settings.snapshot_s).bmcs
        before = self._ledger.snapshot
        is_held = self._is_held(before, plant, cluster.at)
        known = () if before is None else [vm.id for vm in before.vcenter_vms]
        vms = () if cluster.is_standalone else cluster.vms
        appliance = find_vcenter(vms, self._settings.vcenter_vm, cluster.addresses, known)
        before_own = () if before is None else [vm.id for vm in before.guard_vms]
        own = find_guard(cluster.vms, self._settings.guard_vm, self._own_addresses(), before_own)
        snapshot = take(
            cluster, before,
            {host: bmcs[address] for host, address in self._ledger.record.bmc_of.items() if address in bmcs},
            runbook=self._settings.runbook, vcenter_vms=appliance.vms, guard_vms=own.vms,
            level=None if is_held else level, cool_as_of=cool_as_of,
        )
        if (is_held or keeps_settings) and before is not None:
            snapshot = undisturbed(snapshot, before)
        if before is not None and replace(snapshot, at=before.at) == before:
            return True  # nothing has changed: the row is large, and a NAS writes slowly
        return self._ledger.keep_snapshot(snapshot)

    def close(self, incident: Incident, plant: PlantNow, now: float) -> bool:
        """One more look after the trip, then the snapshot is closed; True once it is."""
        look = self._lookout.cluster
        is_new = look.shown is not None and look.shown.at >= incident.opened_at
        is_late = now - incident.opened_at >= FRESH_LOOK_S or (look.fault is not None and look.task is None)
        if is_new and look.shown is not None:
            keeps_settings = incident.follows_rehearsal or incident.was_shed
            if not self._take(look.shown, plant, Level.HIGH, None, keeps_settings=keeps_settings):
                return False
        elif not is_late:
            return False
        elif self._ledger.snapshot is None:
            self._tell_unknown_plant(incident)
            return False
        return self._ledger.write(ev.SnapshotClosed(incident.id))

    def _tell_unknown_plant(self, incident: Incident) -> None:
        fault = self._lookout.cluster.fault
        reason = f"no snapshot is on record and vCenter shows none ({fault}): nothing can be stopped"
        if "" not in incident.abandoned:
            self._ledger.write(ev.Abandoned("cluster", "", "to be guarded", ev.Phase.DISARM, reason))

"""Keeps to the hosts that were confirmed: a host that joins the cluster is told in quiet time, and is left alone until
a check has passed with it, or a person has confirmed it.
"""

from thermo_guard.core import events as ev
from thermo_guard.core.finding import listed
from thermo_guard.core.plant import Role
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.ports import Notifier

from .ledger import Ledger

MANY = 1.25
"""So many times the VMs of the last confirmed plan are told; every VM of a confirmed host is stopped all the same."""
_NAMED = 8


class Membership:
    def __init__(self, ledger: Ledger, notifier: Notifier) -> None:
        self._ledger = ledger
        self._notifier = notifier
        self._told: tuple[frozenset[str], bool] = (frozenset(), False)
        """The hosts that are not confirmed and whether there are many more VMs, as people know it."""
        self._names: frozenset[str] = frozenset()
        self._changed_at = 0.0
        """Since when the cluster has had these hosts."""

    def tick(self, passed_since: float | None) -> None:
        """In quiet time, confirm what a check has passed with, and tell what nobody has confirmed.

        :param passed_since: when a check was begun that has just passed; None: none has.
        """
        record, snapshot = self._ledger.record, self._ledger.snapshot
        if snapshot is None or record.armed is None or record.incident is not None:
            return
        names = frozenset(host.name for host in snapshot.hosts)
        if names != self._names:
            self._names, self._changed_at = names, snapshot.at
        has_passed = passed_since is not None and passed_since >= self._changed_at  # else it has not seen them all
        if record.confirmed is None or has_passed:
            self._confirm(snapshot, record.armed[1].by if record.confirmed is None else "")
        if self._ledger.record.confirmed is not None:
            self._tell(snapshot, self._ledger.record.confirmed)

    def _confirm(self, snapshot: Snapshot, by: str) -> None:
        event, before = confirmation(snapshot, by), self._ledger.record.confirmed
        if before is not None and (before.hosts, before.vms) == (event.hosts, event.vms):
            return
        is_written = self._ledger.write(event)
        if is_written and before is not None and (new := set(event.hosts) - set(before.hosts)):
            self._notifier.tell(f"Belongs to the plan from now on: {listed(new, _NAMED)}",
                                "A check has passed with them.")

    def _tell(self, snapshot: Snapshot, confirmed: ev.HostsConfirmed) -> None:
        new = frozenset(host.name for host in snapshot.hosts) - frozenset(confirmed.hosts)
        count = vm_count(snapshot)
        is_many = count > MANY * confirmed.vms
        before, self._told = self._told, (new, is_many)
        if new - before[0]:
            self._notifier.tell(
                f"New in the cluster, and would be left alone: {listed(new, _NAMED)}",
                "With all that runs on them, until the next check has passed with them (within an hour), or until "
                "`thermo-guard arm` confirms the cluster as it is now.", urgent=True,
            )
        if is_many and not before[1]:
            self._notifier.tell(f"The cluster has {count} VMs, at the last check it had {confirmed.vms}",
                                "All of them belong to the plan: a shutdown stops each VM on a confirmed host.")


def confirmation(snapshot: Snapshot, by: str) -> ev.HostsConfirmed:
    """That the cluster as the snapshot has it is what the guard may stop."""
    return ev.HostsConfirmed(tuple(host.name for host in snapshot.hosts), vm_count(snapshot), by)


def vm_count(snapshot: Snapshot) -> int:
    return sum(vm.role is not Role.VCLS for vm in snapshot.vms)

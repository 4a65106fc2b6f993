"""A small plant that obeys, fails and is meddled with: the truth that a test's planner sees only through its looks.

It shares nothing with the estimate's model: here every command has a fate.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from core.plants import DISARMED, SETTINGS, UUIDS, bmc, bmc_address, host, seen, vm
from thermo_guard.core.commands import VCENTER, Command, Outcome, Verb
from thermo_guard.core.plant import BmcSeen, ClusterSeen, HostSeen, Power, Sight, Unseen, Vm
from thermo_guard.core.snapshot import KeptVm, Snapshot


class Fate(StrEnum):
    """What becomes of a command."""

    DONE = "done"
    LATE = "late"
    IGNORED = "ignored"
    """Taken, and never done."""
    LOST = "lost"
    """Neither it nor its answer arrives."""
    ANSWER_LOST = "answer lost"
    """It is done, and nobody hears of it."""
    FAILED = "failed"
    REFUSED = "refused"
    UNAUTHORIZED = "unauthorized"
    UNSENT = "unsent"
    SLOW_ANSWER = "slow answer"
    """It is under way, without an answer, for a minute."""


OUTCOMES = {
    Fate.LOST: Outcome.AMBIGUOUS, Fate.ANSWER_LOST: Outcome.AMBIGUOUS, Fate.FAILED: Outcome.TRANSIENT,
    Fate.REFUSED: Outcome.REFUSED, Fate.UNAUTHORIZED: Outcome.UNAUTHORIZED, Fate.UNSENT: Outcome.UNSENT,
}
EFFECTIVE = {Fate.DONE, Fate.LATE, Fate.ANSWER_LOST, Fate.SLOW_ANSWER}
TAKES_S = {
    Verb.SHUT_DOWN_GUEST: 20.0, Verb.SHUT_DOWN_HOST: 40.0, Verb.POWER_ON_HOST: 120.0, Verb.ENTER_MAINTENANCE: 10.0,
    Verb.POWER_ON_VM: 15.0,
}
LATE = 12.0


@dataclass
class HostTruth:
    is_on: bool = True
    in_maintenance: bool = False
    is_silent: bool = False
    """Its management network: neither vCenter nor anyone else hears it."""
    is_bmc_silent: bool = False
    answered_at: float = 0.0


@dataclass
class ModelPlant:
    snapshot: Snapshot
    bmc_of: Mapping[str, str]
    now: float
    is_vcenter_silent: bool = False
    vcenter_at: float = 0.0
    settings_armed: bool = True
    due: list[tuple[float, int, Command]] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.hosts = {h.name: HostTruth(answered_at=self.now) for h in self.snapshot.hosts}
        self.on = {v.id: v.is_on for v in self.snapshot.vms}
        self.host_of = {v.id: v.host for v in self.snapshot.vms}
        self.kept: Mapping[str, KeptVm] = {v.id: v for v in self.snapshot.vms}

    def advance(self, now: float) -> None:
        while self.due and self.due[0][0] <= now:
            _, _, command = heapq.heappop(self.due)
            self._do(command)
        self.now = now

    def take(self, command: Command, fate: Fate) -> Outcome:
        """Take a command; how it will be answered."""
        if fate in EFFECTIVE:
            takes_s = TAKES_S.get(command.verb, 5.0) * (LATE if fate is Fate.LATE else 1.0)
            self.count += 1
            heapq.heappush(self.due, (self.now + takes_s, self.count, command))
        return OUTCOMES.get(fate, Outcome.ACCEPTED)

    def _do(self, command: Command) -> None:
        target = command.target
        own = self.hosts[self.host_of[target]] if target in self.on else self.hosts.get(target)
        match command.verb:
            case Verb.SHUT_DOWN_GUEST | Verb.POWER_OFF_VM | Verb.TERMINATE_VM:
                self.on[target] = False
            case Verb.POWER_ON_VM if own is not None:
                self.on[target] = self.on[target] or (own.is_on and not own.in_maintenance)
            case Verb.ADOPT_VM:
                self.host_of[target] = command.via
            case Verb.ENTER_MAINTENANCE if own is not None:
                own.in_maintenance = own.in_maintenance or (own.is_on and not any(self.running_on(target)))
            case Verb.EXIT_MAINTENANCE if own is not None:
                own.in_maintenance = own.in_maintenance and not own.is_on
            case Verb.SHUT_DOWN_HOST if own is not None:
                if command.force or own.in_maintenance:
                    self.cut(target)
            case Verb.FORCE_OFF_HOST:
                self.cut(target)
            case Verb.POWER_ON_HOST if own is not None:
                own.is_on = True
            case Verb.DISARM_HA | Verb.DISARM_DRS:
                self.settings_armed = False
            case _:
                self.settings_armed = True

    def running_on(self, name: str) -> Iterable[str]:
        return (vm_id for vm_id, is_on in self.on.items() if is_on and self.host_of[vm_id] == name)

    def cut(self, name: str) -> None:
        """Its power is gone, and its VMs with it."""
        self.hosts[name].is_on = False
        for vm_id in list(self.running_on(name)):
            self.on[vm_id] = False

    @property
    def is_vcenter_up(self) -> bool:
        own = [v.id for v in self.snapshot.vcenter_vms]
        is_running = all(self.on[vm_id] and not self.hosts[self.host_of[vm_id]].is_silent for vm_id in own)
        return is_running and not self.is_vcenter_silent

    def sight(self, direct: Iterable[str]) -> Sight:
        """What a look shows now; `direct` are the hosts that are looked at over their own API."""
        vms = tuple(self._vm(kept) for kept in self.snapshot.vms)
        hosts = []
        for name, truth in self.hosts.items():
            answers = truth.is_on and not truth.is_silent
            truth.answered_at = self.now if answers else truth.answered_at
            hosts.append(host(name, is_connected=answers, in_maintenance=truth.in_maintenance,
                              power=Power.ON if answers else Power.UNKNOWN))
        cluster: ClusterSeen | Unseen = Unseen(self.vcenter_at, "silent")
        if self.is_vcenter_up:
            self.vcenter_at = self.now
            cluster = replace(seen(hosts, vms, SETTINGS if self.settings_armed else DISARMED), at=self.now)
        looks: dict[str, HostSeen | Unseen] = {}
        for name in direct:
            truth = self.hosts[name]
            looks[name] = Unseen(truth.answered_at, "silent") if truth.is_silent or not truth.is_on else HostSeen(
                self.now, name, UUIDS[name], truth.in_maintenance, tuple(v for v in vms if v.host == name))
        return Sight(cluster, looks, {bmc_address(name): self._bmc(name) for name in self.hosts})

    def _vm(self, kept: KeptVm) -> Vm:
        return vm(kept.name, self.host_of[kept.id], Power.ON if self.on[kept.id] else Power.OFF)

    def _bmc(self, name: str) -> BmcSeen | Unseen:
        truth = self.hosts[name]
        if truth.is_bmc_silent:
            return Unseen(self.now, "silent")
        return bmc(name, Power.ON if truth.is_on else Power.OFF)

    def reaches(self, command: Command) -> bool:
        """Whether anybody is there to take it."""
        if command.verb in {Verb.POWER_ON_HOST, Verb.FORCE_OFF_HOST}:
            return True  # a BMC that does not answer may take it all the same
        if command.via == VCENTER:
            return self.is_vcenter_up
        return self.hosts[command.via].is_on and not self.hosts[command.via].is_silent

    def heal(self) -> None:
        """Everything answers again, and nothing late is under way."""
        self.is_vcenter_silent = False
        for truth in self.hosts.values():
            truth.is_silent = truth.is_bmc_silent = False
        self.due.clear()

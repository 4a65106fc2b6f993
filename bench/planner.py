"""What a tick costs as the cluster grows: the planner, the join of all looks, the journal's fold, the forecast.

    python -m bench.planner

Values only: no clock, no socket. Each size is measured in every phase that takes it hardest, and the growth from 1,000
to 10,000 VMs is told as a ratio: 10 is linear, 100 would be quadratic. What a tick does has its goal at 10,000.
"""

import gc
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bench.table import Report
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Command, Outcome, Verb
from thermo_guard.core.durations import Durations
from thermo_guard.core.estimate import forecast, remaining_s
from thermo_guard.core.planner import direct_looks, next_step
from thermo_guard.core.plant import BmcSeen, ClusterSeen, ClusterSettings, Host, HostSeen, Power, Sight, Unseen, Vm
from thermo_guard.core.policy import Level, Watch
from thermo_guard.core.record import Incident, Record, fold
from thermo_guard.core.runbook import Runbook
from thermo_guard.core.snapshot import Snapshot, take
from thermo_guard.core.step import Situation, Timing
from thermo_guard.core.view import plant_now

AT = 1_783_216_800.0
ARMED = ClusterSettings(
    ha_enabled=True, ha_host_monitoring="enabled", ha_admission_control=True, drs_enabled=True,
    drs_behavior="fullyAutomated", drs_overrides=True, dpm_enabled=False,
)
DISARMED = replace(ARMED, ha_enabled=False, drs_behavior="manual", drs_overrides=False)
SIZES = ((32, 1_000), (64, 3_000), (100, 10_000))
GOAL_MS = 50.0
"""Of what the planner does at a tick, at the largest size."""
EACH_TICK = ("guests: ", "back: ", "join", "which hosts to look at directly")
FORECAST_S = 2.0


class Cluster:
    """A cluster of made-up hosts and VMs in three tiers, vCenter outside."""

    def __init__(self, hosts: int, vms: int) -> None:
        self.hosts = tuple(
            Host(f"esx{n:03}", f"192.0.2.{n}:443", f"{n:08x}-0000-4000-8000-000000000000") for n in range(hosts)
        )
        self.vms = tuple(
            Vm(f"{n:08x}-1111-4000-8000-000000000000", f"vm-{n:05}", self.hosts[n % hosts].name, Power.ON,
               tier=n % 3 + 1, path=f"[ds] vm-{n:05}/vm-{n:05}.vmx") for n in range(vms)
        )
        self.bmc_of = {host.name: f"bmc-{host.name}" for host in self.hosts}
        self.seen = ClusterSeen(AT, "cluster", self.hosts, self.vms, ARMED)
        bmcs: Mapping[str, BmcSeen] = {b: BmcSeen(AT, b, Power.ON) for b in self.bmc_of.values()}
        self.sight = Sight(self.seen, bmcs=bmcs)
        by_host = {name: bmcs[bmc] for name, bmc in self.bmc_of.items()}
        self.snapshot: Snapshot = take(self.seen, None, by_host, runbook=Runbook(), vcenter_vms=(), level=Level.LOW,
                                       cool_as_of=None)

    def shown(self, *, power: Power = Power.ON, settings: ClusterSettings = DISARMED) -> Sight:
        vms = tuple(replace(vm, power=power, is_tools_running=power is Power.ON) for vm in self.vms)
        return replace(self.sight, cluster=replace(self.seen, vms=vms, settings=settings))

    def dead(self) -> Sight:
        """Every other host is off and vCenter is silent: each of the others was looked at directly."""
        up = self.hosts[::2]
        on_host: dict[str, list[Vm]] = {}
        for vm in self.vms:
            on_host.setdefault(vm.host, []).append(replace(vm, power=Power.OFF, is_tools_running=False))
        direct = {h.name: HostSeen(AT, h.name, h.uuid, in_maintenance=False, vms=tuple(on_host[h.name])) for h in up}
        powers = {host.name: Power.ON if host in up else Power.OFF for host in self.hosts}
        bmcs = {b: BmcSeen(AT, b, powers[name]) for name, b in self.bmc_of.items()}
        return Sight(Unseen(AT, "silent"), direct, bmcs)


def journal_of_incident(cluster: Cluster, *, answers_at_once: int = 10) -> list[ev.Entry]:
    """The way down and back as the loop journals it: answers and sightings come in dribs."""
    events: list[ev.Event] = [ev.AlarmTripped("i", "high", ("hot",)), ev.SnapshotClosed("i")]

    def pass_over(phase: ev.Phase, tier: int, verb: Verb, power: str) -> None:
        mine = [vm for vm in cluster.vms if vm.tier == tier]
        events.append(ev.PhaseBegun("i", phase, tier))
        events.append(ev.Intended(tuple(Command(verb, vm.id, vm.name, "vcenter") for vm in mine)))
        for first in range(0, len(mine), answers_at_once):
            some = mine[first:first + answers_at_once]
            events.append(ev.Answered(tuple(ev.Answer(verb, vm.id, Outcome.ACCEPTED) for vm in some)))
        for first in range(0, len(mine), answers_at_once):
            some = mine[first:first + answers_at_once]
            events.append(ev.Observed(tuple(ev.Sighting("vm", vm.id, vm.name, power, vm.host, 30.0) for vm in some)))

    for tier in (1, 2, 3):
        pass_over(ev.Phase.GUESTS, tier, Verb.SHUT_DOWN_GUEST, "off")
    events.append(ev.RoomRecovered("i", ("cool",)))
    for tier in (3, 2, 1):
        pass_over(ev.Phase.START_GUESTS, tier, Verb.POWER_ON_VM, "on")
    return [ev.Entry(n, AT + n / 10, event) for n, event in enumerate(events, 1)]


def situation(cluster: Cluster, incident: Incident, sight: Sight, now: float = AT) -> Situation:
    return Situation(
        now=now, incident=incident, snapshot=cluster.snapshot,
        plant=plant_now(sight, cluster.snapshot, cluster.bmc_of), timing=Timing(), runbook=Runbook(), is_permitted=True,
        why_not_permitted="", watch=lambda _: Watch(is_clear=True, why=""),
    )


def ticks(cluster: Cluster) -> dict[str, Callable[[], object]]:
    """What one tick does in the phases that are hardest, by name."""
    opening = [ev.Entry(1, AT, ev.AlarmTripped("i", "high", ())), ev.Entry(2, AT, ev.SnapshotClosed("i"))]
    asked = ev.Intended(tuple(Command(Verb.SHUT_DOWN_GUEST, vm.id, vm.name, "vcenter") for vm in cluster.vms))
    answered = ev.Answered(tuple(ev.Answer(c.verb, c.target, Outcome.ACCEPTED) for c in asked.commands))
    begun = ev.Entry(3, AT, ev.PhaseBegun("i", ev.Phase.GUESTS, 1))
    stopping = fold(Record(), [*opening, begun, ev.Entry(4, AT, asked), ev.Entry(5, AT, answered)]).incident
    fresh = fold(Record(), opening).incident
    recovered = fold(Record(), [*opening, ev.Entry(3, AT, ev.RoomRecovered("i", ()))]).incident
    dead_hosts = cluster.hosts[1::2]
    given_up = fold(Record(), [*opening, ev.Entry(3, AT, ev.RoomRecovered("i", ())), *(
        ev.Entry(4 + n, AT, ev.Abandoned("host", host.name, host.name, ev.Phase.OTHER_HOSTS, "not back"))
        for n, host in enumerate(dead_hosts)
    )]).incident
    assert fresh
    assert stopping
    assert recovered
    assert given_up
    on, off, lost = cluster.shown(), cluster.shown(power=Power.OFF), cluster.dead()
    one_tier = Cluster.__new__(Cluster)
    one_tier.__dict__.update(cluster.__dict__)
    one_tier.snapshot = replace(cluster.snapshot, vms=tuple(replace(vm, tier=1) for vm in cluster.snapshot.vms))
    cases = {
        "guests: ask all of one tier": (one_tier, fresh, on, AT),
        "guests: wait for one tier": (one_tier, stopping, on, AT + 20),
        "guests: give up one tier": (one_tier, stopping, on, AT + 1000),
        "guests: all off": (cluster, stopping, off, AT + 20),
        "back: start all": (one_tier, recovered, cluster.shown(power=Power.OFF, settings=ARMED), AT),
        "back: half the hosts lost, VMs adopted": (one_tier, given_up, lost, AT),
    }
    planned: dict[str, Callable[[], object]] = {}
    for name, (plant, incident, sight, now) in cases.items():
        what = situation(plant, incident, sight, now)
        if "adopted" in name:
            told: list[ev.Event] = [
                ev.AlarmTripped("i", "high", ()), ev.SnapshotClosed("i"), ev.RoomRecovered("i", ()),
                ev.Abandoned("cluster", "cluster", "cluster", ev.Phase.START_VCENTER, "silent"),
                *(ev.Abandoned("host", h.name, h.name, ev.Phase.OTHER_HOSTS, "not back") for h in dead_hosts),
            ]
            silent = fold(Record(), [ev.Entry(n, AT, event) for n, event in enumerate(told, 1)]).incident
            assert silent
            what = replace(what, incident=silent)
        planned[name] = lambda what=what: next_step(what)  # type: ignore[misc]
    planned["join of all looks"] = lambda: plant_now(on, cluster.snapshot, cluster.bmc_of)
    planned["join, half the hosts off, the others looked at directly"] = lambda: plant_now(
        lost, cluster.snapshot, cluster.bmc_of)
    dark = replace(lost, direct={}, bmcs={bmc: BmcSeen(AT, bmc, Power.OFF) for bmc in cluster.sight.bmcs})
    planned["join, all off, vCenter silent"] = lambda: plant_now(dark, cluster.snapshot, cluster.bmc_of)
    shown = plant_now(on, cluster.snapshot, cluster.bmc_of)
    planned["which hosts to look at directly"] = lambda: direct_looks(shown, cluster.snapshot)
    planned["snapshot taken anew"] = lambda: take(
        cluster.seen, cluster.snapshot, {}, runbook=Runbook((("db-*", 3), ("web-*", 1))), vcenter_vms=(),
        level=Level.LOW, cool_as_of=None)
    entries = journal_of_incident(cluster)
    planned["fold of a whole incident"] = lambda: fold(Record(), entries)
    return planned


def spent_ms(work: Callable[[], object], runs: int) -> list[float]:
    taken = []
    for _ in range(runs):
        gc.collect()
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1e3)
    return taken


def journal_start_s(cluster: Cluster, folder: Path) -> tuple[float, int]:
    """Seconds to read and fold an open incident's journal from disk, as a start after kill -9 does; its entries."""
    journal = SqlJournal.open(folder)
    for entry in journal_of_incident(cluster):
        journal.append(entry.at, entry.event)
    journal.close()
    journal = SqlJournal.open(folder)
    began = time.perf_counter()
    entries = journal.entries()
    fold(Record(), entries)
    took_s = time.perf_counter() - began
    journal.close()
    return took_s, len(entries)


def main(runs: int = 7) -> bool:
    report = Report("planner")
    before: dict[str, float] = {}
    for hosts, vms in SIZES:
        cluster = Cluster(hosts, vms)
        for name, work in ticks(cluster).items():
            taken = spent_ms(work, runs)
            least = min(taken)
            growth = f"{least / before[name]:.1f} x for {vms / SIZES[0][1]:.0f} x the VMs" if name in before else ""
            before.setdefault(name, least)
            is_held = vms == SIZES[-1][1] and name.startswith(EACH_TICK)
            report.add(f"{vms:,} VMs: {name}", "ms", taken, GOAL_MS if is_held else None, growth)
        with tempfile.TemporaryDirectory() as folder:
            took_s, entries = journal_start_s(cluster, Path(folder))
        report.add(f"{vms:,} VMs: incident read from disk and folded", "s", [took_s], note=f"{entries:,} entries")
    for hosts, vms in SIZES:
        cluster = Cluster(hosts, vms)
        taken = [ms / 1e3 for ms in spent_ms(lambda c=cluster: forecast(  # type: ignore[misc]
            c.snapshot, c.bmc_of, Timing(), Runbook(), has_direct_logins=True, watch_s=600.0), 3)]
        report.add(f"forecast, {hosts} hosts, {vms:,} VMs", "s", taken, FORECAST_S if vms == SIZES[0][1] else None)
        remaining = [ms / 1e3 for ms in spent_ms(measured_remaining(cluster), 3)]
        report.add(f"what is left of the way down, {hosts} hosts, {vms:,} VMs", "s", remaining, FORECAST_S)
    return report.show()


def measured_remaining(cluster: Cluster) -> Callable[[], object]:
    """The way down from its first moment, each VM and host with a measured time of its own: the dearest case."""
    took = {("vm", vm.id, ev.Goal.OFF): (ev.Took(AT, 20.0 + n * 7919 % 100),) for n, vm in enumerate(cluster.vms)}
    took |= {("host", h.name, ev.Goal.OFF): (ev.Took(AT, 60.0 + n * 7 % 140),) for n, h in enumerate(cluster.hosts)}
    opening = [ev.Entry(1, AT, ev.AlarmTripped("i", "high", ())), ev.Entry(2, AT, ev.SnapshotClosed("i"))]
    incident = fold(Record(), opening).incident
    assert incident
    plant = plant_now(cluster.shown(settings=ARMED), cluster.snapshot, cluster.bmc_of)
    return lambda: remaining_s(
        incident, cluster.snapshot, plant, cluster.bmc_of, Timing(), Runbook(), Durations(took), AT)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(0 if main() else 1)

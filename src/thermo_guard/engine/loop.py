"""The loop: observe, decide, journal, act, observe. The only sequencing there is; every decision is the core's."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from thermo_guard.core import events as ev
from thermo_guard.core.appliance import find_vcenter
from thermo_guard.core.commands import Command, Outcome, Verb
from thermo_guard.core.goal import Mode, turn
from thermo_guard.core.matching import match_bmcs, merged_pairs
from thermo_guard.core.planner import direct_looks, next_step
from thermo_guard.core.plant import BmcSeen, ClusterSeen
from thermo_guard.core.policy import Assessment, Level, PolicySettings, Room, assess, remembered, seen, watch
from thermo_guard.core.readings import Poll
from thermo_guard.core.record import POWER_ON_WINDOW_S, Incident
from thermo_guard.core.report import differences
from thermo_guard.core.snapshot import take
from thermo_guard.core.step import Situation, Step, Timing
from thermo_guard.core.tiers import Tiers
from thermo_guard.core.view import PlantNow, plant_now
from thermo_guard.ports import Clock, Fault, Hypervisor, Journal, Notifier, PowerController, RoomSensors, StatusBoard

from .board import TICK_BOUND_S, status
from .hands import Hands
from .ledger import Ledger, Listener
from .lookout import LOOK_VALID_S, Lookout

log = structlog.get_logger()

TICK_GAP_S = 0.2
"""Looks that come in within this time are planned with together."""
QUIET_TICK_S = 15.0
PATIENT_S = 15.0
"""In phases that only wait for the room, the plant is looked at this often."""
_PATIENT = {ev.Phase.ALL_OFF, ev.Phase.HELD, ev.Phase.WATCH}
FRESH_LOOK_S = 45.0
"""After a trip, so long is waited for one more look at the cluster before the snapshot is closed with what is known."""
HISTORY_S = 3 * 3600.0
SUMMARY_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """What the loop was told; seconds."""

    policy: PolicySettings
    timing: Timing
    tiers: Tiers = field(default_factory=Tiers)
    mode: Mode = Mode.ARMED
    poll_s: float = 60.0
    snapshot_s: float = 600.0
    active_s: float = 2.0
    vcenter_vm: str | None = None
    bmc_overrides: Mapping[str, str] = field(default_factory=dict)
    """`esxi_host` by BMC address."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Everything outside that the loop works with."""

    clock: Clock
    sensors: RoomSensors
    hypervisor: Hypervisor
    bmcs: Sequence[PowerController]
    journal: Journal
    notifier: Notifier
    board: StatusBoard
    listeners: tuple[Listener, ...] = ()


class Loop:
    def __init__(self, settings: LoopSettings, edges: Edges) -> None:
        self.settings = settings
        self.edges = edges
        self.clock = edges.clock
        self.ledger = Ledger(edges.journal, edges.notifier, edges.clock, edges.listeners)
        self.lookout = Lookout(edges.clock, edges.sensors, edges.hypervisor, edges.bmcs)
        self.hands = Hands(edges.hypervisor, {bmc.address: bmc for bmc in edges.bmcs})
        now = self.clock.now()
        room = Room(started_at=now, sensors=self.ledger.record.sensors)
        self.room = remembered(room, edges.journal.readings(now - HISTORY_S), settings.policy)
        self.step: Step | None = None
        self.summed_up_at = now
        self.is_count_missing = False
        self.learned_from: list[float | None] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Tick until `stop` is set."""
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                self._start_looks()
                self.tick()
                await self._next_change(stopped)
        finally:
            stopped.cancel()
            await self.hands.aclose()
            await self.lookout.aclose()

    def _is_active(self) -> bool:
        return self.ledger.record.incident is not None

    def _look_every_s(self) -> float:
        """How often the plant is looked at now."""
        if not self._is_active():
            return self.settings.snapshot_s
        is_patient = self.step is not None and self.step.phase in _PATIENT
        return max(PATIENT_S, self.settings.active_s) if is_patient else self.settings.active_s

    def _start_looks(self) -> None:
        every_s = self._look_every_s()
        self.lookout.polls.start_if_due(self.settings.poll_s)
        self.lookout.counts.start_if_due(self.settings.poll_s)
        self.lookout.cluster.start_if_due(every_s)
        matched = set(self.ledger.record.bmc_of.values())
        for address, look in self.lookout.bmcs.items():
            look.start_if_due(every_s if address in matched else self.settings.snapshot_s)
        for direct in self.lookout.direct.values():
            direct.start_if_due(every_s)

    async def _next_change(self, stopped: asyncio.Future[Any]) -> None:
        """Return when something may have changed: a look or an answer came in, or a time has come."""
        every_s = self._look_every_s()
        tick_s = min(every_s, self.lookout.cluster.due_in_s(every_s), QUIET_TICK_S)
        waiting = [task for look in self.lookout.all() if (task := look.task) is not None]
        due_s = min(self.lookout.polls.due_in_s(self.settings.poll_s), tick_s)
        await asyncio.wait([stopped, *waiting, *self.hands.tasks], timeout=max(due_s, 0.01),
                           return_when=asyncio.FIRST_COMPLETED)
        if not stopped.done():
            await self.clock.sleep(TICK_GAP_S)

    def tick(self) -> None:
        """One pass: take in what has come, decide, journal, act."""
        now = self.clock.now()
        self._take_in()
        self.room, assessment = assess(self.room, self.settings.policy, now)
        record = self.ledger.record
        if assessment.level is not None and assessment.level != record.level:
            self.ledger.write(ev.LevelChanged(assessment.level, record.level or "", assessment.reasons))
        turned = turn(self.ledger.record, assessment, self.settings.mode, now)
        if turned is not None and self.ledger.write(turned):
            self.lookout.cluster.ask_again()
        plant = self._plant()
        if self._is_active():
            self._act(plant, assessment, now)
        else:
            self.step = None
            self._learn(assessment)
        self._sum_up(assessment, now)
        try:
            self.edges.board.publish(status(self, assessment, plant, now), TICK_BOUND_S)
        except Fault as fault:
            log.warning("status.not_published", reason=str(fault))

    def _take_in(self) -> None:
        poll = self.lookout.polls.take()
        if poll is not None:
            self._keep(poll)
        count = self.lookout.counts.take()
        if count is not None and (count.temperature is None) is not self.is_count_missing:
            self.is_count_missing = count.temperature is None
            log.warning("alert_count.missing" if self.is_count_missing else "alert_count.present",
                        what="whether Meraki counts sensors in temperature alarm in this network; degrees go on")
        failures = list(cluster.failures) if (cluster := self.lookout.cluster.take()) is not None else []
        for look in self.lookout.direct.values():
            if (host := look.take()) is not None:
                failures.extend(host.failures)
        for bmc in self.lookout.bmcs.values():
            bmc.take()
        answers = self.hands.answers()
        if self._is_active():
            answers += tuple(ev.Answer(Verb(f.verb), f.target, Outcome.REFUSED, f.text) for f in failures)
            if answers:
                self.ledger.write(ev.Answered(answers))

    def _keep(self, poll: Poll) -> None:
        log.debug("sensors.polled", readings={r.sensor: r.celsius for r in poll.readings})
        new = [r for r in poll.readings
               if (track := self.room.tracks.get(r.sensor)) is None or r.stamp > track.last.stamp]
        self.room = seen(self.room, poll, self.settings.policy)
        try:
            self.edges.journal.keep_readings(new)
        except Fault as fault:
            log.error("journal.failed", reason=str(fault))
        if self.settings.policy.sensors is None and self.room.sensors != self.ledger.record.sensors:
            self.ledger.write(ev.SensorsLearned(self.room.sensors))

    def _plant(self) -> PlantNow:
        """The plant as last seen; while an incident lasts, hosts that vCenter does not show are looked at directly."""
        snapshot, record = self.ledger.snapshot, self.ledger.record
        valid_s = 2 * self._look_every_s() + LOOK_VALID_S
        plant = plant_now(self.lookout.sight(valid_s), snapshot, record.bmc_of)
        if snapshot is not None and record.incident is not None and self.lookout.has_looked:
            kept = {host.name: host for host in snapshot.hosts}
            self.lookout.look_at_hosts({
                name: (kept[name].address, kept[name].thumbprint)
                for name in direct_looks(plant, snapshot) if name in kept
            })
        elif record.incident is None:
            self.lookout.look_at_hosts({})
        return plant

    def _learn(self, assessment: Assessment) -> None:
        """Quiet time: which BMC is which host, and the snapshot."""
        cluster = self.lookout.cluster.shown
        looked_at = [self.lookout.cluster.shown_at, *(look.shown_at for look in self.lookout.bmcs.values())]
        if cluster is None or not self.lookout.has_looked or looked_at == self.learned_from:
            return
        self.learned_from = looked_at
        looks = {address: look.value(2 * self.settings.snapshot_s) for address, look in self.lookout.bmcs.items()}
        found = [look for look in looks.values() if isinstance(look, BmcSeen)]
        matching = match_bmcs(cluster.hosts, found, self.settings.bmc_overrides)
        pairs = merged_pairs(self.ledger.record.bmc_of, matching, set(looks) - {bmc.address for bmc in found})
        if dict(pairs) != dict(self.ledger.record.bmc_of):
            self.ledger.write(ev.BmcsMatched(pairs))
        if self.ledger.snapshot is None or cluster.at > self.ledger.snapshot.at:
            self._take_snapshot(cluster, is_cool=assessment.level is Level.LOW)

    def _take_snapshot(self, cluster: ClusterSeen, *, is_cool: bool) -> bool:
        bmcs = self.lookout.sight(2 * self.settings.snapshot_s).bmcs
        appliance = find_vcenter(cluster.vms, self.settings.vcenter_vm, cluster.addresses)
        before = self.ledger.snapshot
        snapshot = take(
            cluster, before,
            {host: bmcs[address] for host, address in self.ledger.record.bmc_of.items() if address in bmcs},
            tiers=self.settings.tiers, vcenter_vms=appliance.vms, is_cool=is_cool,
        )
        if before is not None and replace(snapshot, at=before.at) == before:
            return True  # nothing has changed: the row is large, and a NAS writes slowly
        return self.ledger.keep_snapshot(snapshot)

    def _close_snapshot(self, incident: str, opened_at: float, now: float) -> bool:
        """One more look after the trip, then the snapshot is closed; True once it is."""
        look = self.lookout.cluster
        is_new = look.shown is not None and look.shown.at >= opened_at
        is_late = now - opened_at >= FRESH_LOOK_S or (look.fault is not None and look.task is None)
        if is_new and look.shown is not None:
            if not self._take_snapshot(look.shown, is_cool=False):
                return False
        elif not is_late or self.ledger.snapshot is None:
            return False
        return self.ledger.write(ev.SnapshotClosed(incident))

    def _act(self, plant: PlantNow, assessment: Assessment, now: float) -> None:
        """In an incident: plan, journal what is intended, then send it."""
        incident = self.ledger.record.incident
        if incident is None or not self.lookout.has_looked:
            return
        if not incident.is_snapshot_closed and not self._close_snapshot(incident.id, incident.opened_at, now):
            return
        record = self.ledger.record
        incident, snapshot = record.incident, self.ledger.snapshot
        if incident is None or snapshot is None:
            return
        situation = Situation(
            now=now, incident=incident, snapshot=snapshot, plant=plant, timing=self.settings.timing,
            tiers=self.settings.tiers, is_permitted=assessment.permits_power_on,
            why_not_permitted="; ".join(assessment.reasons),
            watch=lambda since: watch(self.room, assessment, self.settings.policy, since, now),
            power_ons=tuple(t for t in record.power_ons if now - t < POWER_ON_WINDOW_S),
        )
        self.step = step = next_step(situation)
        commands = self.hands.idle(step.commands)
        if not self.ledger.write(*_told(step, incident, commands)):
            return
        if commands:
            self.hands.start(commands, {host.name: host.address for host in snapshot.hosts})
        if step.is_done and incident.goal is ev.Goal.ON and not commands and self.ledger.record.incident is not None:
            self.ledger.write(ev.IncidentClosed(
                incident.id, differences(snapshot, plant, self.ledger.record.incident)))

    def _sum_up(self, assessment: Assessment, now: float) -> None:
        if now - self.summed_up_at < SUMMARY_EVERY_S:
            return
        self.summed_up_at = now
        polls = self.lookout.polls
        log.info("hour.passed", level=assessment.level, polls=polls.tries, failures=polls.failures,
                 temperatures={s.sensor: s.celsius for s in assessment.sensors})
        polls.tries = polls.failures = 0


def _told(step: Step, incident: Incident, commands: Sequence[Command]) -> list[ev.Event]:
    """What the journal is told of a step before anything of it is done."""
    events: list[ev.Event] = []
    if (incident.phase, incident.tier) != (step.phase, step.tier):
        events.append(ev.PhaseBegun(incident.id, step.phase, step.tier))
    if step.observed:
        events.append(ev.Observed(tuple(step.observed)))
    events.extend(step.abandoned)
    if step.needs_person is not None and not incident.is_held:
        events.append(ev.PowerOnHeld(step.needs_person))
    if not incident.is_powered_on and any(command.verb is Verb.POWER_ON_HOST for command in commands):
        events.append(ev.SitePoweredOn(incident.id))
    if commands:
        events.append(ev.Intended(tuple(commands)))
    return events

"""The loop: observe, decide, journal, act, observe. The only sequencing there is; every decision is the core's."""

import asyncio
from typing import Any

import structlog

from thermo_guard.core import events as ev
from thermo_guard.core.commands import Outcome, Verb
from thermo_guard.core.decisions import Noticing, What
from thermo_guard.core.goal import may_act, standing_by, turn
from thermo_guard.core.planner import direct_looks
from thermo_guard.core.policy import Assessment, assess, watch
from thermo_guard.core.record import Incident
from thermo_guard.core.step import Step
from thermo_guard.core.view import PlantNow, plant_now
from thermo_guard.ports import Fault

from .arming import Arming
from .board import INCIDENT_BOUND_S, QUIET_BOUND_S, status
from .conductor import Conductor
from .hands import Hands
from .haste import Haste
from .house import Houses
from .ledger import Ledger
from .logins import RefusedLogins
from .lookout import LOOK_VALID_S, Look, Lookout
from .membership import Membership
from .namebook import Namebook
from .orders import Orders
from .reminder import Reminder
from .snapshots import Snapshots
from .sources import Sources
from .stop_time import StopTime
from .terms import Edges, LoopSettings

log = structlog.get_logger()

TICK_GAP_S = 0.2
"""Looks that come in within this time are planned with together."""
QUIET_TICK_S = 15.0
PATIENT_S = 15.0
"""In phases that only wait for the room, the plant is looked at this often."""
_PATIENT = {ev.Phase.ALL_OFF, ev.Phase.HELD, ev.Phase.WATCH}
SUMMARY_EVERY_S = 3600.0
_LEVELS = {What.BLIND, What.SIGHTED}
"""These are changes of the level, told as such."""
AWAY_S = 3600.0
"""A guard that was not there for so long in an incident does not simply go on stopping things."""


class Loop:
    def __init__(self, settings: LoopSettings, edges: Edges) -> None:
        self.settings = settings
        self.edges = edges
        self.clock = edges.clock
        self.ledger = Ledger(edges.journal, edges.notifier, edges.clock, edges.listeners)
        self.lookout = Lookout(edges.clock, edges.sensors, edges.hypervisor, edges.bmcs, edges.ports)
        self.hands = Hands(edges.hypervisor, {bmc.address: bmc for bmc in edges.bmcs})
        self.logins = edges.logins if edges.logins is not None else RefusedLogins(edges.clock)
        self.logins.bind(self.ledger.record.refused, self.ledger.write)
        self.names = None if edges.names is None else Namebook(edges.names, self.ledger, edges.clock)
        self.arming = Arming(settings, self.ledger, edges.notifier, edges.clock, edges.preflight)
        self.membership = Membership(self.ledger, edges.notifier)
        self.reminder = Reminder(self.ledger, edges.notifier)
        self.houses = Houses(settings, self.ledger, edges.notifier, edges.minute_of_day)
        self.orders = Orders(settings, self.ledger, self.lookout, self.hands, self.logins, edges.notifier)
        self.snapshots = Snapshots(settings, self.ledger, self.lookout, edges.own_addresses)
        self.haste = Haste(settings, self.ledger, edges.clock, edges.aside)
        self.conductor = Conductor(settings, self.ledger, self.hands)
        self.sources = Sources(settings, edges, self.ledger, self.lookout)
        self.sources.room = self.houses.taken_up(self.sources.room)
        self.stop_time = StopTime(settings, self.ledger, edges.clock, edges.aside)
        self.noticing = Noticing(self.stop_time.policy)
        self.is_warned = False
        now = self.clock.now()
        signs = [at for at in [self.sources.last_at, self.ledger.last_at] if at is not None]
        self.away_s = now - max(signs, default=now)
        """For how long no guard was there before this one."""
        self.step: Step | None = None
        self.idle_at = float("-inf")
        """When an incident was last not worked on, for a pause."""
        self.summed_up_at = now

    async def run(self, stop: asyncio.Event) -> None:
        """Tick until `stop` is set."""
        incident = self.ledger.record.incident
        if incident is not None and incident.rehearsal is None and self.away_s >= AWAY_S:
            self.ledger.write(ev.GuardAway(incident.id, self.away_s))
        self.ledger.write(*self.ledger.fatal)
        why = standing_by(self.ledger.record, self.settings.mode, self.clock.now())
        if self._is_active() and why is not None and not self._may_act():
            self.edges.notifier.tell(f"An incident is open, and {why}: NOTHING is being done",
                                     "Set MODE=armed and restart Thermo-Guard, or `thermo-guard resume`, to go on.",
                                     urgent=True)
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
            for look in self._own_looks():
                await look.stop()

    def _is_active(self) -> bool:
        return self.ledger.record.incident is not None

    def _own_looks(self) -> list[Look[Any]]:
        """Those that are no part of the plant's sight."""
        looks = [self.arming.look, self.names and self.names.look, self.haste.look, self.stop_time.look]
        return [*(look for look in looks if look), *self.sources.looks]

    def _may_act(self) -> bool:
        return may_act(self.ledger.record, self.settings.mode, self.clock.now())

    def _look_every_s(self) -> float:
        """How often the plant is looked at now."""
        if not self._may_act():
            return self.settings.snapshot_s
        is_patient = self.step is not None and self.step.phase in _PATIENT
        return max(PATIENT_S, self.settings.active_s) if is_patient else self.settings.active_s

    def _start_looks(self) -> None:
        every_s = self._look_every_s()
        self.lookout.polls.start_if_due(self.settings.poll_s)
        self.lookout.counts.start_if_due(self.settings.poll_s)
        self.sources.start_looks()
        self.lookout.cluster.start_if_due(every_s)
        matched = set(self.ledger.record.bmc_of.values())
        for address, look in self.lookout.bmcs.items():
            look.start_if_due(every_s if address in matched else self.settings.snapshot_s)
        for direct in self.lookout.direct.values():
            direct.start_if_due(every_s)
        for port in self.lookout.ports.values():
            if not port.shown:
                port.start_if_due(every_s)
        self.arming.start_look_if_due()
        if self.names is not None:
            self.names.tick(self.settings.snapshot_s)

    async def _next_change(self, stopped: asyncio.Future[Any]) -> None:
        """Return when something may have changed: a look or an answer came in, or a time has come."""
        every_s = self._look_every_s()
        tick_s = min(every_s, self.lookout.cluster.due_in_s(every_s), QUIET_TICK_S)
        looks = [*self.lookout.all(), *self._own_looks()]
        waiting = [task for look in looks if (task := look.task) is not None]
        due_s = min(self.lookout.polls.due_in_s(self.settings.poll_s), self.sources.due_in_s(), tick_s)
        await asyncio.wait([stopped, *waiting, *self.hands.tasks], timeout=max(due_s, 0.01),
                           return_when=asyncio.FIRST_COMPLETED)
        if not stopped.done():
            await self.clock.sleep(TICK_GAP_S)

    def tick(self) -> None:
        """One pass: take in what has come, decide, journal, act."""
        now = self.clock.now()
        self.ledger.catch_up()
        self._take_in()
        self.stop_time.tick()
        self.sources.room, assessment = assess(self.sources.room, self.stop_time.policy, now)
        self._tell_level(assessment, now)
        self._tell_news(assessment, now)
        self.arming.tick(assessment, now)
        has_ordered = self.orders.take_up(assessment, self._plant, now)
        house = self.houses.now(assessment, now)
        turned = turn(self.ledger.record, assessment, self.settings.mode, now, house)
        if turned is not None and (recalled := self.hands.recall()):
            self.ledger.write(ev.Answered(recalled))
        if (turned is not None and self.ledger.write(turned)) or has_ordered:
            self.lookout.cluster.ask_again()
        before, plant = self.ledger.snapshot, self._plant()
        self.snapshots.learn(assessment, plant)
        if self.ledger.snapshot is not before:
            plant = self._plant()
        if self._is_active() and self._may_act():
            self._act(plant, assessment, now)
        else:
            self.step = None
            self.idle_at = now if self._is_active() else self.idle_at
            self.haste.rest()
        self.orders.go_on(assessment, now)
        self.membership.tick(self.arming.passed_since)
        self.reminder.tick(self.arming.stance(now), now)
        self._sum_up(assessment, now)
        bound_s = max(INCIDENT_BOUND_S, self._look_every_s()) if self._may_act() else QUIET_BOUND_S
        try:
            self.edges.board.publish(status(self, assessment, plant, now), bound_s)
        except Fault as fault:
            log.warning("status.not_published", reason=str(fault))

    def _tell_level(self, assessment: Assessment, now: float) -> None:
        known = {self.ledger.record.level, self.ledger.level}
        if assessment.level is None or known == {assessment.level}:
            return
        before = self.ledger.level if self.ledger.level != assessment.level else self.ledger.record.level
        self.ledger.write(ev.LevelChanged(assessment.level, before or "", self._reasons(assessment)))
        why = self.arming.stance(now).why
        if assessment.is_alarm and why is not None and not self._is_wished():
            self.ledger.write(ev.AlarmObserved(assessment.level, assessment.reasons, why))

    def _tell_news(self, assessment: Assessment, now: float) -> None:
        """What the level does not say: suspect sensors, fewer that decide, warnings, blindness that lasts."""
        for news in self.noticing.news(assessment, now):
            if news.what in _LEVELS or (news.what is What.WARNED and assessment.is_alarm):
                continue  # told by the level, or by the alarm
            if news.what is What.WARNING_ENDED and not self.is_warned:
                continue
            self.is_warned = (self.is_warned or news.what is What.WARNED) and news.what is not What.WARNING_ENDED
            self.ledger.write(ev.Noticed(str(news.what), news.level, news.reason, news.celsius, news.sensor))

    def _is_wished(self) -> bool:
        incident = self.ledger.record.incident
        return incident is not None and bool(incident.wished_by)

    def _reasons(self, assessment: Assessment) -> tuple[str, ...]:
        """Why the level is what it is; where the source does not answer, what it last said belongs to it."""
        fault = self.lookout.polls.fault
        return assessment.reasons if fault is None else (*assessment.reasons, f"the last poll failed: {fault}")

    def _take_in(self) -> None:
        self.sources.take_in(self.stop_time.policy)
        failures = list(cluster.failures) if (cluster := self.lookout.cluster.take()) is not None else []
        for look in self.lookout.direct.values():
            if (host := look.take()) is not None:
                failures.extend(host.failures)
        for bmc in self.lookout.bmcs.values():
            bmc.take()
        for port in self.lookout.ports.values():
            port.take()
        answers = self.hands.answers()
        self.orders.answered(answers)
        if self._is_active():
            answers += tuple(ev.Answer(Verb(f.verb), f.target, Outcome.REFUSED, f.text) for f in failures)
            if answers:
                self.ledger.write(ev.Answered(answers))

    def _plant(self) -> PlantNow:
        """The plant as last seen; while an incident lasts, hosts that vCenter does not show are looked at directly."""
        snapshot, record = self.ledger.snapshot, self.ledger.record
        valid_s = 2 * self._look_every_s() + LOOK_VALID_S
        plant = plant_now(self.lookout.sight(valid_s), snapshot, record.bmc_of)
        if snapshot is not None and record.incident is not None and self.lookout.has_looked:
            kept = {host.name: host for host in snapshot.hosts}
            self.lookout.look_at_hosts({
                name: (kept[name].address, kept[name].thumbprint)
                for name in direct_looks(plant, snapshot, record.incident) if name in kept
            })
        elif record.incident is None:
            self.lookout.look_at_hosts({})
        if self.step is None:
            self.lookout.forget_ports()
        else:
            self.lookout.look_at_ports(self.step.ports)
        return plant

    def _act(self, plant: PlantNow, assessment: Assessment, now: float) -> None:
        """In an incident: close the snapshot, then do what is due."""
        incident = self.ledger.record.incident
        if incident is None or not self._can_plan(incident, assessment):
            return
        if not incident.is_snapshot_closed and not self.snapshots.close(incident, plant, now):
            return
        self.haste.tick(plant, self.sources.room, assessment, now)
        despite_unseen = incident.despite_unseen
        self.step = self.conductor.conduct(
            plant, assessment,
            lambda since: watch(self.sources.room, assessment, self.stop_time.policy, since, now,
                                despite_unseen=despite_unseen),
            now,
        )

    def _can_plan(self, incident: Incident, assessment: Assessment) -> bool:
        """The plant has been looked at, after a pause anew: what was seen before it would be taken for silence.

        After a start on the way back, hosts and room too: nothing is urgent there.
        """
        matched = [self.lookout.bmcs.get(address) for address in self.ledger.record.bmc_of.values()]
        tried = [self.lookout.cluster.tried_at, *(look.tried_at for look in matched if look is not None)]
        if any(at is None or at <= self.idle_at for at in tried):
            return False
        if incident.goal is ev.Goal.OFF or self.step is not None:
            return self.lookout.has_looked
        hosts = all(look.has_looked for look in self.lookout.direct.values())
        is_known = assessment.level is not None or incident.despite_unseen
        return self.lookout.has_looked and hosts and is_known

    def _sum_up(self, assessment: Assessment, now: float) -> None:
        if now - self.summed_up_at < SUMMARY_EVERY_S:
            return
        self.summed_up_at = now
        polls = self.lookout.polls
        log.info("hour.passed", level=assessment.level, polls=polls.tries, failures=polls.failures,
                 temperatures={s.sensor: s.celsius for s in assessment.sensors})
        polls.tries = polls.failures = 0

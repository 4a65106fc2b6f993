"""Conducts an incident: plan, journal what is intended, then send it; close it with the report."""

from collections.abc import Callable, Sequence

from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.goal import permits_power_on
from thermo_guard.core.planner import next_step
from thermo_guard.core.policy import Assessment, Watch
from thermo_guard.core.record import POWER_ON_WINDOW_S, Incident, durations
from thermo_guard.core.report import differences
from thermo_guard.core.scope import scope_of
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.step import Situation, Step, told
from thermo_guard.core.view import PlantNow

from .hands import Hands
from .ledger import Ledger
from .terms import LoopSettings

_WAY_DOWN = {
    Verb.DISARM_HA, Verb.DISARM_DRS, Verb.RETREAT_VCLS, Verb.SHUT_DOWN_GUEST, Verb.ANSWER_VM, Verb.POWER_OFF_VM,
    Verb.TERMINATE_VM, Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST, Verb.FORCE_OFF_HOST,
}


class Conductor:
    def __init__(self, settings: LoopSettings, ledger: Ledger, hands: Hands) -> None:
        self._settings = settings
        self._ledger = ledger
        self._hands = hands
        self._is_permitted = False
        self._is_vcenter_seen = False
        self._suspect: tuple[Verb, str] | None = None
        """The one that is being tried."""

    def conduct(
        self, plant: PlantNow, assessment: Assessment, watch: Callable[[float], Watch], now: float
    ) -> Step | None:
        """Do what is due now; the step that was planned, None where no incident can be planned for."""
        record, snapshot = self._ledger.record, self._ledger.snapshot
        incident = record.incident
        if incident is None or snapshot is None:
            return None
        self._is_permitted = permits_power_on(assessment, despite_unseen=incident.despite_unseen)
        self._is_vcenter_seen = plant.settings is not None
        step = next_step(Situation(
            now=now, incident=incident, snapshot=snapshot, plant=plant, timing=self._settings.timing,
            runbook=self._settings.runbook, is_permitted=self._is_permitted,
            why_not_permitted="; ".join(assessment.reasons), watch=watch,
            power_ons=tuple(t for t in record.power_ons if now - t < POWER_ON_WINDOW_S),
            scope=scope_of(record, snapshot),
            started_at=record.started_at,
        ))
        commands = self._one_suspect(self._hands.idle(step.commands))
        if not self._ledger.write(*told(step, incident, commands)):
            self._suspect = None  # it was not sent
            return step
        if commands:
            self._hands.start(commands, {host.name: host.address for host in snapshot.hosts},
                              self._why_not)
        elif step.is_done and (latest := self._ledger.record.incident) is not None:
            self._end(latest, snapshot, plant)
        return step

    def _end(self, incident: Incident, snapshot: Snapshot, plant: PlantNow) -> None:
        """Nothing is left to do on this way: a way back is over, and a rehearsal begins its own."""
        targets = {vm.id for vm in snapshot.vms} | {host.name for host in snapshot.hosts}
        if (learned := durations(self._ledger.record, targets)) is not None:
            self._ledger.write(learned)
        if incident.goal is ev.Goal.ON:
            lines = differences(snapshot, plant, incident, scope_of(self._ledger.record, snapshot))
            self._ledger.write(ev.IncidentClosed(incident.id, lines))
        elif incident.rehearsal is not None:
            reason = f"the way down of {incident.rehearsal.name} has ended"
            self._ledger.write(ev.GoalWished(incident.id, ev.Goal.ON, incident.wished_by, reason))

    def _one_suspect(self, commands: Sequence[Command]) -> Sequence[Command]:
        """Of what the guard may not have survived twice one at a time: it is cleared once it was answered."""
        suspects = self._ledger.suspects
        if self._suspect is not None and not self._hands.is_under_way(self._suspect):
            suspects.discard(self._suspect)
            self._suspect = None
        for command in commands if self._suspect is None else ():
            if command.key in suspects:
                self._suspect = command.key
                break
        return [c for c in commands if c.key not in suspects or c.key == self._suspect]

    def _why_not(self, command: Command) -> str | None:
        """Why a command that was planned a while ago must not be sent any more, by what the last tick knew."""
        incident = self._ledger.record.incident
        goal = ev.Goal.OFF if command.verb in _WAY_DOWN else ev.Goal.ON
        if incident is None or incident.goal is not goal:
            return "the goal has turned"
        if goal is ev.Goal.ON and not self._is_permitted:
            return "the room does not permit it any more"
        if command.via == VCENTER and not self._is_vcenter_seen:
            return "vCenter does not answer"
        return None

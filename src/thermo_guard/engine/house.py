"""What the site itself says of a turn: what of it may be shed, and when it may come back by itself."""

from dataclasses import replace

import structlog

from thermo_guard.core.events import Goal
from thermo_guard.core.goal import House, is_acknowledged, is_recovered, is_to_shed, standing_by
from thermo_guard.core.policy import Assessment, Room
from thermo_guard.core.restart_rules import restart_waits_for
from thermo_guard.core.shedding import shed_vms
from thermo_guard.core.stages import Held, Stage
from thermo_guard.ports import Notifier

from .ledger import Ledger
from .terms import LoopSettings, MinuteOfDay

log = structlog.get_logger()


class Houses:
    def __init__(
        self, settings: LoopSettings, ledger: Ledger, notifier: Notifier, minute_of_day: MinuteOfDay
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._notifier = notifier
        self._minute_of_day = minute_of_day
        self._is_told = False
        """That the stage is reached at which nothing is shed."""

    def taken_up(self, room: Room) -> Room:
        """The room at a start: in mid-shed the stage is on until it is surely over, as nothing else is known of it."""
        incident = self._ledger.record.incident
        if incident is None or not incident.is_shed or incident.goal is not Goal.OFF:
            return room
        return replace(room, stages={**room.stages, Stage.SHED: Held(is_on=True)})

    def now(self, assessment: Assessment, now: float) -> House:
        """How it stands; tells once where the stage is reached and nothing may be shed."""
        sheds = is_to_shed(assessment)
        house = House(can_shed=sheds and self._can_shed(), waits_for=self._waits_for(assessment, now))
        is_idle = sheds and not house.can_shed and self._ledger.record.incident is None
        if is_idle and not self._is_told and self._ledger.snapshot is not None:
            self._tell_nothing(assessment, now)
        self._is_told = is_idle or (self._is_told and assessment.sheds)
        return house

    def _can_shed(self) -> bool:
        record, snapshot = self._ledger.record, self._ledger.snapshot
        hosts = None if record.confirmed is None else record.confirmed.hosts
        return record.incident is None and snapshot is not None and bool(shed_vms(snapshot, hosts))

    def _waits_for(self, assessment: Assessment, now: float) -> str:
        record = self._ledger.record
        incident = record.incident
        if incident is None or not is_recovered(incident, assessment):
            return ""
        return restart_waits_for(
            self._settings.restart, self._minute_of_day(now), is_acknowledged=is_acknowledged(record),
            waited_s=0.0 if incident.waits_since is None else now - incident.waits_since,
        )

    def _tell_nothing(self, assessment: Assessment, now: float) -> None:
        if standing_by(self._ledger.record, self._settings.mode, now) is not None:
            return
        log.warning("shed.impossible", reasons=assessment.reasons)
        self._notifier.tell(
            "The room nears HIGH, and nothing is shed: the runbook marks nothing that runs as sheddable",
            "\n".join(assessment.reasons), urgent=True,
        )

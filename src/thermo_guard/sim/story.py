"""What of the engine's events and of the virtual world's log is told in the demo, and in which words.

It listens where people's tools listen: to the ledger's events, as a Listener, and at the status board, as a
StatusBoard. So the demo shows the program that runs on a real site, and no other.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from thermo_guard.core import events as ev
from thermo_guard.core.messages import described

from .demo import DayOutcome, DemoScreen, Kind
from .running import Running
from .timeline import Happening

_GROUPED = {
    "vm.off": Kind.VM_OFF, "vm.on": Kind.VM_ON, "host.off": Kind.HOST_OFF, "host.on": Kind.HOST_ON,
    "host.power_on": Kind.HOST_POWERED, "host.maintenance_entered": Kind.HOST_IN_MAINTENANCE,
    "host.maintenance_left": Kind.HOST_OUT_OF_MAINTENANCE,
}
_NOTES = {
    "vm.moved": "VM {object} moves, {detail}", "sensor.fault": "sensor {object}: {detail}",
    "vm.asked": "VM {object} asks: {detail}", "host.let_go": "vCenter lets go of {object}",
    "task.failed": "{object}: {detail}",
}
_SETTINGS = {
    "disarm_ha": "HA is off", "disarm_drs": "DRS is manual", "restore_ha": "HA is on again",
    "restore_drs": "DRS is as it was", "restore_admission": "admission control is as it was",
    "retreat_vcls": "the cluster services retreat", "restore_vcls": "the cluster services come back",
}


class Watched(Protocol):
    """The site whose day is told: a world in this process, or one over the wire."""

    @property
    def now(self) -> float: ...

    @property
    def log(self) -> Sequence[Happening]:
        """All that has happened, oldest first."""
        ...

    @property
    def peak_c(self) -> float: ...

    @property
    def own_hosts(self) -> frozenset[str]:
        """Names of the hosts of the guarded cluster."""
        ...

    def advance(self, now: float) -> None:
        """Let everything happen that is due by then, where that is for somebody else to say."""
        ...

    def running(self) -> Running: ...


class DemoStory:
    """One day of one site, told on one screen. What ran when it was made is what is compared with."""

    def __init__(self, screen: DemoScreen, world: Watched) -> None:
        self._screen = screen
        self._world = world
        self._before = world.running()
        self._told = 0
        self._marks: dict[str, float] = {}
        self.is_over = False
        """The incident is closed."""

    def hear(self, at: float, event: ev.Event) -> None:
        """Tell one event of the guard; to be given to the engine as a listener."""
        self._catch_up(at)
        shown = self._shown(event)
        if shown is not None:
            self._screen.happened(at, *shown)
        match event:
            case ev.AlarmTripped():
                self._marks.setdefault("alarm", at)
            case ev.RoomRecovered():
                self._marks["recovered"] = at
            case ev.HeatReturned():
                self._marks.pop("recovered", None)
            case ev.IncidentClosed():
                self._marks["back"] = at
                self.is_over = True

    def publish(self, status: Mapping[str, object], tick_bound_s: float) -> None:  # noqa: ARG002 - the port has it
        """Show the temperature of a status, as a StatusBoard."""
        at, level, hottest = status.get("at"), status.get("level"), status.get("hottest_c")
        if isinstance(at, float) and isinstance(level, str):
            self._catch_up(at)
            self._screen.temperature(at, hottest if isinstance(hottest, float) else None, level)

    def close(self) -> DayOutcome:
        """Tell the end; gives what the closing table says."""
        self._catch_up(self._world.now)
        outcome = self.outcome()
        self._screen.summary(outcome)
        return outcome

    def outcome(self) -> DayOutcome:
        """How the day went so far, by the world's own account."""
        after, before = self._world.running(), self._before
        ours = self._world.own_hosts
        were_on = ours.intersection(before.hosts)
        alarm_at, recovered_at = self._marks.get("alarm"), self._marks.get("recovered")
        return DayOutcome(
            cooling_failed_at=_first(self._world.log, "room.cooling_failed"), alarm_at=alarm_at,
            all_off_at=_all_off(self._world.log, were_on, alarm_at), peak_c=self._world.peak_c,
            recovered_at=recovered_at, back_at=self._marks.get("back"),
            vms=(sum(host in ours for _, host in after.vms), sum(host in ours for _, host in before.vms)),
            hosts=(len(ours.intersection(after.hosts)), len(were_on)), differences=before.differences(after),
        )

    def _catch_up(self, now: float) -> None:
        """Tell what the world has done until now, so that each line stands after what came before it."""
        self._world.advance(now)
        log = self._world.log
        for happening in log[self._told:]:
            if (shown := _happening_shown(happening)) is not None:
                self._screen.happened(happening.at, *shown)
        self._told = len(log)

    @staticmethod
    def _shown(event: ev.Event) -> tuple[str, Kind] | None:
        match event:
            case ev.GuardArmed():
                return "the guard is armed: all that a shutdown needs has been seen to work", Kind.GOOD
            case ev.PhaseBegun():
                return described(event.phase, event.tier), Kind.PHASE
            case ev.AlarmTripped():
                return f"ALARM ({event.level.upper()}): {'; '.join(event.reasons)}", Kind.ALARM
            case ev.HeatReturned():
                return f"the heat is back ({event.level.upper()}): {'; '.join(event.reasons)}", Kind.ALARM
            case ev.RoomRecovered():
                return f"the room has recovered: {'; '.join(event.reasons)}", Kind.GOOD
            case ev.Abandoned():
                return f"{event.target_kind} {event.name} given up: {event.reason}", Kind.PERSON
            case ev.PowerOnHeld():
                return f"a person must decide: {event.reason}", Kind.PERSON
            case ev.IncidentClosed(differences=()):
                return "the incident is closed: everything is back as it was", Kind.GOOD
            case ev.IncidentClosed():
                return f"the incident is closed with differences: {'; '.join(event.differences)}", Kind.PERSON
            case ev.SnapshotClosed():
                return "what runs where is on record; it is what the way back is measured by", Kind.NOTE
            case _:
                return None


def _happening_shown(happening: Happening) -> tuple[str, Kind] | None:
    if (power := _GROUPED.get(happening.kind)) is not None:
        return happening.object, power
    if (note := _NOTES.get(happening.kind)) is not None:
        return note.format(object=happening.object, detail=happening.detail), Kind.NOTE
    match happening.kind:
        case "room.cooling_failed":
            return "the air conditioner fails", Kind.ALARM
        case "room.cooling_returned":
            return "the air conditioner is repaired", Kind.GOOD
        case "cluster.settings":
            return _SETTINGS.get(happening.detail, happening.detail), Kind.NOTE
        case "host.stopping" if "firmware" in happening.detail:
            return f"{happening.object} is {happening.detail}", Kind.ALARM
        case _:
            return None


def _first(log: Sequence[Happening], kind: str) -> float | None:
    return next((happening.at for happening in log if happening.kind == kind), None)


def _all_off(log: Sequence[Happening], hosts: frozenset[str], since: float | None) -> float | None:
    """When the last of the hosts went off after the alarm, where all did."""
    on = set(hosts)
    for happening in log:
        if happening.kind == "host.off":
            on.discard(happening.object)
            if not on and since is not None and happening.at >= since:
                return happening.at
        elif happening.kind == "host.on" and happening.object in hosts:
            on.add(happening.object)
    return None

"""What the guard promises (S1 to S8), checked at every step of a run by an account of its own.

The account is kept from what crossed the edges: what the sensors delivered, which commands arrived, what became
durable, what people were told; and from the world's own truth. Nothing is taken from how the core decides.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from thermo_guard.core import events as ev
from thermo_guard.core.commands import Command, Verb
from thermo_guard.core.events import Entry, Goal
from thermo_guard.core.goal import Mode
from thermo_guard.core.readings import Poll
from thermo_guard.core.record import Record, fold
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.sim.world import World

from .order import Order
from .senses import Senses

BLIND_TOLD_S = 600.0
ANSWERED_S = 100.0
"""The sensors' source has answered lately: polls are a minute apart, and may be late."""
ACTS_WITHIN_S = 180.0
"""From the delivery of an alarm until it is acted on: a poll, and a look at the plant that hangs."""
UNDER_WAY_S = 12.0
"""What had been sent, or was about to be, when the room changed: a look, a name, a turn at the edge."""
SECRET = "s3cret-of-the-simulation"  # noqa: S105 - nobody may ever see it
POWER_ONS = frozenset({Verb.POWER_ON_HOST, Verb.POWER_ON_VM, Verb.ADOPT_VM})
BMC_VERBS = frozenset({Verb.POWER_ON_HOST, Verb.FORCE_OFF_HOST})


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken."""

    promise: str
    at: float
    what: str

    def __str__(self) -> str:
        return f"{self.promise} at {self.at:.1f}: {self.what}"


@dataclass(slots=True)
class _Incident:
    """The open incident, by the journal's own words."""

    id: str
    goal: Goal
    is_wished: bool = False
    is_shed: bool = False
    given_up: set[str] = field(default_factory=set)


class Promises:
    """One run's account, over all lives of its guard."""

    def __init__(self, world: World, settings: LoopSettings) -> None:
        self.world = world
        self.settings = settings
        self.violations: list[Violation] = []
        self.checked: Counter[str] = Counter()
        self.record = Record()
        """Folded from what became durable: what a new life must find."""
        self.senses = Senses(world, settings.policy)
        self.order = Order(world, settings.timing)
        self.is_disk_full = False
        """Set by the run while the disk takes nothing."""
        self.incident: _Incident | None = None
        self.ahead_s = 0.0
        """By how much the present life's clock is ahead of the world's."""
        self._is_armed = False
        self._confirmed: frozenset[str] | None = None
        self._due: Counter[tuple[Verb, str]] = Counter()
        """Intents that are on record and whose command has not been sent."""
        self._from_memory: Counter[tuple[Verb, str]] = Counter()
        self._level: tuple[str, float] | None = None
        self._is_blind_told = False
        self._unheard: list[Entry] = []
        """What is durable, and what the guard has not taken up: it may die between the two."""
        self._early: list[ev.Event] = []
        """What the guard has taken up from memory, before it is durable."""
        self._is_idle_told = False
        self._begun_at = world.now

    # ---- what is heard of ----

    def begins(self, kept: Sequence[Entry], ahead_s: float) -> None:
        """A life begins with these entries from the disk."""
        self.checked["S6"] += 1
        found = fold(Record(), kept)
        if self.record.seq and found != self.record:
            self._broken("S6", f"the record of {self.record.seq} entries is not what was read again")
        self.record = found
        self.ahead_s = ahead_s
        for entry in self._unheard:
            self._take_up(entry.at, entry.event)
        self._unheard.clear()
        self._early.clear()
        self._from_memory.clear()
        self._due.clear()
        self._begun_at = self.world.now
        self.senses.begin(self.world.now)
        self._is_blind_told = self.record.level == "blind"

    def polled(self, poll: Poll) -> None:
        self.senses.take(poll, self.world.now)

    def saw_plant(self) -> None:
        """The cluster was seen through vCenter, or host by host."""
        if self.incident is None and self.senses.is_cool(self.world.now):
            self.order.seen_in_the_cool()

    def appended(self, entries: Iterable[Entry]) -> None:
        """These have become durable."""
        for entry in entries:
            self.record = fold(self.record, [entry])
            if any(event is entry.event for event in self._early):
                self._early = [event for event in self._early if event is not entry.event]
            else:
                self._unheard.append(entry)
            if isinstance(entry.event, ev.Intended):
                self._due.update(_key(command) for command in entry.event.commands)

    def heard(self, at: float, event: ev.Event) -> None:
        """The guard has taken this for true, durable or not."""
        heard = [entry for entry in self._unheard if entry.event is not event]
        if len(heard) == len(self._unheard):
            self._early.append(event)
        self._unheard = heard
        self._take_up(at, event)

    def _take_up(self, at: float, event: ev.Event) -> None:
        self._no_secret(repr(event))
        match event:
            case ev.GuardArmed():
                self._is_armed = True
            case ev.HostsConfirmed():
                self._confirmed = self.order.confirmed = frozenset(event.hosts)
            case ev.Intended() if self._is_from_memory:
                self._from_memory.update(_key(command) for command in event.commands)
            case ev.LevelChanged():
                self._level = (event.level, self.world.now)
            case ev.Observed():
                self._check_sightings(event)
            case ev.Abandoned() if self.incident is not None:
                self.incident.given_up.add(event.target)
            case _:
                self._turned(at, event)

    def _turned(self, at: float, event: ev.Event) -> None:
        now = at - self.ahead_s
        match event:
            case ev.ShedBegun() | ev.ShedResumed() | ev.ShedEnded():
                self._shed(event, now)
            case ev.AlarmTripped() | ev.HeatReturned() | ev.ShedWidened():
                self.checked["S2"] += 1
                if (why := self.senses.why_no_alarm(event.level, now)) is not None:
                    self._broken("S2", f"tripped {event.level} although {why}")
                if isinstance(event, ev.AlarmTripped):
                    self._open(_Incident(event.incident, Goal.OFF))
                if isinstance(event, ev.ShedWidened):
                    self._widen()
                self._to(Goal.OFF)
            case ev.ShutdownWished():
                self._open(_Incident(event.incident, Goal.OFF, is_wished=True))
            case ev.PowerOnWished():
                self._open(_Incident(event.incident, Goal.ON, is_wished=True))
            case ev.GoalWished() if self.incident is not None:
                if event.goal is Goal.OFF:
                    self._widen()
                self._to(event.goal)
                self.incident.is_wished = True
            case ev.RoomRecovered():
                self.checked["S2"] += 1
                if (why := self.senses.why_not_recovered(now)) is not None:
                    self._broken("S2", f"taken for recovered although {why}")
                self._to(Goal.ON)
            case ev.SnapshotClosed():
                self.order.snapshot_is_closed()
            case ev.IncidentClosed():
                self.incident = None
                self.order.sheds_tiers = None
            case _:
                pass

    def _shed(self, event: ev.ShedBegun | ev.ShedResumed | ev.ShedEnded, now: float) -> None:
        """S2 for what is shed: the room is warm, and has fallen back."""
        self.checked["S2"] += 1
        is_over = isinstance(event, ev.ShedEnded)
        if (why := self.senses.why_still_warm(now) if is_over else self.senses.why_not_warm(now)) is not None:
            self._broken("S2", f"{event.kind} although {why}")
        if isinstance(event, ev.ShedBegun):
            self._open(_Incident(event.incident, Goal.OFF, is_shed=True))
            tiers = self.settings.runbook.tiers
            self.order.sheds_tiers = frozenset(tier for tier, rule in tiers.items() if rule.sheddable)
        self._to(Goal.ON if is_over else Goal.OFF)

    def _widen(self) -> None:
        self.order.sheds_tiers = None
        if self.incident is not None:
            self.incident.is_shed = False

    def told(self, title: str, body: str) -> None:
        self._no_secret(title + body)
        self._is_blind_told |= "BLIND" in title or "blind" in title.lower()

    def ticked(self, facts: Mapping[str, object]) -> None:
        """The guard has shown its status: it is alive."""
        self._no_secret(repr(facts.get("waiting", "")))
        self.checked["blind is told"] += 1
        if self.senses.is_cool(self.world.now):
            self.order.room_is_cool()
        blind_s = self.senses.unanswered_s(self.world.now)
        if blind_s > BLIND_TOLD_S + UNDER_WAY_S and not self._is_blind_told:
            self._broken("liveness", f"no answer from the sensors for {blind_s:.0f} s, and nobody was told")
            self._is_blind_told = True
        if self.record.level != "blind" and blind_s < ANSWERED_S:
            self._is_blind_told = False
        self._is_acting()

    def _is_acting(self) -> None:
        """A confirmed alarm is acted on: no room is hot for long while the goal is to run."""
        is_ours = self._is_armed and self.settings.mode is not Mode.OBSERVE and not self.is_disk_full
        is_ours = is_ours and self.world.now - self._begun_at >= ACTS_WITHIN_S
        is_down = self.incident is not None and self.incident.goal is Goal.OFF and not self.incident.is_shed
        self.checked["trips"] += 1
        why = None if is_down or not is_ours else self.senses.why_hot(self.world.now, ACTS_WITHIN_S)
        if why is not None and not self._is_idle_told:
            self._broken("liveness", f"{why} for {ACTS_WITHIN_S:g} s, and nothing is done")
        self._is_idle_told = why is not None

    def commanded(self, command: Command) -> None:
        """This arrives at an edge."""
        self.order.catch_up()
        for check in (self._is_scoped, self._is_permitted, self._is_in_order, self._is_intended):
            if (broken := check(command)) is not None:
                self._broken(broken[0], f"{command.verb} {command.name} via {command.via}: {broken[1]}")

    # ---- the promises ----

    def _is_scoped(self, command: Command) -> tuple[str, str] | None:
        """S1: armed or wished, and only what the guard was given."""
        self.checked["S1"] += 1
        if self.incident is None:
            return "S1", "no incident is open"
        if not self.incident.is_wished and (not self._is_armed or self.settings.mode is Mode.OBSERVE):
            return "S1", "the guard is not armed"
        if (why := self.order.why_not_shed(command)) is not None:
            return "S1", why
        cluster, plan = self.world.cluster, self.world.plan
        if command.verb in BMC_VERBS:
            bmc = next((one for one in plan.bmcs if one.address == command.via), None)
            host = None if bmc is None else bmc.host
            if host is None or not self._is_ours(host):
                return "S1", "this BMC is in no confirmed host"
        if (vm := cluster.vms.get(command.target)) is not None:
            if vm.plan.is_template:
                return "S1", "a template"
            if not self._is_ours(vm.host) and not self._is_ours(vm.plan.host):
                return "S1", f"{vm.host} is none of the confirmed hosts"
        elif command.target in cluster.hosts and not self._is_ours(command.target):
            return "S1", "none of the confirmed hosts"
        return None

    def _is_ours(self, host: str) -> bool:
        state = self.world.cluster.hosts.get(host)
        is_guarded = state is not None and state.plan.cluster == self.world.plan.cluster
        return is_guarded and (self._confirmed is None or host in self._confirmed)

    def _is_permitted(self, command: Command) -> tuple[str, str] | None:
        """S3: nothing on while it is hot, unseen or not recovered, and nothing that was off before."""
        if command.verb not in POWER_ONS or self.incident is None:
            return None
        self.checked["S3"] += 1
        now = self.world.now
        if self.incident.goal is not Goal.ON:
            return "S3", "the room has not recovered"
        if self._level is not None and self._level[0] in {"high", "critical", "blind"}:
            since_s = now - self._level[1]
            if since_s > UNDER_WAY_S:
                return "S3", f"the room is {self._level[0]} since {since_s:.0f} s"
        if (why := self.senses.why_hot(now, UNDER_WAY_S)) is not None:
            return "S3", why
        if (why := self.order.why_not_back(command)) is not None:
            return "S3", why
        return None

    def _is_in_order(self, command: Command) -> tuple[str, str] | None:
        """S4: each phase after the ones before it."""
        if self.incident is None:
            return None
        self.checked["S4"] += 1
        why = self.order.why_too_early(command, self.incident.given_up)
        return None if why is None else ("S4", why)

    def _is_intended(self, command: Command) -> tuple[str, str] | None:
        """S5: its intent is durable, and was not sent before."""
        self.checked["S5"] += 1
        for known in (self._due, self._from_memory):
            if known[_key(command)] > 0:
                known[_key(command)] -= 1
                return None
        return "S5", "no intent is on record that has not been sent"

    @property
    def _is_from_memory(self) -> bool:
        """A way down without a disk goes on without durable intents (ADR 0007)."""
        return self.is_disk_full and self.incident is not None and self.incident.goal is Goal.OFF

    def _check_sightings(self, event: ev.Observed) -> None:
        """S5: what is on record as seen has been so."""
        for seen in event.sightings:
            self.checked["S5"] += 1
            if not self.order.was_so(seen):
                self._broken("S5", f"{seen.name} is on record as {seen.power} by {seen.by}, and was not")

    def _no_secret(self, text: str) -> None:
        self.checked["S8"] += 1
        if SECRET in text:
            self._broken("S8", "a secret was shown")

    def second_guard(self, *, was_let_in: bool) -> None:
        """S7: another guard has tried the same site."""
        self.checked["S7"] += 1
        if was_let_in:
            self._broken("S7", "two guards on one site")

    def late(self, why: str) -> None:
        """What must come about has not, or the guard has ended by itself."""
        self._broken("liveness", why)

    # ---- bookkeeping ----

    def _open(self, incident: _Incident) -> None:
        self.incident = incident
        self.order.begin(self.settings.snapshot_s)

    def _to(self, goal: Goal) -> None:
        if self.incident is not None and self.incident.goal is not goal:
            self.incident.goal = goal
            self.incident.is_wished = False
            self.incident.given_up = set()

    def _broken(self, promise: str, what: str) -> None:
        self.violations.append(Violation(promise, self.world.now, what))


def _key(command: Command) -> tuple[Verb, str]:
    return command.verb, command.via if command.verb in BMC_VERBS else command.target


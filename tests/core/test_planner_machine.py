"""The planner through any incidents: commands lost, late and refused, people at the switches, silences, turns, crashes.

After each step nothing has been asked that its promises forbid (S1, S3, S4, S5's pure part); and when the faults stop,
the leg ends within its bound with everything where it belongs.
"""

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from core.model_plant import Fate, ModelPlant
from core.plants import NOW, bmc_address, kept_host, kept_vm, snapshot
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Command, Outcome, Verb
from thermo_guard.core.events import Goal, Phase
from thermo_guard.core.planner import direct_looks, next_step
from thermo_guard.core.plant import Power
from thermo_guard.core.policy import Watch
from thermo_guard.core.record import Record, fold
from thermo_guard.core.runbook import Runbook
from thermo_guard.core.scope import scope_of
from thermo_guard.core.step import Situation, Step, Timing, told
from thermo_guard.core.view import PlantNow, plant_now

TICK_S = 5.0
TIMING = Timing(vm_shutdown_s=60.0, host_shutdown_s=200.0, maintenance_s=60.0, vcenter_shutdown_s=100.0,
                host_boot_s=300.0, host_stagger_s=10.0, vcenter_start_s=300.0, vm_start_s=100.0, power_on_limit=3)
BOUND_S = {Goal.OFF: 2 * 3600.0, Goal.ON: 3 * 3600.0}
"""More than the sum of all bounds of a leg of this plant."""
LEAST_AGAIN_S = {None: 10.0, Outcome.AMBIGUOUS: 10.0, Outcome.TRANSIENT: 5.0, Outcome.REFUSED: 30.0,
                 Outcome.UNAUTHORIZED: 60.0, Outcome.ACCEPTED: 30.0, Outcome.UNSENT: 0.0}
"""Nothing is asked again sooner after such an answer, or without one."""
STOP_VM = {Verb.SHUT_DOWN_GUEST, Verb.POWER_OFF_VM, Verb.TERMINATE_VM}
START_VM = {Verb.POWER_ON_VM, Verb.ADOPT_VM}
STOP_HOST = {Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST, Verb.FORCE_OFF_HOST}
START_HOST = {Verb.POWER_ON_HOST, Verb.EXIT_MAINTENANCE, Verb.RECONNECT_HOST}
DISARM = {Verb.DISARM_HA, Verb.DISARM_DRS}

HOSTS = ("esx1", "esx2", "esx3")
VMS = ("web", "db", "dc", "idle", "spared", "vcenter")
hosts = st.sampled_from(HOSTS)
vm_ids = st.sampled_from([f"id-{name}" for name in VMS])
targets = st.sampled_from([*HOSTS, *(f"id-{name}" for name in VMS), "Cluster-1"])


class IncidentMachine(RuleBasedStateMachine):
    @initialize(is_vcenter_inside=st.booleans(), spares=st.booleans(), without_bmc=st.none() | hosts,
                unconfirmed=st.none() | st.just("esx3"))
    def begin(self, *, is_vcenter_inside: bool, spares: bool, without_bmc: str | None, unconfirmed: str | None) -> None:
        """Three hosts and six VMs; vCenter on one of them or elsewhere, one VM off, one maybe never touched."""
        vms = [
            kept_vm("web", "esx1", tier=1), kept_vm("db", "esx2", tier=2), kept_vm("dc", "esx3", tier=2),
            kept_vm("idle", "esx2", is_on=False), kept_vm("spared", "esx3", is_untouched=spares),
            kept_vm("vcenter", "esx1", tier=3, is_vcenter=is_vcenter_inside),
        ]
        self.snapshot = snapshot([kept_host(name) for name in HOSTS], vms)
        self.bmc_of = {name: bmc_address(name) for name in HOSTS if name != without_bmc}
        self.spared = {"id-spared"} if spares else set()
        self.now = NOW
        self.plant = ModelPlant(self.snapshot, self.bmc_of, self.now, vcenter_at=self.now)
        self.fates: dict[str, Fate] = {}
        self.under_way: dict[tuple[Verb, str], tuple[float, Outcome]] = {}
        """Sent and not answered yet, with when and how it will be."""
        self.last_sent: dict[tuple[Verb, str], Command] = {}
        self.sent_at: dict[tuple[Verb, str], float] = {}
        self.outcome: dict[tuple[Verb, str], Outcome | None] = {}
        self.is_permitted = self.is_watch_clear = True
        self.is_faultless = False
        """There has been no fault in this leg."""
        self.legs = 0
        self.crash: str | None = None
        self.direct: tuple[str, ...] = ()
        self.step = Step(Phase.DISARM)
        self.entries: list[ev.Entry] = []
        self.record = Record()
        confirmed = tuple(name for name in HOSTS if name != unconfirmed)
        self.write(ev.GuardStarted("test", "0"), ev.HostsConfirmed(confirmed, len(VMS)),
                   ev.BmcsMatched(tuple(self.bmc_of.items())))
        self.trip()

    # --- what happens ---

    @rule(count=st.integers(1, 40))
    def time_passes(self, count: int) -> None:
        for _ in range(count):
            self.tick()

    @rule(asked=targets, fate=st.sampled_from(Fate))
    def commands_meet(self, asked: str, fate: Fate) -> None:
        """From here on, what is asked of it ends so."""
        self.fates[asked] = fate

    @rule(vm_id=vm_ids, is_on=st.booleans())
    def a_person_switches_a_vm(self, vm_id: str, is_on: bool) -> None:
        host = self.plant.hosts[self.plant.host_of[vm_id]]
        self.plant.on[vm_id] = is_on and host.is_on

    @rule(name=hosts, is_on=st.booleans())
    def a_person_switches_a_host(self, name: str, is_on: bool) -> None:
        if is_on:
            self.plant.hosts[name].is_on = True
        else:
            self.plant.cut(name)

    @rule(is_silent=st.booleans())
    def vcenter_falls_silent(self, is_silent: bool) -> None:
        self.plant.is_vcenter_silent = is_silent

    @rule(name=hosts, is_silent=st.booleans(), is_bmc_silent=st.booleans())
    def a_host_falls_silent(self, name: str, is_silent: bool, is_bmc_silent: bool) -> None:
        self.plant.hosts[name].is_silent, self.plant.hosts[name].is_bmc_silent = is_silent, is_bmc_silent

    @rule(is_permitted=st.booleans(), is_watch_clear=st.booleans())
    def the_room_wavers(self, is_permitted: bool, is_watch_clear: bool) -> None:
        """Within the leg: unseen or in the band, or warming under the first host."""
        self.is_permitted, self.is_watch_clear = is_permitted, is_watch_clear

    @rule()
    def the_goal_turns(self) -> None:
        self.turn()

    @rule(when=st.sampled_from(["before sending", "after sending"]))
    def the_guard_will_be_killed(self, when: str) -> None:
        """At its next commands, between what it wrote and what it would have done next."""
        self.crash = when

    @rule(is_round=st.booleans())
    def the_faults_stop(self, is_round: bool) -> None:
        """The leg ends within its bound; a whole round without faults ends with everything where it was."""
        self.heal()
        self.run_to_the_end()
        if is_round and self.goal is Goal.OFF:
            self.run_to_the_end()  # of the next incident, where it was the way back that ended
            self.turn()
            self.is_faultless = True
            self.run_to_the_end()
        self.is_faultless = False

    # --- how it is run ---

    @property
    def goal(self) -> Goal:
        assert self.record.incident is not None
        return self.record.incident.goal

    def write(self, *events: ev.Event) -> None:
        for event in events:
            self.entries.append(ev.Entry(len(self.entries) + 1, self.now, event))
            self.record = fold(self.record, self.entries[-1:])

    def trip(self) -> None:
        self.write(ev.AlarmTripped("20260102T080000Z", "high", ("hot",)), ev.SnapshotClosed("20260102T080000Z"))
        self.forget()

    def turn(self) -> None:
        assert self.record.incident is not None
        incident = self.record.incident.id
        self.write(ev.RoomRecovered(incident, ("cool",)) if self.goal is Goal.OFF
                   else ev.HeatReturned(incident, "high", ("hot",)))
        self.forget()

    def forget(self) -> None:
        """In a new leg everything may be asked anew."""
        self.legs += 1
        for book in (self.last_sent, self.sent_at, self.outcome):
            book.clear()

    def tick(self, seconds: float = TICK_S) -> None:
        """One pass of the loop: look, decide, write, send."""
        self.now += seconds
        self.plant.advance(self.now)
        self.take_answers()
        plant = plant_now(self.plant.sight(self.direct), self.snapshot, self.bmc_of)
        self.direct = direct_looks(plant, self.snapshot, self.record.incident)
        incident = self.record.incident
        assert incident is not None
        step = self.step = next_step(Situation(
            now=self.now, incident=incident, snapshot=self.snapshot, plant=plant, timing=TIMING, runbook=Runbook(),
            is_permitted=self.is_permitted, why_not_permitted="not cool", scope=scope_of(self.record),
            watch=lambda _: Watch(is_clear=self.is_watch_clear, why="watching"),
            power_ons=tuple(t for t in self.record.power_ons if self.now - t < 86_400),
            started_at=self.record.started_at,
        ))
        commands = [command for command in step.commands if command.key not in self.under_way]
        events = told(step, incident, commands)
        self.write(*events)
        self.forget_what_is_off(events)
        self.holds(step, plant, commands)
        self.send(commands)
        if step.is_done and not commands and self.goal is Goal.ON:
            self.all_is_back_or_told()
            self.write(ev.IncidentClosed(incident.id, ()))
            self.trip()

    def take_answers(self) -> None:
        for key, (at, outcome) in list(self.under_way.items()):
            if at <= self.now:
                del self.under_way[key]
                self.write(ev.Answered((ev.Answer(*key, outcome),)))
                if key in self.sent_at:
                    self.outcome[key] = outcome

    def forget_what_is_off(self, events: Sequence[ev.Event]) -> None:
        """On the way down, what has been seen off may be asked at once should it come on again."""
        off = {one.target for event in events if isinstance(event, ev.Observed)
               for one in event.sightings if one.power == Power.OFF}
        for key in [key for key in self.sent_at if key[1] in off and self.goal is Goal.OFF]:
            del self.last_sent[key], self.sent_at[key], self.outcome[key]

    def send(self, commands: Sequence[Command]) -> None:
        for command in commands:
            self.last_sent[command.key], self.sent_at[command.key] = command, self.now
            self.outcome[command.key] = None
            if self.crash == "before sending":
                continue
            fate = self.fates.get(command.target, Fate.DONE)
            outcome = self.plant.take(command, fate)
            answers_in_s = 60.0 if fate is Fate.SLOW_ANSWER else 1.0
            self.under_way[command.key] = (self.now + answers_in_s, outcome)
        if self.crash is not None and commands:
            self.restart()

    def restart(self) -> None:
        """What was not written is lost; what was written says all: the record is folded anew."""
        self.crash = None
        self.under_way.clear()
        self.direct = ()
        known = self.record
        self.record = fold(Record(), self.entries)
        assert self.record == known
        self.write(ev.GuardStarted("test", "0"))

    def heal(self) -> None:
        self.plant.heal()
        self.fates.clear()
        self.crash = None
        self.is_permitted = self.is_watch_clear = True

    def run_to_the_end(self) -> None:
        """Until the leg is over: down, when nothing is up any more that ought not to be; back, when it is closed."""
        legs, end = self.legs, self.now + BOUND_S[self.goal]
        while True:
            assert self.record.incident is not None
            if self.record.incident.is_held:  # powered on too often: a person decides
                self.write(ev.GoalWished(self.record.incident.id, Goal.ON, "a person", "it is cool"))
                self.forget()
                legs = self.legs
            self.tick(TICK_S if self.step.commands or self.under_way or self.plant.due else 15.0)
            is_over = self.goal is Goal.OFF and self.step.is_done and not self.still_up()
            if self.legs != legs or is_over:
                return
            assert self.now < end, (self.goal, self.step.phase, self.step.waits, self.still_up())

    # --- what must hold ---

    def holds(self, step: Step, plant: PlantNow, commands: Sequence[Command]) -> None:
        if self.goal is Goal.ON and not self.is_permitted:
            assert not step.commands
            assert not step.is_done
        for command in commands:
            assert self.plant.reaches(command)
            self.is_in_scope(command)
            self.is_not_too_soon(command)
        self.comes_in_order(plant, commands)

    def is_in_scope(self, command: Command) -> None:
        """Only what is confirmed, never what is spared, only the goal's own verbs, only what ran (S1, S3)."""
        ours = set(self.record.confirmed.hosts) if self.record.confirmed is not None else set(HOSTS)
        wanted = STOP_VM | STOP_HOST | DISARM if self.goal is Goal.OFF else set(Verb) - STOP_VM - STOP_HOST - DISARM
        assert command.verb in wanted
        if command.verb in STOP_HOST | START_HOST:
            assert command.target in ours
        if command.verb in STOP_VM | START_VM:
            assert command.target not in self.spared
            assert self.plant.host_of[command.target] in ours
        if command.verb in START_VM:
            assert self.plant.kept[command.target].is_on
        if command.verb is Verb.FORCE_OFF_HOST:
            raise AssertionError("FORCE_BMC_OFF is not set")

    def is_not_too_soon(self, command: Command) -> None:
        """Not again while an answer or its effect may still come, unless refused by one way and asked by another."""
        before = self.last_sent.get(command.key)
        if before is None:
            return
        outcome = self.outcome[command.key]
        is_other_way = command.via != before.via and outcome in {Outcome.REFUSED, Outcome.UNAUTHORIZED}
        assert is_other_way or self.now - self.sent_at[command.key] >= LEAST_AGAIN_S[outcome]

    def comes_in_order(self, plant: PlantNow, commands: Sequence[Command]) -> None:
        """Tier by tier, guests before hosts, vCenter last; back, the last tier first (S4)."""
        assert self.record.incident is not None
        given_up = set(self.record.incident.abandoned)
        kept = self.plant.kept
        guests = {vm_id for vm_id, one in plant.vms.items() if not kept[vm_id].is_vcenter and vm_id not in self.spared
                  and plant.hosts[one.host].name in (self.record.confirmed or ev.HostsConfirmed(HOSTS, 0)).hosts}
        on = {vm_id for vm_id in guests if plant.vms[vm_id].power is Power.ON} - given_up
        off = {vm_id for vm_id in guests if kept[vm_id].is_on and plant.vms[vm_id].power is not Power.ON} - given_up
        for command in commands:
            if command.verb in STOP_VM and command.target in guests:
                assert not {one for one in on if kept[one].tier < kept[command.target].tier}
            if command.verb in START_VM and command.target in guests:
                assert not {one for one in off if kept[one].tier > kept[command.target].tier}
            if command.verb in STOP_HOST:
                assert not on
                assert command.target not in {plant.vms[vm_id].host for vm_id in self.spared
                                              if plant.vms[vm_id].power is Power.ON}
            if self.goal is Goal.OFF:
                self.leaves_vcenter_to_the_last(plant, command, given_up)

    def leaves_vcenter_to_the_last(self, plant: PlantNow, command: Command, given_up: set[str]) -> None:
        """Its VM after every other host, over its own host; then that host, by itself."""
        own = {kept.id: plant.vms[kept.id] for kept in self.snapshot.vcenter_vms}
        own_hosts = {one.host for one in own.values()}
        if command.target in own_hosts:
            assert not {vm_id for vm_id, one in own.items() if one.power is Power.ON} - given_up
        if command.target in own or command.target in own_hosts:
            ours = set(self.record.confirmed.hosts) if self.record.confirmed is not None else set(HOSTS)
            assert command.via in own_hosts
            assert not {h.name for h in plant.hosts.values() if h.power is Power.ON and h.name in ours
                        } - own_hosts - given_up

    def still_up(self) -> set[str]:
        """But for what is spared, with its host, and what is not confirmed."""
        assert self.record.confirmed is not None
        stay = {self.plant.host_of[vm_id] for vm_id in self.spared if self.plant.on[vm_id]}
        up = {name for name in self.record.confirmed.hosts if self.plant.hosts[name].is_on}
        return (up - stay) | {vm_id for name in up for vm_id in self.plant.running_on(name)} - self.spared

    def missing(self) -> set[str]:
        """What ran, is in the scope and does not run."""
        assert self.record.confirmed is not None
        ours = set(self.record.confirmed.hosts)
        found = {name for name in ours if not self.plant.hosts[name].is_on}
        return found | {vm_id for vm_id, kept in self.plant.kept.items()
                        if kept.is_on and kept.host in ours and vm_id not in self.spared and not self.plant.on[vm_id]}

    def all_is_back_or_told(self) -> None:
        """A way back ends with everything up that ran, or given up and told, or left to a person.

        Without faults nothing is given up but hosts that have no BMC.
        """
        assert self.record.incident is not None
        if self.record.incident.is_held:
            return
        assert self.missing() <= set(self.record.incident.abandoned)
        if self.is_faultless:
            assert self.missing() <= set(HOSTS) - self.bmc_of.keys()


def test_any_incident_keeps_its_promises_and_ends() -> None:
    """Nothing forbidden is asked whatever happens, and when the faults stop the leg ends within its bound (S1-S5)."""
    run_state_machine_as_test(IncidentMachine)

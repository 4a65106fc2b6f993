"""The guard with one deliberate break each: what a careless change could make of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.adapters.journal.folder_lock import FolderLock
from thermo_guard.core import events as ev
from thermo_guard.core import goal, plan_up, policy, scope
from thermo_guard.core.commands import Outcome, Verb
from thermo_guard.core.goal import turn
from thermo_guard.core.messages import message
from thermo_guard.core.planner import next_step
from thermo_guard.core.plant import Power
from thermo_guard.core.policy import assess, seen
from thermo_guard.core.snapshot import take
from thermo_guard.core.stages import Stage
from thermo_guard.core.step import Leg, Situation, told
from thermo_guard.engine import conductor, ledger, loop, snapshots, sources
from thermo_guard.simulate.promises import SECRET

Break = Callable[[pytest.MonkeyPatch], None]
RUNS = 10


@dataclass(frozen=True, slots=True)
class Mutant:
    breaks: Break
    promise: str
    """The one that it breaks."""
    first: int
    """It is found within RUNS runs from this seed on: of some breaks the occasion comes seldom."""


def forgets_the_dead_band(patch: pytest.MonkeyPatch) -> None:
    """What is not HIGH any more is cool, and as it used to be."""
    patch.setattr(policy, "is_as_usual", lambda *_, **__: True)
    patch.setattr(loop, "assess", lambda room, settings, now: assess(
        room, replace(settings, low_c=settings.high_c - 0.1), now
    ))


def trips_on_stale_data(patch: pytest.MonkeyPatch) -> None:
    """A measurement stands until another one comes."""
    patch.setattr(loop, "assess", lambda room, settings, now: assess(room, replace(settings, max_age_s=1e9), now))


def trips_on_one_sensor(patch: pytest.MonkeyPatch) -> None:
    """One vote makes HIGH."""
    patch.setattr(loop, "assess", lambda room, settings, now: assess(room, replace(settings, votes=1), now))


def counts_a_sample_again(patch: pytest.MonkeyPatch) -> None:
    """Each poll is a measurement, whatever its stamp."""
    patch.setattr(sources, "seen", lambda room, poll, settings: seen(room, replace(
        poll, readings=tuple(replace(one, stamp=one.seen_at, age_s=0.0) for one in poll.readings)
    ), settings))


def trusts_the_call(patch: pytest.MonkeyPatch) -> None:
    """What was accepted is taken for done."""

    def trusting(situation: Situation) -> Any:
        accepted = {target for (verb, target), intent in situation.incident.intents.items()
                    if verb is Verb.SHUT_DOWN_GUEST and intent.outcome is Outcome.ACCEPTED}
        vms = {vm_id: replace(vm, power=Power.OFF) if vm_id in accepted else vm
               for vm_id, vm in situation.plant.vms.items()}
        is_down = situation.incident.goal is ev.Goal.OFF
        return next_step(replace(situation, plant=replace(situation.plant, vms=vms)) if is_down else situation)

    patch.setattr(conductor, "next_step", trusting)


def skips_the_intent(patch: pytest.MonkeyPatch) -> None:
    """The command goes out, and nothing is on record of it."""
    patch.setattr(conductor, "told", lambda step, incident, commands: tuple(
        event for event in told(step, incident, commands) if not isinstance(event, ev.Intended)
    ))


def starts_hosts_when_blind(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks the room before a host is switched on."""
    patch.setattr(conductor, "permits_power_on", lambda *_, **__: True)


def starts_everything(patch: pytest.MonkeyPatch) -> None:
    """Whatever there is has run before."""
    patch.setattr(snapshots, "take", lambda *args, **more: _all_on(take(*args, **more)))


def _all_on(snapshot: Any) -> Any:
    return replace(snapshot, vms=tuple(replace(vm, is_on=True) for vm in snapshot.vms))


def forgets_what_ran(patch: pytest.MonkeyPatch) -> None:
    """The last VM of the list is not among those that come back."""

    def short(*args: Any, **more: Any) -> Any:
        found = take(*args, **more)
        return replace(found, vms=tuple(replace(vm, is_on=False) if vm is found.vms[-1] else vm for vm in found.vms))

    patch.setattr(snapshots, "take", short)


def ignores_the_tiers(patch: pytest.MonkeyPatch) -> None:
    """Every VM stops at once, vCenter's host's last."""

    def flat(*args: Any, **more: Any) -> Any:
        found = take(*args, **more)
        return replace(found, vms=tuple(replace(vm, tier=1) for vm in found.vms))

    patch.setattr(snapshots, "take", flat)


def acts_unarmed(patch: pytest.MonkeyPatch) -> None:
    """It takes hold from the first minute."""
    patch.setattr(goal, "standing_by", lambda *_: None)


def takes_in_every_host(patch: pytest.MonkeyPatch) -> None:
    """Whatever is in the cluster is the guard's."""
    patch.setattr(scope.Scope, "has_host", lambda *_: True)
    patch.setattr(scope.Scope, "has_vm", lambda *_: True)


def loses_part_of_a_write(patch: pytest.MonkeyPatch) -> None:
    """Of several events that belong together only the first is durable."""
    append = SqlJournal.append

    def torn(self: SqlJournal, at: float, *events: ev.Event) -> Any:
        first = append(self, at, *events[:1])
        return [*first, *(ev.Entry(first[-1].seq + n, at, event) for n, event in enumerate(events[1:], 1))]

    patch.setattr(SqlJournal, "append", torn)


def lets_two_in(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks whether the folder is taken."""
    take = FolderLock.take
    held: list[FolderLock] = []

    def again(folder: Any, owner: str) -> FolderLock:
        if not held or owner != "second":
            held[:] = [take(folder, owner)]
        return held[0]

    patch.setattr(FolderLock, "take", again)


def shows_a_secret(patch: pytest.MonkeyPatch) -> None:
    """A message quotes what it should not."""
    patch.setattr(ledger, "message", lambda event, incident, at: (
        None if (text := message(event, incident, at)) is None else replace(text, body=f"{text.body} {SECRET}")
    ))


def tells_nobody_that_it_is_blind(patch: pytest.MonkeyPatch) -> None:
    """Changes of level are not told."""
    patch.setattr(ledger, "message", lambda event, incident, at: (
        None if isinstance(event, ev.LevelChanged) else message(event, incident, at)
    ))


def leaves_the_settings(patch: pytest.MonkeyPatch) -> None:
    """HA and DRS stay as the shutdown has left them, and the report is silent."""
    patch.setattr(plan_up, "restore", lambda _: True)
    patch.setattr(plan_up, "restore_admission", lambda _: True)
    patch.setattr(conductor, "differences", lambda *_: ())


def waits_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A guest is never given up."""
    patch.setattr(Leg, "abandon", lambda *_: None)


def forgets_to_turn_back(patch: pytest.MonkeyPatch) -> None:
    """The heat's return on the way back is no reason to stop."""

    def deaf(*args: Any) -> Any:
        event = turn(*args)
        return None if isinstance(event, ev.HeatReturned) else event

    patch.setattr(loop, "turn", deaf)


def sheds_what_runs(patch: pytest.MonkeyPatch) -> None:
    """The runbook's mark is not looked at."""
    patch.setattr(scope, "shed_vms", lambda kept, _: frozenset(vm.id for vm in kept.vms if vm.is_on))


def begins_anew_in_mid_shed(patch: pytest.MonkeyPatch) -> None:
    """What was shed comes back at once, however warm it is."""

    def hasty(record: Any, assessment: Any, *args: Any) -> Any:
        if record.incident is not None and record.incident.is_shed and not assessment.is_alarm:
            assessment = replace(assessment, stage=Stage.NONE)
        return turn(record, assessment, *args)

    patch.setattr(loop, "turn", hasty)


MUTANTS: Mapping[str, Mutant] = {
    "sheds what runs": Mutant(sheds_what_runs, "S1", 1),
    "begins anew in mid-shed": Mutant(begins_anew_in_mid_shed, "S2", 1),
    "forgets the dead-band": Mutant(forgets_the_dead_band, "S2", 6),
    "trips on stale data": Mutant(trips_on_stale_data, "S2", 61),
    "trips on one sensor": Mutant(trips_on_one_sensor, "S2", 62),
    "counts a sample again": Mutant(counts_a_sample_again, "S2", 11),
    "trusts the call": Mutant(trusts_the_call, "S5", 1),
    "skips the intent": Mutant(skips_the_intent, "S5", 1),
    "starts hosts when blind": Mutant(starts_hosts_when_blind, "S3", 130),
    "starts everything": Mutant(starts_everything, "S3", 1),
    "forgets what ran": Mutant(forgets_what_ran, "liveness", 1),
    "ignores the tiers": Mutant(ignores_the_tiers, "S4", 1),
    "acts unarmed": Mutant(acts_unarmed, "S1", 21),
    "takes in every host": Mutant(takes_in_every_host, "S1", 11),
    "loses part of a write": Mutant(loses_part_of_a_write, "S6", 1),
    "lets two in": Mutant(lets_two_in, "S7", 1),
    "shows a secret": Mutant(shows_a_secret, "S8", 1),
    "tells nobody that it is blind": Mutant(tells_nobody_that_it_is_blind, "liveness", 6),
    "leaves the settings": Mutant(leaves_the_settings, "liveness", 1),
    "waits for ever": Mutant(waits_for_ever, "liveness", 6),
    "forgets to turn back": Mutant(forgets_to_turn_back, "liveness", 6),
}


@contextmanager
def broken(name: str) -> Iterator[Mutant]:
    """The guard with this break, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[name].breaks(patch)
        yield MUTANTS[name]



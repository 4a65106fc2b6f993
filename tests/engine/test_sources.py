"""What the sources know of the room when the guard begins again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.course_of import STARTS_AT
from engine.rig import SETTINGS, Board, Outbox
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core import events as ev
from thermo_guard.core.policy import PolicySettings, assess
from thermo_guard.core.readings import Kind, Poll, Reading
from thermo_guard.core.room import Room, seen
from thermo_guard.engine.ledger import Ledger
from thermo_guard.engine.lookout import Lookout
from thermo_guard.engine.sources import Sources
from thermo_guard.engine.terms import Edges
from thermo_guard.sim.plans import office
from thermo_guard.sim.site import VirtualSite
from thermo_guard.sim.world import World

POLICY = PolicySettings(stop_s=600.0, blind_trip_s=1200.0)


def begun(folder: Path, at: float, readings: Sequence[Reading], *events: ev.Event) -> Room:
    """The room of a guard that starts then, with this on record."""
    clock = SteadyClock(epoch=at)
    site = VirtualSite(World(1, office(), at), clock)
    journal = SqlJournal.open(folder)
    try:
        journal.keep_readings(readings)
        journal.append(at - 1500.0, *events)
        edges = Edges(clock=clock, sensors=site.sensors, hypervisor=site.hypervisor, bmcs=site.bmcs, journal=journal,
                      notifier=Outbox(), board=Board())
        ledger = Ledger(journal, Outbox(), clock, ())
        lookout = Lookout(clock, site.sensors, site.hypervisor, site.bmcs)
        return Sources(replace(SETTINGS, policy=POLICY), edges, ledger, lookout).room
    finally:
        journal.close()


def test_who_was_blind_stays_so_over_a_restart(tmp_path: Path) -> None:
    """BLIND_POLICY counts from when the room was last seen, and holds by where it was going then."""
    rise = [Reading(name, 26.0 + minute / 5, at, at, 0.0) for minute in range(25) for name in "ab"
            for at in [STARTS_AT - 3000.0 + 60 * minute]]
    room = begun(tmp_path, STARTS_AT, rise, ev.LevelChanged("blind", "band", ("no answer",)))
    assert room.blind_since == STARTS_AT - 3000.0 + 24 * 60 + POLICY.blind_after_s
    room, told = assess(room, POLICY, STARTS_AT + 1.0)
    assert told.level is None, "the first answer may still come"
    _, told = assess(room, POLICY, STARTS_AT + POLICY.blind_after_s + 1.0)
    assert told.trips_blind


def test_a_host_switched_on_just_before_a_restart_has_not_run_its_fans(tmp_path: Path) -> None:
    """In an incident each inlet waits again; in quiet time it counts at once."""
    warm = [Reading("10.0.0.1", 30.0, at, at, 0.0, Kind.BMC) for at in (STARTS_AT - 120.0, STARTS_AT - 60.0)]
    poll = Poll(STARTS_AT, (Reading("10.0.0.1", 30.0, STARTS_AT, STARTS_AT, 0.0, Kind.BMC, True),), kind=Kind.BMC)
    for folder, events, counts in (("open", (ev.AlarmTripped("i", "high", ()),), False), ("quiet", (), True)):
        room = seen(begun(tmp_path / folder, STARTS_AT, warm, *events), poll, POLICY)
        inlet, = assess(room, POLICY, STARTS_AT)[1].inlets
        assert inlet.is_fresh is counts

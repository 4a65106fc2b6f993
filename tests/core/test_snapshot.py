"""What ran before the heat: taken in quiet time, never with what the heat has already taken."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.plants import (
    NOW,
    SETTINGS,
    bmc,
    cluster_looks,
    host,
    kept_host,
    kept_vm,
    seen,
    snapshot,
    snapshots,
    vm,
)
from thermo_guard.core.plant import ClusterSeen, Power, Unseen
from thermo_guard.core.policy import Level
from thermo_guard.core.runbook import Runbook
from thermo_guard.core.snapshot import Snapshot, take

BEFORE = snapshot([kept_host("esx1"), kept_host("esx2")], [kept_vm("web", "esx1"), kept_vm("db", "esx2", tier=2)])
LOST = [host("esx1"), host("esx2", is_connected=False, power=Power.UNKNOWN)]
TIERS = Runbook((("db*", 2),))


def after(look: ClusterSeen, before: Snapshot | None = BEFORE, level: Level | None = Level.LOW, *,
          esx2: Power | None = None, at: float = NOW, cool_as_of: float | None = None) -> Snapshot:
    bmcs = {} if esx2 is None else {"esx2": bmc("esx2", esx2)}
    look = ClusterSeen(at, look.name, look.hosts, look.vms, look.settings)
    return take(look, before, bmcs, runbook=TIERS, vcenter_vms=(), level=level, cool_as_of=cool_as_of)


def hosts_on(kept: Snapshot) -> set[str]:
    return {h.name for h in kept.hosts if h.is_on}


def vms_on(kept: Snapshot) -> set[str]:
    return {v.name for v in kept.vms if v.is_on}


def test_the_first_snapshot_is_what_is_seen() -> None:
    """Who runs where, in which tier, and HA and DRS as they stand; templates are no VMs."""
    look = seen([host("esx1"), host("esx2", in_maintenance=True)], [
        vm("web", "esx1"), vm("db-1", "esx1"), vm("old", "esx1", Power.OFF), vm("x", "esx1", is_template=True)])
    kept = after(look, None)
    assert hosts_on(kept) == {"esx1", "esx2"}
    assert {h.name: h.in_maintenance for h in kept.hosts} == {"esx1": False, "esx2": True}
    assert vms_on(kept) == {"web", "db-1"}
    assert {v.name: v.tier for v in kept.vms} == {"web": 1, "db-1": 2, "old": 1}
    assert kept.settings == SETTINGS


@pytest.mark.parametrize("level", [Level.BAND, Level.HIGH, Level.CRITICAL, Level.BLIND, None])
def test_what_goes_off_in_a_room_that_is_not_cool_is_kept(level: Level | None) -> None:
    """A host that its firmware switched off at 42 degC is what must be powered on again, with its VMs."""
    look = seen(LOST, [vm("web", "esx1", Power.OFF), vm("db", "esx2", Power.OFF)])
    kept = after(look, level=level, esx2=Power.OFF)
    assert hosts_on(kept) == {"esx1", "esx2"}
    assert vms_on(kept) == {"web", "db"}


def test_what_goes_off_in_a_cool_room_was_switched_off() -> None:
    """A person's doing: it is not powered on by the guard."""
    look = seen(LOST, [vm("web", "esx1", Power.OFF), vm("db", "esx2", Power.OFF)])
    kept = after(look, esx2=Power.OFF, cool_as_of=NOW - 5)
    kept = after(look, kept, esx2=Power.OFF, at=NOW + 60, cool_as_of=NOW + 55)
    assert hosts_on(kept) == {"esx1"}
    assert "web" not in vms_on(kept)


@pytest.mark.parametrize("cool_as_of", [None, NOW - 900, NOW])
def test_an_old_reading_is_no_cool_room(cool_as_of: float | None) -> None:
    """Sensors that measure every 20 minutes leave the room LOW while its firmware stops a host: it stays kept."""
    gone = seen([LOST[0]], [])
    for look in (seen(LOST, [vm("web", "esx1", Power.OFF), vm("db", "esx2", Power.OFF)]), gone):
        kept = BEFORE
        for minute in range(0, 50, 10):
            kept = after(look, kept, esx2=Power.OFF, at=NOW + 60 * minute, cool_as_of=cool_as_of)
        assert hosts_on(kept) == {"esx1", "esx2"}
        assert vms_on(kept) == {"web", "db"}
        hot = after(look, kept, Level.HIGH, esx2=Power.OFF, at=NOW + 3000)
        assert (hosts_on(hot), vms_on(hot)) == ({"esx1", "esx2"}, {"web", "db"})


def test_an_hour_off_in_a_room_that_is_low_is_meant() -> None:
    """Also where too few sensors measure for a recovery: no reading counts for so long."""
    assert vms_on(in_steps(Level.LOW, 0.9)) == {"web", "db"}
    assert vms_on(in_steps(Level.LOW, 1.0)) == {"db"}


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("esx2", [None, Power.ON, Power.MOVING, Power.UNKNOWN])
def test_a_host_that_only_does_not_answer_is_not_off(level: Level, esx2: Power | None) -> None:
    """Silence is no power state: the host and its VMs stay in the snapshot, cool or not."""
    kept = after(seen(LOST, [vm("web", "esx1"), vm("db", "esx2", Power.OFF)]), level=level, esx2=esx2)
    assert hosts_on(kept) == {"esx1", "esx2"}
    assert vms_on(kept) == {"web", "db"}


def in_steps(level: Level | None, hours: float, begin: Snapshot = BEFORE) -> Snapshot:
    """The snapshot after a look every ten minutes at the same plant, of which esx2 and all VMs are off."""
    kept = begin
    for minute in range(0, int(hours * 60) + 1, 10):
        kept = after(seen(LOST, [vm("web", "esx1", Power.OFF), vm("db", "esx2", Power.OFF)]), kept, level,
                     esx2=Power.OFF, at=NOW + 60 * minute)
    return kept


def test_an_hour_off_in_the_band_is_meant() -> None:
    """Below HIGH the room takes nothing for an hour: what stays off was switched off by someone."""
    assert vms_on(in_steps(Level.BAND, 0.9)) == {"web", "db"}
    assert vms_on(in_steps(Level.BAND, 1.0)) == {"db"}
    assert hosts_on(in_steps(Level.BAND, 1.0)) == {"esx1"}


@pytest.mark.parametrize("level", [Level.HIGH, Level.CRITICAL, Level.BLIND, None])
def test_no_time_is_long_enough_in_a_room_that_is_hot_or_unseen(level: Level | None) -> None:
    """A day of blindness may be a day of heat: what went off in it may have been taken by it."""
    assert vms_on(in_steps(level, 24)) == {"web", "db"}
    assert hosts_on(in_steps(level, 24)) == {"esx1", "esx2"}


def test_the_hour_counts_below_high_only() -> None:
    """Heat in between starts it anew."""
    kept = in_steps(Level.HIGH, 2, in_steps(Level.BAND, 0.9))
    assert vms_on(in_steps(Level.BAND, 0.9, kept)) == {"web", "db"}


def test_what_comes_back_within_the_hour_starts_anew() -> None:
    """Off for 50 minutes, on, off again: the hour counts from the second time."""
    kept = in_steps(Level.BAND, 0.8)
    kept = after(seen([host("esx1"), host("esx2")], [vm("web", "esx1"), vm("db", "esx2")]), kept, Level.BAND)
    assert vms_on(in_steps(Level.BAND, 0.5, kept)) == {"web", "db"}


def test_a_lost_host_does_not_take_its_vms_tools_along() -> None:
    """What vCenter shows of the VMs of a silent host is old or empty: the knowledge from before stays."""
    kept = after(seen(LOST, [vm("web", "esx1"), vm("db", "esx2", is_tools_running=False)]), level=Level.BAND)
    assert next(v for v in kept.vms if v.name == "db").has_tools


def test_a_vm_that_ha_started_elsewhere_is_kept_where_it_runs() -> None:
    """The heat took esx2, HA brought db to esx1: db ran on esx1, and esx2 is still powered on again."""
    kept = after(seen(LOST, [vm("web", "esx1"), vm("db", "esx1")]), level=Level.BAND, esx2=Power.OFF)
    assert hosts_on(kept) == {"esx1", "esx2"}
    assert {v.name: v.host for v in kept.vms} == {"web": "esx1", "db": "esx1"}


@pytest.mark.parametrize(("level", "hours", "expected"), [
    (Level.LOW, 0.0, {"web", "db"}), (Level.LOW, 0.2, {"web"}),
    (Level.BAND, 0.5, {"web", "db"}), (Level.BAND, 1.0, {"web"}),
    (Level.HIGH, 24.0, {"web", "db"}),
])
def test_what_leaves_the_inventory_is_forgotten_like_what_goes_off(
    level: Level, hours: float, expected: set[str]
) -> None:
    """A VM that was deleted in a warm summer is not mourned at every trip."""
    kept = BEFORE
    for minute in range(0, int(hours * 60) + 1, 10):
        kept = after(seen([host("esx1"), host("esx2")], [vm("web", "esx1")]), kept, level, at=NOW + 60 * minute,
                     cool_as_of=NOW + 60 * minute - 30)
    assert vms_on(kept) == expected


@st.composite
def moments(draw: st.DrawFn) -> tuple[Snapshot, ClusterSeen, Level | None, dict[str, object]]:
    before = draw(snapshots())
    bmcs = {h.name: draw(st.sampled_from([*(bmc(h.name, p) for p in Power), Unseen(NOW, "silent")]))
            for h in before.hosts}
    return before, draw(cluster_looks(before)), draw(st.none() | st.sampled_from(Level)), bmcs


@settings(deadline=None)
@given(moments())
def test_one_look_at_a_hot_room_takes_nothing_out(
    moment: tuple[Snapshot, ClusterSeen, Level | None, dict[str, object]]
) -> None:
    """Refreshed at the trip, never with what the heat has already taken (S6)."""
    before, look, level, bmcs = moment
    if level is Level.LOW:
        return
    kept = take(look, before, bmcs, runbook=Runbook(), vcenter_vms=(), level=level, cool_as_of=NOW)  # type: ignore[arg-type]
    templates = {v.name for v in look.vms if v.is_template}
    assert hosts_on(before) <= hosts_on(kept)
    assert vms_on(before) - templates <= vms_on(kept)


@settings(deadline=None)
@given(moments())
def test_what_runs_is_in_it(moment: tuple[Snapshot, ClusterSeen, Level | None, dict[str, object]]) -> None:
    """Every VM that is seen on is kept on; nothing that was off before and is off now ever is."""
    before, look, level, bmcs = moment
    kept = take(look, before, bmcs, runbook=Runbook(), vcenter_vms=(), level=level, cool_as_of=NOW)  # type: ignore[arg-type]
    running = {v.name for v in look.vms if v.power is Power.ON and not v.is_template}
    assert running <= vms_on(kept)
    assert vms_on(kept) <= running | vms_on(before)
    again = take(look, kept, bmcs, runbook=Runbook(), vcenter_vms=(), level=level, cool_as_of=NOW)  # type: ignore[arg-type]
    assert again == kept, "the same look again changes nothing"

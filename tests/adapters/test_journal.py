"""The journal on real SQLite files: what is written is what is read, by its owner and by no one else."""

import types
import typing
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from adapters.sqlite_shell import sql
from thermo_guard.adapters.journal import JournalReader, SqlJournal, interest, schema
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.crashes import fatal_commands
from thermo_guard.core.plant import ClusterSettings
from thermo_guard.core.readings import Kind, Reading
from thermo_guard.core.record import Record, fold
from thermo_guard.core.snapshot import KeptHost, KeptVm, Snapshot
from thermo_guard.core.wishes import Order, Wish
from thermo_guard.ports import Refused

DAY_S = 86400.0
STARTED = ev.GuardStarted("me", "0.1.0")
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ANY_TEXT = st.text(st.characters())
"""Lone surrogates and NUL among them: a peer's error text may hold anything."""


def _values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that the core's dataclasses are made of."""
    parts = get_args(kind)
    match get_origin(kind):
        case types.UnionType:
            return st.one_of(*[_values(part) for part in parts])
        case typing.Literal:
            return st.sampled_from(parts)
        case built if built is tuple and parts[-1] is ...:
            return st.lists(_values(parts[0]), max_size=4).map(tuple)
        case built if built is tuple:
            return st.tuples(*[_values(part) for part in parts])
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{each.name: _values(hints[each.name]) for each in fields(kind)})
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: ANY_TEXT, float: FINITE, int: st.integers(), bool: st.booleans(), type(None): st.none(),
    }
    return plain[kind] if kind in plain else st.sampled_from(list(kind))


KINDS = get_args(ev.Event)

SETTINGS = ClusterSettings(
    ha_enabled=True, ha_host_monitoring="enabled", ha_admission_control=True, drs_enabled=True,
    drs_behavior="fullyAutomated", drs_overrides=True, dpm_enabled=False,
)


@given(st.tuples(*[_values(kind) for kind in KINDS]), FINITE)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_kind_of_event_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, events: tuple[ev.Event, ...], at: float
) -> None:
    """The record is a fold of what is read back: an event that changes on the way is a different past."""
    folder = tmp_path_factory.mktemp("journal")
    journal = SqlJournal.open(folder)
    written = journal.append(at, ev.AlarmTripped("i", "HIGH", ()), *events)
    journal.close()
    again = SqlJournal.open(folder)
    try:
        openers = {*interest.OPENERS, "rehearsal.wished"}
        opened = max(entry.seq for entry in written if entry.event.kind in openers)
        kept = [entry for entry in again.entries() if entry.seq >= opened]
        assert kept == [entry for entry in written if entry.seq >= opened]
        sql(folder, "UPDATE event SET kind = 'x'")  # a kind that no list names is read whole
        assert again.entries() == written
        assert [entry.event for entry in written[1:]] == list(events)
    finally:
        again.close()


def test_the_lists_of_kinds_name_no_kind_that_there_is_not() -> None:
    """A kind that is renamed in the core and not here would be read whole for ever, and never pruned."""
    known = {get_args(get_type_hints(kind)["kind"])[0] for kind in KINDS}
    assert {*interest.LATEST_COUNTS, *interest.LOGINS, *interest.OF_ONE_INCIDENT} <= known


def test_the_snapshot_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """There is one snapshot a site, the last that was kept, across a restart."""
    host = KeptHost("esx1", "esx1:443", "uuid", ("S1", "S2"), is_on=True, in_maintenance=False, off_since=3.25)
    vm = KeptVm("vm-1", "Exchange", "esx1", is_on=True, tier=1)
    first = Snapshot(10.0, "cluster", (host,), (vm,), SETTINGS)
    journal = SqlJournal.open(tmp_path)
    assert journal.snapshot() is None
    journal.keep_snapshot(first)
    journal.keep_snapshot(replace(first, at=20.0, vms=()))
    journal.close()
    again = SqlJournal.open(tmp_path)
    assert again.snapshot() == replace(first, at=20.0, vms=())
    again.close()


def test_an_inlet_is_kept_as_one_and_an_absurd_number_not_at_all(tmp_path: Path) -> None:
    """After a restart an inlet must not vote with the room; what no column holds stops no other measurement."""
    journal = SqlJournal.open(tmp_path)
    inlet = Reading("ilo-esx1", 25.0, 10.0, 10.0, 0.0, Kind.BMC)
    journal.keep_readings([inlet, Reading("Q1", 1e300, 10.0, 10.0, 0.0), Reading("Q2", -127.0, 10.0, 10.0, 0.0)])
    journal.keep_readings([Reading("Q1", 1e300, 11.0, 11.0, 0.0)])
    assert set(journal.readings(0.0)) == {inlet, Reading("Q2", -127.0, 10.0, 10.0, 0.0)}
    journal.close()


def test_a_measurement_is_kept_once(tmp_path: Path) -> None:
    """One sample that ten polls serve is one sample, as first seen."""
    journal = SqlJournal.open(tmp_path)
    first = Reading("Q1", 23.46, stamp=100.0, seen_at=130.5, age_s=30.5)
    journal.keep_readings([first, replace(first, seen_at=190.0, age_s=90.0)])
    journal.keep_readings([replace(first, seen_at=250.0, age_s=150.0), replace(first, stamp=160.0, seen_at=250.0)])
    assert journal.readings(0.0) == (first, replace(first, stamp=160.0, seen_at=250.0))
    assert journal.readings(200.0) == (replace(first, stamp=160.0, seen_at=250.0),)
    journal.close()


def test_another_owner_in_the_row_stops_every_write(tmp_path: Path) -> None:
    """S7: whoever has lost the site writes nothing more to it, so acts on nothing more."""
    journal = SqlJournal.open(tmp_path)
    journal.append(1.0, STARTED)
    sql(tmp_path, "UPDATE site SET owner = 'someone else'")
    with pytest.raises(Refused, match="Another guard owns the site"):
        journal.append(2.0, STARTED)
    with pytest.raises(Refused, match="Another guard owns"):
        journal.keep_snapshot(Snapshot(1.0, "c", (), (), SETTINGS))
    with pytest.raises(Refused, match="Another guard owns"):
        journal.keep_readings([Reading("Q1", 20.0, 1.0, 1.0, 0.0)])
    assert len(journal.entries()) == 1
    journal.close()


def test_another_epoch_in_the_row_stops_every_write(tmp_path: Path) -> None:
    """The same owner under a later epoch is another guard: owner alone does not fence."""
    journal = SqlJournal.open(tmp_path, owner="me")
    sql(tmp_path, "UPDATE site SET epoch = epoch + 1")
    with pytest.raises(Refused, match="Another guard owns"):
        journal.append(2.0, STARTED)
    journal.close()


def test_each_start_is_a_new_epoch_with_an_owner_of_its_own(tmp_path: Path) -> None:
    """Events tell under which start they were written."""
    for _ in range(2):
        journal = SqlJournal.open(tmp_path)
        journal.append(1.0, STARTED)
        journal.close()
    assert sql(tmp_path, "SELECT epoch FROM event ORDER BY seq") == [(1,), (2,)]


@pytest.mark.parametrize(("body", "said"), [
    ('{"kind":"room.flooded","depth_m":1}', "unknown kind 'room.flooded'"),
    ('{"kind":"guard.stopped","owner":"me","why":"tired"}', "why: Unexpected keyword"),
    ('{"kind":"guard.stopped"}', "owner: "),
    ('["nonsense"]', "entry 2 cannot be read"),
])
def test_what_this_version_cannot_read_is_refused_in_words(tmp_path: Path, body: str, said: str) -> None:
    """To drop what a newer version wrote could forget that the guard has acted."""
    journal = SqlJournal.open(tmp_path)
    journal.append(1.0, STARTED, STARTED)
    sql(tmp_path, "UPDATE event SET body = ?, kind = 'x' WHERE seq = 2", body)
    with pytest.raises(Refused, match=said) as refused:
        journal.entries()
    assert "newer" in str(refused.value)
    journal.close()


def test_a_snapshot_of_a_newer_version_is_refused_in_words(tmp_path: Path) -> None:
    """The measure of the way back is never read half."""
    journal = SqlJournal.open(tmp_path)
    journal.keep_snapshot(Snapshot(1.0, "c", (), (), SETTINGS))
    sql(tmp_path, "UPDATE snapshot SET body = json_set(body, '$.sauce', 1)")
    with pytest.raises(Refused, match="sauce"):
        journal.snapshot()
    journal.close()


@pytest.mark.parametrize("statement", [
    "UPDATE site SET schema_version = 99", "UPDATE alembic_version SET version_num = '0099'",
])
def test_a_journal_of_a_newer_version_is_not_touched(tmp_path: Path, statement: str) -> None:
    """An older binary after a downgrade must not act on a record that it does not know."""
    SqlJournal.open(tmp_path).close()
    sql(tmp_path, statement)
    before = sql(tmp_path, "SELECT * FROM site")
    with pytest.raises(Refused, match="made by a newer Thermo-Guard"):
        SqlJournal.open(tmp_path)
    with pytest.raises(Refused, match="made by a newer Thermo-Guard"):
        SqlJournal.read_only(tmp_path)
    assert sql(tmp_path, "SELECT * FROM site") == before


def test_a_reader_without_a_journal_says_so(tmp_path: Path) -> None:
    """`status` in the wrong folder makes no empty journal there."""
    with pytest.raises(Refused, match="no journal"):
        SqlJournal.read_only(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_migrations_make_exactly_the_tables_that_the_code_reads(tmp_path: Path) -> None:
    """The definitions in code and the migrations are two copies: they must say the same."""
    SqlJournal.open(tmp_path).close()
    with create_engine(f"sqlite:///{tmp_path / 'journal.sqlite3'}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_the_revisions_known_are_those_that_there_are() -> None:
    """`schema.REVISIONS` decides whether Alembic is asked at all: it must not lag behind the scripts."""
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    scripts = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(scripts)) == schema.REVISIONS


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    """Every start brings the tables up to date, so it must be idempotent; also where only the mark was lost."""
    SqlJournal.open(tmp_path).close()
    tables = sql(tmp_path, "SELECT sql FROM sqlite_master ORDER BY name")
    SqlJournal.open(tmp_path).close()
    assert sql(tmp_path, "SELECT sql FROM sqlite_master ORDER BY name") == tables
    assert sql(tmp_path, "SELECT schema_version FROM site") == [(schema.SCHEMA_VERSION,)]


def _taken(order: Order, declined: str = "", for_s: float | None = None) -> ev.WishTaken:
    return ev.WishTaken(Wish(7, 0.0, order, "me@nas", for_s=for_s), declined)


STOP = Command(Verb.SHUT_DOWN_GUEST, "id-web", "web", VCENTER)
QUIET_KINDS = st.sampled_from([
    STARTED, ev.SensorsLearned(("Q1",)), ev.SensorsLearned(("Q1", "Q2")), ev.BmcsMatched((("esx1", "bmc1"),)),
    ev.NamesResolved((("a", ("10.0.0.1",)),)), ev.NamesResolved((("a", ("10.0.0.2",)), ("b", ("10.0.0.3",)))),
    ev.LoginRefused("a:443", "root", 9000.0, "no"), ev.LoginRefused("a:443", "root", 90_000.0, "no"),
    ev.LoginRefused("b:443", "root", 9000.0, "no"), ev.LoginAccepted("a:443", "root"),
    ev.LoginAccepted("b:443", "root"),
    ev.GuardArmed(""), ev.GuardArmed("me@nas", ("a BMC",)),
    ev.LevelChanged("high", "low", ()), ev.LevelChanged("low", "high", ()), ev.LevelChanged("blind", "high", ()),
    ev.AlarmTripped("i", "high", ("hot",)), ev.ShutdownWished("j", "me@nas", "work"),
    ev.PowerOnWished("k", "me@nas", "cool", despite_unseen=True), ev.GoalWished("i", ev.Goal.ON, "me@nas", "cool"),
    ev.GoalWished("i", ev.Goal.OFF, "me@nas", "hot"), ev.SnapshotClosed("i"), ev.RoomRecovered("i", ()),
    ev.HeatReturned("i", "high", ()), ev.PowerOnHeld("twice"), ev.SitePoweredOn("i"), ev.Intended((STOP,)),
    ev.IncidentClosed("i", ("x",)), ev.IncidentClosed("i", (), aborted_by="me@nas"),
    _taken(Order.ABORT), _taken(Order.ABORT, declined="no incident"), _taken(Order.PAUSE), _taken(Order.RESUME),
    _taken(Order.PAUSE, for_s=7200.0), _taken(Order.ACKNOWLEDGE),
])


LOW, HIGH, BLIND = (ev.LevelChanged(level, "", ()) for level in ("low", "high", "blind"))
ABORTED = _taken(Order.ABORT)
WISHED = ev.ShutdownWished("j", "me@nas", "work")


@given(events=st.lists(QUIET_KINDS, max_size=40), at_most=st.integers(1, 10))
@example(events=[LOW, ABORTED, HIGH, WISHED], at_most=1)
@example(events=[LOW, HIGH, ABORTED, BLIND, WISHED], at_most=1)
@example(events=[HIGH, ABORTED, LOW, HIGH, WISHED], at_most=1)
@settings(max_examples=100, deadline=None)
def test_the_record_of_what_is_read_is_the_record_of_everything(
    tmp_path_factory: pytest.TempPathFactory, events: list[ev.Event], at_most: int
) -> None:
    """Leaving out what says nothing any more must never change what the guard knows, however little quiet is read; nor
    does dropping it for good.
    """
    folder = tmp_path_factory.mktemp("journal")
    journal = SqlJournal.open(folder)
    everything = journal.append(0.0, *events[:1])
    everything = [*everything, *(entry for at, each in enumerate(events[1:], 1)
                                 for entry in journal.append(at * 3600.0, each))]
    whole = replace(fold(Record(), everything), seq=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interest, "QUIET_ENTRIES", at_most)
        read = journal.entries()
        assert replace(fold(Record(), read), seq=0) == whole
        journal.keep_readings([Reading("Q1", 20.0, 0.0, 3 * 365 * DAY_S, 0.0)])  # as old as that, all may be dropped
        assert journal.entries() == read
    assert {seq for (seq,) in sql(folder, "SELECT seq FROM event")} == {entry.seq for entry in read}
    assert replace(fold(Record(), journal.entries()), seq=0) == whole
    journal.close()


def test_three_crashes_from_the_first_command_on_are_all_read(tmp_path: Path) -> None:
    """The life in which the alarm came began before the incident: its crash counts as one of the three."""
    journal = SqlJournal.open(tmp_path)
    journal.append(0.0, STARTED, ev.GuardStopped("me"), STARTED)
    journal.append(1.0, ev.AlarmTripped("i", "high", ()), ev.Intended((STOP,)))
    journal.append(2.0, STARTED, ev.Intended((STOP,)), STARTED, ev.Intended((STOP,)))
    assert fatal_commands(journal.entries()) == (STOP,)
    journal.close()


def test_a_password_that_nobody_mends_delays_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 20 minutes one more refusal: of each account only the newest is read."""
    monkeypatch.setattr(interest, "QUIET_ENTRIES", 1)
    journal = SqlJournal.open(tmp_path)
    journal.append(0.0, *[ev.LoginRefused(f"esx{i % 3}:443", "root", float(i), "no") for i in range(300)], STARTED)
    assert [entry.seq for entry in journal.entries()] == [298, 299, 300, 301]
    journal.close()


def test_years_of_quiet_are_not_read_at_each_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start stays fast after years: of passed incidents only what still counts is read."""
    monkeypatch.setattr(interest, "QUIET_ENTRIES", 50)
    journal = SqlJournal.open(tmp_path)
    journal.append(1.0, ev.SensorsLearned(("Q1",)), ev.SitePoweredOn("old"))
    journal.append(2.0, *[STARTED] * 400)
    read = journal.entries()
    assert len(read) == 50 + 3
    assert read[0].event == ev.SensorsLearned(("Q1",))
    assert read[2].event == STARTED, "the newest of the older ones"
    assert ev.SitePoweredOn("old") in [entry.event for entry in read]
    journal.append(3.0, ev.AlarmTripped("i", "HIGH", ()), *[STARTED] * 100)
    assert len([entry for entry in journal.entries() if entry.at == 3.0]) == 101
    journal.close()


def test_what_has_grown_old_is_dropped_now_and_then(tmp_path: Path) -> None:
    """The folder stays small: samples a week, passed events two years, and never what still counts."""
    journal = SqlJournal.open(tmp_path)
    journal.append(0.0, ev.SensorsLearned(("Q1",)), STARTED, STARTED, ev.PhaseBegun("h", ev.Phase.GUESTS))
    journal.append(0.0, ev.AlarmTripped("i", "HIGH", ()), STARTED)
    SqlJournal.put_wish(tmp_path, Wish(0, 0.0, Order.PAUSE, "me@nas"))
    journal.keep_readings([Reading("Q1", 20.0, 0.0, 0.0, 0.0)])
    now = 3 * 365 * DAY_S
    journal.keep_readings([Reading("Q1", 20.0, now - DAY_S, now - DAY_S, 0.0), Reading("Q1", 21.0, now, now, 0.0)])
    assert [reading.stamp for reading in journal.readings(-1.0)] == [now - DAY_S, now]
    assert [entry[0] for entry in sql(tmp_path, "SELECT kind FROM event ORDER BY seq")] == [
        "sensors.learned", "guard.started", "alarm.tripped", "guard.started",
    ]
    assert journal.wishes(0) == ()
    journal.close()


def test_a_reader_beside_the_writer_sees_each_commit(tmp_path: Path) -> None:
    """`status` needs no lock, and holds up no write."""
    journal = SqlJournal.open(tmp_path)
    reader: JournalReader = SqlJournal.read_only(tmp_path)
    assert reader.entries() == ()
    for at in range(3):
        written = journal.append(float(at), STARTED)
        assert reader.entries()[-1:] == tuple(written)
    reader.close()
    journal.close()
    after = SqlJournal.read_only(tmp_path)
    assert len(after.entries()) == 3
    after.close()


def test_nothing_to_append_is_nothing(tmp_path: Path) -> None:
    """A tick without events costs no write."""
    journal = SqlJournal.open(tmp_path)
    assert journal.append(1.0) == ()
    journal.close()

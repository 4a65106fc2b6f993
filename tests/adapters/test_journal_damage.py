"""A journal that is damaged leaves no room unguarded: it is set aside whole, an empty one begun, and that is said."""

import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core.events import Entry, GuardStarted
from thermo_guard.core.plant import ClusterSettings
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.ports import Refused, Transient

FILE = "journal.sqlite3"
SETTINGS = ClusterSettings(
    ha_enabled=True, ha_host_monitoring="enabled", ha_admission_control=True, drs_enabled=True,
    drs_behavior="fullyAutomated", drs_overrides=True, dpm_enabled=False,
)


def _written(folder: Path) -> None:
    """A journal of some 100 pages, closed in good order."""
    journal = SqlJournal.open(folder)
    for at in range(60):
        journal.append(float(at), *[GuardStarted("o" * 200, "v")] * 20)
    journal.keep_snapshot(Snapshot(1.0, "c", (), (), SETTINGS))
    journal.close()


def _sql(statement: str, *values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        connection = sqlite3.connect(folder / FILE)
        connection.execute(statement, values)
        connection.commit()
        connection.close()

    return change


def _overwritten(begin: float, length: int) -> Callable[[Path], None]:
    """Random bytes from a place in the file on, as a failing disk gives back."""

    def change(folder: Path) -> None:
        path = folder / FILE
        with path.open("r+b") as file:
            file.seek(int(path.stat().st_size * begin))
            file.write(random.Random(3).randbytes(length))

    return change


def _cut(share: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        os.truncate(folder / FILE, int((folder / FILE).stat().st_size * share))

    return change


DAMAGES = {
    "no database": lambda folder: (folder / FILE).write_bytes(b"not a database" * 1000),
    "of length zero": _cut(0),
    "cut in the middle": _cut(0.5),
    "cut within a page": _cut(0.503),
    "its head gone": _overwritten(0, 100),
    "the pages of its tables gone": _overwritten(0.001, 4000),
    "a page in the middle gone": _overwritten(0.5, 4096),
    "half of a page gone": _overwritten(0.7, 2000),
    "a word in the middle gone": _overwritten(0.4, 60),
    "a table gone": _sql("DROP TABLE event"),
    "the inbox gone": _sql("DROP TABLE wish"),
    "its version gone": _sql("DELETE FROM alembic_version"),
    "an entry torn": _sql("UPDATE event SET body = substr(body, 1, 40) WHERE seq = 700"),
    "an entry that is no text": _sql("UPDATE event SET body = CAST(x'7bff22' AS TEXT) WHERE seq = 700"),
    "the snapshot torn": _sql("UPDATE snapshot SET body = '{'"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_journal_is_set_aside(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """An empty one is begun: the room is guarded from the first start on, nothing of the file is lost, and where it
    lies is said once.
    """
    _written(tmp_path)
    damage(tmp_path)
    left = (tmp_path / FILE).read_bytes()
    journal = SqlJournal.open(tmp_path)
    assert journal.set_aside is not None
    (kept,) = tmp_path.glob(f"{FILE}.damaged-20??????T??????Z")
    assert str(kept) in journal.set_aside
    assert kept.read_bytes() == left
    assert (journal.entries(), journal.snapshot()) == ((), None)
    written = journal.append(1.0, GuardStarted("me", "v"))
    journal.close()
    again = SqlJournal.open(tmp_path)
    assert again.set_aside is None
    assert again.entries() == tuple(written)
    again.close()


def test_what_a_crash_left_in_the_log_is_kept_with_it(tmp_path: Path) -> None:
    """The write-ahead log holds the last entries: whoever rescues the file needs both, under matching names."""
    _written(tmp_path)
    writer = sqlite3.connect(tmp_path / FILE)
    writer.execute("DELETE FROM snapshot")
    writer.commit()
    log = (tmp_path / f"{FILE}-wal").read_bytes()
    copies = {name: (tmp_path / name).read_bytes() for name in (FILE, f"{FILE}-wal")}
    writer.close()
    for name, content in copies.items():  # as a kill leaves them
        (tmp_path / name).write_bytes(content)
    _overwritten(0, 100)(tmp_path)
    SqlJournal.open(tmp_path).close()
    (kept,) = tmp_path.glob(f"{FILE}.damaged-*Z-wal")
    assert kept.read_bytes() == log
    assert len(log) > 0


def test_each_damage_is_kept_beside_the_one_before(tmp_path: Path) -> None:
    """A failing disk damages it again: within the same second too, nothing is overwritten."""
    for text in (b"first" * 100, b"second" * 100):
        (tmp_path / FILE).write_bytes(text)
        SqlJournal.open(tmp_path).close()
    kept = [path.read_bytes()[:5] for path in sorted(tmp_path.glob(f"{FILE}.damaged-*")) if path.suffix != ".lock"]
    assert sorted(kept) == [b"first", b"secon"]


def test_a_start_that_was_killed_before_the_tables_were_made_is_no_damage(tmp_path: Path) -> None:
    """The very first start may end at any instant: the next makes them, and tells of no damage."""
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    journal = SqlJournal.open(tmp_path)
    assert journal.set_aside is None
    journal.close()


def test_a_journal_that_a_kill_left_open_is_no_damage(tmp_path: Path) -> None:
    """The usual end of a container: the log is read, nothing is set aside."""
    journal = SqlJournal.open(tmp_path / "running")
    written: list[Entry] = [entry for at in (1.0, 2.0) for entry in journal.append(at, GuardStarted("me", "v"))]
    killed = tmp_path / "killed"
    killed.mkdir()
    for suffix in ("", "-wal"):
        (killed / f"{FILE}{suffix}").write_bytes((tmp_path / "running" / f"{FILE}{suffix}").read_bytes())
    journal.close()
    again = SqlJournal.open(killed)
    assert again.set_aside is None
    assert list(again.entries()) == written
    again.close()


def test_a_locked_journal_is_not_set_aside(tmp_path: Path) -> None:
    """What cannot be had now is not damaged: another try may have it."""
    _written(tmp_path)
    shell = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    shell.execute("PRAGMA locking_mode=EXCLUSIVE")
    shell.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Transient, match="locked by another program"):
        SqlJournal.open(tmp_path)
    shell.execute("ROLLBACK")
    shell.close()
    journal = SqlJournal.open(tmp_path)
    assert journal.set_aside is None
    assert len(journal.entries()) == 1200
    journal.close()


def test_damage_while_it_runs_is_said_to_be_one(tmp_path: Path) -> None:
    """The guard ends in words, its next start sets the journal aside; a reader beside it says the same."""
    _written(tmp_path)
    journal = SqlJournal.open(tmp_path)
    _sql("UPDATE event SET body = '{' WHERE seq = 1200")(tmp_path)
    with pytest.raises(Refused, match="damaged"):
        journal.entries()
    journal.close()
    reader = SqlJournal.read_only(tmp_path)
    with pytest.raises(Refused, match="damaged"):
        reader.entries()
    reader.close()

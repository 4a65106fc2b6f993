"""The inbox: what an operator orders beside the guard arrives, once, in order, and what became of it can be asked."""

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from adapters.sqlite_shell import sql
from thermo_guard.adapters.journal import SqlJournal, schema
from thermo_guard.core.events import GuardStarted, WishTaken
from thermo_guard.core.readings import Kind, Reading
from thermo_guard.core.wishes import Order, Wish
from thermo_guard.ports import Refused, Transient

ABORT = Wish(0, 1_767_340_800.25, Order.ABORT, "me@nas", reason="a fan \udcff was mended")
PAUSE = Wish(0, 1_767_340_801.0, Order.PAUSE, "me@nas", for_s=7200.0)
UP = Wish(0, 1_767_340_802.0, Order.POWER_ON, "me@nas", despite_unseen=True)

PUT_ONE = """
import sys
from pathlib import Path
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core.wishes import Order, Wish
print(SqlJournal.put_wish(Path(sys.argv[1]), Wish(0, 5.0, Order.RESUME, "other@nas")))
"""


def test_an_order_arrives_as_it_was_given(tmp_path: Path) -> None:
    """Beside the guard that holds the folder: each with the number that was given out, oldest first, only new ones."""
    journal = SqlJournal.open(tmp_path)
    assert journal.wishes(0) == ()
    numbers = [SqlJournal.put_wish(tmp_path, wish) for wish in (ABORT, PAUSE, UP)]
    assert numbers == [1, 2, 3]
    assert journal.wishes(0) == (replace(ABORT, number=1), replace(PAUSE, number=2), replace(UP, number=3))
    assert journal.wishes(2) == (replace(UP, number=3),)
    journal.append(1.0, GuardStarted("me", "v"))  # the site is still its own
    journal.close()


def test_an_order_of_another_process_arrives(tmp_path: Path) -> None:
    """`docker exec` beside the running guard is the usual way; it is durable when its number is printed."""
    journal = SqlJournal.open(tmp_path)
    ended = subprocess.run([sys.executable, "-c", PUT_ONE, str(tmp_path)], capture_output=True, text=True, check=True)
    assert [wish.number for wish in journal.wishes(0)] == [int(ended.stdout)]
    journal.close()


def test_an_order_waits_for_a_guard(tmp_path: Path) -> None:
    """Put in while none runs, it lies there at the next start: whether it is too old is for the guard to say."""
    SqlJournal.open(tmp_path).close()
    SqlJournal.put_wish(tmp_path, ABORT)
    journal = SqlJournal.open(tmp_path)
    assert [wish.order for wish in journal.wishes(0)] == [Order.ABORT]
    journal.close()


def test_a_number_is_never_given_again(tmp_path: Path) -> None:
    """The guard takes up what lies above the last number it knows: a second 3 would never be taken up."""
    SqlJournal.open(tmp_path).close()
    for wish in (ABORT, PAUSE, UP):
        SqlJournal.put_wish(tmp_path, wish)
    sql(tmp_path, "DELETE FROM wish")
    assert SqlJournal.put_wish(tmp_path, ABORT) == 4


def test_what_became_of_an_order_can_be_asked(tmp_path: Path) -> None:
    """The command that gave it waits for the answer: taken up, or declined and why."""
    journal = SqlJournal.open(tmp_path)
    reader = SqlJournal.read_only(tmp_path)
    number = SqlJournal.put_wish(tmp_path, PAUSE)
    assert reader.answer_to(number) is None
    journal.append(1.0, GuardStarted("me", "v"), WishTaken(replace(PAUSE, number=number), "too old"))
    journal.append(2.0, WishTaken(replace(ABORT, number=12)))
    assert reader.answer_to(number) == WishTaken(replace(PAUSE, number=number), "too old")
    assert reader.answer_to(12) == WishTaken(replace(ABORT, number=12))
    assert reader.answer_to(2) is None
    reader.close()
    journal.close()


def test_an_order_that_cannot_be_read_stands_in_the_way_of_none(tmp_path: Path) -> None:
    """A command of another version put it there: those after it are still taken up."""
    journal = SqlJournal.open(tmp_path)
    for body in ('{"order":"dance","by":"me"}', "[1]", '{"order":"abort"}'):
        sql(tmp_path, "INSERT INTO wish (site, at, body) VALUES ('default', 1.0, ?)", body)
    SqlJournal.put_wish(tmp_path, UP)
    assert journal.wishes(0) == (replace(UP, number=4),)
    journal.close()


def test_no_order_without_a_journal(tmp_path: Path) -> None:
    """In the wrong folder it says so and makes nothing."""
    with pytest.raises(Refused, match="no journal"):
        SqlJournal.put_wish(tmp_path, ABORT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("statement", "said"), [
    ("UPDATE alembic_version SET version_num = '0001'", "older Thermo-Guard"),
    ("UPDATE alembic_version SET version_num = '0099'", "newer Thermo-Guard"),
    ("DELETE FROM site", "no site"),
])
def test_no_order_into_the_tables_of_another_version(tmp_path: Path, statement: str, said: str) -> None:
    """It would not be read, or be read as another."""
    SqlJournal.open(tmp_path).close()
    sql(tmp_path, statement)
    with pytest.raises(Refused, match=said):
        SqlJournal.put_wish(tmp_path, ABORT)
    assert sql(tmp_path, "SELECT * FROM wish") == []


def test_an_order_while_a_shell_holds_the_database_is_refused_in_words(tmp_path: Path) -> None:
    """It waits for two seconds, then says who is in the way."""
    SqlJournal.open(tmp_path).close()
    shell = sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    with pytest.raises(Transient, match="locked by another program"):
        SqlJournal.put_wish(tmp_path, ABORT)
    shell.execute("ROLLBACK")
    shell.close()
    assert SqlJournal.put_wish(tmp_path, ABORT) == 1


def test_a_journal_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """An upgrade loses nothing of it; beside an older one a reader says what to do."""
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{tmp_path / 'journal.sqlite3'}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    sql(tmp_path, "INSERT INTO site (id, zone, epoch, owner, state, schema_version)"
                   " VALUES ('default', '', 4, 'o', '{}', 1)")
    sql(tmp_path, "INSERT INTO event (site, epoch, at, kind, body) VALUES ('default', 4, 1.5, 'guard.started', ?)",
         '{"owner":"o","version":"0.1.0","kind":"guard.started"}')
    sql(tmp_path, "INSERT INTO sample (site, sensor, stamp, seen_at, centi_c, age_s) VALUES"
                   " ('default', 'Q1', 1.5, 2.0, 2345, 0.5)")
    with pytest.raises(Refused, match="older Thermo-Guard"):
        SqlJournal.read_only(tmp_path)
    journal = SqlJournal.open(tmp_path)
    assert journal.readings(0.0) == (Reading("Q1", 23.45, 1.5, 2.0, 0.5, Kind.ROOM),), "there were no inlets then"
    assert [entry.event for entry in journal.entries()] == [GuardStarted("o", "0.1.0")]
    assert SqlJournal.put_wish(tmp_path, ABORT) == 1
    assert [wish.order for wish in journal.wishes(0)] == [Order.ABORT]
    journal.close()
    assert sql(tmp_path, "SELECT epoch, schema_version FROM site") == [(5, len(schema.REVISIONS))]

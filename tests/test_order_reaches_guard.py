"""An order beside a guard: whether one is there is known by its lock, and a full disk takes nobody's hands away."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from thermo_guard import orders
from thermo_guard.adapters.clock import wall_now
from thermo_guard.adapters.journal import SqlJournal, is_held
from thermo_guard.adapters.status import StatusFile, read
from thermo_guard.ports import Refused

LOOK = """
import sys
from pathlib import Path
from thermo_guard import orders
from thermo_guard.adapters.journal import is_held
folder = Path(sys.argv[1])
print(is_held(folder), orders.look(folder).cluster)
"""
FACTS = {"cluster": "Office", "at": 1.0, "incident": None}


def test_a_guard_that_was_killed_takes_no_order(tmp_path: Path) -> None:
    """Its status is seconds old, and nobody holds the lock: the order would be found by the next guard."""
    journal = SqlJournal.open(tmp_path)
    StatusFile(tmp_path, wall_now).publish(FACTS, 20.0)
    assert is_held(tmp_path) is True
    assert orders.look(tmp_path).cluster == "Office"
    journal.close()
    assert is_held(tmp_path) is False
    with pytest.raises(Refused, match="NOT running"):
        orders.look(tmp_path)


def test_a_guard_whose_status_is_old_takes_orders(tmp_path: Path) -> None:
    """On a full disk its status stands still, and it runs all the same."""
    journal = SqlJournal.open(tmp_path)
    StatusFile(tmp_path, lambda: wall_now() - 3600).publish(FACTS, 20.0)
    assert orders.look(tmp_path).cluster == "Office"
    journal.close()


def test_an_order_from_another_container_is_taken(tmp_path: Path) -> None:
    """There the guard's lock is in no list, and its last tick tells; `docker compose run` is such a container."""
    journal = SqlJournal.open(tmp_path)
    StatusFile(tmp_path, wall_now).publish(FACTS, 20.0)
    words = ["unshare", "-pf" if os.getuid() == 0 else "-Urpf", "--mount-proc"]
    if subprocess.run([*words, "true"], check=False, capture_output=True).returncode != 0:
        journal.close()
        pytest.skip("this kernel lets this user make no namespace of processes")
    done = subprocess.run([*words, sys.executable, "-c", LOOK, str(tmp_path)], capture_output=True, text=True,
                          check=False, timeout=60)
    journal.close()
    assert done.stdout.split() == ["None", "Office"], done.stderr


def test_where_the_lock_cannot_be_seen_the_last_tick_tells(tmp_path: Path) -> None:
    """No lock file, no word of it: as `status` does."""
    StatusFile(tmp_path, wall_now).publish(FACTS, 20.0)
    assert is_held(tmp_path) is None
    assert orders.look(tmp_path).cluster == "Office"


def test_the_status_is_written_over_the_old_one_where_no_new_file_can_be_made(tmp_path: Path) -> None:
    """As on a full disk; a name that is taken by a folder stands for it."""
    board = StatusFile(tmp_path, wall_now)
    board.publish(FACTS | {"more": "x" * 500}, 20.0)
    (tmp_path / f"status.{os.getpid()}.tmp").mkdir()
    board.publish(FACTS, 20.0)
    found = read(tmp_path)
    assert found is not None
    assert dict(found.facts) == FACTS

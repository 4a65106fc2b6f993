"""The reserve: room for a full disk, made where there is plenty, given back where nothing else helps."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from thermo_guard.adapters.journal import SqlJournal

MIB = 2**20

FILL = """
import os

def fill(folder):
    with open(folder / "filler", "wb", buffering=0) as filler:
        size = 2**16
        while size:
            try:
                filler.write(os.urandom(size))
            except OSError:
                size //= 2
"""
"""Begins each script that fills its disk, to the last byte."""

FULL_WHILE_IT_RUNS = """
import sys
from pathlib import Path
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core.events import GuardStarted
from thermo_guard.ports import Transient

folder = Path(sys.argv[1])
journal = SqlJournal.open(folder, reserve_bytes=2**20)
journal.append(1.0, GuardStarted("before", "v"))
fill(folder)
try:
    for attempt in range(10_000):
        journal.append(2.0, GuardStarted("o" * 5000, "v"))
except Transient as fault:
    print("FAULT", fault)
print("GIVEN", journal.give_back_reserve(), journal.give_back_reserve())
journal.append(3.0, GuardStarted("after", "v"))
print("LAST", journal.entries()[-1].event.owner)
"""

FULL_AT_START = """
import os, sys
from pathlib import Path
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core.events import GuardStarted

folder = Path(sys.argv[1])
journal = SqlJournal.open(folder, reserve_bytes=2**20)
journal.append(1.0, GuardStarted("before", "v"))
journal.close()
fill(folder)
print("FREE", os.statvfs(folder).f_bavail, (folder / "reserve").stat().st_size)
journal = SqlJournal.open(folder, owner="x" * 3000, reserve_bytes=2**20)
print("RESERVE", (folder / "reserve").exists(), journal.gave_back_reserve is not None)
journal.append(2.0, GuardStarted("after", "v"))
print("OWNERS", *[entry.event.owner for entry in journal.entries()])
journal.close()
(folder / "filler").unlink()
SqlJournal.open(folder, reserve_bytes=2**20).close()
print("AGAIN", (folder / "reserve").exists())
"""

ORDER_ON_A_FULL_DISK = """
import sys
from pathlib import Path
from thermo_guard.adapters.clock import wall_now
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.adapters.status import StatusFile, read
from thermo_guard.core.wishes import Order, Wish

folder = Path(sys.argv[1])
journal = SqlJournal.open(folder, reserve_bytes=2**20)
board = StatusFile(folder, wall_now)
board.publish({"at": 1.0, "more": "x" * 5000}, 20.0)
fill(folder)
board.publish({"at": 2.0}, 20.0)
print("STATUS", read(folder).facts["at"])
for number in range(40):
    SqlJournal.put_wish(folder, Wish(0, 2.0, Order.ABORT, "ada@nas", "x" * 500))
print("ORDERS", len(journal.wishes(0)), (folder / "reserve").exists())
"""

NO_ROOM_AT_START = """
import resource, sys
from pathlib import Path
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.ports import Transient

resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    SqlJournal.open(Path(sys.argv[1]))
except Transient as fault:
    print("FAULT", fault)
"""


def _on_a_small_disk(script: str, folder: Path) -> dict[str, str]:
    """Run a script on a file system of 8 MB that only it sees, and give what it printed, by its first words.

    As root in a mount namespace, else in a user namespace; a kernel that allows neither leaves the cut-off tests.
    """
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare here to mount a small disk with")
    mount = f'mount -t tmpfs -o size=8m none {folder} && exec "$@"'
    words = [unshare, "-m" if os.getuid() == 0 else "-Urm", "sh", "-c", mount, "sh"]
    if subprocess.run([*words, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("this kernel lets this user mount nothing, not even in a namespace of its own")
    ended = subprocess.run(
        [*words, sys.executable, "-c", FILL + script, str(folder)],
        capture_output=True, text=True, check=False, timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return dict(line.partition(" ")[::2] for line in ended.stdout.splitlines() if line.split(" ")[0].isupper())


def test_the_reserve_is_made_of_real_blocks_and_kept(tmp_path: Path) -> None:
    """A sparse or compressible file has nothing to give back; one that is there is not written again."""
    SqlJournal.open(tmp_path, reserve_bytes=MIB).close()
    made = (tmp_path / "reserve").stat()
    assert (made.st_size, made.st_blocks * 512 >= MIB) == (MIB, True)
    assert len(set((tmp_path / "reserve").read_bytes()[:4096])) > 200, "random bytes"
    SqlJournal.open(tmp_path, reserve_bytes=MIB).close()
    assert (tmp_path / "reserve").stat().st_mtime_ns == made.st_mtime_ns


def test_a_reserve_that_a_kill_left_half_made_is_made_whole(tmp_path: Path) -> None:
    """Half of it would give back half."""
    (tmp_path / "reserve").write_bytes(b"x" * 1000)
    SqlJournal.open(tmp_path, reserve_bytes=MIB).close()
    assert (tmp_path / "reserve").stat().st_size == MIB


def test_a_reserve_is_given_back_once(tmp_path: Path) -> None:
    """What is given back is gone until the next start."""
    journal = SqlJournal.open(tmp_path, reserve_bytes=MIB)
    assert journal.give_back_reserve()
    assert not (tmp_path / "reserve").exists()
    assert not journal.give_back_reserve()
    journal.close()
    SqlJournal.open(tmp_path, reserve_bytes=MIB).close()
    assert (tmp_path / "reserve").exists()


def test_no_reserve_fills_the_disk(tmp_path: Path) -> None:
    """Where it would leave little room there is none, and a warning; the guard starts all the same."""
    disk = os.statvfs(tmp_path)
    with capture_logs() as logs:
        SqlJournal.open(tmp_path, reserve_bytes=disk.f_bavail * disk.f_frsize // 4).close()
    assert not (tmp_path / "reserve").exists()
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["reserve.not_made"]


def test_a_disk_that_fills_takes_the_next_entries_in_the_reserve(tmp_path: Path) -> None:
    """An incident is on record although the disk is full; what could not be written before has left nothing."""
    said = _on_a_small_disk(FULL_WHILE_IT_RUNS, tmp_path)
    assert "is full" in said["FAULT"]
    assert (said["GIVEN"], said["LAST"]) == ("True False", "after")


def test_a_guard_starts_on_a_full_disk_by_its_reserve(tmp_path: Path) -> None:
    """A restart in that night finds no room for its own start: the reserve goes first, and comes back with the room."""
    said = _on_a_small_disk(FULL_AT_START, tmp_path)
    assert said["FREE"] == f"0 {MIB}"
    assert (said["RESERVE"], said["OWNERS"], said["AGAIN"]) == ("False True", "before after", "True")


def test_an_order_is_taken_on_a_full_disk(tmp_path: Path) -> None:
    """In mid-shutdown nobody's hands may be tied: the status is written over, the inbox is given the reserve."""
    said = _on_a_small_disk(ORDER_ON_A_FULL_DISK, tmp_path)
    assert (said["STATUS"], said["ORDERS"]) == ("2.0", "40 False")


def test_a_start_without_room_costs_the_reserve_first_and_holds_no_lock(tmp_path: Path) -> None:
    """Where even that does not help, it ends in words, and leaves no empty file that would look like a damaged one."""
    (tmp_path / "reserve").write_bytes(b"x" * 1000)
    ended = subprocess.run([sys.executable, "-c", NO_ROOM_AT_START, str(tmp_path)], capture_output=True, text=True,
                           check=False, timeout=60)
    assert ended.stdout.splitlines()[-1].startswith("FAULT"), ended.stderr
    assert not (tmp_path / "reserve").exists()
    assert not (tmp_path / "journal.sqlite3").exists()
    journal = SqlJournal.open(tmp_path)
    assert journal.set_aside is None
    journal.close()

"""What no crash may take back: kill -9, torn writes, a disk that does not take writes, a second process."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.adapters.journal.database import fault_of
from thermo_guard.core.events import GuardStarted
from thermo_guard.ports import Refused, Transient

WRITER = """
import sys
from pathlib import Path
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core.events import GuardStarted
journal = SqlJournal.open(Path(sys.argv[1]))
for round in range(1_000_000):
    entries = journal.append(float(round), GuardStarted("o" * 300, "v"), GuardStarted("p", "v"))
    print(*[entry.seq for entry in entries], flush=True)
"""

SHORT_OF_SPACE = """
import resource, sys
from pathlib import Path
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core.events import GuardStarted
from thermo_guard.ports import Transient
journal = SqlJournal.open(Path(sys.argv[1]))
journal.append(1.0, GuardStarted("before", "v"))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
for attempt in range(2):
    try:
        journal.append(2.0, *[GuardStarted("o" * 1000, "v")] * 500)
    except Transient as fault:
        print("FAULT", fault)
print("READ", len(journal.entries()))
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
journal.append(3.0, GuardStarted("after", "v"))
print("OWNERS", *[entry.event.owner for entry in journal.entries()])
"""


def _python(code: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)


def test_kill_9_takes_back_nothing_that_was_said_to_be_written(tmp_path: Path) -> None:
    """S6: what an append has returned is there after a kill at any instant, and events of one append all or none."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    said: set[int] = set()
    for _ in range(10):
        writer = _python(WRITER, tmp_path)
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(dice.randint(1, 60))]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
        writer.stdout.close()
        writer.wait()
        said |= {int(seq) for line in lines if line.endswith("\n") for seq in line.split()}
    reader = SqlJournal.read_only(tmp_path)  # the kernel has let go of the lock; what the last kill left is read
    left = {entry.seq for entry in reader.entries()}
    reader.close()
    journal = SqlJournal.open(tmp_path)
    kept = [entry.seq for entry in journal.entries()]
    journal.close()
    assert left == set(kept)
    assert said <= set(kept)
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) % 2 == 0


def test_a_torn_write_leaves_what_was_before_it(tmp_path: Path) -> None:
    """Power loss can cut the write-ahead log anywhere: the journal opens, and is the past up to some append."""
    whole = tmp_path / "whole"
    journal = SqlJournal.open(whole)
    for at in range(12):
        journal.append(float(at), GuardStarted("o" * 500, "v"), GuardStarted("p", "v"))
    dice = random.Random(7)
    log = (whole / "journal.sqlite3-wal").read_bytes()
    lengths = set()
    for round_ in range(12):
        torn = tmp_path / f"torn{round_}"
        torn.mkdir()
        shutil.copy(whole / "journal.sqlite3", torn)
        cut = dice.randrange(len(log) // 2, len(log))
        garbage = dice.randbytes(len(log) - cut) if round_ % 2 else b""
        (torn / "journal.sqlite3-wal").write_bytes(log[:cut] + garbage)
        again = SqlJournal.open(torn)
        kept = again.entries()
        assert [entry.at for entry in kept] == [at / 2 // 1 for at in range(len(kept))]
        assert len(kept) % 2 == 0
        again.append(99.0, GuardStarted("q", "v"))
        again.close()
        lengths.add(len(kept))
    journal.close()
    assert len(lengths) > 1, "the cuts must have hit the entries"


def test_a_second_process_is_refused_and_told_who_was_first(tmp_path: Path) -> None:
    """S7: one folder, one guard; the message names the process to stop."""
    writer = _python(WRITER, tmp_path)
    assert writer.stdout is not None
    try:
        writer.stdout.readline()
        with pytest.raises(Refused, match=rf"process {writer.pid} on .+, since 20\d\d-\d\d-\d\dT") as refused:
            SqlJournal.open(tmp_path)
        assert str(tmp_path) in str(refused.value)
        reader = SqlJournal.read_only(tmp_path)
        assert reader.entries()
        reader.close()
    finally:
        writer.kill()
        writer.stdout.close()
        writer.wait()
    SqlJournal.open(tmp_path).close()


def test_one_process_does_not_open_a_folder_twice(tmp_path: Path) -> None:
    """The lock is the folder's, not the process's."""
    first = SqlJournal.open(tmp_path)
    with pytest.raises(Refused, match=f"process {os.getpid()} "):
        SqlJournal.open(tmp_path)
    first.close()
    first.close()
    SqlJournal.open(tmp_path).close()


def test_a_disk_that_takes_no_more_is_a_fault_that_passes(tmp_path: Path) -> None:
    """Nothing of a failed append is left, reading goes on, and once there is room so does writing."""
    writer = _python(SHORT_OF_SPACE, tmp_path)
    out, _ = writer.communicate(timeout=60)
    assert writer.returncode == 0
    lines = out.splitlines()
    assert [line.split(":")[0].split(" ")[0] for line in lines] == ["FAULT", "FAULT", "READ", "OWNERS"]
    assert "does not take writes" in lines[0]
    assert lines[2:] == ["READ 1", "OWNERS before after"]


def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    """The administrator is told what to do, not an error number; issue of space, so worth another try."""
    connection = sqlite3.connect(tmp_path / "full.sqlite3")
    connection.execute("PRAGMA max_page_count=2")
    connection.execute("CREATE TABLE t (x)")
    with pytest.raises(sqlite3.OperationalError) as full:
        connection.execute("INSERT INTO t VALUES (?)", ("x" * 100_000,))
    connection.close()
    fault = fault_of(full.value, tmp_path)
    assert isinstance(fault, Transient)
    assert "is full" in str(fault)


def test_a_lock_held_by_a_shell_is_waited_for_and_then_said(tmp_path: Path) -> None:
    """A person's sqlite3 shell with an open transaction delays a tick by seconds at most, and is named as the cause."""
    journal = SqlJournal.open(tmp_path)
    shell = sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    with pytest.raises(Transient, match="locked by another program"):
        journal.append(1.0, GuardStarted("o", "v"))
    shell.execute("ROLLBACK")
    shell.close()
    journal.append(2.0, GuardStarted("o", "v"))
    assert [entry.at for entry in journal.entries()] == [2.0]
    journal.close()


def test_a_folder_that_cannot_be_made_is_refused_with_the_line_that_mends_it(tmp_path: Path) -> None:
    """The first thing that goes wrong in a container is the owner of the volume."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Refused, match="is no folder: name another one in DATA_DIR"):
        SqlJournal.open(tmp_path / "file" / "data")

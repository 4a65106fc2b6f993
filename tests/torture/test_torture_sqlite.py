"""SQLite under the real guard for whole incidents: a disk that fills in their midst, and logs torn at any byte.

TORTURE_SEED=n repeats the tears. The short forms are in tests/e2e/test_process_disk.py.
"""

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from e2e.guard import GuardProcess
from e2e.plant import Plant
from e2e.proof import is_all_off, is_back, is_in_order, is_ready
from e2e.sink import Sink
from e2e.small_disk import SmallDisk
from e2e.test_process_disk import deaf_settings
from thermo_guard.core import events as ev
from thermo_guard.core.events import Phase

pytestmark = pytest.mark.peer
TEARS = int(os.environ.get("TORTURE_TEARS") or 40)
WAITS_S = 10.0
"""So long a way back is seen to wait: five times RECOVERY_HOLD. That nothing comes can only be sat out."""
CANNOT, CAN = "The journal cannot be written", "The journal can be written again"


@contextmanager
def on_a_small_disk(folder: Path) -> Iterator[tuple[Plant, SmallDisk, Sink]]:
    """A site whose guard is ready, on a disk without room for a reserve; the disk outlives the guard."""
    with (
        ExitStack() as disks, Sink() as sink,
        Plant(folder, is_vcenter_inside=True, has_tools=True, settings={"NOTIFY_URLS": sink.url}) as plant,
    ):
        plant.guard.start()
        is_ready(plant)  # a guard arms itself on no disk as small as this, and none in memory: it has done so before
        plant.guard.stop()
        kept = shutil.copytree(plant.guard.data, folder / "kept", ignore=shutil.ignore_patterns("reserve"))
        disk = disks.enter_context(SmallDisk(plant.guard.data, "8m"))
        shutil.copytree(kept, plant.guard.data, dirs_exist_ok=True)
        plant.guard.start()
        plant.wait_for("a second life", lambda: plant.guard.status().get("is_armed"))
        yield plant, disk, sink


def comes_back(plant: Plant) -> list[Phase]:
    """Everything is as it was; the phases that are on record."""
    plant.wait_for("the closing report", lambda: plant.guard.of("incident.closed"))
    is_back(plant)
    return [entry.event.phase for entry in plant.guard.journal() if isinstance(entry.event, ev.PhaseBegun)]


def power_ons(plant: Plant) -> list[str]:
    return [host for host, bmc in plant.bmcs.items() if bmc.posts()] + plant.calls("PowerOnVM_Task")


@pytest.mark.parametrize("phase", ["guests", "hosts"])
def test_a_disk_that_fills_on_the_way_down_holds_the_way_back(phase: str, tmp_path: Path) -> None:
    """All goes off in order from memory, nothing is powered on; with room, all is on record and all comes back."""
    with on_a_small_disk(tmp_path) as (plant, disk, sink):
        plant.heat()
        plant.wait_for(phase, plant.phase(phase))
        disk.fill(plant.guard.process_id)
        plant.wait_for("all off", plant.all_off)
        sink.until(CANNOT)
        is_all_off(plant)
        is_in_order(plant)
        written = plant.guard.journal()
        plant.cool()
        time.sleep(WAITS_S)
        assert power_ons(plant) == []
        disk.make_room(plant.guard.process_id)
        begun = comes_back(plant)
        sink.until(CAN)
        assert plant.guard.journal()[:len(written)] == written
        assert {Phase.GUESTS, Phase.HOSTS, Phase.VCENTER, Phase.ALL_OFF, Phase.VERIFY} <= set(begun)


def test_a_disk_that_fills_on_the_way_back_holds_it(tmp_path: Path) -> None:
    """No host and no VM is started without an intent on record; with room, the way back goes on to its end."""
    with on_a_small_disk(tmp_path) as (plant, disk, sink):
        plant.heat()
        plant.wait_for("all off", plant.all_off)
        plant.cool()
        plant.wait_for("the first host", plant.phase("first_host"))
        disk.fill(plant.guard.process_id)
        sink.until(CANNOT)
        before = power_ons(plant)
        time.sleep(WAITS_S)
        assert power_ons(plant) == before
        disk.make_room(plant.guard.process_id)
        assert Phase.VERIFY in comes_back(plant)
        sink.until(CAN)


def test_killed_while_the_disk_is_full(tmp_path: Path) -> None:
    """Started on the full disk without a reserve it says so and ends; with room, it carries the incident to its end."""
    with on_a_small_disk(tmp_path) as (plant, disk, sink):
        plant.heat()
        plant.wait_for("guests", plant.phase("guests"))
        disk.fill(plant.guard.process_id)
        sink.until(CANNOT)
        plant.guard.kill()
        if disk.is_mounted:
            assert plant.guard.ask("run").returncode == 1
            assert sink.until("NOT guarded")
            disk.make_room(0)
        plant.guard.start()
        plant.wait_for("all off", plant.all_off)
        is_in_order(plant)
        plant.cool()
        assert {Phase.GUESTS, Phase.ALL_OFF, Phase.VERIFY} <= set(comes_back(plant))


def test_a_log_torn_at_any_byte_starts_with_the_past_up_to_some_entry(tmp_path: Path) -> None:
    """The write-ahead log of an incident, killed in its midst and cut: the start keeps a true past, nothing half."""
    seed = int(os.environ.get("TORTURE_SEED") or random.SystemRandom().randrange(10_000))
    drawn = random.Random(seed)
    with Plant(tmp_path / "site", is_vcenter_inside=True, has_tools=True) as plant:
        plant.guard.start()
        is_ready(plant)
        plant.heat()
        plant.wait_for("hosts", plant.phase("hosts"))
        plant.guard.kill()
        killed = shutil.copytree(plant.guard.data, tmp_path / "killed", ignore=shutil.ignore_patterns("*-shm"))
        before = _rows(plant.guard.data)
    (killed / "reserve").unlink()
    log = (killed / "journal.sqlite3-wal").read_bytes()
    kept = []
    with deaf_settings() as settings:
        for number in range(TEARS):
            cut = drawn.randrange(0 if number % 2 else len(log) * 4 // 5, len(log))
            guard = GuardProcess(tmp_path / f"torn{number}", settings, lambda: None)
            shutil.copytree(killed, guard.data)
            (guard.data / "journal.sqlite3-wal").write_bytes(log[:cut])
            kept.append(_kept(guard, before, f"TORTURE_SEED={seed} tear {number} at {cut} of {len(log)}"))
    assert len(set(kept)) > 1, "the cuts must have hit the entries"
    print(f"TORTURE_SEED={seed}: {TEARS} tears, {min(kept)} to {max(kept)} of {len(before)} entries kept")


def _kept(guard: GuardProcess, before: list[tuple[int, float, str, str]], which: str) -> int:
    """How many of the entries before the tear the next life has; what follows them is its own."""
    guard.start()
    by = time.monotonic() + 60
    while not guard.of("guard.started"):
        assert not guard.has_ended, (which, guard.lines)
        assert time.monotonic() < by, (which, guard.lines)
        time.sleep(0.02)
    guard.kill()
    after = _rows(guard.data)
    assert not guard.of("journal.set_aside"), which
    own = next(place for place, (_, at, _, _) in enumerate(after) if at > before[-1][1])
    assert after[:own] == before[:own], which
    assert after[own][2] == "guard.started", which
    return own


def _rows(folder: Path) -> list[tuple[int, float, str, str]]:
    """All of the journal's, those too that no longer count."""
    shell = sqlite3.connect(folder / "journal.sqlite3")
    try:
        return shell.execute("SELECT seq, at, kind, body FROM event ORDER BY seq").fetchall()
    finally:
        shell.close()

"""The real process on a disk that is full, takes no writes, or was torn; the long forms are in tests/torture."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.guard import GuardProcess
from e2e.sink import Sink
from e2e.small_disk import SmallDisk
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core import events as ev
from thermo_guard.core.record import Record, fold

INCIDENT = "20260102T080000Z"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@contextmanager
def deaf_settings() -> Iterator[dict[str, str]]:
    """Those of a guard none of whose peers ever says anything."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        deaf = f"127.0.0.1:{server.getsockname()[1]}"
        yield {
            "MERAKI_API_KEY": "4f5e6d7c8b9a0123456789abcdef0123456789ab", "MERAKI_NETWORK_ID": "N_1",
            "MERAKI_API_BASE_URL": f"http://{deaf}/api/v1", "MERAKI_POLLING_INTERVAL": "1", "ACTIVE_INTERVAL": "0.5",
            "VCENTER_HOST": deaf, "VCENTER_USER": "guard@vsphere.local", "VCENTER_PASSWORD": "Nightjar!x",
            "VCENTER_INSECURE": "true",
            "ILO_HOSTS": json.dumps([{"host": deaf, "username": "guard", "password": "x", "insecure": True}]),
        }


@pytest.fixture
def guard(tmp_path: Path, sink: Sink) -> Iterator[GuardProcess]:
    with deaf_settings() as settings:
        guard = GuardProcess(tmp_path, {**settings, "NOTIFY_URLS": sink.url}, lambda: None)
        yield guard
        guard.close()


def _tripped(folder: Path) -> None:
    journal = SqlJournal.open(folder)
    journal.append(time.time(), ev.GuardArmed("me@nas"), ev.AlarmTripped(INCIDENT, "high", ("hot",)))
    journal.close()


def _until(condition: Callable[[], object], within_s: float = 90.0) -> None:
    by = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < by, "it did not come to that in time"
        threading.Event().wait(0.02)


def _started(guard: GuardProcess) -> None:
    guard.start()
    _until(lambda: guard.of("guard.started") or guard.has_ended)
    assert guard.of("guard.started"), guard.lines


def _incident(guard: GuardProcess) -> str | None:
    incident = fold(Record(), guard.journal()).incident
    return None if incident is None else incident.id


def test_a_full_disk_ends_no_guard_and_forgets_no_incident(guard: GuardProcess, sink: Sink) -> None:
    """It says so, goes on in memory, and says when the disk takes its entries again; the incident stays open."""
    with SmallDisk(guard.data) as disk:
        _tripped(guard.data)
        _started(guard)
        disk.fill(guard.process_id)
        sink.until("The journal cannot be written")
        assert _incident(guard) == INCIDENT, "what was durable can be read on the full disk"
        disk.make_room(guard.process_id)
        sink.until("The journal can be written again")
        assert not guard.has_ended
        assert guard.stop()[0] == 0
        assert _incident(guard) == INCIDENT


def test_a_folder_that_takes_no_writes_refuses_the_start_and_is_left_as_it_was(guard: GuardProcess) -> None:
    """A volume that came back read-only: exit 1 in words, and neither a byte nor the incident is lost."""
    with SmallDisk(guard.data) as disk:
        _tripped(guard.data)
        before = (guard.data / "journal.sqlite3").read_bytes()
        disk.take_no_writes()
        try:
            guard.start()
            _until(lambda: guard.has_ended)
            assert guard.stop()[0] == 1
            assert "cannot be written" in str(guard.of("guard.refused")[0].facts["reason"])
            assert (guard.data / "journal.sqlite3").read_bytes() == before
        finally:
            disk.take_writes()
        assert _incident(guard) == INCIDENT


def test_a_log_that_was_torn_at_its_end_loses_only_its_end(guard: GuardProcess) -> None:
    """Killed, and the last page of the write-ahead log half written: it starts, sets nothing aside, keeps the rest."""
    _tripped(guard.data)
    _started(guard)
    guard.kill()
    before = guard.journal()
    log = guard.data / "journal.sqlite3-wal"
    whole = log.read_bytes()
    log.write_bytes(whole[:-2000])
    place = len(guard.lines)
    guard.start()
    _until(lambda: guard.of("guard.started", since=place) or guard.has_ended)
    after = guard.journal()
    kept = len(before) - 1
    assert after[:kept] == before[:kept], "at most the last write is lost"
    assert not guard.of("journal.set_aside")
    assert _incident(guard) == INCIDENT
    guard.close()

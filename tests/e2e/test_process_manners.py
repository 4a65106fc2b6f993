"""What people are told by a process that starts badly, is told to end, or finds its journal damaged."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from e2e.guard import MAIN, GuardProcess
from e2e.sink import Sink
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core import events as ev

KEY = "4f5e6d7c8b9a0123456789abcdef0123456789ab"

BLOCKED_CLOSE = """
import sys, threading
from thermo_guard import main

async def blocked(self):
    threading.Event().wait()

main.Site.aclose = blocked
sys.exit(main.main())
"""

HANGING_CLOSE = """
import asyncio, sys
from thermo_guard import main

async def hanging(self):
    await asyncio.Event().wait()

main.Site.aclose = hanging
sys.exit(main.main())
"""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture
def settings(sink: Sink) -> Iterator[dict[str, str]]:
    """Those of a guard none of whose peers ever says anything."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        deaf = f"127.0.0.1:{server.getsockname()[1]}"
        yield {
            "MERAKI_API_KEY": KEY, "MERAKI_NETWORK_ID": "N_1",
            "MERAKI_API_BASE_URL": f"http://{deaf}/api/v1", "VCENTER_HOST": deaf,
            "VCENTER_USER": "guard@vsphere.local", "VCENTER_PASSWORD": "Nightjar!x", "VCENTER_INSECURE": "true",
            "ILO_HOSTS": json.dumps([{"host": deaf, "username": "guard", "password": "Nightjar!y", "insecure": True}]),
            "NOTIFY_URLS": sink.url,
        }


@pytest.fixture
def guard(tmp_path: Path, settings: dict[str, str]) -> Iterator[GuardProcess]:
    guard = GuardProcess(tmp_path, settings, lambda: None)
    yield guard
    guard.close()


def _until(condition: Callable[[], object], within_s: float = 90.0) -> None:
    by = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < by, "it did not come to that in time"
        threading.Event().wait(0.02)


def _started(guard: GuardProcess) -> None:
    guard.start()
    _until(lambda: guard.of("guard.started") or guard.has_ended)
    assert guard.of("guard.started"), guard.lines


def _tripped(guard: GuardProcess) -> None:
    """Leave a journal with an open incident in the guard's folder."""
    journal = SqlJournal.open(guard.data)
    journal.append(time.time(), ev.GuardArmed("me@nas"), ev.AlarmTripped("20260102T080000Z", "high", ("hot",)))
    journal.close()


def _run(tmp_path: Path, settings: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(MAIN)], env={"PATH": "/usr/bin:/bin", **settings}, cwd=tmp_path, capture_output=True,
        text=True, timeout=120, check=False,
    )


def test_a_closed_terminal_does_not_end_it(guard: GuardProcess) -> None:
    """SIGHUP is ignored, and SIGINT ends it as SIGTERM does."""
    _started(guard)
    pid = guard.process_id
    popen = subprocess.run(["kill", "-HUP", str(pid)], check=True)
    assert popen.returncode == 0
    ticked = guard.status().get("at")
    _until(lambda: guard.status().get("at") != ticked)
    assert not guard.has_ended
    subprocess.run(["kill", f"-{signal.SIGINT.value}", str(pid)], check=True)
    _until(lambda: guard.has_ended)
    assert guard.stop()[0] == 0
    assert guard.of("guard.stopped")


def test_told_to_end_in_an_incident_it_tells_so(guard: GuardProcess, sink: Sink) -> None:
    """A container update in mid-shutdown: people learn that nobody goes on until it is started again."""
    _tripped(guard)
    _started(guard)
    code, took_s = guard.stop()
    assert code == 0
    assert took_s < 8
    assert sink.until("stopped in the middle of an incident")["type"] == "failure"
    assert guard.of("guard.stopped")


@pytest.mark.parametrize(("script", "code"), [(HANGING_CLOSE, 0), (BLOCKED_CLOSE, 70)], ids=["hangs", "blocks"])
def test_an_edge_that_does_not_close_holds_up_no_end(
    tmp_path: Path, settings: dict[str, str], script: str, code: int
) -> None:
    """The end is bounded as a whole: one that hangs is left, one that blocks the loop is cut off; never past 8 s."""
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        env={"PATH": "/usr/bin:/bin", "DATA_DIR": str(tmp_path / "data"), "LOG_FORMAT": "json", **settings},
    )
    try:
        assert process.stderr is not None
        while "guard.started" not in (line := process.stderr.readline()):
            assert line, "it has ended"
        began = time.monotonic()
        process.terminate()
        assert process.wait(60) == code
        assert time.monotonic() - began < 9.5, "a container is killed after 10 s"
        journal = SqlJournal.open(tmp_path / "data")
        assert isinstance(journal.entries()[-1].event, ev.GuardStopped), "the durable end was written first"
        journal.close()
    finally:
        process.kill()
        process.communicate()


def test_another_owner_of_the_site_ends_it_with_3(guard: GuardProcess) -> None:
    """As with a folder that another guard holds: it must not be started again on the same site without a thought."""
    _started(guard)
    shell = sqlite3.connect(guard.data / "journal.sqlite3")
    shell.execute("UPDATE site SET owner = 'another', epoch = epoch + 1")
    shell.commit()
    shell.close()
    code, _ = guard.stop()
    assert code == 3
    assert "Another guard owns the site" in str(guard.of("guard.refused")[0].facts["reason"])


def test_a_damaged_journal_is_told_and_the_room_is_guarded(guard: GuardProcess, sink: Sink) -> None:
    """It starts, says what is no longer known and what follows, and keeps the damaged file."""
    _tripped(guard)
    (guard.data / "journal.sqlite3").write_bytes(b"no database" * 1000)
    _started(guard)
    told = sink.until("damaged and has been set aside")
    for words in ("is kept as", "NOT ARMED", "Nothing is powered on by itself", "thermo-guard power-on"):
        assert words in told["message"]
    assert guard.of("journal.set_aside", level="critical")
    (kept,) = guard.data.glob("journal.sqlite3.damaged-*")
    assert kept.read_bytes() == b"no database" * 1000
    assert [type(entry.event) for entry in guard.journal()][:1] == [ev.GuardStarted]
    assert (guard.data / "reserve").stat().st_size == 32 * 2**20
    assert guard.stop()[0] == 0


def test_bad_settings_are_told_once_an_hour(tmp_path: Path, settings: dict[str, str], sink: Sink) -> None:
    """A container restarts each minute: one message with what is wrong, no secret in it, and exit 2 each time."""
    data = tmp_path / "data"
    data.mkdir()
    bad = {**settings, "DATA_DIR": str(data), "TRIP_VOTES": "many", "VCENTER_PASSWORD": ""}
    ended = [_run(tmp_path, bad) for _ in range(2)]
    assert [one.returncode for one in ended] == [2, 2]
    assert "TRIP_VOTES" in ended[0].stderr
    told = sink.messages.get(timeout=20)
    assert "NOT guarded" in told["title"]
    assert "TRIP_VOTES" in told["message"]
    assert "VCENTER_PASSWORD is not set" in told["message"]
    assert [secret for secret in (KEY, "Nightjar") if secret in json.dumps(told) + ended[0].stderr] == []
    assert sink.messages.empty()
    other = _run(tmp_path, {**bad, "TRIP_VOTES": "-1"})  # something else is wrong now
    assert other.returncode == 2
    assert "VCENTER_PASSWORD" in sink.messages.get(timeout=20)["message"]
    assert sorted(path.name for path in data.iterdir()) == ["bad-start.told"]


def test_bad_settings_without_a_data_folder_are_told_each_time(
    tmp_path: Path, settings: dict[str, str], sink: Sink
) -> None:
    """The folder is not made for it: a typing error in DATA_DIR must leave nothing behind."""
    bad = {**settings, "DATA_DIR": str(tmp_path / "data"), "VCENTER_PASSWORD": ""}
    for _ in range(2):
        assert _run(tmp_path, bad).returncode == 2
        sink.messages.get(timeout=20)
    assert list(tmp_path.iterdir()) == []


def test_a_dead_outlet_delays_the_end_of_a_bad_start_by_seconds(tmp_path: Path, settings: dict[str, str]) -> None:
    """What cannot be told is not waited for, and is tried again at the next start."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        (tmp_path / "data").mkdir()
        began = time.monotonic()
        ended = _run(tmp_path, {
            **settings, "DATA_DIR": str(tmp_path / "data"), "VCENTER_PASSWORD": "",
            "NOTIFY_URLS": f"json://hook:Nightjar!z@127.0.0.1:{server.getsockname()[1]}/NightjarToken",
        })
    assert ended.returncode == 2
    assert time.monotonic() - began < 40
    assert "notify.failed" in ended.stderr
    assert "Nightjar" not in ended.stderr
    assert list((tmp_path / "data").iterdir()) == []


def test_a_start_that_is_refused_is_told_once_an_hour(tmp_path: Path, settings: dict[str, str], sink: Sink) -> None:
    """After a downgrade the journal is a newer version's: it ends with 1 each time, and nobody looks at its log."""
    data = tmp_path / "data"
    SqlJournal.open(data).close()
    shell = sqlite3.connect(data / "journal.sqlite3")
    shell.execute("UPDATE alembic_version SET version_num = '0099'")
    shell.commit()
    shell.close()
    before = (data / "journal.sqlite3").read_bytes()
    assert [_run(tmp_path, {**settings, "DATA_DIR": str(data)}).returncode for _ in range(2)] == [1, 1]
    assert (data / "journal.sqlite3").read_bytes() == before, "an older program changes nothing of it"
    told = sink.messages.get(timeout=20)
    assert "NOT guarded" in told["title"]
    assert "newer Thermo-Guard" in told["message"]
    assert sink.messages.empty()

"""How the process itself behaves: refuses to start without settings or beside another, and ends when it is told to."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.guard import MAIN, GuardProcess
from e2e.plant import Plant, vm
from e2e.proof import is_all_off, is_in_order, is_ready

REQUIRED = ("MERAKI_API_KEY", "MERAKI_NETWORK_ID", "VCENTER_HOST", "VCENTER_USER", "VCENTER_PASSWORD", "ILO_HOSTS")


@pytest.fixture
def deaf() -> Iterator[str]:
    """host:port of a server that takes connections and never says anything."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def lonely(tmp_path: Path, deaf: str) -> Iterator[GuardProcess]:
    """A guard none of whose peers answers."""
    changed = threading.Event()
    guard = GuardProcess(tmp_path, {
        "MERAKI_API_KEY": "4f5e6d7c8b9a0123456789abcdef0123456789ab", "MERAKI_NETWORK_ID": "N_1",
        "MERAKI_API_BASE_URL": f"http://{deaf}/api/v1", "VCENTER_HOST": deaf, "VCENTER_USER": "guard@vsphere.local",
        "VCENTER_PASSWORD": "S3cret!x", "VCENTER_INSECURE": "true",
        "ILO_HOSTS": json.dumps([{"host": deaf, "username": "guard", "password": "S3cret!y", "insecure": True}]),
    }, changed.set)
    guard.start()
    while not guard.of("guard.started"):
        assert changed.wait(60), guard.lines
        changed.clear()
    yield guard
    guard.close()


@pytest.mark.parametrize("command", [
    [sys.executable, str(MAIN)], [str(Path(sys.executable).with_name("thermo-guard")), "run"],
], ids=["main.py", "thermo-guard run"])
def test_without_settings_it_ends_and_lists_what_is_missing(tmp_path: Path, command: list[str]) -> None:
    """It exits with 2, names every required variable, and never falls back to the virtual site."""
    if not Path(command[0]).exists():
        pytest.skip(f"{command[0]} is not installed beside this Python")
    ended = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert [name for name in REQUIRED if name not in ended.stderr] == []
    assert ended.stdout == ""
    assert "virtual" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_second_guard_on_the_same_folder_ends_and_names_the_first(lonely: GuardProcess) -> None:
    """It exits with 3, says which process has the folder, and leaves that one alone."""
    second = lonely.popen()
    _, said = second.communicate(timeout=60)
    assert second.returncode == 3
    assert f"process {lonely.process_id} " in said
    assert not lonely.has_ended
    code, _ = lonely.stop()
    assert code == 0


def test_told_to_end_it_waits_for_no_peer(lonely: GuardProcess) -> None:
    """SIGTERM ends it with 0, well within 8 s, while every call that it has made hangs: a connect alone may for 7 s."""
    code, took_s = lonely.stop()
    assert code == 0
    assert took_s < 6.5
    assert lonely.of("guard.stopped")


@pytest.mark.peer
def test_told_to_end_in_mid_incident_the_next_start_goes_on(tmp_path: Path) -> None:
    """SIGTERM ends it with 0 within 8 s while VMs stop and a call hangs; the next start brings the rest down."""
    with Plant(tmp_path, is_vcenter_inside=True, has_tools=True, settings={"VM_SHUTDOWN_TIMEOUT": "60"}) as plant:
        plant.guard.start()
        is_ready(plant)
        plant.vsphere.fault("ShutdownGuest", "timeout", name=vm(1))
        plant.heat()
        plant.wait_for("a call that hangs", lambda: vm(1) in plant.calls("ShutdownGuest"))
        code, took_s = plant.guard.stop()
        assert code == 0, plant.story()
        assert took_s < 8
        plant.vsphere.post("/fault", clear=True)
        plant.guard.start()
        plant.wait_for("all off", plant.phase("all_off"))
        is_all_off(plant)
        is_in_order(plant)

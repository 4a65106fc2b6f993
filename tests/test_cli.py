"""The commands as an administrator types them: exit codes, help, and that nothing real is claimed without settings."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from thermo_guard import __version__
from thermo_guard.adapters.clock import wall_now
from thermo_guard.adapters.status import StatusFile

COMMANDS = (
    "run", "demo", "check", "plan", "status", "notify", "version",
    "shutdown", "power-on", "abort", "pause", "resume", "ack", "arm", "rehearse",
)
NEEDED = ("MERAKI_API_KEY", "MERAKI_NETWORK_ID", "VCENTER_HOST", "VCENTER_USER", "VCENTER_PASSWORD", "ILO_HOSTS")
FACTS: dict[str, Any] = {
    "mode": "armed", "level": "low", "poll_fault": None, "hottest_c": 22.5, "votes": 0, "demand": 2,
    "reasons": ["all is cool"],
    "sensors": [{"sensor": "Q3CA-1", "celsius": 22.5, "age_s": 30.0, "is_fresh": True, "why": "fresh"}],
    "meraki_alerting_sensors": 0, "cluster": "Office", "vcenter": "answers", "hosts": [], "vms_on": 12,
    "snapshot_at": None, "incident": None, "last_incident": None,
}


def thermo_guard(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in an empty folder with nothing but what is given in its environment."""
    return subprocess.run(
        [sys.executable, "-c", "from thermo_guard.cli import app; app(prog_name='thermo-guard')", *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": os.environ["PATH"], "COLUMNS": "120", **(env or {})},
    )


@pytest.mark.parametrize("command", ["run", "check", "plan"])
def test_without_settings_everything_that_is_missing_is_listed(tmp_path: Path, command: str) -> None:
    """Exit 2 with all of it at once, and never the virtual site: nobody shall believe a room guarded that is not."""
    done = thermo_guard(tmp_path, command)
    assert done.returncode == 2
    assert all(f"{name} is not set" in done.stderr for name in NEEDED)
    says = "nothing is being protected" if command == "run" else "nothing was done"  # a guard may run elsewhere
    assert f"6 settings are missing; {says}:" in done.stderr
    assert "irtual" not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_bad_setting_is_told_without_its_secret(tmp_path: Path) -> None:
    """What is wrong is told, what is secret is not."""
    given = {"VCENTER_PASSWORD": "Sup3rSecret!", "TEMPERATURE_LOW_THRESHOLD": "36", "MERAKI_API_KEY": "c0ffee-c0ffee"}
    done = thermo_guard(tmp_path, "run", env=given)
    assert done.returncode == 2
    assert "TEMPERATURE_LOW_THRESHOLD" in done.stderr
    assert "Sup3rSecret!" not in done.stderr
    assert "c0ffee-c0ffee" not in done.stderr


def test_help_names_every_command(tmp_path: Path) -> None:
    """Bare, the program shows its commands; each of them explains itself in words."""
    told = thermo_guard(tmp_path, "--help")
    assert told.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in told.stdout
    assert "usage" in thermo_guard(tmp_path).stdout.lower() + thermo_guard(tmp_path).stderr.lower()


@pytest.mark.parametrize(("command", "words"), [
    ("run", "Ends with 3 when another guard"), ("demo", "Nothing real is touched"), ("check", "Ends with 0 only when"),
    ("plan", "planner that acts"), ("status", "Ends with 1 when"), ("notify", "NOTIFY_URLS"), ("version", "version"),
])
def test_each_help_says_how_it_ends_or_what_it_touches(tmp_path: Path, command: str, words: str) -> None:
    """A tired administrator learns from --help what a command does to the site, without settings being needed."""
    done = thermo_guard(tmp_path, command, "--help")
    assert done.returncode == 0
    assert words in " ".join(done.stdout.split())


@pytest.mark.parametrize("command", ["check", "plan", "status", "notify", "version"])
def test_whatever_prints_facts_has_json(tmp_path: Path, command: str) -> None:
    """Programs read facts too."""
    assert "--json" in thermo_guard(tmp_path, command, "--help").stdout


def test_every_without_schedule_is_wrong_use(tmp_path: Path) -> None:
    """Who believes that it goes on checking is told that it would not."""
    done = thermo_guard(tmp_path, "check", "--every", "5")
    assert done.returncode == 2
    assert "--every is only for --schedule" in done.stderr


def test_a_full_disk_behind_standard_output_is_told_in_one_line(tmp_path: Path) -> None:
    """No traceback: what could not be printed is no fault of the program."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from thermo_guard.cli import app; app()", "version"], cwd=tmp_path, stdout=full,
            stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == "What was to be printed cannot be written: No space left on device.\n"


def test_version_is_printed_plain_and_as_json(tmp_path: Path) -> None:
    """The version, and nothing around it."""
    assert thermo_guard(tmp_path, "version").stdout.strip() == __version__
    assert json.loads(thermo_guard(tmp_path, "version", "--json").stdout) == {"version": __version__}


def test_status_of_no_guard_is_one(tmp_path: Path) -> None:
    """No guard has run here: exit 1, also for the health check, which prints nothing."""
    done = thermo_guard(tmp_path, "status", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "No guard has run" in done.stderr
    silent = thermo_guard(tmp_path, "status", "--healthcheck", env={"DATA_DIR": str(tmp_path)})
    assert (silent.returncode, silent.stdout, silent.stderr) == (1, "", "")


@pytest.mark.parametrize(("age_s", "code"), [(1.0, 0), (100_000.0, 1)])
def test_status_tells_a_ticking_loop_from_a_stopped_one(tmp_path: Path, age_s: float, code: int) -> None:
    """A fresh tick is exit 0; one that is late by more than its bound allows is 1 and said loudly."""
    StatusFile(tmp_path, lambda: wall_now() - age_s).publish(FACTS, 60.0)
    env = {"DATA_DIR": str(tmp_path)}
    assert thermo_guard(tmp_path, "status", "--healthcheck", env=env).returncode == code
    done = thermo_guard(tmp_path, "status", env=env)
    assert done.returncode == code
    assert ("NOT running" in done.stdout) is (code == 1)
    assert "22.5" in done.stdout
    as_json = thermo_guard(tmp_path, "status", "--json", env=env)
    assert json.loads(as_json.stdout)["is_alive"] is (code == 0)


def test_a_status_that_cannot_be_read_is_no_life(tmp_path: Path) -> None:
    """Half a file, or another program's, is exit 1 and not a traceback."""
    (tmp_path / "status.json").write_text("{")
    done = thermo_guard(tmp_path, "status", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "is not a status" in done.stderr


class _Sink(BaseHTTPRequestHandler):
    """Takes whatever it is told."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        return


@pytest.fixture
def complete(tmp_path: Path) -> dict[str, str]:
    """Settings that are complete; nothing listens at any of their addresses."""
    return {
        "MERAKI_API_KEY": "0123456789abcdef", "MERAKI_NETWORK_ID": "N_1",
        "MERAKI_API_BASE_URL": "http://127.0.0.1:9/api/v1", "VCENTER_HOST": "127.0.0.2:9", "VCENTER_USER": "u@v",
        "VCENTER_PASSWORD": "Sup3rSecret!", "ILO_HOSTS": "[]", "DATA_DIR": str(tmp_path / "data"),
    }


def test_notify_tries_each_address_and_ends_with_what_came_of_it(tmp_path: Path, complete: dict[str, str]) -> None:
    """An address that takes the message and one that does not: both are told without their secrets, exit 1."""
    sink = HTTPServer(("127.0.0.1", 0), _Sink)
    Thread(target=sink.serve_forever, daemon=True).start()
    try:
        good = f"json://guard:hunter22@127.0.0.1:{sink.server_port}/"
        alone = thermo_guard(tmp_path, "notify", "--test", env={**complete, "NOTIFY_URLS": good})
        assert alone.returncode == 0, alone.stdout + alone.stderr
        assert "delivered" in alone.stdout
        both = thermo_guard(tmp_path, "notify", "--test", "--json",
                            env={**complete, "NOTIFY_URLS": f"{good},json://127.0.0.1:9/"})
    finally:
        sink.shutdown()
        sink.server_close()
    assert both.returncode == 1
    assert [one["is_delivered"] for one in json.loads(both.stdout)] == [True, False]
    assert "hunter22" not in alone.stdout + both.stdout + both.stderr


def test_notify_needs_its_addresses_alone(tmp_path: Path) -> None:
    """Messages can be tried before anything else is set; addresses that are none are told, and end with 2."""
    alone = thermo_guard(tmp_path, "notify", "--test", env={"NOTIFY_URLS": "json://127.0.0.1:9/"})
    assert alone.returncode == 1
    assert "NOT delivered" in alone.stdout
    bad = thermo_guard(tmp_path, "notify", "--test", env={"NOTIFY_URLS": "bad, foo"})
    assert bad.returncode == 2
    assert "VCENTER_HOST" not in bad.stderr


def test_notify_without_addresses_or_without_test_says_so(tmp_path: Path, complete: dict[str, str]) -> None:
    """No address is exit 1, for nobody would be told; without --test nothing is sent and the exit is 2."""
    assert thermo_guard(tmp_path, "notify", "--test", env=complete).returncode == 1
    assert thermo_guard(tmp_path, "notify", env=complete).returncode == 2


def test_check_where_nothing_answers_ends_soon_and_whole(tmp_path: Path, complete: dict[str, str]) -> None:
    """With every peer away `check` still tells each side once, in any locale, without a traceback or a secret."""
    done = thermo_guard(tmp_path, "check", env={**complete, "LC_ALL": "C", "PYTHONUTF8": "0"})
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "The site could NOT be brought down."
    for area in ("Settings", "Meraki", "vCenter", "BMCs", "Clock", "Data folder"):
        assert area in done.stdout.splitlines()
    assert done.stderr == ""
    assert done.stdout.isascii()
    assert "Sup3rSecret!" not in done.stdout


def test_a_data_folder_that_cannot_be_used_ends_with_one(tmp_path: Path, complete: dict[str, str]) -> None:
    """Exit 3 says that another guard has the folder; a folder that is none is something else, and `check` tells it."""
    (tmp_path / "file").write_text("")
    env = {**complete, "DATA_DIR": str(tmp_path / "file")}
    ended = thermo_guard(tmp_path, "run", env=env)
    assert ended.returncode == 1
    assert "cannot be written" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    told = thermo_guard(tmp_path, "check", env=env)
    assert told.returncode == 1
    assert "is no folder: name another one in DATA_DIR" in told.stdout
    assert told.stderr == ""

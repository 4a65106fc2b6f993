"""The status file: what the health check goes by."""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Event, Thread

import pytest

from thermo_guard.adapters import status
from thermo_guard.ports import Refused, Transient


class Goal(StrEnum):
    OFF = "off"


@dataclass(frozen=True)
class Facts:
    goal: Goal
    hosts: tuple[str, ...]


def test_what_is_published_is_read(tmp_path: Path) -> None:
    """`status` shows what the loop said, dated by the wall clock that it is compared with."""
    status.StatusFile(tmp_path, lambda: 1000.0).publish(Facts(Goal.OFF, ("esx1",)), 90.0)
    found = status.read(tmp_path)
    assert found == status.Status(1000.0, 90.0, {"goal": "off", "hosts": ["esx1"]})
    status.StatusFile(tmp_path, lambda: 1001.0).publish({"level": "LOW"}, 90.0)
    assert status.read(tmp_path) == status.Status(1001.0, 90.0, {"level": "LOW"})
    assert [each.name for each in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize(("age_s", "alive"), [(0, True), (270, True), (271, False), (-270, True), (-4000, False)])
def test_alive_is_a_tick_within_three_bounds(age_s: float, alive: bool) -> None:
    """The HEALTHCHECK fails when the loop has stopped, also where the wall clock was set back meanwhile."""
    assert status.is_alive(status.Status(10_000.0, 90.0, {}), 10_000.0 + age_s) is alive


def test_no_status_is_none(tmp_path: Path) -> None:
    """Before the first tick there is nothing to read, which is no error."""
    assert status.read(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tick_at": "x", "tick_bound_s": 1, "facts": {}}'])
def test_what_is_no_status_is_refused_in_words(tmp_path: Path, text: str) -> None:
    """A file that someone edited is named, without a traceback."""
    (tmp_path / "status.json").write_text(text)
    with pytest.raises(Refused, match="not a status"):
        status.read(tmp_path)


def test_a_folder_that_takes_no_writes_is_a_fault(tmp_path: Path) -> None:
    """A full disk must not end the loop by a bare OSError."""
    with pytest.raises(Transient, match=r"status\.json cannot be written"):
        status.StatusFile(tmp_path / "gone", lambda: 1.0).publish({}, 1.0)


def test_a_reader_never_sees_half(tmp_path: Path) -> None:
    """It is replaced as a whole: a health check in mid-write does not restart the container."""
    done = Event()
    writer = status.StatusFile(tmp_path, lambda: 1.0)
    writer.publish({"x": ""}, 1.0)

    def write() -> None:
        for size in range(400):
            writer.publish({"x": "y" * (size * 100)}, 1.0)
        done.set()

    thread = Thread(target=write)
    thread.start()
    reads = 0
    while not done.is_set():
        assert json.loads((tmp_path / "status.json").read_text())["tick_at"] == 1.0
        reads += 1
    thread.join()
    assert reads


def test_a_guard_that_has_ended_is_not_alive_for_a_moment(tmp_path: Path) -> None:
    """What a stopped guard last said stays readable, but nobody takes it for a running one."""
    board = status.StatusFile(tmp_path, lambda: 1000.0)
    board.publish({"level": "low"}, 20.0)
    board.stop()
    left = status.read(tmp_path)
    assert left is not None
    assert left.facts == {"level": "low"}
    assert not status.is_alive(left, 1000.0)

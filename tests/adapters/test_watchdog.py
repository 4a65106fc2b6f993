"""The watchdog: ends a process whose loop hangs, and never one that merely stood still itself."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from thermo_guard.adapters.watchdog import LOOK_EVERY_S, Watchdog

HANGS = """
import asyncio, sys, threading, time
from thermo_guard.adapters import logs
from thermo_guard.adapters.watchdog import Watchdog

logs.configure("json", "INFO")
watchdog = Watchdog(time.monotonic, start_bound_s=30.0)
watchdog.start()

class Board:
    def publish(self, facts, tick_bound_s):
        watchdog.beat(tick_bound_s)

class Sensors:
    async def poll(self):
        never = threading.Event()
        never.wait()  # a library that blocks where it should not

async def loop():
    for _ in range(3):
        Board().publish({}, 0.4)
        await asyncio.sleep(0.1)
    print("ticked", flush=True)
    await Sensors().poll()

asyncio.run(loop())
"""

HANGS_IN_ITS_LOG = HANGS.replace('logs.configure("json", "INFO")', """logs.configure("json", "INFO")
import logging
lock = logging.getLogger().handlers[-1].lock
""").replace("never = threading.Event()", "lock.acquire(); never = threading.Event()")

TICKS = """
import asyncio, time
from thermo_guard.adapters.watchdog import Watchdog

watchdog = Watchdog(time.monotonic, start_bound_s=30.0)
watchdog.start()

async def loop():
    while True:
        watchdog.beat(0.7)
        print("ticked", flush=True)
        await asyncio.sleep(0.3)

asyncio.run(loop())
"""

LEAVES = """
import time, threading
from thermo_guard.adapters.watchdog import Watchdog

watchdog = Watchdog(time.monotonic)
watchdog.start()
watchdog.leave(0.3, code=0)
watchdog.beat(100.0)
threading.Event().wait()
"""


class Line:
    """A monotonic line under the test's hand, on which the watchdog looks at its own pace."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.codes: list[int] = []
        self.watchdog = Watchdog(lambda: self.now, start_bound_s=120.0, end=self.codes.append)

    def pass_s(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until and not self.codes:
            self.now = min(until, self.now + LOOK_EVERY_S)
            self.watchdog.look()


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_tick_may_be_three_bounds_late(line: Line) -> None:
    """At the third it is told by the health check; after it the process ends with 70."""
    line.watchdog.beat(20.0)
    line.pass_s(60.0)
    assert line.codes == []
    line.pass_s(LOOK_EVERY_S)
    assert line.codes == [70]


def test_each_tick_grants_its_own_bound(line: Line) -> None:
    """In an incident the loop must tick faster than in quiet time: the last bound counts, not the longest."""
    line.watchdog.beat(20.0)
    line.pass_s(10.0)
    line.watchdog.beat(5.0)
    line.pass_s(15.0)
    assert line.codes == []
    line.pass_s(LOOK_EVERY_S)
    assert line.codes == [70]


def test_a_start_may_take_long_but_not_for_ever(line: Line) -> None:
    """A slow disk reads a large journal; a start that hangs is begun again."""
    line.pass_s(120.0)
    assert line.codes == []
    line.pass_s(LOOK_EVERY_S)
    assert line.codes == [70]


def test_a_process_that_stood_still_is_given_its_bound_again(line: Line) -> None:
    """SIGSTOP, a suspended or overloaded NAS: the loop has had no more time than the watchdog, which slept as long."""
    line.watchdog.beat(20.0)
    line.pass_s(50.0)
    line.now += 3600.0
    line.watchdog.look()
    line.pass_s(60.0)
    assert line.codes == []
    line.pass_s(LOOK_EVERY_S)
    assert line.codes == [70]


def test_leaving_is_extended_by_no_tick(line: Line) -> None:
    """Told to end, it is gone in time, whatever still ticks; the end of the work may set another code."""
    line.watchdog.leave(7.5)
    line.pass_s(5.0)
    line.watchdog.beat(20.0)
    assert line.watchdog.left_s() == 2.5
    line.watchdog.leave(0.5, code=0)
    line.pass_s(1.0)
    assert line.codes == [0]


def _python(code: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def started() -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    processes: list[subprocess.Popen[str]] = []

    def start(code: str) -> "subprocess.Popen[str]":
        processes.append(_python(code))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_loop_that_is_blocked_ends_the_process(started: Callable[[str], "subprocess.Popen[str]"]) -> None:
    """A real event loop in which an edge blocks: exit 70, and one critical line that says where it hangs."""
    process = started(HANGS)
    out, said = process.communicate(timeout=30)
    assert (process.returncode, out) == (70, "ticked\n")
    (line,) = said.splitlines()
    assert '"event": "loop.stopped"' in line
    assert '"level": "critical"' in line
    assert "in poll" in line or " poll" in line


def test_a_blocked_log_keeps_no_hung_process_alive(started: Callable[[str], "subprocess.Popen[str]"]) -> None:
    """Where the loop hangs in writing its log, the last words are not waited for."""
    process = started(HANGS_IN_ITS_LOG)
    process.communicate(timeout=30)
    assert process.returncode == 70


def test_a_process_that_was_stopped_goes_on(started: Callable[[str], "subprocess.Popen[str]"]) -> None:
    """SIGSTOP for longer than three bounds and the watchdog's own patience, then SIGCONT: it ticks on."""
    process = started(TICKS)
    assert process.stdout is not None
    assert process.stdout.readline() == "ticked\n"
    process.send_signal(signal.SIGSTOP)
    passed = threading.Event()
    passed.wait(5.0)  # the time must really pass: it is the kernel's clock that is at stake
    process.send_signal(signal.SIGCONT)
    lines = [process.stdout.readline() for _ in range(20)]
    assert lines == ["ticked\n"] * 20
    assert process.poll() is None


def test_what_hangs_while_leaving_is_cut_off(started: Callable[[str], "subprocess.Popen[str]"]) -> None:
    """Once all is closed, a thread that waits for a dead resolver does not keep the process, and is no failure."""
    process = started(LEAVES)
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (0, "")

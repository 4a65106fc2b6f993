"""The steady line."""

import asyncio
import time

import pytest

from thermo_guard.adapters.clock import SteadyClock


class _VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time a test turns by hand."""

    turned_s = 0.0

    def time(self) -> float:
        return self.turned_s


def test_now_follows_the_loop_s_time_from_the_epoch_given() -> None:
    """A loop with virtual time drives the clock, so that days pass in seconds."""
    loop = _VirtualLoop()
    try:
        clock = SteadyClock(loop, epoch=1000.0)
        loop.turned_s = 60.0
        assert clock.now() == 1060.0
    finally:
        loop.close()


async def test_the_running_loop_is_taken_by_itself() -> None:
    """Inside a loop no one has to name it."""
    clock = SteadyClock(epoch=5.0)
    before = asyncio.get_running_loop().time()
    first = clock.now()
    assert first >= 5.0
    assert clock.now() - first <= asyncio.get_running_loop().time() - before


def test_a_step_of_the_wall_clock_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is anchored once: NTP that sets the NAS clock by a day ages no reading."""
    clock = SteadyClock()
    anchored = clock.now()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86400.0)
    assert clock.now() - anchored < 3600.0

"""The only place that reads a clock.

The steady line is anchored at the wall clock once, at start, and runs on a monotonic clock from there: a step of the
NAS clock (NTP after boot, summer time set by hand) shortens no delay and ages no reading. Where an asyncio loop runs,
its own time is the monotonic clock, so that a loop with virtual time drives the whole program.
"""

import asyncio
import time
from collections.abc import Callable


class SteadyClock:
    """Implements `ports.Clock`."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None, epoch: float | None = None) -> None:
        """Anchor the line now.

        :param loop: whose time to follow; default the running one, or the system's monotonic clock where none runs.
        :param epoch: seconds since 1970 UTC at this moment; default the wall clock's.
        """
        self._monotonic = _line_of(loop)
        self._offset_s = (wall_now() if epoch is None else epoch) - self._monotonic()

    def now(self) -> float:
        return self._offset_s + self._monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def wall_now() -> float:
    """Seconds since 1970 UTC as the machine has it now: only to compare with what another process wrote."""
    return time.time()


def local_minute_of_day(at: float) -> int:
    """The minute of the day at a time in seconds since 1970 UTC, in the time zone of TZ."""
    local = time.localtime(at)
    return local.tm_hour * 60 + local.tm_min


def monotonic_now() -> float:
    """Seconds on the system's monotonic line, from any thread: for what must not depend on the event loop."""
    return time.monotonic()


def _line_of(loop: asyncio.AbstractEventLoop | None) -> Callable[[], float]:
    if loop is None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return time.monotonic
    return loop.time

"""An asyncio event loop whose time is virtual: days pass in milliseconds, or N times faster than the wall clock.

It replaces the waiting and nothing else: timers, order and cancellation are asyncio's own, so that what runs here runs
alike on an ordinary loop. Code that reads another clock than `loop.time()` (time.monotonic, time.time) does not see
virtual time.

What the jumping loop (`speed=None`) is for: everything in one process, without sockets. It cannot know that an answer
is on its way through the network, and would jump over it to the next timeout; for real peers take a speed. It does
know of work in threads that was given to it by `run_in_executor` or `asyncio.to_thread`: see `VirtualTimeLoop`.
"""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Time jumps to the next timer when nothing is ready (`speed=None`), or runs `speed` times faster than real.

    Jumping: while a job of an executor is pending, the loop waits for it in real time, for at most as many real
    seconds as there are virtual ones to the next timer. A job that is done before has taken no virtual time, so that
    a run stays deterministic; one that is not lets the timer fire, so that a timeout around a hanging job still ends
    it. With nothing scheduled at all it waits for real, as any loop does.

    With a speed: a wait is precise to the selector's millisecond of real time, that is `speed` virtual milliseconds.
    """

    def __init__(self, speed: float | None = None, start: float = 0.0) -> None:
        """Begin the line.

        :param speed: virtual seconds for a real one, > 0; None to jump.
        :param start: what `time()` says first, in seconds.
        """
        super().__init__(_WaitingSelector(self._wait))
        try:
            self._speed = _checked(speed)
        except ValueError:
            self.close()
            raise
        self._anchor = start
        self._real_anchor = super().time()
        self._pending_jobs = 0
        # asyncio fires what is due before now + this. Its own value, a nanosecond, is lost in a float of more than
        # some weeks in seconds, and a timer that is due just now would never fire. A microsecond lasts for 200 years.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        if self._speed is None:
            return self._anchor
        return self._anchor + (super().time() - self._real_anchor) * self._speed

    @property
    def speed(self) -> float | None:
        return self._speed

    @speed.setter
    def speed(self, speed: float | None) -> None:
        """Go on from the present time at another speed; only from within the loop, as everything of asyncio."""
        checked = _checked(speed)
        self._anchor, self._real_anchor = self.time(), super().time()
        self._speed = checked

    def jump(self, seconds: float) -> None:
        """Let so much time pass at once; only from within the loop. Timers that are due by then fire next."""
        self._anchor += seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._pending_jobs += 1
        future.add_done_callback(self._job_done)
        return future

    async def shutdown_default_executor(self, *args: Any, **options: Any) -> None:
        """Wait for the threads in real time: a jump would be over the limit that asyncio gives them, at once."""
        self._pending_jobs += 1
        try:
            await super().shutdown_default_executor(*args, **options)
        finally:
            self._pending_jobs -= 1

    def _job_done(self, _: asyncio.Future[Any]) -> None:
        self._pending_jobs -= 1

    def _wait(self, select: "_Select", timeout: float | None) -> "_Events":
        """Stand in for the selector's wait; `timeout` is in virtual seconds, None where there is no timer."""
        if timeout is None:
            return select(None)
        if timeout <= 0:
            return select(0)
        if self._speed is not None:
            return select(timeout / self._speed)
        if events := select(timeout if self._pending_jobs else 0):
            return events
        self._anchor += timeout
        return []


def run(main: Coroutine[Any, Any, T], *, speed: float | None = None, start: float = 0.0) -> T:
    """Run a coroutine on a loop of its own, and clean up after it as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(speed, start)) as runner:
        return runner.run(main)


_Events = list[tuple[selectors.SelectorKey, int]]
_Select = Callable[[float | None], _Events]


class _WaitingSelector(selectors.DefaultSelector):
    """The system's selector, whose waiting is given to someone else to do with it."""

    def __init__(self, wait: Callable[[_Select, float | None], _Events]) -> None:
        super().__init__()
        self._wait_with = wait

    def select(self, timeout: float | None = None) -> _Events:
        return self._wait_with(super().select, timeout)


def _checked(speed: float | None) -> float | None:
    if speed is not None and not (math.isfinite(speed) and speed > 0):
        raise ValueError(f"speed is {speed}: a finite number above 0 is wanted, or None to jump")
    return speed

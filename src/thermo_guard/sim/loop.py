"""An asyncio event loop whose time is virtual: days pass in milliseconds, or N times faster than the wall clock.

It replaces the waiting and nothing else: timers, order and cancellation are asyncio's own, so that what runs here runs
alike on an ordinary loop. Code that reads another clock than `loop.time()` (time.monotonic, time.time) does not see
virtual time.

What the jumping loop (`speed=None`) is for: everything in one process, without sockets. It cannot know that an answer
is on its way through the network, and would jump over it to the next timeout; for real peers take a speed, or say by
`settle_s` and `is_awaited` when something is under way. It does know of work in threads that was given to it by
`run_in_executor` or `asyncio.to_thread`: see `VirtualTimeLoop`.
"""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

_GLANCE_S = 0.001
"""Of real time: the end of a thread wakes nobody, so that it is looked for this often."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Time jumps to the next timer when nothing is ready (`speed=None`), or runs `speed` times faster than real.

    Jumping: while a job of an executor is pending, the loop waits for it in real time, for at most as many real
    seconds as there are virtual ones to the next timer. A job that is done before has taken no virtual time, so that
    a run stays deterministic; one that is not lets the timer fire, so that a timeout around a hanging job still ends
    it. With nothing scheduled at all it waits for real, as any loop does.

    Jumping beside real peers on loopback: `settle_s` and `is_awaited` hold time while their answers are under way. That
    is no longer deterministic, and a peer must need no time of its own but moments.

    With a speed: a wait is precise to the selector's millisecond of real time, that is `speed` virtual milliseconds.
    """

    def __init__(
        self, speed: float | None = None, start: float = 0.0, *, settle_s: float = 0.0,
        is_awaited: Callable[[], bool] | None = None,
    ) -> None:
        """Begin the line.

        :param speed: virtual seconds for a real one, > 0; None to jump.
        :param start: what `time()` says first, in seconds.
        :param settle_s: real seconds without any traffic before a jump, once there has been some since the last one.
        :param is_awaited: whether a thread that asyncio does not know of is at work: it is waited for as a job is.
        """
        self._has_traffic = False
        """Since the last jump something came in or a connection was opened: an answer may be under way."""
        super().__init__(_WaitingSelector(self._wait, self._opened))
        try:
            self._speed = _checked(speed)
        except ValueError:
            self.close()
            raise
        self._anchor = start
        self._real_anchor = super().time()
        self._pending_jobs = 0
        self._settle_s = settle_s
        self._is_awaited = is_awaited
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

    def _opened(self) -> None:
        self._has_traffic = True

    def _wait(self, select: "_Select", timeout: float | None) -> "_Events":
        """Stand in for the selector's wait; `timeout` is in virtual seconds, None where there is no timer."""
        if timeout is None:
            return select(None)
        if timeout <= 0:
            return select(0)
        if self._speed is not None:
            return select(timeout / self._speed)
        if events := select(timeout if self._pending_jobs else 0) or self._arriving(select, timeout):
            self._has_traffic = True
            return events
        self._has_traffic = False
        self._anchor += timeout
        return []

    def _arriving(self, select: "_Select", timeout: float) -> "_Events":
        """What comes in from real peers before a jump, in real time; nothing where none are told of."""
        if self._is_awaited is not None:
            until = super().time() + timeout
            while self._is_awaited() and super().time() < until:
                if events := select(_GLANCE_S):
                    return events
        return select(min(self._settle_s, timeout)) if self._settle_s and self._has_traffic else []


def run(main: Coroutine[Any, Any, T], *, speed: float | None = None, start: float = 0.0) -> T:
    """Run a coroutine on a loop of its own, and clean up after it as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(speed, start)) as runner:
        return runner.run(main)


_Events = list[tuple[selectors.SelectorKey, int]]
_Select = Callable[[float | None], _Events]


class _WaitingSelector(selectors.DefaultSelector):
    """The system's selector, whose waiting is given to someone else to do with it.

    :param opened: is told of each file that is to be watched from then on.
    """

    def __init__(self, wait: Callable[[_Select, float | None], _Events], opened: Callable[[], None]) -> None:
        super().__init__()
        self._wait_with = wait
        self._opened = opened

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._opened()
        return super().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> _Events:
        return self._wait_with(super().select, timeout)


def _checked(speed: float | None) -> float | None:
    if speed is not None and not (math.isfinite(speed) and speed > 0):
        raise ValueError(f"speed is {speed}: a finite number above 0 is wanted, or None to jump")
    return speed

"""What is yet to happen on the virtual site, and what has: one queue in time order, one log.

Seconds since 1970 UTC, as the clock that the site is given. Nothing here knows what the happenings mean.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass

LOG_LIMIT = 200_000
"""Happenings that are kept; a day of a large site is some 20,000."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the site's log."""

    at: float
    kind: str
    """For example 'vm.off', 'host.on', 'room.cooling_failed', 'call.shut_down_guest'."""
    object: str
    """Name of the VM, host, sensor, BMC or cluster."""
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.at:.3f} {self.kind} {self.object} {self.detail}".rstrip()


class Timeline:
    def __init__(self, starts_at: float) -> None:
        self.now = starts_at
        self.log: list[Happening] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Let something happen at a time; in the order of asking where times are equal."""
        self._count += 1
        heapq.heappush(self._queue, (max(when, self.now), self._count, what))

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        self.at(self.now + seconds, what)

    @property
    def next_at(self) -> float:
        return self._queue[0][0] if self._queue else math.inf

    def happen(self) -> None:
        """Go on to the next thing in the queue and let it happen."""
        self.now, _, what = heapq.heappop(self._queue)
        what()

    def note(self, kind: str, name: str, detail: str = "") -> None:
        self.log.append(Happening(self.now, kind, name, detail))
        if len(self.log) > LOG_LIMIT:
            del self.log[: LOG_LIMIT // 2]

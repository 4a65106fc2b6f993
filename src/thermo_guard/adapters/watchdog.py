"""Ends the process when its loop has stopped ticking or does not come to its end, so that what restarts it can.

A thread of its own: it needs neither the event loop nor anything that may hang in it. What was being done is in the
journal; the next start looks and goes on.
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import structlog

EXIT_LATE = 70
"""EX_SOFTWARE of sysexits.h."""
BOUNDS = 3.0
"""How many times its bound a tick may be late; the health check allows as much."""
START_BOUND_S = 120.0
"""From the start to the first tick: a slow NAS reads a large journal."""
LOOK_EVERY_S = 0.5
STALL_S = 3.0
"""The watchdog itself slept longer than this: the whole process stood still (SIGSTOP, a suspended or overloaded
machine), and the loop has had no more time than the watchdog."""
LAST_WORDS_S = 2.0
"""For the log line: standard error may be what hangs."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Term:
    """Until when the process must have given a sign, or be gone."""

    by: float
    """On the monotonic line."""
    bound_s: float
    """What it is given again after it stood still."""
    code: int = EXIT_LATE
    is_last: bool = False
    """The process is leaving: no tick extends it."""


class Watchdog:
    """One for the process.

    :param monotonic: seconds on a line that no clock step moves.
    :param end: how to end the process with a code, at once.
    """

    def __init__(
        self, monotonic: Callable[[], float], *, start_bound_s: float = START_BOUND_S, bounds: float = BOUNDS,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._monotonic = monotonic
        self._bounds = bounds
        self._end = end
        self._watched = threading.get_ident()
        self._looked_at = monotonic()
        self._term = _Term(self._looked_at + start_bound_s, start_bound_s)
        self._is_over = threading.Event()
        self._turn = threading.Lock()

    def start(self) -> None:
        """Watch from now on, from a thread of its own; the calling thread is the one whose place is told."""
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def beat(self, bound_s: float) -> None:
        """The loop has ticked, and does so again within `bound_s`."""
        allowed_s = self._bounds * bound_s
        self._set(_Term(self._monotonic() + allowed_s, allowed_s))

    def leave(self, within_s: float, code: int = EXIT_LATE) -> None:
        """The process is about to end: it must be gone within this time, or is ended with `code`."""
        self._set(_Term(self._monotonic() + within_s, within_s, code, is_last=True))

    def left_s(self) -> float:
        """How long the process still has until its next sign of life, or its end."""
        return self._term.by - self._monotonic()

    def stop(self) -> None:
        """Watch no longer."""
        self._is_over.set()

    def look(self) -> None:
        """End the process if it is late. Called by the watchdog's thread every `LOOK_EVERY_S`."""
        with self._turn:
            now, before = self._monotonic(), self._looked_at
            self._looked_at = now
            term = self._term
            if now - before > STALL_S:
                term = self._term = _Term(now + term.bound_s, term.bound_s, term.code, is_last=term.is_last)
        if now > term.by:
            self._bite(term, now - term.by)

    def _set(self, term: _Term) -> None:
        with self._turn:
            if term.is_last or not self._term.is_last:
                self._term = term

    def _run(self) -> None:
        while not self._is_over.wait(LOOK_EVERY_S):
            self.look()

    def _bite(self, term: _Term, late_s: float) -> None:
        if term.code:
            words = threading.Thread(target=self._say, args=(term, late_s), daemon=True)
            words.start()
            words.join(LAST_WORDS_S)
        self._end(term.code)

    def _say(self, term: _Term, late_s: float) -> None:
        event = "guard.not_left" if term.is_last else "loop.stopped"
        log.critical(event, allowed_s=term.bound_s, late_by_s=round(late_s, 1), exit_code=term.code,
                     where=self._where(), what="the process is ended, so that it is started again")
        sys.stderr.flush()

    def _where(self) -> list[str]:
        """The innermost calls of the watched thread: where it hangs."""
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - there is no other way to see another thread
        return [] if frame is None else [
            f"{call.filename}:{call.lineno} {call.name}" for call in traceback.extract_stack(frame)[-4:]
        ]

"""`thermo-guard check --schedule`: the check each hour in the foreground, and people told when its answer changes.

It changes nothing and holds nothing between two checks: no lock on the data folder, no session, no journal of its own.
What it compares with is its own last answer; the first is printed and told to nobody.
"""

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .adapters.clock import SteadyClock
from .adapters.notify import Outbox
from .check import look
from .config import Mode, Settings
from .core.finding import Conclusion, Finding, Verdict, conclusion
from .core.preflight import findings
from .engine.logins import RefusedLogins
from .main import FAREWELL_S, LET_GO_S, loop_settings
from .ports import Clock, Notifier
from .preflight import terms

EXIT_UNPROVED = 1
_TOLD = 20
"""So many findings stand in one message."""
_NUMBER = re.compile(
    r"(?<![\w.:/-])(?:\d{4}-\d\d-\d\d|\d{1,2}:\d\d(?::\d\d)?|\d+(?:,\d{3})*(?:\.\d+)?)(?![\w:/-]|\.\w)"
)
"""A date, a time or a number that stands for itself; none in a name or an address."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """What an answer says otherwise than the one before."""

    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return bool(self.new or self.gone)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one check came to."""

    at: float
    """Seconds since 1970 UTC."""
    findings: tuple[Finding, ...]
    end: Conclusion
    change: Change | None
    """None: it is the first."""


def check_on_schedule(settings: Settings, every_s: float, show: Callable[[Answer], None]) -> int:
    """Check the configured site until SIGTERM or SIGINT; the exit code of the last check.

    :param show: prints each answer.
    """
    return asyncio.run(_until_told(settings, every_s, show))


async def _until_told(settings: Settings, every_s: float, show: Callable[[Answer], None]) -> int:
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    clock, judged = SteadyClock(), terms(settings, loop_settings(settings))
    logins = RefusedLogins(clock)  # no person asks each time: what was refused is not tried at once again
    outbox = Outbox([url.get_secret_value() for url in settings.notify_urls], clock)

    async def check() -> tuple[Finding, ...]:
        return findings(await look(settings, logins), judged)

    try:
        return await repeat(check, show, outbox, clock, every_s, stop, is_observing=settings.mode is Mode.OBSERVE)
    finally:
        await outbox.aclose(FAREWELL_S)


async def repeat(
    check: Callable[[], Awaitable[Sequence[Finding]]], show: Callable[[Answer], None], notifier: Notifier,
    clock: Clock, every_s: float, stop: asyncio.Event, *, is_observing: bool = False,
) -> int:
    """Check, show, tell what has changed and wait, until `stop`; the exit code of the last check that came to its end.

    :param every_s: from the end of one check to the begin of the next, > 0.
    """
    before: tuple[Finding, ...] | None = None
    code = EXIT_UNPROVED

    async def once() -> tuple[Finding, ...]:
        return tuple(await check())

    while not stop.is_set():
        found = await _unless(stop, once())
        if found is None:
            break
        end = conclusion(found, is_observing=is_observing)
        change = None if before is None else changed(before, found)
        before, code = found, 0 if end.can_come_back else 1
        show(Answer(clock.now(), found, end, change))
        if change:
            notifier.tell(f"Scheduled check: {end.text}", in_words(change), urgent=_is_worse(change))
        await _unless(stop, clock.sleep(every_s))
    return code


def changed(before: Sequence[Finding], now: Sequence[Finding]) -> Change:
    """What is new and what is gone: a verdict, a way, or a text in more than its numbers."""
    were, are = {_answer(one) for one in before}, {_answer(one) for one in now}
    return Change(
        tuple(one for one in now if _answer(one) not in were), tuple(one for one in before if _answer(one) not in are)
    )


def in_words(change: Change) -> str:
    """Trouble that is new and that is over; what is merely otherwise only where there is neither."""
    new, gone = ([one for one in both if one.verdict is not Verdict.OK] for both in (change.new, change.gone))
    lines = [f"New, {one.verdict}: {one.in_a_line()}" for one in new]
    lines += [f"No longer so: {one.area}: {one.text}" for one in gone]
    lines = lines or [f"Now: {one.in_a_line()}" for one in change.new]
    lines = lines or [f"No longer so: {one.area}: {one.text}" for one in change.gone]
    rest = len(lines) - _TOLD
    return "\n".join(lines[:_TOLD] + ([f"and {rest} more: `thermo-guard check` shows them"] if rest > 0 else []))


def _answer(finding: Finding) -> tuple[object, ...]:
    return finding.area, finding.verdict, finding.way, _NUMBER.sub("#", finding.text)


def _is_worse(change: Change) -> bool:
    return any(one.verdict is Verdict.FAIL for one in change.new)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What it comes to; None where `stop` is set before that, and then it is left off."""
    doing, told = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, told}, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        told.cancel()
        if not doing.done():
            doing.cancel()
            await asyncio.wait({doing}, timeout=LET_GO_S)

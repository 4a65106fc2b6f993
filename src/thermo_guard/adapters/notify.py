"""The outbox: tells people, beside the loop, by whatever apprise can reach.

Each outlet has a queue and a task of its own, so that a dead mail server holds up neither a tick nor another outlet.
Apprise itself (46 MB and a second of import) runs in a child process that lives only while there is something to
deliver: a delivery that hangs is killed, and nothing that a vendor's plugin does can reach the guard. An address never
leaves this module: outlets are named by their place in NOTIFY_URLS and their schema.
"""

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Protocol

import structlog

from thermo_guard.ports import Clock

KEEP_S = 4 * 24 * 3600.0
"""How long a message is tried: over a long weekend in which the mail server is one of the machines that are off."""
LATE_S = 300.0
"""A message that is delivered later than this says when it was told: what it says may be over."""
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0
REST_S = 60.0
"""In pauses from this on the sending process ends: its 46 MB are not worth the second that a start takes."""
CLOSING_PAUSE_S = 1.0
VALIDATE_TIMEOUT_S = 30.0

_SENDER = (sys.executable, "-m", "thermo_guard.adapters.notify_sender")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Message:
    title: str
    body: str
    urgent: bool
    at: float
    """When it was told, on the guard's line."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one try; `reason` never holds any part of the address."""

    ok: bool
    reason: str = ""
    is_final: bool = False
    """The address itself is wrong: trying again is of no use."""


@dataclass(frozen=True, slots=True)
class Tested:
    outlet: str
    delivery: Delivery


class Courier(Protocol):
    """Carries messages to one outlet."""

    async def deliver(self, message: Message) -> Delivery:
        """Try once, within its own bound of time."""
        ...

    async def rest(self) -> None:
        """There is nothing to carry for now, or any more."""
        ...


class Outbox:
    """Implements `ports.Notifier`. Without addresses it only logs, at DEBUG."""

    def __init__(
        self, urls: Sequence[str], clock: Clock, *, queue_bound: int = 200, deliver_timeout_s: float = 30.0,
        first_pause_s: float = FIRST_PAUSE_S, longest_pause_s: float = LONGEST_PAUSE_S, keep_s: float = KEEP_S,
        courier_for: Callable[[str], Courier] | None = None,
    ) -> None:
        """Nothing is started before the first message.

        :param urls: apprise addresses; secrets.
        :param queue_bound: messages an outlet holds while it is dead; beyond it the oldest that are not urgent go.
        :param deliver_timeout_s: bound of one try, the sender's start included (1 to 4 s).
        :param first_pause_s: before the second try; doubles up to `longest_pause_s`.
        :param courier_for: another way to carry, given an address; default apprise in a child process.
        """
        self._clock = clock
        make = courier_for or partial(SenderProcess, timeout_s=deliver_timeout_s)
        self._couriers = [(_label(place, url), partial(make, url)) for place, url in enumerate(urls, 1)]
        pauses = (first_pause_s, longest_pause_s)
        self._outlets = [_Outlet(label, new(), clock, queue_bound, pauses, keep_s) for label, new in self._couriers]
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closed = False

    def tell(self, title: str, body: str, *, urgent: bool = False) -> None:
        """Put it into each outlet's queue; call it from the loop's thread."""
        if self._is_closed or not self._outlets:
            log.debug("notify.skipped", title=title)
            return
        message = Message(_sendable(title), _sendable(body), urgent, self._clock.now())
        for outlet in self._outlets:
            outlet.put(message)
        with contextlib.suppress(RuntimeError):  # no loop runs yet: `aclose`, or the next message, starts the tasks
            self._start()

    async def test(self) -> list[Tested]:
        """Send one message by each outlet at once, without the queues, and say what became of it."""
        return await self.tell_now("Thermo-Guard: test", "This is a test. Thermo-Guard can reach you here.")

    async def tell_now(self, title: str, body: str, *, urgent: bool = False) -> list[Tested]:
        """Try one message once by each outlet at once, without the queues, and say what became of it."""
        message = Message(_sendable(title), _sendable(body), urgent, self._clock.now())

        async def once(label: str, courier: Courier) -> Tested:
            try:
                return Tested(label, await courier.deliver(message))
            finally:
                await courier.rest()

        return list(await asyncio.gather(*[once(label, new()) for label, new in self._couriers]))

    async def aclose(self, within_s: float) -> None:
        """Deliver what is left, for at most this long; what is then left is counted in the log."""
        self._is_closed = True
        if any(outlet.waiting for outlet in self._outlets):
            self._start()
        for outlet in self._outlets:
            outlet.hurry()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                for outlet in self._outlets:
                    await outlet.empty.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for outlet in self._outlets:
            if outlet.waiting:
                log.warning("notify.left", outlet=outlet.label, messages=outlet.waiting)

    def _start(self) -> None:
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(outlet.run(), name=f"outlet {outlet.label}") for outlet in self._outlets]


class _Outlet:
    """One address: its queue, in order, and what delivers it."""

    def __init__(
        self, label: str, courier: Courier, clock: Clock, bound: int, pauses: tuple[float, float], keep_s: float
    ) -> None:
        self.label = label
        self.empty = asyncio.Event()
        self.empty.set()
        self._courier = courier
        self._clock = clock
        self._bound = bound
        self._first_pause_s, self._longest_pause_s = pauses
        self._keep_s = keep_s
        self._queue: deque[Message] = deque()
        self._sending: Message | None = None
        self._arrived = asyncio.Event()
        self._urged = asyncio.Event()
        self._is_closing = False
        self._failures = 0
        self._dropped = 0

    @property
    def waiting(self) -> int:
        return len(self._queue) + (self._sending is not None)

    def put(self, message: Message) -> None:
        """Queue it; when full, the oldest that is not urgent goes, and never an urgent one for one that is not."""
        self._queue.append(message)
        if len(self._queue) > self._bound:
            victim = next((each for each in self._queue if not each.urgent), self._queue[0])
            self._queue.remove(victim)
            self._dropped += 1
            if self._dropped == 1:
                log.warning("notify.dropped", outlet=self.label, title=victim.title, bound=self._bound)
        self.empty.clear()
        self._arrived.set()
        if message.urgent:
            self._urged.set()

    def hurry(self) -> None:
        """The end is near: from now on only short pauses."""
        self._is_closing = True
        self._urged.set()

    async def run(self) -> None:
        try:
            while True:
                while self._queue:
                    self._sending = self._queue.popleft()
                    await self._carry(self._sending)
                    self._sending = None
                self.empty.set()
                self._arrived.clear()
                await self._courier.rest()
                await self._arrived.wait()
        finally:
            await self._courier.rest()

    async def _carry(self, message: Message) -> None:
        """Try until it is delivered, too old, or cannot ever be."""
        while True:
            delivery = await self._courier.deliver(_dated(message, self._clock.now()))
            if delivery.ok:
                self._log_delivered(message)
                return
            self._failures += 1
            age_s = self._clock.now() - message.at
            if delivery.is_final or age_s >= self._keep_s:
                log.error("notify.given_up", outlet=self.label, title=message.title, reason=delivery.reason,
                          age_s=round(age_s))
                return
            # The first failure of a dead outlet is an edge; the hundredth is not.
            level = logging.WARNING if self._failures == 1 else logging.DEBUG
            log.log(level, "notify.failed", outlet=self.label, title=message.title, reason=delivery.reason,
                    attempt=self._failures)
            await self._pause()

    async def _pause(self) -> None:
        """Back off; a message that is urgent, or the end, tries again at once."""
        pause_s = min(self._first_pause_s * 2 ** min(self._failures - 1, 30), self._longest_pause_s)
        if self._is_closing:
            await asyncio.sleep(min(pause_s, CLOSING_PAUSE_S))
            return
        if pause_s >= REST_S:
            await self._courier.rest()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._urged.wait()
        self._urged.clear()

    def _log_delivered(self, message: Message) -> None:
        if self._failures or self._dropped:
            log.info("notify.recovered", outlet=self.label, failures=self._failures, dropped=self._dropped,
                     waiting=len(self._queue))
        else:
            log.debug("notify.delivered", outlet=self.label, title=message.title)
        self._failures = self._dropped = 0


class SenderProcess:
    """Implements `Courier` by a child process that runs apprise; killed when it takes too long or has nothing to do."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._child: asyncio.subprocess.Process | None = None

    async def deliver(self, message: Message) -> Delivery:
        order = {"url": self._url, "title": message.title, "body": message.body, "urgent": message.urgent}
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._ask(json.dumps(order).encode() + b"\n")
        except TimeoutError:
            await self.rest()
            return Delivery(ok=False, reason=f"no answer within {self._timeout_s:g} s")
        except (OSError, ValueError, TypeError) as error:
            await self.rest()
            return Delivery(ok=False, reason=f"the sending process failed: {type(error).__name__}")
        except asyncio.CancelledError:
            await self.rest()
            raise
        return answer

    async def rest(self) -> None:
        child = self._child
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        if child.stdin is not None and child.stdout is not None:
            child.stdin.close()
            await child.stdout.read()  # to its end, so that the pipe is given back
        await child.wait()
        self._child = None  # only now: whoever is cancelled in here comes back to finish it

    async def _ask(self, order: bytes) -> Delivery:
        if self._child is None:
            # A session of its own: Ctrl-C at the guard's terminal must not end a delivery under way.
            self._child = await asyncio.create_subprocess_exec(
                *_SENDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        stdin, stdout = self._child.stdin, self._child.stdout
        if stdin is None or stdout is None:
            raise OSError("the sending process has no pipes")
        stdin.write(order)
        await stdin.drain()
        return Delivery(**json.loads(await stdout.readline()))


@lru_cache(maxsize=8)
def refused(urls: tuple[str, ...]) -> tuple[int, ...]:
    """Places, from 1, of the addresses that apprise does not take; takes half a second or more.

    Empty where that cannot be found out: a room is guarded all the same, and each delivery that fails is logged.
    """
    if not urls:
        return ()
    try:
        done = subprocess.run(  # noqa: S603 - our own module, by this interpreter
            [*_SENDER, "validate"], input=json.dumps(urls), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, timeout=VALIDATE_TIMEOUT_S, check=True,
        )
        return tuple(int(place) for place in json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        log.warning("notify.unchecked", reason=type(error).__name__)
        return ()


def _label(place: int, url: str) -> str:
    """An outlet's name for people: the host is left out too, since with many services it is the token."""
    schema = url.partition("://")[0] if "://" in url else ""
    return f"{place} ({schema if schema.isalnum() else '?'}://***)"


def _dated(message: Message, now: float) -> Message:
    """The message as it is sent now: a late one says since when it has waited."""
    if now - message.at < LATE_S:
        return message
    told = datetime.fromtimestamp(message.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return replace(message, body=f"(Told at {told}; it could not be delivered before.)\n{message.body}")


def _sendable(text: str) -> str:
    """What a peer's broken text would otherwise make undeliverable for ever."""
    return text.encode("utf-8", "replace").decode()

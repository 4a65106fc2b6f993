"""Host names to addresses by the machine's own resolver, with a memory for when that is off with the rest.

The resolver is asked anew for each connection, and nothing it says is kept back from the next question: an address that
has moved is found at once. Only where it does not answer, what it last said stands. A resolver that hangs costs one
wait; until it answers again, those that have an address in memory do not wait for it.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from ipaddress import ip_address

import structlog

from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Clock, Transient

log = structlog.get_logger()

WITHIN_S = 5.0
"""Longest wait for the resolver; its own is 5 s for each of its servers, twice."""
IN_DOUBT_S = 30.0
"""After a question that found no answer, so long no one waits who has an address in memory."""

Ask = Callable[[str], tuple[str, ...]]


def ask_system(name: str) -> tuple[str, ...]:
    """Ask the machine's resolver: hosts file, DNS, whatever it is set up with. Blocks for as long as that takes.

    :raises OSError: it does not know the name, or does not answer.
    :raises UnicodeError: this is no name.
    """
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(info[4][0]) for info in found))


class SystemNames:
    """Implements ports.Names.

    :param within_s: the longest that one `resolve` waits for the resolver.
    :param in_doubt_s: how long after a failure the memory answers at once.
    :param ask: what blocks and answers; it runs in a daemon thread, one a name at most, since nothing can end it.
    """

    def __init__(
        self, clock: Clock, *, within_s: float = WITHIN_S, in_doubt_s: float = IN_DOUBT_S, ask: Ask = ask_system
    ) -> None:
        self._clock = clock
        self._within_s = within_s
        self._in_doubt_s = in_doubt_s
        self._ask = ask
        self._known: dict[str, tuple[str, ...]] = {}
        self._asking: dict[str, asyncio.Task[str]] = {}
        """A question that is under way, shared by all who ask it; it ends in why there is no answer, or nothing."""
        self._silent_at: float | None = None
        """When the resolver last did not answer, and has not since."""
        self._remembered: set[str] = set()
        """Names for which the memory stands in now."""

    async def resolve(self, host: str) -> tuple[str, ...]:
        """:raises Transient: as ports.Names."""
        name = host.strip("[]").lower()
        literal = _literal(name)
        if literal is not None:
            return (literal,)
        asking = self._asking.get(name)
        is_waiting_long = asking is not None and self._is_in_doubt()
        if asking is None:
            asking = self._asking[name] = asyncio.create_task(self._look_up(name))
            asking.add_done_callback(lambda _: self._asking.pop(name, None))
        if is_waiting_long or (name in self._known and self._is_in_doubt()):
            return self._from_memory(name, self._no_answer())
        done, _ = await asyncio.wait({asking}, timeout=self._within_s)
        if not done:
            self._silent_at = self._clock.now()
            return self._from_memory(name, self._no_answer())
        why = asking.result()
        return self._from_memory(name, why) if why else self._known[name]

    def known(self) -> Mapping[str, tuple[str, ...]]:
        return dict(self._known)

    def recall(self, names: Mapping[str, tuple[str, ...]]) -> None:
        for name, addresses in names.items():
            if addresses:
                self._known.setdefault(name.lower(), tuple(addresses))

    def _is_in_doubt(self) -> bool:
        return self._silent_at is not None and self._clock.now() - self._silent_at < self._in_doubt_s

    def _no_answer(self) -> str:
        return f"no DNS server answers within {self._within_s:g} s"

    def _from_memory(self, name: str, why: str) -> tuple[str, ...]:
        """:raises Transient: there is nothing in it."""
        if name not in self._known:
            raise Transient(f"The name {name} stands for no address: {why}.").of(Trouble.NO_NAME)
        if name not in self._remembered:
            self._remembered.add(name)
            log.warning("name.remembered", name=name, addresses=self._known[name], reason=why)
        return self._known[name]

    async def _look_up(self, name: str) -> str:
        """Ask once; remember the answer whenever it comes. Why there is none, or nothing."""
        try:
            addresses = await asyncio.wrap_future(self._in_thread(name))
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                self._silent_at = self._clock.now()
                return "no DNS server answers"
            return f"DNS does not know it ({error.strerror})"
        except (OSError, UnicodeError) as error:
            return str(error)
        self._silent_at = None
        if not addresses:
            return "DNS knows it and has no address of it"
        if name in self._remembered:
            self._remembered.discard(name)
            log.info("name.resolved_again", name=name, addresses=addresses, was=self._known.get(name))
        self._known[name] = addresses
        return ""

    def _in_thread(self, name: str) -> "Future[tuple[str, ...]]":
        answer: Future[tuple[str, ...]] = Future()

        def run() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                found = self._ask(name)
            except BaseException as error:  # noqa: BLE001 - carried over to whoever awaits it
                answer.set_exception(error)
            else:
                answer.set_result(found)

        threading.Thread(target=run, name=f"resolve {name}", daemon=True).start()
        return answer


def _literal(name: str) -> str | None:
    try:
        return str(ip_address(name))
    except ValueError:
        return None

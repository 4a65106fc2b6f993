"""One login to one vCenter or ESXi host: made when first needed, kept, renewed once when the server forgets it.

A refused login is not tried again for 20 minutes, since repeating it locks the account. Calls run in threads, as
pyVmomi blocks, and each server bounds its own, so that hosts that hang never hold up vCenter. The threads are daemons:
one that hangs in a connection, which nothing can interrupt, must not keep the program from ending when it is told to.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from weakref import WeakSet

import structlog
from pyVmomi import vim, vmodl

from thermo_guard.ports import Ambiguous, Clock, Fault, Refused, Transient, Unauthorized

from .faults import RAISED, fault_of, privilege_of
from .trust import TlsTrust
from .wire import Wire

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_NO_LOGIN_S = 20 * 60.0
"""After a refused login. vCenter's own lockout counts 5 failures in 3 minutes and lasts 5; ESXi's lasts 15."""

_SHARED_S = 5.0
"""Who has waited while another's login found no answer shares its failure for so long, instead of trying in turn: each
try on a frozen server takes half a minute, and a look would wait behind all of them."""


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on single waits, in seconds; the first two together are how long a call to a frozen server takes."""

    connect_s: float = 7.0
    """For a connection and its TLS handshake."""
    answer_s: float = 20.0
    """For an answer, and for each pause in it."""
    logout_s: float = 3.0
    """For all logouts together when the program ends."""
    page: int = 2000
    """Objects in one answer of the property collector at most, so that a large cluster's answers begin in time."""


@dataclass(frozen=True, slots=True)
class Session:
    """A live login. References to objects hold the wire that they came over, so they are made anew from each."""

    wire: Wire
    content: vim.ServiceInstanceContent
    key: str
    context: ssl.SSLContext
    page: int
    """Objects in one answer of the property collector at most."""
    client: str | None = None
    """The address from which the server sees this login come."""

    def vm(self, ref: str) -> vim.VirtualMachine:
        return vim.VirtualMachine(ref, self.wire)

    def host(self, ref: str) -> vim.HostSystem:
        return vim.HostSystem(ref, self.wire)

    def cluster(self, ref: str) -> vim.ClusterComputeResource:
        return vim.ClusterComputeResource(ref, self.wire)


class Endpoint:
    """One server that is logged in to; `at` names it for people."""

    def __init__(
        self, at: str, address: str, login: Login, clock: Clock, trust: TlsTrust, *, calls_at_once: int,
        limits: Limits, thumbprint: str | None = None,
    ) -> None:
        self.at = at
        self.address = address
        self.login = login
        self.thumbprint = thumbprint
        """SHA-256 learned from vCenter; taken up at the next login."""
        self._clock = clock
        self._trust = trust
        self._limits = limits
        self._calls_at_once = calls_at_once
        self._slots = asyncio.Semaphore(calls_at_once)
        self._login_lock = asyncio.Lock()
        self._session: Session | None = None
        self._wires: WeakSet[Wire] = WeakSet()
        self._refused_until: float | None = None
        self._refusal = ""
        self._failed: tuple[float, str] | None = None
        """When a login last failed for want of an answer, and how."""

    async def look(self, work: Callable[[Session], T]) -> T:
        """Run `work`, which only reads, in a thread.

        :raises Fault: Transient where an answer was lost.
        """
        return await self._run(work, is_act=False)

    async def act(self, work: Callable[[Session], T]) -> T:
        """Run `work`, which makes one request that changes something, in a thread.

        :raises Fault: Ambiguous where its answer was lost.
        """
        return await self._run(work, is_act=True)

    async def session(self, instead_of: Session | None = None) -> Session:
        """Give the live session; log in where there is none, or where it is still the one that has ended.

        :raises Fault: the login does not work.
        """
        asked_at = self._clock.now()
        async with self._login_lock:
            if self._session is not None and self._session is not instead_of:
                return self._session
            self._drop()
            if self._refused_until is not None and self._clock.now() < self._refused_until:
                again = datetime.fromtimestamp(self._refused_until, UTC).strftime("%H:%M UTC")
                raise Unauthorized(f"{self._refusal}; this process does not try again before {again}, so as not "
                                   "to lock the account")
            if self._failed is not None and self._clock.now() - _SHARED_S <= self._failed[0] >= asked_at:
                raise Transient(self._failed[1])
            try:
                self._session = await self._log_in()
            except Transient as fault:
                self._failed = (self._clock.now(), str(fault))
                raise
            self._refused_until = self._failed = None
            return self._session

    @property
    def seen_from(self) -> str | None:
        """The address from which the server has seen the live login come; None where there is none."""
        return None if self._session is None else self._session.client

    async def aclose(self) -> None:
        """Log out, for a bounded time, and end every wait."""
        session, self._session = self._session, None
        if session is not None and session.content.sessionManager is not None:
            try:
                async with asyncio.timeout(self._limits.logout_s):
                    await self._in_thread(session.content.sessionManager.Logout)
            except (*RAISED, TimeoutError) as error:
                _log.debug("vsphere.logout_failed", server=self.address, reason=str(error))
        for wire in list(self._wires):
            wire.abort()

    async def _run(self, work: Callable[[Session], T], *, is_act: bool) -> T:
        session = await self.session()
        try:
            try:
                return await self._bounded(session, work)
            except vim.fault.NotAuthenticated:
                # The server refused it unread: an act is safe to send again.
                _log.info("vsphere.session_ended", server=self.address)
                session = await self.session(instead_of=session)
                return await self._bounded(session, work)
        except TimeoutError as error:
            text = f"{self.at} has not answered in time"
            raise (Ambiguous(f"{text}; it may have been done") if is_act else Transient(text)) from error
        except RAISED as error:
            if isinstance(error, ssl.SSLCertVerificationError | vim.fault.NotAuthenticated):
                self._drop()  # the next login looks at the certificate anew
            raise fault_of(error, self.at, is_act=is_act) from error

    async def _bounded(self, session: Session, work: Callable[[Session], T]) -> T:
        try:
            async with asyncio.timeout(self._limits.answer_s):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Transient(f"{self.at} is busy with other calls; nothing was sent") from error
        try:
            async with asyncio.timeout(2 * (self._limits.connect_s + self._limits.answer_s)):
                return await self._in_thread(lambda: work(session))
        finally:
            self._slots.release()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001 - carried over to whoever awaits it
                done.set_exception(error)

        done.set_running_or_notify_cancel()
        threading.Thread(target=run, name=f"vsphere {self.address}", daemon=True).start()
        return await asyncio.wrap_future(done)

    def _drop(self) -> None:
        if self._session is not None:
            self._session.wire.drop()
            self._session = None

    async def _log_in(self) -> Session:
        try:
            async with asyncio.timeout(2 * (self._limits.connect_s + self._limits.answer_s)):
                session = await self._in_thread(self._open)
        except TimeoutError as error:
            raise Transient(f"{self.at} has not answered in time") from error
        except vim.fault.NotAuthenticated as error:
            raise fault_of(error, self.at, is_act=False) from error
        except (vim.fault.InvalidLogin, vim.fault.NoPermission) as error:
            raise self._remember_refusal(error) from error
        except RAISED as error:
            raise fault_of(error, self.at, is_act=False) from error
        _log.info("vsphere.logged_in", server=self.address, api=session.wire.version)
        return session

    def _remember_refusal(self, error: vmodl.MethodFault) -> Fault:
        self._refused_until = self._clock.now() + _NO_LOGIN_S
        if isinstance(error, vim.fault.NoPermission):
            self._refusal = (
                f"{self.at} lets {self.login.user} not log in: {privilege_of(error)} is missing; a host in lockdown "
                "mode takes only its exception users"
            )
        else:
            self._refusal = f"{self.at} refuses the user name or the password of {self.login.user}"
        _log.warning("vsphere.login_refused", server=self.address, user=self.login.user)
        return Unauthorized(self._refusal)

    def _open(self) -> Session:
        host, port = split(self.address)
        context = self._trust.context(host, port, self._limits.connect_s, self.thumbprint)
        wire = Wire(
            host, port, context, connect_s=self._limits.connect_s, answer_s=self._limits.answer_s,
            connections=self._calls_at_once,
        )
        self._wires.add(wire)
        content = vim.ServiceInstance("ServiceInstance", wire).RetrieveContent()
        wire.speak(content.about.apiVersion)
        if content.sessionManager is None:
            raise Refused(f"{self.at} is no vCenter and no ESXi host: it has no session manager")
        opened = content.sessionManager.Login(self.login.user, self.login.password, None)
        return Session(wire, content, opened.key, context, self._limits.page, opened.ipAddress)


def split(address: str) -> tuple[str, int]:
    """Read `host`, `host:port`, `[v6]:port` or a bare IPv6 address; the port is 443 where it is not given.

    :raises Refused: the port is no number.
    """
    host, colon, port = address.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or (address.startswith("[") and address.endswith("]")):
        return address.strip("[]"), 443
    if not port.isdigit():
        raise Refused(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)

"""One login to one vCenter or ESXi host: made when first needed, kept, renewed once when the server forgets it.

A login that was refused is remembered outside, since repeating it locks the account; it is heard to its end even where
whoever needed it has stopped waiting. Calls run in threads, as pyVmomi blocks, and each server bounds its own, so that
hosts that hang never hold up vCenter. The threads are daemons: one that hangs in a connection, which nothing can
interrupt, must not keep the program from ending when it is told to.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar
from weakref import WeakSet

import structlog
from pyVmomi import vim, vmodl

from thermo_guard.ports import Ambiguous, Fault, Logins, Names, Pins, Refused, Transient, Unauthorized

from .accounts import FirstLogins
from .faults import RAISED, fault_of, privilege_of
from .server import Server, split
from .trust import TlsTrust
from .turns import again
from .wire import NotSentError, Wire, numbers

T = TypeVar("T")

_log = structlog.get_logger(__name__)

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
class Outside:
    """What an endpoint asks of the guard around it."""

    logins: Logins
    names: Names | None = None
    """None: the machine's own resolver, without a memory."""
    pins: Pins | None = None


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

    @property
    def is_verified(self) -> bool:
        """The server has proved, by a CA or a pin, that it is the one which is meant."""
        return self.context.verify_mode is ssl.CERT_REQUIRED

    @property
    def api(self) -> tuple[int, ...]:
        """The server's version of the API: (8, 0, 3, 0)."""
        return numbers(self.content.about.apiVersion)

    def vm(self, ref: str) -> vim.VirtualMachine:
        return vim.VirtualMachine(ref, self.wire)

    def host(self, ref: str) -> vim.HostSystem:
        return vim.HostSystem(ref, self.wire)

    def cluster(self, ref: str) -> vim.ClusterComputeResource:
        return vim.ClusterComputeResource(ref, self.wire)


class Endpoint:
    """One server that is logged in to; `at` names it for people."""

    def __init__(  # noqa: PLR0913 - what one server is reached by
        self, at: str, address: str, login: Login, trust: TlsTrust, outside: Outside, *, calls_at_once: int,
        limits: Limits, thumbprint: str | None = None, first_logins: FirstLogins | None = None,
    ) -> None:
        """`first_logins` is shared by the endpoints of one account of a domain; None: nobody is waited for."""
        self.at = at
        self.address = address
        self.login = login
        self.thumbprint = thumbprint
        """SHA-256 that a verified vCenter showed of it; taken up at the next login."""
        self._trust = trust
        self._outside = outside
        self._first_logins = FirstLogins() if first_logins is None else first_logins
        self._limits = limits
        self._calls_at_once = calls_at_once
        self._slots = asyncio.Semaphore(calls_at_once)
        self._session: Session | None = None
        self._opening: asyncio.Task[Session] | None = None
        """A login under way, shared by all who need it."""
        self._wires: WeakSet[Wire] = WeakSet()
        self._has_moved = False
        """No connection could be made: where the name leads now is asked before the next."""
        self._stands_for: tuple[str, ...] = ()
        self._has_told_unverified = False

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

        Who comes while a login is under way shares it, and its failure: on a frozen server each takes half a minute.

        :raises Fault: the login does not work.
        """
        if self._opening is None and self._session is not None and self._session is not instead_of:
            if self._has_moved:
                self._session.wire.server = await self._located()
                self._has_moved = False
            return self._session
        if self._opening is None:
            self._drop()
            self._opening = asyncio.create_task(self._log_in())
            self._opening.add_done_callback(self._opened)
        opening, caller = self._opening, asyncio.current_task()
        try:
            return await asyncio.shield(opening)
        except Fault as fault:
            raise again(fault) from fault
        except asyncio.CancelledError:
            if opening.cancelled() and caller is not None and not caller.cancelling():
                raise Transient(f"{self.at}: the login was given up, as everything is logged out") from None
            raise

    def _opened(self, opening: asyncio.Task[Session]) -> None:
        self._opening = None
        if not opening.cancelled() and opening.exception() is None:
            self._session = opening.result()

    async def addresses(self) -> tuple[str, ...]:
        """The server's name or address as it was given, and the IP addresses that it stands for; those known from
        before where no resolver answers.
        """
        server, names = Server(*split(self.address)), self._outside.names
        try:
            async with asyncio.timeout(self._limits.connect_s):
                found = await (self._in_thread(server.look_up) if names is None else names.resolve(server.host))
        except (Transient, OSError, UnicodeError) as error:
            _log.debug("vsphere.name_unresolved", server=self.address, reason=str(error))
        else:
            self._stands_for = found
        return tuple(dict.fromkeys([server.host, *self._stands_for]))

    @property
    def seen_from(self) -> str | None:
        """The address from which the server has seen the live login come; None where there is none."""
        return None if self._session is None else self._session.client

    async def aclose(self) -> None:
        """Log out, for a bounded time, and end every wait."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
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
            except (vim.fault.NotAuthenticated, ssl.SSLCertVerificationError) as error:
                # The server refused it unread, or, with another certificate than before, was not sent it at all: an
                # act is safe to send again, over a login that looks at the certificate anew.
                _log.info("vsphere.session_ended", server=self.address, reason=type(error).__name__)
                session = await self.session(instead_of=session)
                return await self._bounded(session, work)
        except TimeoutError as error:
            text = f"{self.at} has not answered in time"
            raise (Ambiguous(f"{text}; it may have been done") if is_act else Transient(text)) from error
        except RAISED as error:
            if isinstance(error, ssl.SSLCertVerificationError | vim.fault.NotAuthenticated):
                self._drop()
            self._has_moved = self._has_moved or isinstance(error, NotSentError)
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
        """Log in when it is this endpoint's turn; a refusal elsewhere may have come while it waited."""
        async with self._first_logins.turn():
            return await self._log_in_now()

    async def _log_in_now(self) -> Session:
        logins, endpoint = self._outside.logins, Server(*split(self.address)).endpoint
        refusal = logins.refusal(endpoint, self.login.user)
        if refusal is not None:
            raise Unauthorized(refusal)
        try:
            async with asyncio.timeout(2 * (self._limits.connect_s + self._limits.answer_s)):
                server = await self._located()
                pin = None if self._outside.pins is None else self._outside.pins.pin_of(endpoint)
                thumbprint = self.thumbprint
                session = await self._in_thread(lambda: self._open(server, pin, thumbprint))
        except TimeoutError as error:
            raise Transient(f"{self.at} has not answered in time") from error
        except vim.fault.NotAuthenticated as error:
            raise fault_of(error, self.at, is_act=False) from error
        except (vim.fault.InvalidLogin, vim.fault.NoPermission) as error:
            _log.warning("vsphere.login_refused", server=self.address, user=self.login.user)
            self._first_logins.refused()
            raise Unauthorized(logins.refused(endpoint, self.login.user, self._refusal(error))) from error
        except RAISED as error:
            raise fault_of(error, self.at, is_act=False) from error
        logins.accepted(endpoint, self.login.user)
        self._first_logins.accepted()
        self._has_moved = False
        self._tell(session)
        return session

    async def _located(self) -> Server:
        """Where the server is now.

        :raises Transient: its name stands for no address.
        """
        host, port = split(self.address)
        if self._outside.names is None:
            return Server(host, port)
        try:
            return Server(host, port, tuple(await self._outside.names.resolve(host)))
        except Transient as fault:
            raise again(fault, f"{self.at} cannot be reached: ") from fault

    def _refusal(self, error: vmodl.MethodFault) -> str:
        if isinstance(error, vim.fault.NoPermission):
            return (
                f"{self.at} lets {self.login.user} not log in: {privilege_of(error)} is missing; a host in lockdown "
                "mode takes only its exception users"
            )
        return f"{self.at} refuses the user name or the password of {self.login.user}"

    def _tell(self, session: Session) -> None:
        _log.info("vsphere.logged_in", server=self.address, api=session.wire.version, verified=session.is_verified)
        if not session.is_verified and not self._has_told_unverified:
            self._has_told_unverified = True
            _log.warning("vsphere.tls_unverified", server=self.address,
                         meaning="anyone in between can read the password")

    def _open(self, server: Server, pin: str | None, thumbprint: str | None) -> Session:
        context = self._trust.context(server, self._limits.connect_s, pin=pin, thumbprint=thumbprint)
        wire = Wire(
            server, context, connect_s=self._limits.connect_s, answer_s=self._limits.answer_s,
            connections=self._calls_at_once,
        )
        self._wires.add(wire)
        content = vim.ServiceInstance("ServiceInstance", wire).RetrieveContent()
        wire.speak(content.about.apiVersion)
        if content.sessionManager is None:
            raise Refused(f"{self.at} is no vCenter and no ESXi host: it has no session manager")
        opened = content.sessionManager.Login(self.login.user, self.login.password, None)
        return Session(wire, content, opened.key, context, self._limits.page, opened.ipAddress)

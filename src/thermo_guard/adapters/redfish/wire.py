"""One BMC's HTTPS: where it is, whom to trust, how to log in, and what a failure means.

Knows Redfish's manners (status codes, sessions, links) and nothing of power. Nothing, not even the login, is sent to
an endpoint that does not show the certificate that is wanted, nor to any other origin than the BMC's own; and nothing
at all where the login was refused lately, by this process or one before it.
"""

import json
import os
from base64 import b64encode
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Never

import aiohttp
import structlog
from yarl import URL

from thermo_guard import __version__
from thermo_guard.adapters.resolver import connector
from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Ambiguous, Clock, Fault, Logins, Names, Refused, Transient, Unauthorized

from .endpoint import Proof, Trust, endpoint_of, origin_of
from .system import Node, message_id

log = structlog.get_logger(__name__)

RETRY_AFTER_CAP_S = 10.0
RETRIES = 3
"""Of a GET that was answered 429 or 503, within its time."""
HOPS = 3
BODY_LIMIT = 4 * 1024 * 1024
"""bytes; an iLO's largest page is below 100 KB."""
_NOT_YET = frozenset({408, 409, 412, 423, 425, 429})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Missing(Refused):
    """404: the resource is not where it was."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    retry_after: str | None = None
    date: str | None = None
    offers_basic: bool = False
    token: str | None = None
    location: str | None = None

    @property
    def text(self) -> str:
        """For people: the status and, where the body has one, the BMC's own word for it."""
        try:
            word = message_id(json.loads(self.body))
        except (ValueError, RecursionError):
            word = None
        return f"HTTP {self.status}" + (f", {word}" if word else "")


class Wire:
    """The connection to one BMC; one request at a time is the caller's to see to.

    :param address: host, host:port or https://host:port.
    :raises ValueError: address, fingerprint or ca_file cannot be used; the text says why.
    """

    def __init__(  # noqa: PLR0913 - what one BMC is reached by
        self, address: str, username: str, password: str, clock: Clock, trust: Trust,
        *, logins: Logins, names: Names | None, connect_timeout_s: float, request_timeout_s: float,
    ) -> None:
        if ":" in username:
            raise ValueError(f"BMC {address}: a username cannot contain a colon")
        self._name = f"BMC {address}"
        self._origin = origin_of(address)
        self._endpoint = endpoint_of(address)
        self._clock = clock
        self._proof = Proof(address, trust)
        self._logins = logins
        self._names = names
        self._connect_timeout_s = connect_timeout_s
        self._request_timeout_s = request_timeout_s
        self._username = username
        self._password = password
        self._basic = "Basic " + b64encode(f"{username}:{password}".encode()).decode()
        self._client: aiohttp.ClientSession | None = None
        self._needs_session = False
        self._token: str | None = None
        self._session_url: URL | None = None
        self.sessions: str | None = None
        """Path of the service's Sessions collection, where it offers one."""

    def deadline(self) -> float:
        """When a look that begins now must have ended, on the guard's clock."""
        return self._clock.now() + self._request_timeout_s

    async def get(self, path: str, until: float, *, with_login: bool = True) -> Node:
        """One resource as JSON.

        :raises Missing: 404.
        :raises Fault: as the algebra says; Unauthorized, and nothing is sent, while a refused login is remembered.
        """
        return self._json(await self._asked(path, until, with_login=with_login))

    async def read(self, path: str, until: float) -> Node | None:
        """As `get`, for a page without which the BMC can be worked with: None where it is not there, cannot be
        understood, or is not for this account to read, which tells nothing of the login.
        """
        try:
            answer = await self._asked(path, until, with_login=True)
            if answer.status != 403:
                return self._json(answer)
            why = answer.text
        except Refused as fault:
            if fault.trouble is not None:  # nothing was sent at all
                raise
            why = str(fault)
        log.debug("bmc.page_missed", bmc=self._name, path=path, reason=why)
        return None

    async def _asked(self, path: str, until: float, *, with_login: bool) -> Answer:
        """What a GET is answered in the end: with another login where that can help, after the waits it asks for."""
        self._raise_if_refused()
        url = self._own(path)
        for left in range(RETRIES, -1, -1):
            answer = await self._exchange("GET", url, until, with_login=with_login)
            if answer.status in (401, 403) and not with_login:
                with_login = True
                answer = await self._exchange("GET", url, until)
            if answer.status == 401 and await self._may_log_in(answer, until):
                answer = await self._exchange("GET", url, until)
            if answer.status not in (429, 503):
                break
            pause_s = min(self._pause_s(answer), RETRY_AFTER_CAP_S)
            if not left or self._clock.now() + pause_s >= until:
                break
            await self._clock.sleep(pause_s)
        return answer

    async def peek(self, path: str, until: float) -> Node:
        """A page that only adds detail: empty where it cannot be had, and no reason to stop asking the others."""
        self._raise_if_refused()
        try:
            answer = await self._exchange("GET", self._own(path), until)
            return self._json(answer) if answer.status == 200 else {}
        except (Transient, Refused) as fault:
            log.debug("bmc.page_missed", bmc=self._name, path=path, reason=str(fault))
            return {}

    async def post(self, path: str, payload: Node, until: float) -> Answer:
        """Ask once; any answer is returned, a refused one too.

        :raises Transient: it was not sent.
        :raises Ambiguous: it may have been received, and no answer came.
        """
        self._raise_if_refused()
        return await self._exchange("POST", self._own(path), until, payload=payload)

    def accept(self) -> None:
        """The login has been enough for all that was wanted."""
        self._logins.accepted(self._endpoint, self._username)

    def fault_of(self, answer: Answer) -> Fault:
        """What an answer that is no success means, for the one who asked."""
        text = f"{self._name} answered {answer.text}"
        if answer.status in (502, 504):
            return Ambiguous(f"{text}: whether it was done is unknown")
        if answer.status >= 500 and answer.status != 501:
            return Transient(text)
        return Transient(text) if answer.status in _NOT_YET else Refused(text)

    async def aclose(self) -> None:
        """Log out where there is a session, and close."""
        if self._client is None:
            return
        if self._session_url is not None and self._token is not None:
            try:
                await self._exchange("DELETE", self._session_url, self.deadline())
            except Fault as fault:
                log.warning("bmc.logout_failed", bmc=self._name, reason=str(fault))
            self._session_url = self._token = None
        await self._client.close()
        self._client = None

    # Login

    def _raise_if_refused(self) -> None:
        why = self._logins.refusal(self._endpoint, self._username)
        if why is not None:
            raise Unauthorized(why)

    def _refuse(self, why: str) -> Never:
        """Remember that the login is refused."""
        raise Unauthorized(self._logins.refused(self._endpoint, self._username, f"{self._name} {why}"))

    async def _may_log_in(self, answer: Answer, until: float) -> bool:
        """After a 401: get a session where that can help, once.

        A wrong password is answered alike, so only a service that does not offer Basic, or whose session has ended,
        is asked for one.
        """
        self._token = None
        if self.sessions is None or (answer.offers_basic and not self._needs_session):
            return False
        self._raise_if_refused()
        self._needs_session = True  # from here on Basic is not tried again, since each try counts as a failed login
        login = await self._exchange(
            "POST", self._own(self.sessions), until,
            payload={"UserName": self._username, "Password": self._password}, with_login=False,
        )
        if login.status == 429 or login.status >= 500:
            raise Transient(f"{self._name} gave no session ({login.text})")
        if not 200 <= login.status < 300 or login.token is None:
            self._refuse_login(login)
        self._token = login.token
        self._session_url = self._own(login.location) if login.location else None
        return True

    def _refuse_login(self, answer: Answer) -> Never:
        self._refuse(f"refuses the login of {self._username} ({answer.text}): see username and password in ILO_HOSTS")

    def _login_headers(self) -> dict[str, str]:
        if self._token is not None:
            return {"X-Auth-Token": self._token}
        return {} if self._needs_session else {"Authorization": self._basic}

    # Requests

    async def _exchange(
        self, method: str, url: URL, until: float, *, payload: Node | None = None, with_login: bool = True
    ) -> Answer:
        """One request and its answer, over redirects within the BMC's own origin.

        307 and 308 say that nothing was done here yet, so a POST may follow them; after 301 to 303 it would turn into
        another request, and is left.
        """
        headers = {"Accept": "application/json", "OData-Version": "4.0"} | (self._login_headers() if with_login else {})
        for _ in range(HOPS):
            answer = await self._send(method, url, headers, payload, until)
            follows = answer.status in (307, 308) or (answer.status in _REDIRECTS and method == "GET")
            if not follows or answer.location is None:
                return answer
            url = self._own(answer.location)
        raise Refused(f"{self._name} sends from one place to another without end")

    async def _send(
        self, method: str, url: URL, headers: dict[str, str], payload: Node | None, until: float
    ) -> Answer:
        left_s = until - self._clock.now()
        if left_s <= 0:
            raise Transient(f"{self._name} did not answer within {self._request_timeout_s:g} s")
        timeout = aiohttp.ClientTimeout(total=left_s, sock_connect=min(self._connect_timeout_s, left_s))
        try:
            async with self._session().request(
                method, url, headers=headers, json=payload, timeout=timeout, allow_redirects=False,
                ssl=self._proof.wanted(),
            ) as response:
                body = b""
                async for chunk in response.content.iter_chunked(65536):
                    body += chunk
                    if len(body) > BODY_LIMIT:
                        raise Refused(f"{self._name} answered with more than {BODY_LIMIT >> 20} MB")
                found = response.headers
                return Answer(
                    response.status, body, found.get("Retry-After"), found.get("Date"),
                    any("basic" in offer.lower() for offer in found.getall("WWW-Authenticate", [])),
                    found.get("X-Auth-Token"), found.get("Location"),
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            raise self._lost(error, method) from error

    def _session(self) -> aiohttp.ClientSession:
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=connector(self._names, limit=1),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"thermo-guard/{__version__}"},
            )
        return self._client

    def _lost(self, error: Exception, method: str) -> Fault:
        """What a failed exchange means: not sent, surely refused, or nobody knows."""
        match error:
            case aiohttp.ServerFingerprintMismatch(expected=expected, got=got):
                return self._proof.mismatch(expected, got)
            case aiohttp.ClientConnectorCertificateError(certificate_error=cause):
                return self._proof.untrusted(getattr(cause, "verify_message", None) or str(cause))
            case aiohttp.ClientConnectorSSLError():
                return Transient(f"{self._name} does not complete TLS: it is starting, or speaks only TLS before 1.2")
            case aiohttp.ClientConnectorDNSError(os_error=cause):
                why = cause.strerror or "the name does not resolve"
                return Transient(f"{self._name} cannot be reached ({why})").of(Trouble.NO_NAME)
            case aiohttp.ClientConnectorError(os_error=cause):
                why = os.strerror(cause.errno) if cause.errno else cause.strerror or type(cause).__name__
                return Transient(f"{self._name} cannot be reached ({why})")
            case aiohttp.ConnectionTimeoutError():
                return Transient(f"{self._name} cannot be reached within {self._connect_timeout_s:g} s")
        why = (
            f"no answer within {self._request_timeout_s:g} s" if isinstance(error, TimeoutError)
            else f"the connection broke ({type(error).__name__})"
        )
        if method == "POST":
            return Ambiguous(f"{self._name}: {why}; whether it was done is unknown")
        return Transient(f"{self._name}: {why}")

    def _own(self, link: str) -> URL:
        """A link of this BMC's, made absolute. :raises Refused: it leads to another origin."""
        try:
            url = self._origin.join(URL(link))
            origin = url.origin()
        except ValueError as error:
            raise Refused(f"{self._name} gives a link that is none") from error
        if origin != self._origin:
            raise Refused(f"{self._name} points to another server ({str(origin)[:100]}): not followed")
        return url.with_fragment(None)

    # Answers

    def _json(self, answer: Answer) -> Node:
        if answer.status == 401:
            self._refuse_login(answer)
        if answer.status == 403:
            self._refuse(f"does not let {self._username} read it ({answer.text}): see the account's rights there")
        if answer.status == 404:
            raise Missing(f"{self._name} has no such resource (HTTP 404): is Redfish there, and on?")
        if answer.status != 200:
            fault = self.fault_of(answer)
            raise Transient(str(fault)) if isinstance(fault, Ambiguous) else fault
        try:
            body = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            kind = "a web page" if answer.body.lstrip()[:1] == b"<" else "no JSON"
            raise Refused(f"{self._name} answered with {kind}: is that the address of a BMC?") from error
        if not isinstance(body, dict):
            raise Refused(f"{self._name} answered with JSON that is no resource: is that the address of a BMC?")
        return body

    def _pause_s(self, answer: Answer) -> float:
        """Retry-After in either form; a date counts from the BMC's own clock, which is seldom right."""
        after = answer.retry_after or ""
        if after.strip().isdecimal():
            return float(after[:9])
        try:
            now = parsedate_to_datetime(answer.date).timestamp() if answer.date else self._clock.now()
            return max(parsedate_to_datetime(after).timestamp() - now, 0.0)
        except (ValueError, TypeError, OverflowError):
            return 1.0

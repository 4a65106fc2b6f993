"""GET requests to the Meraki API that lose neither the key nor the thread.

Owns the session, the key, redirects, retries and the reading of bodies; it must not know what an answer means. It
follows redirects itself because a client that does so unasked either sends the key to any host or drops it before the
shard. It retries by its own bounded loop because the waits are the server's to name (Retry-After) and the whole has to
fit a deadline. Source: Meraki's documentation on rate limits, redirects and paging; RFC 9110 (Date, Age, Retry-After).
"""

import asyncio
import itertools
import json
import random
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

import aiohttp
import structlog
from yarl import URL

from thermo_guard import __version__
from thermo_guard.adapters.resolver import connector
from thermo_guard.ports import Clock, Names, Refused, Transient, Unauthorized

from .rows import Answer
from .trust import is_loopback, may_carry_key

MOST_HOPS = 3
MOST_ATTEMPTS = 4
MOST_PAGES = 50
"""Bounds on one request's redirects and tries, and on one list's pages (50,000 sensors)."""

MOST_BYTES = 8 * 1024 * 1024
"""Bound on one body; a full page of 1,000 sensors is about 0.25 MiB."""

LONGEST_RETRY_AFTER_S = 60.0
"""Cap on what Retry-After may ask: a server's slip must not blind a room for an hour."""

FIRST_BACKOFF_S = 1.0

RECHECK_REFUSED_S = 300.0
"""How long a refused key is not tried again: asking faster mends nothing and looks like an attack."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Setback:
    """One try that failed in a way that another may mend."""

    text: str
    retry_after_s: float | None = None
    cause: Exception | None = None


@dataclass(frozen=True, slots=True)
class _Moved:
    to: URL


@dataclass(frozen=True, slots=True)
class _Page:
    answer: Answer
    following: URL | None


@dataclass(frozen=True, slots=True)
class _Refusal:
    text: str
    until: float


class Transport:
    """One account at one Meraki API address; reuses one session until closed.

    Every method raises Transient, Refused or Unauthorized and nothing else for what the network does.
    """

    def __init__(
        self,
        api_key: str,
        clock: Clock,
        base_url: str,
        ca_file: Path | None,
        names: Names | None,
        deadline_s: float,
        request_timeout_s: float,
    ) -> None:
        self._key = api_key.strip()
        self._clock = clock
        self._base = URL(base_url.rstrip("/"))
        self._ca_file = ca_file
        self._names = names
        self._deadline_s = deadline_s
        self._request_timeout_s = request_timeout_s
        self._jitter = random.Random()  # noqa: S311 - spreads retries; nothing secret hangs on it
        self._session: aiohttp.ClientSession | None = None
        self._busy_until = 0.0
        self.clock_ahead_s: float | None = None
        """How far the guard's line is ahead of the server's, to a second and the answer's way; None: not told yet."""
        self._refusals: dict[str, _Refusal] = {}

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[float]:
        """Bound everything inside, waits and pages included; gives the end on the guard's line.

        :raises Transient: the time is over.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                yield self._clock.now() + self._deadline_s
        except TimeoutError as error:
            raise Transient(f"Meraki did not answer within {self._deadline_s:g} s") from error

    async def get(self, path: Sequence[str], until: float) -> Answer:
        return (await self._fetch(self._url(path, {}), until)).answer

    async def get_pages(self, path: Sequence[str], query: Mapping[str, object], until: float) -> list[Answer]:
        """Follow the Link header to the last page; all pages or a fault, since half a list would hide sensors."""
        url: URL | None = self._url(path, query)
        visited: set[URL] = set()
        answers: list[Answer] = []
        while url is not None:
            if url in visited or len(visited) == MOST_PAGES:
                raise Refused(f"Meraki's list does not end: page {len(visited) + 1} was not asked for")
            visited.add(url)
            page = await self._fetch(url, until)
            answers.append(page.answer)
            url = page.following
        return answers

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _url(self, path: Sequence[str], query: Mapping[str, object]) -> URL:
        encoded = "/".join(quote(part, safe="") for part in path)
        return URL(f"{self._base}/{encoded}", encoded=True).with_query(query)  # type: ignore[arg-type]

    async def _fetch(self, url: URL, until: float) -> _Page:
        """Ask until there is an answer, the tries are used up, or the time is too short for the next wait."""
        self._recall_refusal(url)
        for attempt in itertools.count(1):
            await self._wait(self._busy_until - self._clock.now(), until, "Meraki asked to be left alone for a while")
            outcome = await self._ask_through_redirects(url)
            if isinstance(outcome, _Page):
                return outcome
            logger.debug("meraki.set_back", reason=outcome.text, attempt=attempt, path=url.path)
            if outcome.retry_after_s is not None:
                wait_s = min(LONGEST_RETRY_AFTER_S, outcome.retry_after_s * self._jitter.uniform(1.0, 1.1))
                self._busy_until = self._clock.now() + wait_s
            if attempt == MOST_ATTEMPTS:
                raise Transient(f"{outcome.text} ({attempt} tries)") from outcome.cause
            if outcome.retry_after_s is None:
                backoff_s = FIRST_BACKOFF_S * 2 ** (attempt - 1)
                await self._wait(backoff_s * self._jitter.uniform(0.5, 1.0), until, outcome.text, outcome.cause)
        raise AssertionError

    async def _wait(self, wait_s: float, until: float, reason: str, cause: Exception | None = None) -> None:
        if wait_s <= 0:
            return
        if self._clock.now() + wait_s >= until:
            raise Transient(reason) from cause
        await self._clock.sleep(wait_s)

    def _recall_refusal(self, url: URL) -> None:
        for scope in ("", url.path):
            refusal = self._refusals.get(scope)
            if refusal is not None and self._clock.now() < refusal.until:
                raise Unauthorized(refusal.text)

    def _refuse(self, scope: str, text: str) -> Unauthorized:
        self._refusals[scope] = _Refusal(text, self._clock.now() + RECHECK_REFUSED_S)
        return Unauthorized(text)

    async def _ask_through_redirects(self, url: URL) -> _Page | _Setback:
        at = url
        for _ in range(MOST_HOPS + 1):
            outcome = await self._ask(at, asked_for=url)
            if not isinstance(outcome, _Moved):
                return outcome
            at = outcome.to
        raise Refused(f"Meraki redirected more than {MOST_HOPS} times; the last time to {at.host}")

    async def _ask(self, url: URL, asked_for: URL) -> _Page | _Moved | _Setback:
        """Send one request: the only place where the key goes out."""
        self._check_trust(url)
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Accept": "application/json",
            "User-Agent": f"ThermoGuard/{__version__} ThermoGuard",
            # A proxy's stored answer would bear an old Date, and an old reading beside it would look young.
            "Cache-Control": "no-cache",
        }
        try:
            async with self._opened().get(url, allow_redirects=False, headers=headers) as response:
                seen_at = self._clock.now()
                if response.status in REDIRECTS:
                    return _Moved(_join(url, response.headers.get("Location", "")))
                body = await _read_bounded(response)
                return self._judge(response, body, seen_at, asked_for)
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise Refused(
                f"no trusted TLS connection to {url.host}: {error}. Where a proxy inspects TLS, its CA must be trusted"
            ) from error
        except TimeoutError as error:
            return _Setback(f"{url.host} did not answer within {self._request_timeout_s:g} s", cause=error)
        except aiohttp.ClientConnectorDNSError as error:
            why = error.os_error.strerror or "the name does not resolve"
            return _Setback(f"{url.host} cannot be reached: {why}", cause=error)
        except (aiohttp.ClientError, OSError) as error:
            return _Setback(f"{url.host} cannot be reached: {str(error) or type(error).__name__}", cause=error)

    def _check_trust(self, url: URL) -> None:
        if not self._key or not (self._key.isascii() and self._key.isprintable()):
            raise Unauthorized("the Meraki API key is empty or holds characters that no key has: see MERAKI_API_KEY")
        if may_carry_key(url, self._base):
            return
        if self._base.scheme == "http" and not is_loopback(self._base.host or ""):
            raise Refused("MERAKI_API_BASE_URL is plain http: the key would be readable on its way; use https")
        aim = f"{url.scheme}://{url.host}:{url.port}"
        raise Refused(f"Meraki pointed to {aim}, which is not its own: the key stays here")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = ssl.create_default_context()
            try:
                if self._ca_file is not None:
                    context.load_verify_locations(self._ca_file)
            except OSError as error:
                raise Refused(f"the CA file {self._ca_file} cannot be used: {error}") from error
            self._session = aiohttp.ClientSession(
                connector=connector(self._names, ssl=context),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._request_timeout_s),
            )
        return self._session

    def _judge(self, response: aiohttp.ClientResponse, body: bytes, seen_at: float, asked_for: URL) -> _Page | _Setback:
        headers = response.headers
        served_at = _served_at(headers, seen_at)
        if _http_date(headers.get("Date", "")) is not None and "Age" not in headers:
            self.clock_ahead_s = seen_at - served_at
        what = asked_for.path.removeprefix(self._base.path)
        match response.status:
            case 200:
                return _Page(Answer(_decode(headers, body, what), seen_at, served_at), _following(response))
            case 401:
                raise self._refuse("", "Meraki refused the API key (401): see MERAKI_API_KEY; asked again in 5 minutes")
            case 403:
                raise self._refuse(
                    asked_for.path,
                    f"Meraki does not let this API key read {what} (403): its administrator needs at least read-only "
                    "access to the organisation; asked again in 5 minutes",
                )
            case 404:
                raise Refused(
                    f"Meraki knows no {what} (404): check MERAKI_NETWORK_ID, that the key's administrator may see that "
                    "network, and that MERAKI_API_BASE_URL is the one of its region"
                )
            case 429:
                return _Setback("Meraki's rate limit is used up (429)", _retry_after_s(headers, served_at))
            case status if status >= 500 or status == 408:
                return _Setback(f"Meraki is out of order ({status})", _retry_after_s(headers, served_at))
            case status:
                raise Refused(f"Meraki declined {what} ({status}){self._complaint(body)}")

    def _complaint(self, body: bytes) -> str:
        """Quote what Meraki says is wrong with a request, shortened and without the key."""
        try:
            said = json.loads(body)["errors"][0]
        except (ValueError, RecursionError, LookupError, TypeError):
            return ""
        if not isinstance(said, str):
            return ""
        return ": " + "".join(each for each in said.replace(self._key, "***") if each.isprintable())[:200]


def _join(url: URL, location: str) -> URL:
    try:
        if location:
            return url.join(URL(location))
    except ValueError as error:
        raise Refused(f"{url.host} redirected to an address that is none") from error
    raise Refused(f"{url.host} redirected without saying where to")


def _following(response: aiohttp.ClientResponse) -> URL | None:
    """Return the next page that the Link header names, if any."""
    try:
        link = response.links.get("next")
    except ValueError as error:
        raise Refused("the Link header of Meraki's answer cannot be read: further pages may be missing") from error
    following = None if link is None else link.get("url")
    return following if isinstance(following, URL) else None


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > MOST_BYTES:
            raise Refused(f"Meraki's answer is larger than {MOST_BYTES // 1024 // 1024} MiB: it was not read")
    return bytes(body)


def _decode(headers: Mapping[str, str], body: bytes, what: str) -> object:
    if "json" not in headers.get("Content-Type", "").lower():
        raise Refused(
            f"a web page instead of data came for {what}: a captive portal or a proxy stands between here and Meraki"
        )
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the answer for {what} is not JSON: nothing is known from it") from error


def _served_at(headers: Mapping[str, str], fallback: float) -> float:
    """Tell the server's time: its Date, and what a cache on the way has added to it; ours where there is none."""
    at = _http_date(headers.get("Date", ""))
    age = headers.get("Age", "")
    if at is None:
        return fallback
    return at + int(age) if age.isascii() and age.isdecimal() and len(age) < 10 else at


def _retry_after_s(headers: Mapping[str, str], served_at: float) -> float | None:
    """Read both forms of Retry-After; None where there is none that makes sense."""
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdecimal():
        return float(asked[:9])
    at = _http_date(asked)
    return None if at is None else max(0.0, at - served_at)


def _http_date(text: str) -> float | None:
    try:
        at = parsedate_to_datetime(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None

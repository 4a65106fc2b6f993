"""Tiers from vSphere tags, over REST: the category `thermo-guard-tier` with tags named 1, 2, 3 and so on.

Source: the vSphere Automation API, /api since 7.0 U2, /rest before. Tags are a convenience: without them custom
attributes and name patterns still give tiers.
"""

import base64
import contextlib
import socket
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from thermo_guard.ports import Fault, Refused, Transient, Unauthorized

from .inventory import tier_of
from .server import Server
from .session import Login

_SESSION_HEADER = "vmware-api-session-id"


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How one generation of the API writes paths and answers."""

    root: str
    session: str
    id_prefix: str
    action: str
    is_wrapped: bool

    def path(self, what: str, id: str = "", action: str = "") -> str:  # noqa: A002 - the API's word
        path = f"{self.root}/tagging/{what}"
        if id:
            path += f"/{self.id_prefix}{quote(id, safe=':')}"
        return path + (f"?{self.action}={action}" if action else "")


_DIALECTS = (
    _Dialect("/api/cis", "/api/session", "", "action", is_wrapped=False),
    _Dialect("/rest/com/vmware/cis", "/rest/com/vmware/cis/session", "id:", "~action", is_wrapped=True),
)


class _Known(AbstractResolver):
    """Answers with the addresses that the server is known to have."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def resolve(
        self, host: str, port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - each address says its own
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=address, port=port, proto=0, flags=socket.AI_NUMERICHOST,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
            ) for address in self._server.addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def tiers(
    server: Server, login: Login, context: ssl.SSLContext, category: str, timeout_s: float
) -> dict[str, int]:
    """Read the tier of every tagged VM: its reference -> tier. Where a VM has several, the lowest, which stops first.

    :raises Fault: no usable answer.
    """
    bound = aiohttp.ClientTimeout(total=timeout_s)
    resolver = _Known(server) if server.addresses else None
    connector = aiohttp.TCPConnector(ssl=context, limit=8, resolver=resolver)
    async with aiohttp.ClientSession(f"https://{server.endpoint}", timeout=bound, connector=connector) as http:
        try:
            dialect = await _log_in(http, login)
            try:
                return await _read(http, dialect, category)
            finally:
                with contextlib.suppress(Fault, aiohttp.ClientError, TimeoutError):  # it ends by itself when idle
                    await _ask(http, dialect, "DELETE", dialect.session)
        except Fault:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(f"vCenter's REST API: {error or type(error).__name__}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Refused(f"vCenter's REST API answers with something else than tags: {error!r}") from error


async def _log_in(http: aiohttp.ClientSession, login: Login) -> _Dialect:
    secret = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    basic = {"Authorization": f"Basic {secret}"}
    for dialect in _DIALECTS:
        async with http.post(dialect.session, headers=basic, allow_redirects=False) as answer:
            if answer.status == 404:
                continue
            _check(answer, dialect.session)
            token = await answer.json(content_type=None)
        http.headers[_SESSION_HEADER] = str(token["value"] if dialect.is_wrapped else token)
        return dialect
    raise Refused("vCenter has neither /api/session nor /rest/com/vmware/cis/session")


async def _read(http: aiohttp.ClientSession, dialect: _Dialect, category: str) -> dict[str, int]:
    tag_tiers = await _tag_tiers(http, dialect, category)
    if not tag_tiers:
        return {}
    found: dict[str, int] = {}
    path = dialect.path("tag-association", action="list-attached-objects-on-tags")
    for attached in await _ask(http, dialect, "POST", path, {"tag_ids": list(tag_tiers)}) or ():
        tier = tag_tiers[attached["tag_id"]]
        for item in attached["object_ids"] or ():
            if item["type"] == "VirtualMachine":
                found[item["id"]] = min(tier, found.get(item["id"], tier))
    return found


async def _tag_tiers(http: aiohttp.ClientSession, dialect: _Dialect, category: str) -> dict[str, int]:
    """Tier by the id of a tag; empty where there is no such category."""
    found: dict[str, int] = {}
    for its_id in await _ask(http, dialect, "GET", dialect.path("category")) or ():
        if (await _ask(http, dialect, "GET", dialect.path("category", its_id)))["name"] != category:
            continue
        if dialect.is_wrapped:
            listed = await _ask(http, dialect, "POST", dialect.path("tag", its_id, "list-tags-for-category"))
        else:
            path = dialect.path("tag", action="list-tags-for-category")
            listed = await _ask(http, dialect, "POST", path, {"category_id": its_id})
        for tag in listed or ():
            tier = tier_of(str((await _ask(http, dialect, "GET", dialect.path("tag", tag)))["name"]))
            if tier is not None:
                found[tag] = tier
    return found


async def _ask(
    http: aiohttp.ClientSession, dialect: _Dialect, method: str, path: str, body: dict[str, Any] | None = None
) -> Any:
    async with http.request(method, path, json=body, allow_redirects=False) as answer:
        _check(answer, path)
        text = await answer.text()
        if not text.strip():
            return None
        told = await answer.json(content_type=None)
    return told["value"] if dialect.is_wrapped and isinstance(told, dict) and "value" in told else told


def _check(answer: aiohttp.ClientResponse, path: str) -> None:
    if answer.status in {401, 403}:
        raise Unauthorized(f"vCenter's REST API refuses {path} to the account: HTTP {answer.status}")
    if answer.status >= 500:
        raise Transient(f"vCenter's REST API: HTTP {answer.status} at {path}")
    if answer.status >= 300:
        raise Refused(f"vCenter's REST API: HTTP {answer.status} at {path}")

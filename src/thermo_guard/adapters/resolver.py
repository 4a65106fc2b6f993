"""The host names of aiohttp's connections, answered by `ports.Names`: at remembered addresses when DNS is off.

Only the address comes from there. The name goes on to TLS as it was, so a machine that has taken over a remembered
address is found out by its certificate, before anything is sent to it.
"""

import socket
from ipaddress import ip_address
from ssl import SSLContext

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from thermo_guard.ports import Fault, Names


class Resolver(AbstractResolver):
    """aiohttp's view of `ports.Names`."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """:raises socket.gaierror: the name stands for no address; its strerror is for people."""
        try:
            addresses = await self._names.resolve(host.rstrip("."))
        except Fault as fault:
            raise socket.gaierror(socket.EAI_NONAME, str(fault).rstrip(".")) from fault
        found = [(address, _family_of(address)) for address in addresses]
        wanted = [(address, kind) for address, kind in found if family in (socket.AF_UNSPEC, kind)]
        if not wanted:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} has no address of the kind that is wanted")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=socket.IPPROTO_TCP,
                          flags=socket.AI_NUMERICHOST)
            for address, kind in wanted
        ]

    async def close(self) -> None:
        """The names outlive each connector."""


def connector(names: Names | None, *, limit: int = 100, ssl: SSLContext | bool = True) -> TCPConnector:
    """Connections by remembered names; as aiohttp resolves them itself where there are none to ask.

    aiohttp's own memory of names is left out: it would answer with what has moved since.

    :param limit: most connections at once.
    :param ssl: how certificates are verified, where a request does not say otherwise.
    """
    if names is None:
        return TCPConnector(limit=limit, ssl=ssl)
    return TCPConnector(limit=limit, ssl=ssl, resolver=Resolver(names), use_dns_cache=False)


def _family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6

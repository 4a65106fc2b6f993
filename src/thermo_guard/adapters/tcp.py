"""Whether a service answers yet: a TCP connection that is made and closed, with nothing sent.

It never resolves a name and never raises: a VM whose port cannot be asked is a VM that is not ready.
"""

import asyncio
from ipaddress import ip_address

WITHIN_S = 3.0
"""A neighbour in the same site answers within milliseconds; a firewall that drops the request costs this much."""


class TcpPorts:
    """Implements `ports.TcpPorts`.

    :param within_s: how long one connection may take.
    """

    def __init__(self, *, within_s: float = WITHIN_S) -> None:
        self._within_s = within_s

    async def is_open(self, address: str, port: int) -> bool:
        """A TCP connection to this IP address, v4 or v6, is taken in time; False for every other end."""
        try:
            ip_address(address)  # a name would ask the resolver, which may be one of the machines that are off
            async with asyncio.timeout(self._within_s):
                transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, address, port)
        except (OSError, ValueError, OverflowError):  # TimeoutError is an OSError; OverflowError: no such port
            return False
        transport.close()
        return True

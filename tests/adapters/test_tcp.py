"""Whether a port answers, on real sockets of this machine."""

import asyncio
import socket

import pytest

from thermo_guard.adapters.tcp import TcpPorts
from thermo_guard.ports import TcpPorts as Port


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_service_that_listens_is_open_and_is_sent_nothing(address: str) -> None:
    """IPv4 and IPv6 alike: the connection is taken and ended, without a byte for the service to choke on."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.read())
        writer.close()

    try:
        server = await asyncio.start_server(serve, address, 0)
    except OSError:
        pytest.skip(f"this machine has no {address}")
    async with server:
        ports: Port = TcpPorts()
        assert await ports.is_open(address, server.sockets[0].getsockname()[1])
        assert await asyncio.wait_for(heard.get(), 5) == b""


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "db-1", "localhost", "300.1.1.1", "", "::1::", "\x00"])
async def test_every_other_end_is_closed(address: str) -> None:
    """A refused connection, a name, and text that is no address are all a port that is not open, and no fault."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # held and not listened at: nobody else can take it meanwhile
        assert not await TcpPorts().is_open(address, bound.getsockname()[1])


async def test_a_name_is_not_resolved() -> None:
    """A name that would resolve is not asked: the caller has addresses, and DNS may be among what is off."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        assert not await TcpPorts().is_open("localhost", server.sockets[0].getsockname()[1])


@pytest.mark.parametrize("port", [-1, 65536, 2**70])
async def test_a_port_that_cannot_be_is_closed(port: int) -> None:
    """A number that is no port is closed and no crash."""
    assert not await TcpPorts().is_open("127.0.0.1", port)


async def test_silence_is_closed_within_the_bound() -> None:
    """Where requests are dropped without a word the answer comes all the same, and is no."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):  # the queue of a server that takes nobody is full after these
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        async with asyncio.timeout(5):
            assert not await TcpPorts(within_s=0.2).is_open("127.0.0.1", full.getsockname()[1])

"""What an endpoint presents, from a real handshake with it, and nothing but the handshake."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from peers.tls import Identity, TlsEndpoint, self_signed, signed
from thermo_guard.adapters.certificates import Presented, presented
from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Refused, Transient


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


async def met(identity: Identity, host: str = "127.0.0.1", ca_file: Path | None = None) -> Presented:
    async with TlsEndpoint(identity) as endpoint:
        return await presented(host, endpoint.port, 5.0, ca_file=ca_file)


async def test_a_factory_certificate_is_told_whole() -> None:
    """A person compares it: whose it is, from whom, for what, until when, and its SHA-256 as consoles show it."""
    identity = self_signed("ilo-mxq1", days=10)
    shown = await met(identity)
    found = shown.certificate
    assert found.sha256 == identity.sha256
    assert found.fingerprint.replace(":", "").lower() == identity.sha256
    assert found.subject == found.issuer == "O=Factory, CN=ilo-mxq1"
    assert found.is_self_signed
    assert found.names == ("factory.example",)
    assert found.not_after is not None
    assert abs(found.not_after - (datetime.now(UTC) + timedelta(days=10)).timestamp()) < 60
    assert shown.distrust == "it has signed itself"


async def test_nothing_but_the_handshake_is_sent() -> None:
    """An endpoint that is not trusted yet is shown to a person; it must not be given a byte."""
    async with TlsEndpoint(self_signed("ilo")) as endpoint:
        await presented("127.0.0.1", endpoint.port, 5.0)
        assert await endpoint.heard() == b""


async def test_an_authority_vouches_for_its_name_alone(ca: trustme.CA, ca_file: Path) -> None:
    """"Needs no pin" is only said where the guard would trust it: by the configured CA, under this name, in time."""
    mine = signed(ca, "127.0.0.1")
    assert (await met(mine, ca_file=ca_file)).distrust is None
    assert (await met(mine)).distrust == "who signed it is not known here"
    assert "not valid for 'localhost'" in ((await met(mine, "localhost", ca_file)).distrust or "")
    over = signed(ca, "127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1))
    assert (await met(over, ca_file=ca_file)).distrust == "it is over"


@pytest.mark.parametrize("days", [-1.0, 365.0])
async def test_a_certificate_that_is_over_is_read_too(days: float) -> None:
    """Factory certificates outlive their date in service."""
    assert (await met(self_signed("old", days=days))).certificate.subject == "O=Factory, CN=old"


async def test_its_words_lead_no_terminal() -> None:
    """Whoever answers there has written the subject: no control character of it reaches a screen or a log."""
    found = (await met(self_signed("x\x1b[2J\r\n[b]y"))).certificate
    assert found.subject.isprintable()
    assert "CN=x" in found.subject


async def test_what_does_not_answer_is_told_by_its_trouble() -> None:
    """Each silence has its own remedy."""

    @asynccontextmanager
    async def plain(word: bytes) -> AsyncIterator[int]:
        kept = []  # a writer that nobody holds closes its connection

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            kept.append(writer)
            writer.write(word)
            await writer.drain()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()

    with pytest.raises(Transient, match="refuses the connection") as refused:
        await presented("127.0.0.1", 9, 5.0)
    assert refused.value.trouble is Trouble.NOT_LISTENING
    with pytest.raises(Transient, match="stands for no address") as unknown:
        await presented("nowhere.invalid", 443, 5.0)
    assert unknown.value.trouble is Trouble.NO_NAME
    async with plain(b"") as port:
        with pytest.raises(Transient, match="does not answer within") as hung:
            await presented("127.0.0.1", port, 0.3)
    assert hung.value.trouble is Trouble.NO_ANSWER
    async with plain(b"HTTP/1.0 400 Bad Request\r\n\r\n") as port:
        with pytest.raises(Transient, match="does not complete TLS"):
            await presented("127.0.0.1", port, 5.0)


async def test_a_ca_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Nobody is asked then: it would be told as untrusted though nothing was compared."""
    (tmp_path / "ca.pem").write_text("none")
    with pytest.raises(Refused, match=r"ca\.pem cannot be read"):
        await presented("127.0.0.1", 9, 5.0, ca_file=tmp_path / "ca.pem")

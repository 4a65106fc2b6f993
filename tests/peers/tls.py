"""A TLS endpoint on loopback that shows a certificate as it came from the factory, and keeps what is sent to it."""

import asyncio
import hashlib
import ssl
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import trustme


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key, PEM."""

    certificate: bytes
    key: bytes

    @property
    def sha256(self) -> str:
        first = self.certificate.decode().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()


def self_signed(name: str, *, days: float = 365.0) -> Identity:
    """One that has signed itself, as a BMC makes it; with `days` below zero it is over."""
    from cryptography import x509  # noqa: PLC0415 - comes with trustme
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    whose = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Factory"),
                       x509.NameAttribute(NameOID.COMMON_NAME, name)])
    until = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder().subject_name(whose).issuer_name(whose).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=3650)).not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("factory.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Identity(
        made.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def signed(ca: trustme.CA, *names: str, not_after: datetime | None = None) -> Identity:
    """One that an authority has signed."""
    made = ca.issue_cert(*names, not_after=not_after)
    return Identity(b"".join(blob.bytes() for blob in made.cert_chain_pems), made.private_key_pem.bytes())


@dataclass
class TlsEndpoint:
    """Listens, takes the handshake, and then only listens on."""

    identity: Identity
    received: bytearray = field(default_factory=bytearray)
    """Everything that was sent after a handshake."""
    port: int = 0
    _server: asyncio.Server | None = None
    _came: asyncio.Event = field(default_factory=asyncio.Event)
    _tls: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def show(self, identity: Identity) -> None:
        """Another certificate, from the next connection on."""
        self.identity = identity
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(identity.certificate + identity.key)
            self._tls.load_cert_chain(file.name)

    async def listen(self) -> None:
        """Also again after `close`, on the same port."""
        kept, came = self.received, self._came

        class Keeps(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                kept.extend(data)
                came.set()

        self.show(self.identity)
        self._server = await asyncio.get_running_loop().create_server(Keeps, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def heard(self) -> bytes:
        """All that was sent so far by others: a last word of our own has come in after it."""
        word = b"and that was all"
        anyone = ssl.create_default_context()
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=anyone)
        writer.write(word)
        while not self.received.endswith(word):
            self._came.clear()
            await self._came.wait()
        writer.transport.abort()
        return bytes(self.received).removesuffix(word)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

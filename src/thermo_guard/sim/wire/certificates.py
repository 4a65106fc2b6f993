"""A self-signed certificate for an IP address, made from the standard library alone.

It serves the virtual site on loopback and nothing else. The site ships with the guard, whose dependencies hold nothing
that makes certificates, and an `openssl` command is not on every machine: ECDSA over P-256 is short enough to be here.
It takes no care of side channels, and must never hold a key that matters. Sources: RFC 5280, 5480 and 5915; SEC 1.
"""

import hashlib
import secrets
import ssl
import tempfile
from base64 import encodebytes
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

_INTEGER, _BITS, _OCTETS, _OID, _UTF8, _TIME, _SEQUENCE, _SET = 0x02, 0x03, 0x04, 0x06, 0x0C, 0x18, 0x30, 0x31
_P256 = bytes.fromhex("2a8648ce3d030107")
_PUBLIC_KEY = bytes.fromhex("2a8648ce3d0201")
_ECDSA_SHA256 = bytes.fromhex("2a8648ce3d040302")
_COMMON_NAME = bytes.fromhex("550403")
_OTHER_NAMES = bytes.fromhex("551d11")
_FROM, _UNTIL = b"20200101000000Z", b"20491231235959Z"
"""Wide enough for any time line that a site may run on."""

_Point = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Certificate:
    """A key and the certificate over it, as PEM."""

    pem: str
    fingerprint: str
    """SHA-256 of the certificate, hex."""

    def context(self) -> ssl.SSLContext:
        """What a server shows it with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:  # a context reads its key from a file only
            file = Path(folder) / "server.pem"
            file.write_text(self.pem)
            context.load_cert_chain(file)
        return context


def self_signed(address: str, name: str) -> Certificate:
    """A certificate of its own for an IP address.

    :param name: its common name.
    :raises ValueError: not an IP address.
    """
    secret = 1 + secrets.randbelow(_N - 1)
    public = _der(_BITS, b"\0\4" + _bytes_of(_times(secret, _G)))
    algorithm = _der(_SEQUENCE, _der(_OID, _ECDSA_SHA256))
    subject = _der(_SEQUENCE, _der(_SET, _der(_SEQUENCE, _der(_OID, _COMMON_NAME) + _der(_UTF8, name.encode()))))
    alternative = _der(_SEQUENCE, _der(0x87, ip_address(address).packed))
    extension = _der(_SEQUENCE, _der(_OID, _OTHER_NAMES) + _der(_OCTETS, alternative))
    body = _der(
        _SEQUENCE,
        _der(0xA0, _integer(2)) + _integer(1 + secrets.randbits(127)) + algorithm + subject
        + _der(_SEQUENCE, _der(_TIME, _FROM) + _der(_TIME, _UNTIL)) + subject
        + _der(_SEQUENCE, _der(_SEQUENCE, _der(_OID, _PUBLIC_KEY) + _der(_OID, _P256)) + public)
        + _der(0xA3, _der(_SEQUENCE, extension)),
    )
    certificate = _der(_SEQUENCE, body + algorithm + _der(_BITS, b"\0" + _signed(body, secret)))
    key = _der(_SEQUENCE, _integer(1) + _der(_OCTETS, secret.to_bytes(32)) + _der(0xA0, _der(_OID, _P256))
               + _der(0xA1, public))
    return Certificate(
        _pem("EC PRIVATE KEY", key) + _pem("CERTIFICATE", certificate), hashlib.sha256(certificate).hexdigest()
    )


def _signed(data: bytes, secret: int) -> bytes:
    """ECDSA with SHA-256."""
    digest = int.from_bytes(hashlib.sha256(data).digest())
    while True:
        nonce = 1 + secrets.randbelow(_N - 1)
        point = _times(nonce, _G)
        r = point[0] % _N
        s = pow(nonce, -1, _N) * (digest + r * secret) % _N
        if r and s:
            return _der(_SEQUENCE, _integer(r) + _integer(s))


def _times(factor: int, point: tuple[int, int]) -> tuple[int, int]:
    """A multiple of a point that is not the neutral element: 0 < factor < order."""
    total: _Point = None
    addend: _Point = point
    while factor:
        if factor & 1:
            total = _plus(total, addend)
        addend = _plus(addend, addend)
        factor >>= 1
    if total is None:
        raise ValueError("the factor is a multiple of the order")
    return total


def _plus(one: _Point, other: _Point) -> _Point:
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, _P) if one == other else (y2 - y1) * pow(x2 - x1, -1, _P)
    x = (slope * slope - x1 - x2) % _P
    return x, (slope * (x1 - x) - y1) % _P


def _bytes_of(point: tuple[int, int]) -> bytes:
    return point[0].to_bytes(32) + point[1].to_bytes(32)


def _integer(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def _pem(kind: str, content: bytes) -> str:
    return f"-----BEGIN {kind}-----\n{encodebytes(content).decode()}-----END {kind}-----\n"

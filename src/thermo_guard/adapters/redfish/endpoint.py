"""Where a BMC is and whom to trust there: its address, its certificate.

aiohttp takes either a context or a Fingerprint: with a Fingerprint it does not verify the chain, and checks the pin
after the handshake and before anything of HTTP is sent.
"""

import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import aiohttp
from yarl import URL


@dataclass(frozen=True, slots=True)
class Trust:
    """How the BMC's certificate is judged. A fingerprint is the narrowest word and stands above the others."""

    fingerprint: str | None = None
    ca_file: Path | None = None
    insecure: bool = False


def origin_of(address: str) -> URL:
    """:raises ValueError: not host, host:port or https://host:port."""
    text = address.strip()
    shown = repr(text.rpartition("@")[2])  # before an @ there may stand a password
    wanted = f"{shown} is no BMC address: write host, host:port or https://host:port"
    if "://" not in text:
        is_bare_ipv6 = text.count(":") > 1 and not text.startswith("[")
        text = f"https://[{text}]" if is_bare_ipv6 else f"https://{text}"
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError:
        raise ValueError(wanted) from None
    if url.scheme != "https":
        raise ValueError(f"{wanted}; a BMC is only asked over https")
    has_space = any(sign.isspace() for sign in text)
    has_more = "@" in text or url.path not in ("", "/") or url.query_string or url.fragment
    if not host or not port or has_space or has_more:
        raise ValueError(wanted)
    return url.origin()


def pin_of(text: str) -> bytes:
    """A SHA-256 fingerprint as bytes. :raises ValueError: it is none."""
    digits = text.strip().lower().removeprefix("sha256").lstrip(" :=").replace("fingerprint=", "")
    digits = digits.replace(":", "").replace(" ", "")
    if not set(digits) <= set("0123456789abcdef"):
        raise ValueError("fingerprint is no hexadecimal number: 64 digits (SHA-256) are wanted")
    if len(digits) != 64:
        hint = " (40 are SHA-1, which is not safe)" if len(digits) == 40 else ""
        raise ValueError(f"fingerprint has {len(digits)} digits{hint}: 64 (SHA-256) are wanted, colons or not")
    return bytes.fromhex(digits)


def tls_of(address: str, trust: Trust) -> ssl.SSLContext | aiohttp.Fingerprint | bool:
    if trust.fingerprint:
        try:
            return aiohttp.Fingerprint(pin_of(trust.fingerprint))
        except ValueError as error:
            raise ValueError(f"BMC {address}: {error}") from error
    if trust.insecure:
        return False
    try:
        return _context(trust.ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"BMC {address}: ca_file {trust.ca_file} cannot be used: {error.strerror or error}") from error


@lru_cache(maxsize=32)
def _context(ca_file: Path | None) -> ssl.SSLContext:
    """Shared by all BMCs of one CA, since each copy of the system's CAs is close to a megabyte."""
    context = ssl.create_default_context(cafile=ca_file)
    # Python 3.13 became strict about extensions that the certificates of BMCs and of small CAs lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if ca_file is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the file is the anchor, be it an issuer below the root
    return context

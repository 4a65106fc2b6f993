"""What an endpoint presents in the TLS handshake, and whether an authority vouches for it; nothing more is sent to it.

Read with the standard library alone, which only takes a certificate apart that it has verified: so the certificate is
fetched first, and then met again as the one that is trusted. That costs a second handshake and no dependency.
"""

import asyncio
import hashlib
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Refused, Transient

_SHORT = {
    "commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "localityName": "L",
    "stateOrProvinceName": "ST", "countryName": "C", "domainComponent": "DC", "emailAddress": "E",
}
_WHY = {
    10: "it is over", 18: "it has signed itself", 19: "the root that signed it is not known here",
    20: "who signed it is not known here", 21: "who signed it is not known here",
}
"""OpenSSL's codes of what is met in life; its own words stand for the others."""
_LONGEST = 200
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python's ssl module does not name."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, as far as it could be read. What it says of itself is nobody's word but its own."""

    sha256: str
    """64 lower-case hex digits."""
    subject: str = ""
    """As CN=..., O=...; empty where it has none or cannot be read."""
    issuer: str = ""
    names: tuple[str, ...] = ()
    """Names and addresses that it is made out for."""
    not_after: float | None = None
    """Seconds since 1970 UTC; None where it cannot be read."""
    is_self_signed: bool = False

    @property
    def fingerprint(self) -> str:
        """Its SHA-256 as consoles and browsers show it."""
        return spelt(self.sha256)


@dataclass(frozen=True, slots=True)
class Presented:
    """What an endpoint showed."""

    certificate: Certificate
    distrust: str | None
    """Why no authority vouches for it under this name; None where one does."""


def spelt(sha256: str) -> str:
    """A SHA-256 in upper case with colons."""
    return bytes.fromhex(sha256).hex(":").upper()


async def presented(
    host: str, port: int, timeout_s: float, *, ca_file: Path | None = None, may_end_below_root: bool = False
) -> Presented:
    """Meet an endpoint up to the end of the TLS handshake.

    :param timeout_s: for each of at most three handshakes.
    :param ca_file: PEM file of the authorities that are asked instead of the system's.
    :param may_end_below_root: an issuer in `ca_file` need not be a root.
    :raises Transient: it does not answer, or not with TLS.
    :raises Refused: `ca_file` cannot be read.
    """
    authority = await asyncio.to_thread(_by_authority, ca_file, may_end_below_root=may_end_below_root)
    try:
        try:
            der, told = await _meet(host, port, authority, timeout_s)
        except ssl.SSLCertVerificationError as untrusted:
            distrust = _WHY.get(untrusted.verify_code) or _plainly(untrusted.verify_message or "it cannot be verified")
        else:
            return Presented(_read(der, told), None)
        der, _ = await _meet(host, port, _anyone(), timeout_s)
    except (OSError, UnicodeError) as error:  # ssl.SSLError and TimeoutError are OSErrors
        raise _silent(f"{host}:{port}", error, timeout_s) from error
    try:
        der, told = await _meet(host, port, _only(der), timeout_s)
    except OSError:  # its purpose or its making is one that OpenSSL does not take; the fingerprint stands all the same
        told = {}
    return Presented(_read(der, told), distrust)


def _silent(endpoint: str, error: Exception, timeout_s: float) -> Transient:
    match error:
        case ssl.SSLError():
            return Transient(f"{endpoint} does not complete TLS ({error.reason or 'no reason given'})")
        case TimeoutError():
            return Transient(f"{endpoint} does not answer within {timeout_s:g} s").of(Trouble.NO_ANSWER)
        case socket.gaierror() | UnicodeError():
            return Transient(f"{endpoint}: the name stands for no address").of(Trouble.NO_NAME)
        case ConnectionRefusedError():
            return Transient(f"{endpoint} refuses the connection").of(Trouble.NOT_LISTENING)
        case OSError(errno=int(number)) if number > 0:
            return Transient(f"{endpoint} cannot be reached ({os.strerror(number)})")
    return Transient(f"{endpoint} cannot be reached ({type(error).__name__})")


async def _meet(host: str, port: int, context: ssl.SSLContext, timeout_s: float) -> tuple[bytes, Mapping[str, Any]]:
    """The certificate, and what is in it where the context has verified it."""
    async with asyncio.timeout(timeout_s):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    try:
        met: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return met.getpeercert(binary_form=True) or b"", met.getpeercert() or {}
    finally:
        writer.transport.abort()  # a closing word would be waited for


def _by_authority(ca_file: Path | None, *, may_end_below_root: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise Refused(f"the CA file {ca_file} cannot be read: {error.strerror or error}") from error
    if ca_file is not None:
        # Python 3.13 demands key identifiers that certificates of private CAs often lack.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if may_end_below_root:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _anyone() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _only(der: bytes) -> ssl.SSLContext:
    """Takes this certificate, however old or weak: it is only read."""
    context = ssl.create_default_context(cadata=der)
    context.check_hostname = False
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    return context


def _read(der: bytes, told: Mapping[str, Any]) -> Certificate:
    made = Certificate(hashlib.sha256(der).hexdigest())
    if not told:
        return made
    return replace(
        made, subject=_name(told.get("subject", ())), issuer=_name(told.get("issuer", ())),
        names=tuple(_plainly(str(value)) for _, value in told.get("subjectAltName", ())),
        not_after=float(ssl.cert_time_to_seconds(told["notAfter"])) if "notAfter" in told else None,
        is_self_signed=told.get("subject") == told.get("issuer"),
    )


def _name(parts: Any) -> str:
    return _plainly(", ".join(f"{_SHORT.get(key, key)}={value}" for part in parts for key, value in part))


def _plainly(text: str) -> str:
    """Whoever answers there has written it: neither a terminal nor a log shall be led by it."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:_LONGEST]

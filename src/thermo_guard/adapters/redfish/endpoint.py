"""Where a BMC is and whom to trust there: its address, its certificate.

aiohttp takes either a context or a Fingerprint: with a Fingerprint it does not verify the chain, and checks the pin
after the handshake and before anything of HTTP is sent.
"""

import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import aiohttp
import structlog
from yarl import URL

from thermo_guard.core.endpoint import HTTPS_PORT, joined, split_host
from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Pins, Refused

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Trust:
    """How the BMC's certificate is judged: by the fingerprint, else by a pin, else by ca_file or not at all."""

    fingerprint: str | None = None
    ca_file: Path | None = None
    insecure: bool = False
    pins: Pins | None = None


class Proof:
    """How one BMC has to prove itself, as it stands at each request: a pin may be added or taken back meanwhile.

    :raises ValueError: fingerprint or ca_file cannot be used; the text says why.
    """

    def __init__(self, address: str, trust: Trust) -> None:
        self._name = f"BMC {address}"
        self._endpoint = endpoint_of(address)
        self._trust = trust
        self._pinned: aiohttp.Fingerprint | None = None
        self._is_told = False
        try:
            self._set = aiohttp.Fingerprint(sha256_of(trust.fingerprint)) if trust.fingerprint else None
        except ValueError as error:
            raise ValueError(f"{self._name}: {error}") from error
        self._by_authority = None if self._set or trust.insecure else self._context()

    def wanted(self) -> ssl.SSLContext | aiohttp.Fingerprint | bool:
        """What aiohttp has to demand of a connection now; the same object as long as nothing changed, since aiohttp
        keeps its connections apart by it.

        :raises Refused: the pin on record is none.
        """
        if self._set is not None:
            return self._set
        pin = self._trust.pins.pin_of(self._endpoint) if self._trust.pins is not None else None
        if pin is not None:
            return self._pin(pin)
        if self._by_authority is not None:
            return self._by_authority
        if not self._is_told:
            self._is_told = True
            log.warning(
                "bmc.certificate_unchecked", bmc=self._name,
                advice="insecure sends the login to whoever answers there; trust its certificate with "
                       "`thermo-guard pin` instead",
            )
        return False

    def mismatch(self, expected: bytes, shown: bytes) -> Refused:
        """It showed another certificate than the one that is trusted."""
        mend = (
            "set fingerprint in ILO_HOSTS to the new one" if self._set is not None
            else "`thermo-guard pin` trusts the new one"
        )
        return Refused(
            f"{self._name} shows another certificate than the trusted one: its SHA-256 is {shown.hex()}, "
            f"{expected.hex()} is expected. Nothing was sent to it. Find out why it changed; if it was renewed on "
            f"purpose, {mend}"
        ).of(Trouble.WRONG_PIN)

    def untrusted(self, why: str) -> Refused:
        """Neither a pin nor an authority vouches for what it showed."""
        return Refused(
            f"{self._name}: its certificate is not trusted ({why}). Nothing was sent to it. `thermo-guard pin` shows "
            "it and trusts it once you have compared it; or set fingerprint or ca_file for it in ILO_HOSTS"
        ).of(Trouble.UNTRUSTED)

    def _pin(self, pin: str) -> aiohttp.Fingerprint:
        try:
            sha256 = sha256_of(pin)
        except ValueError as error:
            raise Refused(
                f"{self._name}: its pin on record is none ({error}). Nothing was sent to it. Pin it again with "
                "`thermo-guard pin`"
            ).of(Trouble.WRONG_PIN) from error
        if self._pinned is None or self._pinned.fingerprint != sha256:
            self._pinned = aiohttp.Fingerprint(sha256)
        return self._pinned

    def _context(self) -> ssl.SSLContext:
        ca_file = self._trust.ca_file
        try:
            return _context(ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ValueError(f"{self._name}: ca_file {ca_file} cannot be used: {error.strerror or error}") from error


def endpoint_of(address: str) -> str:
    """host:port of a BMC's address, its key in `ports.Logins` and `ports.Pins`: lower case, IPv6 in brackets.

    :raises ValueError: not host, host:port or https://host:port.
    """
    origin = origin_of(address)
    return joined(origin.host or "", origin.port or HTTPS_PORT)


def origin_of(address: str) -> URL:
    """:raises ValueError: not host, host:port or https://host:port."""
    text = address.strip()
    shown = repr(text.rpartition("@")[2])  # before an @ there may stand a password
    wanted = f"{shown} is no BMC address: write host, host:port or https://host:port"
    scheme, _, place = text.rpartition("://")
    if scheme not in ("", "https"):
        raise ValueError(f"{wanted}; a BMC is only asked over https")
    try:
        url = URL(f"https://{joined(*split_host(place.removesuffix('/')))}")
        has_more = url != url.origin().with_path("/") or any(sign.isspace() for sign in text)
    except ValueError:
        raise ValueError(wanted) from None
    if has_more or not url.host:
        raise ValueError(wanted)
    return url.origin()


def sha256_of(text: str) -> bytes:
    """A SHA-256 fingerprint as bytes. :raises ValueError: it is none."""
    digits = text.strip().lower().removeprefix("sha256").lstrip(" :=").replace("fingerprint=", "")
    digits = digits.replace(":", "").replace(" ", "")
    if not set(digits) <= set("0123456789abcdef"):
        raise ValueError("fingerprint is no hexadecimal number: 64 digits (SHA-256) are wanted")
    if len(digits) != 64:
        hint = " (40 are SHA-1, which is not safe)" if len(digits) == 40 else ""
        raise ValueError(f"fingerprint has {len(digits)} digits{hint}: 64 (SHA-256) are wanted, colons or not")
    return bytes.fromhex(digits)


@lru_cache(maxsize=32)
def _context(ca_file: Path | None) -> ssl.SSLContext:
    """Shared by all BMCs of one CA, since each copy of the system's CAs is close to a megabyte."""
    context = ssl.create_default_context(cafile=ca_file)
    # Python 3.13 became strict about extensions that the certificates of BMCs and of small CAs lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if ca_file is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the file is the anchor, be it an issuer below the root
    return context

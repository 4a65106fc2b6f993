"""Which certificate is trusted: the SHA-256 of exactly one, by the system's CAs, by a CA file, or any.

A pin is kept by fetching the certificate first, comparing its SHA-256, and then trusting only that certificate for the
real connection. pyVmomi's own `thumbprint` is not used: with verification off it accepts a wrong one.
"""

import hashlib
import ssl
from dataclasses import dataclass

from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Refused

from .server import Server

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python's ssl module does not name."""


@dataclass(frozen=True, slots=True)
class TlsTrust:
    """How a server proves itself; with nothing set, by the system's CAs and its name."""

    ca_file: str | None = None
    """PEM file of the CAs that are trusted instead of the system's."""
    fingerprint: str | None = None
    """SHA-256 of the one certificate that is trusted, hex, colons allowed; its name and dates are not looked at."""
    insecure: bool = False
    """Trust whatever answers, where no certificate is pinned. The password goes to it too."""

    def context(
        self, server: Server, timeout_s: float, *, pin: str | None = None, thumbprint: str | None = None
    ) -> ssl.SSLContext:
        """Make the context for connections to one server; blocks while it fetches the certificate to compare.

        The fingerprint of the settings decides; where there is none, the pin; where there is none, the thumbprint,
        which opens and never shuts: where the server shows another certificate, renewed since, the CAs decide.

        :param pin: SHA-256 of the one certificate that a person has trusted; stands above `insecure`.
        :param thumbprint: SHA-256 that a vCenter which was itself verified showed of its host.
        :raises Refused: the certificate is not the pinned one, or the CA file cannot be read.
        :raises OSError: the server does not answer.
        """
        wanted = plain(self.fingerprint or pin or "")
        if wanted:
            pem = server.certificate(timeout_s)
            if sha256(pem) != wanted:
                raise self._changed(server, sha256(pem), wanted)
            return _only(pem)
        if thumbprint and not self.insecure:
            pem = server.certificate(timeout_s)
            if sha256(pem) == plain(thumbprint):
                return _only(pem)
        return self._by_authority()

    def for_hosts(self) -> "TlsTrust":
        """Trust for the ESXi hosts behind a vCenter trusted this way: its own pin says nothing about them."""
        return TlsTrust(ca_file=self.ca_file, insecure=self.insecure)

    def _changed(self, server: Server, shown: str, wanted: str) -> Refused:
        then = (
            "put the new one, as `thermo-guard pin --print` shows it, into the settings" if self.fingerprint
            else "trust the new one with `thermo-guard pin`"
        )
        return Refused(
            f"{server.endpoint} shows another certificate than the pinned one: its SHA-256 is {shown}, {wanted} is "
            f"expected. Nothing was sent to it. Find out first why it has changed; if it was renewed, {then}"
        ).of(Trouble.WRONG_PIN)

    def _by_authority(self) -> ssl.SSLContext:
        if self.insecure:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        if self.ca_file is None:
            return ssl.create_default_context()
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Refused(f"the CA file {self.ca_file} cannot be read: {error}") from error
        # Python 3.13 demands key identifiers that certificates of private CAs often lack.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


def plain(fingerprint: str) -> str:
    """Give a SHA-256 as lower-case hex without colons."""
    return fingerprint.replace(":", "").strip().lower()


def sha256(pem: str) -> str:
    """SHA-256 of a PEM certificate, lower-case hex.

    :raises ValueError: it is none.
    """
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def _only(pem: str) -> ssl.SSLContext:
    """Trust this certificate and no other: whoever signed it, whatever name is in it, expired or not."""
    context = ssl.create_default_context(cadata=pem)
    context.check_hostname = False
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # The leaf itself is the anchor; and a pinned certificate that expires must not take the guard out.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    return context

"""Which certificate is trusted: by the system's CAs, by a CA file, by the SHA-256 of exactly one certificate, or any.

A pin is kept by fetching the certificate first, comparing its SHA-256, and then trusting only that certificate for the
real connection. pyVmomi's own `thumbprint` is not used: with verification off it accepts a wrong one.
"""

import hashlib
import ssl
from dataclasses import dataclass

from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Refused

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
    """Trust whatever answers. The password goes to it too."""

    def context(self, host: str, port: int, timeout_s: float, thumbprint: str | None = None) -> ssl.SSLContext:
        """Make the context for connections to one server; blocks while it fetches the certificate to compare.

        `thumbprint` is a SHA-256 learned from someone trusted (vCenter, of its hosts). Where the server shows another
        certificate, because it was renewed since, the CAs decide.

        :raises Refused: the certificate is not the pinned one, or the CA file cannot be read.
        :raises OSError: the server does not answer.
        """
        if self.insecure:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        if self.fingerprint is None and thumbprint is None:
            return self._by_authority()
        pem = ssl.get_server_certificate((host, port), timeout=timeout_s)
        shown = sha256(pem)
        if shown in {plain(pin) for pin in (self.fingerprint, thumbprint) if pin}:
            return _only(pem)
        if self.fingerprint is not None:
            raise Refused(
                f"{host}:{port} shows another certificate than the pinned one: its SHA-256 is {shown}, "
                f"{plain(self.fingerprint)} is expected. Nothing was sent to it"
            ).of(Trouble.WRONG_PIN)
        return self._by_authority()

    def for_hosts(self) -> "TlsTrust":
        """Trust for the ESXi hosts behind a vCenter trusted this way: its own pin says nothing about them."""
        return TlsTrust(ca_file=self.ca_file, insecure=self.insecure)

    def _by_authority(self) -> ssl.SSLContext:
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

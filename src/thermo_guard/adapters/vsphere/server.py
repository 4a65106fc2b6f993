"""Where a server is reached: its name, its port, and the addresses that the name stands for.

The name is what TLS checks and what the server is told; the connection goes to an address. So a night on which the DNS
server is off with the rest changes the way there, and not the proof of who answers.
"""

import socket
import ssl
from contextlib import ExitStack
from dataclasses import dataclass

from thermo_guard.core.endpoint import joined, split_host
from thermo_guard.ports import Refused


@dataclass(frozen=True, slots=True)
class Server:
    host: str
    """Name or IP address as it was given; IPv6 without brackets."""
    port: int
    addresses: tuple[str, ...] = ()
    """Tried in this order; with none, the machine's own resolver is asked for each connection."""

    @property
    def endpoint(self) -> str:
        """host:port in lower case, an IPv6 address in brackets: under this its pin and refused logins are kept."""
        return joined(self.host, self.port)

    def look_up(self) -> tuple[str, ...]:
        """Ask the machine's own resolver; blocks.

        :raises OSError: the name stands for nothing, or the resolver does not answer.
        """
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(str(info[4][0]) for info in found))

    def connect(self, timeout_s: float) -> socket.socket:
        """Connect to the first address that answers; blocks for `timeout_s`, of which each address has its share.

        :raises OSError: none answers.
        """
        if not self.addresses:
            return socket.create_connection((self.host, self.port), timeout_s)
        failures = []
        for address in self.addresses:
            try:
                made = socket.create_connection((address, self.port), timeout_s / len(self.addresses))
            except OSError as error:
                failures.append(error)
            else:
                made.settimeout(timeout_s)
                return made
        raise failures[-1]

    def secured(self, context: ssl.SSLContext, timeout_s: float) -> ssl.SSLSocket:
        """As `connect`, with TLS under the server's name; `timeout_s` bounds the handshake anew.

        :raises OSError: none answers; `ssl.SSLCertVerificationError`: who answers is not trusted.
        """
        with ExitStack() as undo:
            plain = self.connect(timeout_s)
            undo.callback(plain.close)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = context.wrap_socket(plain, server_hostname=self.host)
            undo.pop_all()
            return secured

    def certificate(self, timeout_s: float) -> str:
        """What it presents, PEM, whoever signed it; nothing is sent but the handshake.

        :raises OSError: it does not answer, or not with TLS.
        """
        anyone = ssl.create_default_context()
        anyone.check_hostname = False
        anyone.verify_mode = ssl.CERT_NONE
        with self.secured(anyone, timeout_s) as met:
            return ssl.DER_cert_to_PEM_cert(met.getpeercert(binary_form=True) or b"")


def split(address: str) -> tuple[str, int]:
    """Host and port of an address; the port is 443 where it is not given.

    :raises Refused: the port is none.
    """
    try:
        return split_host(address)
    except ValueError as error:
        raise Refused(str(error)) from error

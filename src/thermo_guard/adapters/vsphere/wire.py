"""SOAP over TLS with a bound on every wait, which knows whether a failed request had left already.

pyVmomi waits for ever by default and tells a connection that could not be made from an answer that was lost only by
where the error came from. It sends nothing twice by itself (read in SoapAdapter.py of 9.1.1).
"""

# pyVmomi's adapter has no annotations at all:
# mypy: disable-error-code="no-untyped-call"

import select
import socket
import ssl
from functools import partial
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, cast
from weakref import WeakSet
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError

from pyVmomi import VmomiSupport
from pyVmomi.SoapAdapter import SoapResponseDeserializer, SoapStubAdapter

from .page import Page, read_page
from .server import Server

_PAGED = frozenset({"RetrievePropertiesEx", "ContinueRetrievePropertiesEx"})
"""Calls whose answers are read as pages of plain values instead of typed objects."""

_IDLE_S = 60
"""Kept connections are used again for this long: less than servers and firewalls between keep them."""


class NotSentError(Exception):
    """No connection could be made: the server knows nothing of the request."""


class AnswerLostError(Exception):
    """The request left, at least in part, and no usable answer came."""


class _Connection(HTTPSConnection):
    """Goes to the server's addresses, which its wire knows at the time; TLS checks its name."""

    def __init__(self, wire: "Wire", host: str, port: int, context: ssl.SSLContext, timeout: float) -> None:
        super().__init__(host, port, context=context, timeout=timeout)
        self._wire = wire
        self._secure = context
        self._connect_s = timeout

    def connect(self) -> None:
        self.sock = self._wire.server.secured(self._secure, self._connect_s)


class Wire(SoapStubAdapter):
    """Connections to one server; usable by several threads at once."""

    def __init__(
        self, server: Server, context: ssl.SSLContext, *, connect_s: float, answer_s: float, connections: int
    ) -> None:
        super().__init__(
            server.host, server.port, sslContext=context, httpConnectionTimeout=connect_s, poolSize=connections,
            connectionPoolTimeout=_IDLE_S,
        )
        self.server = server
        """Where new connections go; another may be put in its place where it has moved."""
        self.scheme: Any = partial(_Connection, self)
        self._answer_s = answer_s
        self._open: WeakSet[HTTPSConnection] = WeakSet()
        self._used: WeakSet[HTTPSConnection] = WeakSet()

    def speak(self, api_version: str) -> None:
        """Use the newest API that both sides know, from the version that the server's `about` names."""
        known = {
            version: name for name, version in VmomiSupport.versionIdMap.items() if name.startswith("vim.version.")
        }
        wanted = numbers(api_version)
        best = max((v for v in known if numbers(v) and numbers(v) <= wanted), key=numbers, default=None)
        if best is not None:
            self.ComputeVersionInfo(known[best])

    def GetConnection(self) -> HTTPSConnection:  # noqa: N802 - pyVmomi's name
        """Give a connection that stands: whatever fails in here, nothing of the request has been sent.

        :raises NotSentError: none could be made.
        :raises ssl.SSLCertVerificationError: the server's certificate is not trusted.
        """
        try:
            connection: HTTPSConnection = super().GetConnection()
            while connection in self._used and _is_gone(connection):
                self._used.discard(connection)
                connection.close()
                connection = super().GetConnection()
            if connection.sock is None:
                connection.connect()
        except ssl.SSLCertVerificationError:
            raise
        except (OSError, HTTPException) as error:
            raise NotSentError(str(error) or type(error).__name__) from error
        self._open.add(connection)
        connection.sock.settimeout(self._answer_s)
        return connection

    def ReturnConnection(self, conn: HTTPSConnection) -> None:  # noqa: N802 - pyVmomi's name
        self._used.add(conn)
        super().ReturnConnection(conn)

    def InvokeMethod(self, mo: Any, info: Any, args: Any, outerStub: Any = None) -> Any:  # noqa: N802, N803
        """:raises AnswerLostError: the request left and no usable answer came.
        :raises vmodl.MethodFault: the server's own word.
        """
        try:
            if info.wsdlName in _PAGED:
                return self._paged(mo, info, args)
            return super().InvokeMethod(mo, info, args, outerStub)
        except ssl.SSLCertVerificationError:
            raise  # only a new connection asks for the certificate, before anything is sent
        except HTTPException as error:
            if str(error).startswith("503 "):
                raise NotSentError(f"the server is not ready: {error}") from error
            raise AnswerLostError(f"no usable answer: {error or type(error).__name__}") from error
        except OSError as error:
            raise AnswerLostError(str(error) or type(error).__name__) from error
        except (ExpatError, ParseError) as error:
            raise AnswerLostError(f"the answer is not SOAP: {error}") from error
        except (KeyError, ValueError) as error:
            raise AnswerLostError(f"the answer holds what this program does not know: {error!r}") from error

    def _paged(self, mo: Any, info: Any, args: Any) -> Page:
        """Send one request whose answer is read as a page; a fault is left to pyVmomi."""
        request = self.SerializeRequest(mo, info, args)
        headers = {"Cookie": self.cookie, "SOAPAction": self.versionId, "Content-Type": "text/xml; charset=UTF-8"}
        connection = self.GetConnection()
        try:
            connection.request("POST", self.path, request, headers)
            answer = connection.getresponse()
            result = self._read(answer, info)
            answer.read()
        except (OSError, HTTPException, ExpatError, ParseError):
            connection.close()
            self.DropConnections()
            raise
        self.ReturnConnection(connection)
        if isinstance(result, Exception):
            raise result
        return cast(Page, result)

    def _read(self, answer: HTTPResponse, info: Any) -> Any:
        match answer.status:
            case 200:
                return read_page(answer)
            case 500:
                return SoapResponseDeserializer(self).Deserialize(answer, info.result)
        raise HTTPException(f"{answer.status} {answer.reason}")

    def drop(self) -> None:
        """Close the kept connections; calls under way go on."""
        self.DropConnections()

    def abort(self) -> None:
        """End every wait at once: threads that hang in an answer get an error."""
        for connection in list(self._open):
            if connection.sock is not None:
                try:
                    connection.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it was gone already
        self.DropConnections()


def _is_gone(connection: HTTPSConnection) -> bool:
    """Tell whether a kept connection was closed by the other side: idle ones have nothing to read but their end."""
    if connection.sock is None:
        return False
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def numbers(version: str) -> tuple[int, ...]:
    """8.0.3.0 -> (8, 0, 3, 0); empty where it is not made of numbers."""
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()

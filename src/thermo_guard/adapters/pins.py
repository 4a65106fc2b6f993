"""DATA_DIR/pins.json: the certificates that a person has trusted, and which endpoints were met before.

Written by `thermo-guard pin` and, with TLS_FIRST_USE=accept, by the guard itself; a running guard reads what the other
has written at its next connection. A write is whole and durable, or has not happened. A file that cannot be read is
never taken for an empty one: no endpoint is then trusted by pin, and none counts as met for the first time.
"""

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import structlog

from thermo_guard.ports import Fault, Refused, Transient

log = structlog.get_logger(__name__)

PIN_FILE = "pins.json"
LOCK_FILE = "pins.lock"
FIRST_USE = "first use"
"""Who trusted it, where nobody was asked."""

_Stamp = tuple[int, int, int] | None
_NEVER_READ: _Stamp = (-1, -1, -1)


@dataclass(frozen=True, slots=True)
class Pin:
    """What is on record of one endpoint."""

    sha256: str
    """The one certificate that is trusted there, 64 lower-case hex digits; empty: it is known, and none is pinned."""
    by: str
    """Who trusted it: user@machine, or `FIRST_USE`."""
    at: str
    """When, in ISO 8601, UTC."""
    subject: str = ""
    """As the certificate has it; for people."""


class PinFile:
    """Implements `ports.Pins`. Endpoints are host:port, an IPv6 address in brackets.

    Nothing is made on the disk before the first write. May be used from several threads.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / PIN_FILE
        self._turn = threading.Lock()
        self._stamp: _Stamp = _NEVER_READ
        self._pins: Mapping[str, Pin] = {}
        self._fault: Refused | None = None

    def pin_of(self, endpoint: str) -> str | None:
        """SHA-256 of the trusted certificate; None too where the file cannot be read, which `fault` and the log say."""
        try:
            pin = self.read().get(key_of(endpoint))
        except Fault:
            return None
        return None if pin is None else pin.sha256 or None

    @property
    def fault(self) -> str | None:
        """Why no pin is known; None where they are."""
        try:
            self.read()
        except Fault as fault:
            return str(fault)
        return None

    def read(self) -> Mapping[str, Pin]:
        """All that is on record, by endpoint.

        :raises Refused: the file is there and cannot be read.
        """
        with self._turn:
            stamp = _stamp_of(self.path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._take_in()
            if self._fault is not None:
                raise Refused(str(self._fault)) from self._fault
            return self._pins

    def trust(self, certificates: Mapping[str, tuple[str, str]], by: str, at: float) -> None:
        """Trust these and no others at their endpoints from now on.

        :param certificates: (SHA-256, subject) by endpoint.
        :param at: seconds since 1970 UTC.
        :raises Refused: the file is there and cannot be read, or the folder takes no file.
        :raises Transient: the disk would not.
        """
        self._write({name: Pin(sha256.lower(), by, _iso(at), subject)
                     for name, (sha256, subject) in certificates.items()})

    def trust_unmet(self, endpoint: str, certificate: tuple[str, str], at: float) -> bool:
        """Trust it only where nothing is on record of the endpoint; whether it was so.

        :param certificate: SHA-256 and subject.
        :raises Fault: as `trust`.
        """
        sha256, subject = certificate
        return self._write({endpoint: Pin(sha256, FIRST_USE, _iso(at), subject)}, only_unmet=True)

    def note_met(self, endpoint: str, by: str, at: float) -> None:
        """Keep that an endpoint was met and needed no pin, unless something is on record of it.

        :raises Fault: as `trust`.
        """
        self._write({endpoint: Pin("", by, _iso(at))}, only_unmet=True)

    def forget(self, endpoint: str, by: str, at: float) -> bool:
        """Trust no certificate there by pin from now on; False where none was. That it was met is kept.

        :raises Fault: as `trust`.
        """
        if self.pin_of(endpoint) is None and self.fault is None:
            return False
        self._write({endpoint: Pin("", f"forgotten by {by}", _iso(at))})
        return True

    # The disk

    def _take_in(self) -> None:
        before, self._pins, self._fault = self._pins, {}, None
        try:
            self._pins = _parsed(self.path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):  # `run` and `check` tell the latter
            if before:
                log.warning("pins.gone", file=str(self.path), what="no certificate is trusted by a pin any more")
        except OSError as error:
            self._damaged(f"cannot be read by this user (id {os.getuid()}): {error.strerror}. Give it back to the "
                          "user that the guard runs as", error)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            self._damaged("is damaged. Move it away, run `thermo-guard pin`, and compare each certificate again", error)

    def _damaged(self, what: str, error: Exception) -> None:
        self._fault = Refused(f"{self.path} {what}. Until then no certificate is trusted by a pin.")
        self._fault.__cause__ = error
        log.error("pins.not_read", reason=str(self._fault))

    def _write(self, changes: Mapping[str, Pin], *, only_unmet: bool = False) -> bool:
        """Whether any of the changes was made."""
        with self._alone():
            known = self.read()
            new = {key_of(name): pin for name, pin in changes.items()}
            if only_unmet:
                new = {name: pin for name, pin in new.items() if name not in known}
            if new:
                self._replace({**known, **new})
        return bool(new)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, this process's other threads too; each holds it for as long as a write takes."""
        folder = self.path.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Refused(f"{self.path} cannot be written by this user (id {os.getuid()}): {error.strerror}. Run this "
                          "as the user that the guard runs as, and see that the folder is that user's.") from error
        try:
            _leave_to_owner(fd, folder)
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        except OSError as error:
            raise Transient(f"{self.path} cannot be written: {error.strerror}") from error
        finally:
            os.close(fd)

    def _replace(self, pins: Mapping[str, Pin]) -> None:
        """Put them in the place of what is there, and return when no loss of power can take them back."""
        folder = self.path.parent
        beside = self.path.with_suffix(".tmp")
        text = json.dumps({name: asdict(pin) for name, pin in sorted(pins.items())}, indent=2)
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            _leave_to_owner(fd, folder)
            file.write(f"{text}\n")
            file.flush()
            os.fsync(fd)
        beside.replace(self.path)
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(at)
        finally:
            os.close(at)


def key_of(endpoint: str) -> str:
    """One spelling for each endpoint, of which an IPv6 address has many."""
    host, bracket, port = endpoint.strip().lower().removeprefix("[").partition("]")
    if not bracket:
        return host
    try:
        return f"[{ip_address(host).compressed}]{port}"
    except ValueError:
        return f"[{host}]{port}"


def _parsed(text: bytes) -> Mapping[str, Pin]:
    """:raises ValueError, TypeError, KeyError, AttributeError: not what is written here."""
    found = json.loads(text)
    return {str(name): _pin(entry) for name, entry in found.items()}


def _pin(entry: Mapping[str, Any]) -> Pin:
    pin = Pin(str(entry["sha256"]), str(entry["by"]), str(entry["at"]), str(entry.get("subject", "")))
    if pin.sha256 and len(bytes.fromhex(pin.sha256)) != 32:
        raise ValueError("no SHA-256")
    return pin


def _stamp_of(path: Path) -> _Stamp:
    """What is another with each write: a write puts a new file there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _leave_to_owner(fd: int, folder: Path) -> None:
    """What root writes in a folder of the guard's own user is that user's: it could not be read otherwise."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")

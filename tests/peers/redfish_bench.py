"""The Redfish adapter as its tests open it: on a BMC of theirs, with a memory of refused logins."""

from pathlib import Path
from typing import Any

from peers.redfish import ca_file
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.core.events import Entry, Event
from thermo_guard.core.record import Record, fold
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.ports import Clock, Logins

PASSWORD = "pass:wörd"


def guarding(
    address: str, clock: Clock, folder: Path, *, logins: Logins | None = None, request_timeout_s: float = 5.0,
    **how: Any,
) -> Bmc:
    """A client that trusts the CA of the written BMCs.

    :param folder: where that CA's certificate is put.
    :param logins: None: a memory that begins now.
    :param how: other parameters of Bmc.
    """
    return Bmc(
        address, "guard", PASSWORD, clock, logins=logins or RefusedLogins(clock), connect_timeout_s=0.5,
        request_timeout_s=request_timeout_s, **{"ca_file": ca_file(folder), **how},
    )


class PinBook(dict[str, str]):
    """Implements ports.Pins: what a person has trusted so far, by host:port."""

    def pin_of(self, endpoint: str) -> str | None:
        return self.get(endpoint)


class Diary:
    """What a journal would keep of the logins: the record of it feeds the next process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[Entry] = []

    @property
    def events(self) -> list[Event]:
        return [entry.event for entry in self._entries]

    def process(self) -> RefusedLogins:
        """The memory of a process that starts now."""
        logins = RefusedLogins(self._clock)
        logins.bind(fold(Record(), self._entries).refused, self._write)
        return logins

    def _write(self, event: Event) -> None:
        self._entries.append(Entry(len(self._entries) + 1, self._clock.now(), event))

"""Keeps the addresses of the site's names in the journal, for the night on which the DNS server is off with the rest.

Resolved in quiet time only. An event is written where a name has moved: a name that stands for several addresses in
turn, as those of clouds do, is the same as long as one of them is still among them.
"""

import asyncio
from collections.abc import Mapping

from thermo_guard.core import events as ev
from thermo_guard.ports import Clock, Fault, Names

from .ledger import Ledger
from .lookout import Look


class Namebook:
    def __init__(self, names: Names, ledger: Ledger, clock: Clock) -> None:
        self._names = names
        self._ledger = ledger
        self._hosts: frozenset[str] = frozenset()
        """Those that were last asked for."""
        names.recall(ledger.record.names)
        self.look: Look[Mapping[str, tuple[str, ...]]] = Look("names", self._resolve, clock)

    def tick(self, every_s: float) -> None:
        """Resolve the hosts' names now and then, and journal what is known, in quiet time."""
        if self._ledger.record.incident is not None:
            self.look.call_off()
            return
        if self._of_hosts() != self._hosts:
            self.look.ask_again()  # a host that was never resolved could not be reached once DNS is off
        self.look.start_if_due(every_s)
        if self.look.take() is not None:
            self._keep()

    async def _resolve(self) -> Mapping[str, tuple[str, ...]]:
        """The hosts' own names: nobody else asks for them before they are needed."""
        self._hosts = self._of_hosts()
        await asyncio.gather(*(self._one(host) for host in sorted(self._hosts)))
        return self._names.known()

    def _of_hosts(self) -> frozenset[str]:
        snapshot = self._ledger.snapshot
        return frozenset(() if snapshot is None else (_host_of(host.address) for host in snapshot.hosts))

    async def _one(self, host: str) -> None:
        try:
            await self._names.resolve(host)
        except Fault:
            return  # `check` tells it; a look at that host would

    def _keep(self) -> None:
        kept, known = self._ledger.record.names, self._names.known()
        moved = {name: addresses for name, addresses in known.items()
                 if not set(addresses).intersection(kept.get(name, ()))}
        if moved:
            self._ledger.write(ev.NamesResolved(tuple(sorted({**kept, **moved}.items()))))


def _host_of(address: str) -> str:
    """The host of host:port; an IPv6 address stands in brackets there."""
    host, colon, _ = address.rpartition(":")
    return host.strip("[]") if colon else address

"""One guard whose servers all stand behind proxies: what is said and kept while connections are bad."""

import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from e2e.plant import Plant
from e2e.proof import is_ready
from peers.meraki import KEY
from peers.vsphere import PASSWORD
from thermo_guard.adapters import status
from torture.proxy import Fault, Proxy

RSS_RATIO = 1.3
WITHIN_S = 60.0
SETTINGS = {"VM_SHUTDOWN_TIMEOUT": "3600"}
"""A VM without tools then holds an incident in its first phase, in which every server is asked twice a second."""


def hold_incident(plant: Plant) -> None:
    """Ready, then hot, and waiting for the VM that cannot be asked."""
    plant.guard.start()
    is_ready(plant)
    plant.heat()
    plant.wait_for("the others of its tier are off", lambda: plant.guard.of("targets.observed"))


class Proxies:
    """By the name of their server; each is made when its address is first asked for."""

    def __init__(self) -> None:
        self.by_name: dict[str, Proxy] = {}
        self._stack = ExitStack()

    def __call__(self, name: str, address: str, ca: trustme.CA) -> str:
        if name not in self.by_name:
            trusted = None
            if name != "meraki":
                trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                ca.issue_cert(address.rpartition(":")[0]).configure_cert(trusted)
            self.by_name[name] = self._stack.enter_context(Proxy(address, trusted))
        return self.by_name[name].address

    def close(self) -> None:
        self._stack.close()


@dataclass(slots=True)
class Spell:
    """What one fault, or several at once, came to."""

    ratio: float = 0.0
    """Most resident memory during it over that before."""
    lateness: float = 0.0
    """Oldest status seen, in bounds of a tick."""
    tries: dict[str, int] = field(default_factory=dict)
    """Connections taken, by server."""
    failed: list[str] = field(default_factory=list)
    """Looks that were told as failed, in order."""
    lines: int = 0
    """All that was logged until all was well again."""
    recovery_s: float = 0.0


def spell(plant: Plant, proxies: Proxies, faults: Mapping[str, Fault], holds: Callable[[int], object]) -> Spell:
    """Switch the faults on until `holds` of the place in the log where they began, then off, until all is well again.

    :raises AssertionError: a fault was told twice without having ended, or something did not go on.
    """
    found = Spell()
    base, since = plant.guard.memory_kb(), len(plant.guard.lines)

    def measured(condition: Callable[[], object]) -> Callable[[], object]:
        def ask() -> object:
            found.ratio = max(found.ratio, plant.guard.memory_kb() / base)
            told = status.read(plant.guard.data)
            if told is not None:
                found.lateness = max(found.lateness, (time.time() - told.tick_at) / told.tick_bound_s)
            return condition()
        return ask

    for name, fault in faults.items():
        proxies.by_name[name].switch(fault)
    plant.wait_for(f"the effect of {faults}", measured(lambda: holds(since)), WITHIN_S)
    found.tries = {name: proxies.by_name[name].tries for name in faults}
    for name in faults:
        proxies.by_name[name].switch(Fault.PASS)
    began = time.monotonic()
    plant.wait_for(f"all well after {faults}", measured(lambda: not failing(plant, since)), WITHIN_S)
    found.recovery_s = time.monotonic() - began
    found.lines = len(plant.guard.lines) - since
    found.failed = [str(line.facts["look"]) for line in plant.guard.of("look.failed", since=since)]
    return found


def failing(plant: Plant, since: int = 0) -> set[str]:
    """Looks that were last told as failed; each edge is told once."""
    bad: set[str] = set()
    for line in plant.guard.lines[since:]:
        if line.event == "look.failed":
            assert line.facts["look"] not in bad, f"told twice\n{plant.story()}"
            bad.add(str(line.facts["look"]))
        elif line.event == "look.recovered":
            bad.discard(str(line.facts["look"]))
    return bad


def told(plant: Plant, since: int) -> set[str]:
    """Looks that have failed from that line on, whether they have recovered or not."""
    return {str(line.facts["look"]) for line in plant.guard.of("look.failed", since=since)}


def is_sound(plant: Plant, found: Spell, most: float = RSS_RATIO) -> None:
    """Memory is bounded, ticks are in time, nothing broke, and no secret is in the log."""
    assert found.ratio < most, (found, plant.story())
    assert found.lateness < 1, (found, plant.story())
    assert not plant.guard.of("look.broken"), plant.story()
    log = Path(plant.guard.log_file).read_text()
    assert [secret for secret in (KEY, PASSWORD, plant.foreign.password) if secret in log] == []

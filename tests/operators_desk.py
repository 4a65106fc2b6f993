"""The guard's side of a data folder, and a person who types an operator's commands beside it."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from typer.testing import CliRunner, Result

from thermo_guard.adapters.clock import wall_now
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.adapters.status import StatusFile
from thermo_guard.cli import app
from thermo_guard.core import events as ev
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.wishes import Order, Wish

HOSTS = [{"name": f"esx{n}", "power": "on", "in_maintenance": False, "bmc": f"bmc{n}"} for n in (1, 2, 3)]
FACTS: dict[str, Any] = {
    "mode": "armed", "is_armed": True, "standing": None, "lacking": [], "is_paused": False, "paused_until": None,
    "is_shelved": False, "acknowledged": None, "refused_logins": [], "level": "low", "permits_power_on": True,
    "poll_fault": None, "hottest_c": 22.5, "votes": 0, "demand": 2, "reasons": ["all is cool"], "sensors": [],
    "meraki_alerting_sensors": 0, "cluster": "Office", "vcenter": "answers", "hosts": HOSTS, "vms_on": 12,
    "guard_vms": [], "snapshot_at": None, "incident": None, "last_incident": None,
}
INCIDENT = {
    "id": "20260801T020000Z", "goal": "off", "goal_since": 1e9, "reasons": [], "wished_by": None, "phase": "guests",
    "phase_in_words": "VMs shutting down, tier 1", "waits": [], "needs_person": [],
}
TARGET = {"rehearse": ("--vm", "web")}
"""What an order cannot be given without."""


REHEARSAL = "rehearsal-20260801T020000Z"
REHEARSED: tuple[ev.Event, ...] = (
    ev.RehearsalWished(REHEARSAL, "eve@nas", "vm", "id-web", "web"),
    ev.PhaseBegun(REHEARSAL, ev.Phase.GUESTS, 1),
    ev.Observed((ev.Sighting("vm", "id-web", "web", "off", "esx1", took_s=41.3),)),
    ev.PhaseBegun(REHEARSAL, ev.Phase.START_GUESTS, 1),
    ev.Observed((ev.Sighting("vm", "id-web", "web", "on", "esx1", took_s=12.0),)),
    ev.IncidentClosed(REHEARSAL, ()),
)


class Guard:
    """The guard's side of a data folder: it says what it is told to say, and answers each order."""

    def __init__(
        self, folder: Path, facts: Mapping[str, Any], declined: str, before: Sequence[ev.Event] = (),
        then: Sequence[ev.Event] = REHEARSED, kept: Snapshot | None = None,
    ) -> None:
        """:param before: what the journal has before any order; `then`: what it has after one to rehearse."""
        self.folder, self.taken = folder, list[Wish]()
        self._declined, self._is_over, self._then = declined, Event(), then
        self._journal, self._lock = SqlJournal.open(folder), Lock()
        self._journal.append(wall_now(), *before)
        if kept is not None:
            self._journal.keep_snapshot(kept)
        StatusFile(folder, wall_now).publish({"at": wall_now(), **FACTS, **facts}, 20.0)
        self._thread = Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        while not self._is_over.wait(0.02):
            with self._lock:
                for wish in self._journal.wishes(self.taken[-1].number if self.taken else 0):
                    then = self._then if wish.order is Order.REHEARSE and not self._declined else ()
                    self._journal.append(wall_now(), ev.WishTaken(wish, self._declined), *then)
                    self.taken.append(wish)

    def inbox(self) -> int:
        """How many orders lie in it, answered or not."""
        with self._lock:
            return len(self._journal.wishes(0))

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._journal.close()


@contextmanager
def guard(
    folder: Path, declined: str = "", before: Sequence[ev.Event] = (), then: Sequence[ev.Event] | None = None,
    kept: Snapshot | None = None, **facts: Any,
) -> Iterator[Guard]:
    there = Guard(folder, facts, declined, before, REHEARSED if then is None else then, kept)
    try:
        yield there
    finally:
        there.close()


def say(folder: Path, *arguments: str) -> Result:
    """Give the command with no terminal about it; words and JSON are kept apart."""
    given = () if {"--vm", "--host"} & {*arguments} else TARGET.get(arguments[0], ())
    return CliRunner().invoke(app, [*arguments, *given, "--data-dir", str(folder)], env={"COLUMNS": "200"})


def type_at_terminal(folder: Path, typed: str, *arguments: str) -> tuple[int, str]:
    """Give the command at a terminal, type a line when it asks; the exit code and all that it showed."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", "from thermo_guard.cli import app; app()", *arguments, "--data-dir", str(folder)],
        stdin=slave, stdout=slave, stderr=slave, cwd=folder, close_fds=True,
        env={"PATH": os.environ["PATH"], "COLUMNS": "200", "TERM": "dumb"},
    ) as process:
        os.close(slave)
        shown, is_typed = b"", False
        while True:
            assert select.select([master], [], [], 60)[0], shown.decode()
            try:
                part = os.read(master, 4096)
            except OSError:  # the other side has closed it
                break
            if not part:
                break
            shown += part
            if not is_typed and b"to go on: " in shown:
                os.write(master, f"{typed}\n".encode())
                is_typed = True
        os.close(master)
        return process.wait(60), " ".join(shown.decode().split())

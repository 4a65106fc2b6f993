"""An operator's order from beside the guard: what stands now, the order into the inbox, and what the guard made of it.

Nothing but DATA_DIR is needed: what stands comes from the guard's own status and from the journal's snapshot.
"""

import getpass
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .adapters import status as status_file
from .adapters.clock import wall_now
from .adapters.journal import SqlJournal, is_held
from .core.events import WishTaken
from .core.record import Record, fold
from .core.snapshot import Snapshot
from .core.wishes import Wish
from .ports import Clock, Fault, Refused, Transient
from .screens import moment

TAKEN_WITHIN_S = 30.0
"""The guard ticks at least every 20 s (engine.board.QUIET_BOUND_S), and takes up orders at each tick."""
LOOK_EVERY_S = 0.25
LONGEST_REASON = 500
"""Characters; it stands in messages, and in the journal for as long as the journal does."""
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Situation:
    """What an order meets."""

    folder: Path
    facts: Mapping[str, Any]
    """As the guard published them (engine.board.status); older guards publish fewer."""
    now: float
    """Seconds since 1970 UTC on the guard's line, which goes on where its journal ended if the clock was set back."""
    kept: Snapshot | None
    """What is on record as having run."""
    record: Record
    """What the journal adds up to; where its disk is full the guard itself goes on from memory and knows more."""

    @property
    def cluster(self) -> str | None:
        """Its name; None where nobody has seen it yet."""
        return self.facts.get("cluster") or (self.kept.cluster if self.kept is not None else None)


def look(folder: Path) -> Situation:
    """What stands now, as the guard that runs on the folder says.

    :raises Refused: none runs there, or what it says cannot be read.
    """
    found = status_file.read(folder)
    how = ("Start it with `docker compose up -d`, or `thermo-guard run`, with the same DATA_DIR, and say it again.")
    if found is None:
        raise Refused(f"No guard has run with {folder} as its DATA_DIR. {how}")
    if not is_running(folder, found):
        raise Refused(f"The guard of {folder} is NOT running, or its loop has stopped: its last tick was "
                      f"{moment(found.tick_at)}. {how}")
    guard_now = float(found.facts.get("at", found.tick_at)) + wall_now() - found.tick_at
    return Situation(folder, found.facts, guard_now, *_known(folder))


def is_running(folder: Path, status: status_file.Status | None) -> bool:
    """Whether a guard works on the folder: by its lock, where that can be seen from here, else by its last sign."""
    is_guarded = is_held(folder)
    return (status is not None and status_file.is_alive(status, wall_now())) if is_guarded is None else is_guarded


def _known(folder: Path) -> tuple[Snapshot | None, Record]:
    try:
        journal = SqlJournal.read_only(folder)
    except Fault:
        return None, Record()
    try:
        return journal.snapshot(), fold(Record(), journal.entries())
    except Fault:
        return None, Record()
    finally:
        journal.close()


def put(folder: Path, wish: Wish) -> int:
    """Put it into the inbox; its number there.

    :raises Fault: the journal takes no orders now.
    """
    return SqlJournal.put_wish(folder, wish)


async def answer(folder: Path, number: int, clock: Clock, within_s: float = TAKEN_WITHIN_S) -> WishTaken | None:
    """What became of the order; None where the guard has said nothing in time.

    :raises Fault: the journal cannot be read.
    """
    deadline = clock.now() + within_s
    journal = SqlJournal.read_only(folder)
    try:
        while True:
            try:
                found = journal.answer_to(number)
            except Transient:  # locked for a moment, perhaps
                found = None
            if found is not None or clock.now() >= deadline:
                return found
            await clock.sleep(LOOK_EVERY_S)
    finally:
        journal.close()


def operator() -> str:
    """Who is typing: user@machine."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container under a number that has no name
        user = f"uid{os.getuid()}"
    return f"{printable(user, _LONGEST_NAME)}@{printable(platform.node(), _LONGEST_NAME) or 'unknown'}"


def printable(text: str, longest: int = LONGEST_REASON) -> str:
    """The text in one line of at most that many characters, without what would steer a terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"

"""What a guard's own journal has kept of the temperatures, for whoever looks back."""

from collections.abc import Iterator
from pathlib import Path

from thermo_guard.core.readings import Reading

from .store import SqlJournal


def read_history(data_dir: Path, since: float | None = None) -> Iterator[Reading]:
    """The kept measurements of all kinds, oldest first; the guard may be running, its lock is not asked for.

    :param since: seconds since 1970 UTC; None: all that is kept, which is a week.
    :raises Fault: Refused where there is no journal or one of another version; else as the database.
    """
    journal = SqlJournal.read_only(data_dir)
    try:
        return iter(journal.readings(0.0 if since is None else since))
    finally:
        journal.close()

"""DATA_DIR/status.json: what the running guard last said of itself, for `thermo-guard status` and the HEALTHCHECK.

Replaced as a whole at each tick, so that a reader never sees half of it; not synced to disk, since it says nothing
that counts after a loss of power. It must never hold a secret: whoever reads the folder reads it.
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from thermo_guard.ports import Refused, Transient

STATUS_FILE = "status.json"
STOPPED_S = -1.0
"""The bound that a guard leaves behind when it ends."""
ALIVE_BOUNDS = 3.0
"""How many times its bound a tick may be late before the loop counts as stopped."""


@dataclass(frozen=True, slots=True)
class Status:
    """What was read back."""

    tick_at: float
    """When the last tick ended, seconds since 1970 UTC by the machine's wall clock."""
    tick_bound_s: float
    """How long a tick and the wait for the next may take together, > 0; negative once the guard has ended."""
    facts: Mapping[str, Any]
    """What was published, as JSON has it."""


class StatusFile:
    """The writing side."""

    def __init__(self, data_dir: Path, wall_now: Callable[[], float]) -> None:
        """:param wall_now: the machine's wall clock, since another process compares with it."""
        self._path = data_dir / STATUS_FILE
        self._wall_now = wall_now
        self._last: Any = {}

    def publish(self, facts: Any, tick_bound_s: float) -> None:
        """Put it in the place of the one before.

        :param facts: a mapping or a dataclass of what JSON can hold; dates, paths and enums become their text.
        :raises Transient: the folder does not take writes.
        """
        self._last = facts
        plain = asdict(facts) if is_dataclass(facts) and not isinstance(facts, type) else dict(facts)
        status = {"tick_at": self._wall_now(), "tick_bound_s": tick_bound_s, "facts": plain}
        text = json.dumps(status, default=str)
        beside = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            beside.write_text(text, encoding="utf-8")
            beside.replace(self._path)
        except OSError as error:
            self._overwrite(text, beside, error)

    def _overwrite(self, text: str, beside: Path, error: OSError) -> None:
        """Over the old one, whose blocks are there: on a full disk nothing new can be made."""
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        try:
            with self._path.open("r+", encoding="utf-8") as file:
                file.write(text)
                file.truncate()
        except OSError:
            raise Transient(f"{self._path} cannot be written: {error.strerror}. The health check will fail.") from error

    def stop(self) -> None:
        """Leave what was last published, marked as that of a guard that has ended: it counts as stopped at once.

        :raises Transient: the folder does not take writes.
        """
        if self._last:
            self.publish(self._last, STOPPED_S)


def read(data_dir: Path) -> Status | None:
    """The last published status; None where there has been none.

    :raises Refused: it cannot be read, or is not what this version writes.
    """
    path = data_dir / STATUS_FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Status(float(found["tick_at"]), float(found["tick_bound_s"]), dict(found["facts"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"{path} is not a status of Thermo-Guard; the running guard replaces it at its next tick."
                      ) from error


def is_alive(status: Status, wall_now: float) -> bool:
    """The loop has ticked lately. Early counts as late does: the wall clock has then been set back since."""
    return abs(wall_now - status.tick_at) <= ALIVE_BOUNDS * status.tick_bound_s

"""Recorded temperatures as columns, and the tally of what could not be taken as it stands.

A hundred days of eight sensors are a million rows: as columns they are 30 MB, as values they would be 300.
"""

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field

from thermo_guard.core.readings import Kind

SHOWN = 2
"""So many rows are named by their place for each reason; all of them are counted."""
NOTHING = math.nan
"""In the column of degrees: polled and got nothing, or what came was nonsense."""


@dataclass(slots=True)
class Tally:
    """What of the rows could not be taken as it stands."""

    counts: Counter[str] = field(default_factory=Counter)
    """How many, by reason; over all files."""
    examples: list[str] = field(default_factory=list)
    """The first few of each reason, with their places."""

    def add(self, reason: str, place: str, value: str = "") -> None:
        self.counts[reason] += 1
        if self.counts[reason] <= SHOWN:
            self.examples.append(f"{place}: {reason}{f': {value}' if value else ''}")


class Senders:
    """The sensors of all files, each by a number."""

    def __init__(self) -> None:
        self.names: list[tuple[str, Kind]] = []
        self._numbers: dict[tuple[str, Kind], int] = {}

    def number_of(self, sensor: str, kind: Kind) -> int:
        key = (sensor, kind)
        if key not in self._numbers:
            self._numbers[key] = len(self.names)
            self.names.append(key)
        return self._numbers[key]


@dataclass(slots=True)
class Rows:
    """What one file has, row by row, in its own order."""

    name: str
    """Of the file, for people."""
    at: array[float] = field(default_factory=lambda: array("d"))
    """When it was measured, seconds since 1970 UTC."""
    sender: array[int] = field(default_factory=lambda: array("I"))
    celsius: array[float] = field(default_factory=lambda: array("d"))
    """NOTHING where the cell is empty, or in `nonsense`."""
    line: array[int] = field(default_factory=lambda: array("I"))
    """Where it stands; empty where the source has no lines."""
    nonsense: dict[int, str] = field(default_factory=dict)
    """Why what the sensor sent is no measurement, by row."""

    def __len__(self) -> int:
        return len(self.at)

    def place(self, row: int) -> str:
        return f"{self.name}:{self.line[row]}" if self.line else self.name

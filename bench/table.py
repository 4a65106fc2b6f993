"""How a benchmark says what it found: one row a number, with its goal beside it, then the same as JSON."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One number: the median of its samples."""

    what: str
    unit: str
    samples: Sequence[float]
    goal: float | None = None
    """At most this; None: told, not promised."""
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.samples)


@dataclass(slots=True)
class Report:
    name: str
    rows: list[Row] = field(default_factory=list)

    def add(self, what: str, unit: str, samples: Sequence[float], goal: float | None = None, note: str = "") -> None:
        self.rows.append(Row(what, unit, tuple(samples), goal, note))

    def show(self) -> bool:
        """Print it; whether every goal was met."""
        table = Table(title=f"bench.{self.name} on {machine()}", title_justify="left")
        for column, justify in (("what", "left"), ("median", "right"), ("least", "right"), ("most", "right"),
                                ("runs", "right"), ("goal", "right"), ("note", "left")):
            table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
        for row in self.rows:
            goal = "" if row.goal is None else f"<= {_short(row.goal)}" + ("" if row.median <= row.goal else " MISSED")
            table.add_row(row.what, f"{_short(row.median)} {row.unit}", _short(min(row.samples)),
                          _short(max(row.samples)), str(len(row.samples)), goal, row.note)
        Console(width=None if os.isatty(1) else 160, highlight=False).print(table)
        rows = [{"what": row.what, "unit": row.unit, "median": row.median, "least": min(row.samples),
                 "most": max(row.samples), "runs": len(row.samples), "goal": row.goal, "note": row.note}
                for row in self.rows]
        print(json.dumps({"bench": self.name, "machine": machine(), "load": os.getloadavg()[0], "rows": rows}))
        return all(row.goal is None or row.median <= row.goal for row in self.rows)


def machine() -> str:
    """Its class, in one line."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"

"""What real sensors do around the true temperature, resampled in blocks from recorded traces.

The traces lie beside the project and are not shipped. Where they are absent, series are made that have the figures
measured on them (standard deviation and autocorrelation), and the page says so.
"""

import csv
import gzip
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import median

TRACES = Path(__file__).resolve().parents[2] / "shared" / "data" / "traces"
BLOCK = 30
"""So many samples are taken from one place of a trace, so that what follows each other there does so here."""

Series = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Pools:
    """Residuals in K, by the time between two of them; whether they are measured."""

    air: tuple[Series, ...]
    """Of sensors in room air, every 5 s."""
    inlets: tuple[Series, ...]
    """Of BMC inlets, every minute, in whole degrees."""
    wander: tuple[Series, ...]
    """Of the air of an office around its week's median, every hour."""
    is_real: bool


class Stream:
    """Residuals without end, in blocks from places drawn by `key`."""

    def __init__(self, pool: tuple[Series, ...], stride: int, key: str) -> None:
        self._pool = pool
        self._stride = stride
        self._random = random.Random(key)
        self._series: Series = ()
        self._at = 0
        self._left = 0

    def next(self) -> float:
        if self._left == 0 or self._at >= len(self._series):
            self._series = self._random.choice(self._pool)
            self._at = self._random.randrange(len(self._series))
            self._left = BLOCK
        value = self._series[self._at]
        self._at += self._stride
        self._left -= 1
        return value


@cache
def pools(folder: Path = TRACES) -> Pools:
    if not folder.exists():
        return fitted()
    air = tuple(_calm(_motes(folder / "motes" / f"singlehop_indoor_moteid{n}_data.txt")) for n in (1, 2))
    fleet = bmc_fleet(folder)
    return Pools(
        air=air,
        inlets=tuple(tuple(c - median(rows) for c in rows) for _, rows in sorted(fleet.items())),
        wander=(_residuals([c for _, c in nab_ambient(folder)], 84),), is_real=True,
    )


def fitted() -> Pools:
    """Series with the figures of the traces: 0.02 K and 0.85 from one to the next 5 s; 4 % of a BMC's minutes off by
    one degree; 1.27 K and 0.92 from hour to hour.
    """
    dice = random.Random("fitted")
    flips = tuple(dice.choice((-1.0, 1.0)) if dice.random() < 0.04 else 0.0 for _ in range(20_000))
    return Pools((_drawn(dice, 0.02, 0.85),), (flips,), (_drawn(dice, 1.27, 0.92),), is_real=False)


def _drawn(dice: random.Random, sigma: float, rho: float) -> Series:
    value, series = 0.0, []
    for _ in range(20_000):
        value = rho * value + dice.gauss(0.0, sigma * (1 - rho * rho) ** 0.5)
        series.append(value)
    return tuple(series)


def nab_ambient(folder: Path = TRACES) -> list[tuple[str, float]]:
    """Local time and degC of an office, every hour; recorded in Fahrenheit."""
    with (folder / "nab" / "ambient_temperature_system_failure.csv").open(encoding="utf-8") as file:
        return [(row["timestamp"], (float(row["value"]) - 32) * 5 / 9) for row in csv.DictReader(file)]


def motes(folder: Path = TRACES) -> list[list[float]]:
    """Degrees of two neighbours every 5 s; the first is heated for ten minutes."""
    return [_motes(folder / "motes" / f"singlehop_indoor_moteid{n}_data.txt") for n in (1, 2)]


def bmc_fleet(folder: Path = TRACES) -> dict[str, list[float]]:
    """Degrees of the inlets of servers that are off, every minute for two hours, by node."""
    fleet: dict[str, list[float]] = {}
    with gzip.open(folder / "bmc_fleet" / "inlets_first_2h.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["status"] == "ok":
                fleet.setdefault(row["node"], []).append(float(row["value_c"]))
    return fleet


def _motes(file: Path) -> list[float]:
    rows = [line.split() for line in file.read_text(encoding="utf-8").splitlines()[1:]]
    return [float(row[3]) for row in rows]


def _residuals(values: Sequence[float], around: int) -> Series:
    """What is left without the running median."""
    return tuple(c - median(values[max(0, n - around):n + around + 1]) for n, c in enumerate(values))


def _calm(values: Sequence[float]) -> Series:
    """The residuals without those in which somebody heated the sensor: nobody does that to all of them."""
    left = _residuals(values, 30)
    return tuple(r for r, (a, b) in zip(left, pairwise([*values, values[-1]]), strict=True)
                 if abs(r) < 0.5 and abs(b - a) < 0.5)

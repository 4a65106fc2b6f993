"""Recordings as people write them, for the tests of replay."""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from thermo_guard.core.decisions import Decision
from thermo_guard.core.policy_settings import PolicySettings
from thermo_guard.replay.recorded import read
from thermo_guard.replay.recording import Recording
from thermo_guard.replay.rerun import Outcome, Rerun

HEADER = "time,sensor,source,celsius"
MIDNIGHT = 1_783_209_600.0
"""5 July 2026, 00:00 UTC."""
MINUTE, HOUR = 60.0, 3600.0
STOP_10_MIN = PolicySettings(stop_s=600.0)


def time_of(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def row(at: float, sensor: str, celsius: float | str, source: str = "room") -> str:
    said = celsius if isinstance(celsius, str) else f"{celsius:.2f}"
    return f"{time_of(at)},{sensor},{source},{said}"


def quiet(minutes: int, sensors: Sequence[str] = ("a", "b", "c"), *, begin: float = MIDNIGHT) -> list[str]:
    """A cool room, all sensors each minute, each with a little life of its own."""
    return [row(begin + n * MINUTE, sensor, 22.0 + 0.3 * k + 0.1 * math.sin(n + k))
            for n in range(minutes) for k, sensor in enumerate(sensors)]


def burning(minutes: int = 240, *, fails: int = 60, restored: int = 120) -> list[str]:
    """The cooling fails at one minute and comes back at another: 22 degC to 41 within the hour, then back."""
    rows = []
    for n in range(minutes):
        hot_k = 21.0 * (1 - math.exp(-(min(n, restored) - fails) / 25)) if n > fails else 0.0
        air_c = 22.0 + hot_k * math.exp(-max(0, n - restored) / 15)
        rows += [row(MIDNIGHT + n * MINUTE, sensor, air_c + 0.2 * k + 0.05 * math.sin(n + k))
                 for k, sensor in enumerate(("a", "b", "c"))]
    return rows


def save(folder: Path, rows: Iterable[str], name: str = "room.csv", header: str = HEADER) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def recorded(*paths: Path) -> Recording:
    recording = Recording()
    for path in paths:
        recording.add(read(str(path), recording.senders, recording.tally))
    return recording


def replayed(
    *paths: Path, settings: PolicySettings = STOP_10_MIN, cooling_restored_at: float | None = None
) -> tuple[list[Decision], Outcome]:
    rerun = Rerun(recorded(*paths), settings, cooling_restored_at)
    return list(rerun.decisions()), rerun.outcome

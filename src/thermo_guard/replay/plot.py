"""The recording as a picture: curves by source, limits as lines, marks for what would have been decided.

matplotlib is an extra (`thermo-guard[plot]`), drawn by Agg or as SVG: no display is needed, and no container has it.
"""

import importlib.util
import logging
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

from thermo_guard.core.decisions import Decision, What
from thermo_guard.core.readings import Kind

from .options import Asked
from .recorded import UnreadableError
from .recording import Recording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 4000
"""So many points a curve at most: each bucket of rows gives its lowest and its highest."""
_MARKED = {
    What.WARNED: "#d9a400", What.SHED: "#e07000", What.TRIPPED: "#d00000", What.CRITICAL: "#700000",
    What.PERMISSIVE: "#008000", What.BLIND: "#800080", What.SIGHTED: "#b080b0",
}
_MOST_MARKS = 200
_COLOURS = {Kind.ROOM: ("#1f4e9c", "#3a7bd5", "#63a4ff", "#0b2d63"), Kind.BMC: ("#c06000", "#e08a30", "#f0b070")}
_MARGIN_K = 3.0
_SHOWN_C = (0.0, 60.0)
"""Nonsense such as -127 or 255 must not flatten the curves."""


@dataclass(slots=True)
class Marks:
    """What is drawn of the decisions; of a day that changes all the time only the first."""

    marks: list[tuple[float, What]] = field(default_factory=list)

    def add(self, decision: Decision) -> None:
        if decision.what in _MARKED and (len(self.marks) < _MOST_MARKS or decision.what is What.TRIPPED):
            self.marks.append((decision.at, decision.what))


def require() -> None:
    """:raises UnreadableError: matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UnreadableError("--plot needs matplotlib, which is not installed: pip install 'thermo-guard[plot]'")


def draw(path: Path, recording: Recording, asked: Asked, marks: Marks) -> None:
    """Write the picture.

    :raises UnreadableError: it cannot be written there, or reaches over thousands of years.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(14, 7), layout="constrained")
    axes = figure.add_subplot()
    shown: list[float] = []
    for number, (sensor, kind) in enumerate(recording.senders.names):
        times, degrees = _curve(recording, number)
        shown += [celsius for celsius in degrees if _SHOWN_C[0] <= celsius <= _SHOWN_C[1]]
        colours = _COLOURS[kind]
        axes.plot([_day(at) for at in times], degrees, linewidth=1, label=f"{sensor} ({kind})",
                  color=colours[number % len(colours)], linestyle="-" if kind is Kind.ROOM else "--")
    _draw_limits(axes, asked)
    for number, (at, what) in enumerate(marks.marks):
        axes.axvline(_day(at), color=_MARKED[what], linewidth=1.2)
        axes.text(_day(at), 0.99 - 0.08 * (number % 4), str(what), transform=axes.get_xaxis_transform(), rotation=90,
                  va="top", ha="right", fontsize=7, color=_MARKED[what])
    if asked.cooling_restored_at is not None:
        axes.axvline(_day(asked.cooling_restored_at), color="#0060c0", linestyle=":", label="cooling restored")
    policy = asked.policy
    axes.set_ylim(min([*shown, policy.low_c]) - _MARGIN_K, max([*shown, policy.critical_c]) + _MARGIN_K)
    axes.set_ylabel("degC")
    axes.set_xlabel("UTC")
    axes.xaxis_date("UTC")
    axes.grid(visible=True, alpha=0.3)
    if 0 < len(recording.senders.names) <= 20:
        axes.legend(loc="upper left", fontsize=7)
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise UnreadableError(f"--plot: {path} cannot be written: {error.strerror or error}") from error
    except ValueError as error:  # matplotlib's calendar ends before that of ISO 8601
        raise UnreadableError(f"--plot: this recording cannot be drawn: {error}") from error


def _draw_limits(axes: "Axes", asked: Asked) -> None:
    policy = asked.policy
    for name, celsius, colour in (
        ("LOW", policy.low_c, "#008000"), ("HIGH", policy.high_c, "#d00000"),
        ("CRITICAL", policy.critical_c, "#700000"),
    ):
        axes.axhline(celsius, color=colour, linewidth=0.8, linestyle="-.")
        axes.annotate(f"{name} {celsius:g}", (1.0, celsius), xycoords=("axes fraction", "data"), ha="right",
                      va="bottom", fontsize=7, color=colour)


def _curve(recording: Recording, number: int) -> tuple[list[float], list[float]]:
    """Of one sensor, in time; thinned by the lowest and highest of each bucket."""
    mine = [who == number for who in recording.sender]
    points = sorted((at, celsius) for at, celsius, row in zip(
        compress(recording.at, mine), compress(recording.celsius, mine),
        compress(range(len(recording)), mine), strict=True,
    ) if celsius == celsius and row not in recording.fates)  # noqa: PLR0124 - without those that say nothing
    size = -(-len(points) * 2 // POINTS)
    if size > 2:
        buckets = [points[n:n + size] for n in range(0, len(points), size)]
        points = sorted({extreme for bucket in buckets for extreme in (
            min(bucket, key=lambda point: point[1]), max(bucket, key=lambda point: point[1]))})
    return [at for at, _ in points], [celsius for _, celsius in points]


def _day(at: float) -> float:
    """As matplotlib counts time: in days since 1970."""
    return at / 86400

"""Reads what is to be replayed, goes through it, and shows it: the work of `thermo-guard replay`."""

import gc
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from thermo_guard.adapters import logs
from thermo_guard.core.decisions import Decision

from . import history
from .options import Asked
from .plot import Marks, draw, require
from .recorded import UnreadableError, read
from .recording import Recording
from .rerun import Rerun
from .screen import Screen, as_data


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the temperatures are."""

    files: tuple[str, ...] = ()
    """CSV files, and guards' data folders."""
    history: bool = False
    """The guard's own, where no folder is among the files."""


def go_through(sources: Sources, asked: Asked, *, plot: Path | None, as_json: bool) -> None:
    """Replay, and print what would have been decided.

    :raises UnreadableError: something could not be read, or the picture not be written; the text names all of it.
    """
    logs.configure("auto", "ERROR")  # to standard error: the other one is for what was decided
    if plot is not None:
        require()
    recording = read_all(sources, asked)
    gc.freeze()  # a million rows come and go, and none of them refers to itself
    rerun = Rerun(recording, asked.policy, asked.cooling_restored_at)
    screen = Screen(Console(stderr=as_json, highlight=False), asked, is_silent=as_json)
    marks = Marks()
    screen.begin(recording)
    for decision in _told(rerun, marks):
        if as_json:
            print(json.dumps(as_data(decision), allow_nan=False))  # noqa: T201 - it is the answer
        screen.show(decision)
    sys.stdout.flush()
    screen.end(recording, rerun.outcome)
    if plot is not None:
        draw(plot, recording, asked, marks)
        print(f"Drawn: {plot}", file=sys.stderr)  # noqa: T201


def _told(rerun: Rerun, marks: Marks) -> Iterator[Decision]:
    for decision in rerun.decisions():
        marks.add(decision)
        yield decision


def journals(sources: Sources, asked: Asked) -> list[str]:
    """The data folders among what is read."""
    folders = [path for path in sources.files if path != "-" and history.is_journal(path)]
    return folders or [str(asked.settings.data_dir)] * sources.history


def read_all(sources: Sources, asked: Asked) -> Recording:
    """All rows of all sources.

    :raises UnreadableError: one of them cannot be read; every such one is named.
    """
    recording = Recording()
    wrong: list[str] = []
    folders = journals(sources, asked)
    for path in dict.fromkeys([*sources.files, *folders]):
        try:
            if path in folders:
                rows = history.of_journal(path, recording.senders)
            else:
                rows = read(path, recording.senders, recording.tally)
            recording.add(rows)
        except UnreadableError as error:
            wrong.append(str(error))
    if asked.from_meraki_s is not None:
        try:
            recording.add(history.of_meraki(asked.settings, asked.from_meraki_s, recording.senders))
        except UnreadableError as error:
            wrong.append(str(error))
    if wrong:
        raise UnreadableError("\n".join([*wrong, "Nothing was replayed."]))
    return recording

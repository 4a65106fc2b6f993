"""`thermo-guard run` as a process, for tests: started, listened to, killed at an instant, started again.

What it does is read from its JSON log lines on standard error and from its data folder, which is only ever read.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thermo_guard.adapters import status
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core.events import Entry
from thermo_guard.ports import Refused

MAIN = Path(__file__).resolve().parents[2] / "main.py"
RESOLVER = Path(__file__).with_name("resolver.py")
CLI = "from thermo_guard.cli import app; app()"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the guard's log."""

    at: float
    """When it was read, monotonic seconds."""
    event: str
    facts: Mapping[str, Any]


class GuardProcess:
    """One data folder and the process that guards with it, now and after each restart.

    :param folder: of its own; DATA_DIR, the working directory and the log on file lie in it.
    :param settings: the environment beside DATA_DIR and the log's; nothing is inherited but PATH.
    :param changed: called from a thread of its own after each line of the log.
    :param names_file: what its resolver knows, see resolver.py; None: it asks the machine's.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str], changed: Callable[[], None], names_file: Path | None = None,
    ) -> None:
        self.data = folder / "data"
        self.log_file = folder / "guard.log"
        self.lines: list[Line] = []
        """Of all its lives, oldest first."""
        self.started_at = 0.0
        """Monotonic seconds."""
        self._started_wall = 0.0
        self._folder = folder
        self._changed = changed
        self._environment = {
            "PATH": os.environ["PATH"], "DATA_DIR": str(self.data), "LOG_FORMAT": "json", "LOG_LEVEL": "INFO",
            **settings,
        }
        resolving = [sys.executable, "-P", str(RESOLVER), str(names_file)]
        self._run = [sys.executable, str(MAIN)] if names_file is None else [*resolving, "run"]
        self._command = [sys.executable, "-c", CLI] if names_file is None else resolving
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        assert self._process is None, "it runs already"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.started_at, self._started_wall = time.monotonic(), time.time()
        self._process = self.popen()
        self._reader = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._reader.start()

    def popen(self) -> subprocess.Popen[str]:
        """The bare process, with its standard error as a pipe."""
        return subprocess.Popen(
            self._run, env=self._environment, cwd=self._folder, stderr=subprocess.PIPE, text=True,
        )

    def ask(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Another command of the program with the same settings, beside it or without it; nobody is there to ask."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            [*self._command, *arguments], env=self._environment, cwd=self._folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False,
        )

    @property
    def process_id(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """It has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def kill(self) -> None:
        """End it as a power loss does (SIGKILL), and wait until the kernel has let go of all it held."""
        self._end(signal.SIGKILL, within_s=60)

    def stop(self, within_s: float = 30.0) -> tuple[int, float]:
        """SIGTERM, as a container is stopped; gives the exit code and the seconds that it took, which the test judges.

        :raises subprocess.TimeoutExpired: it did not end in time.
        """
        return self._end(signal.SIGTERM, within_s)

    def _end(self, number: signal.Signals, within_s: float) -> tuple[int, float]:
        process, reader = self._process, self._reader
        assert process is not None
        assert reader is not None
        began = time.monotonic()
        process.send_signal(number)
        code = process.wait(within_s)
        took_s = time.monotonic() - began
        reader.join(30)
        self._process = None
        return code, took_s

    def close(self) -> None:
        if self._process is not None:
            self.kill()

    def of(self, event: str, *, since: int = 0, **facts: Any) -> list[Line]:
        """Lines of an event from a place in `lines` on; `facts` must stand in them so."""
        return [line for line in self.lines[since:]
                if line.event == event and all(line.facts.get(name) == fact for name, fact in facts.items())]

    def journal(self) -> tuple[Entry, ...]:
        """The journal's entries that count, read beside the process."""
        reader = SqlJournal.read_only(self.data)
        try:
            return tuple(reader.entries())
        finally:
            reader.close()

    def status(self) -> Mapping[str, Any]:
        """What it last said of itself in this life; empty before that."""
        try:
            found = status.read(self.data)
        except Refused:
            return {}
        return {} if found is None or found.tick_at < self._started_wall else found.facts

    def memory_kb(self) -> int:
        """Resident set size."""
        told = Path(f"/proc/{self.process_id}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in told if line.startswith("VmRSS:"))

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as stream, self.log_file.open("a") as kept:
            for text in stream:
                kept.write(text)
                kept.flush()
                self.lines.append(_line(text))
                self._changed()
        self._changed()


def _line(text: str) -> Line:
    try:
        facts = json.loads(text)
        return Line(time.monotonic(), str(facts["event"]), facts)
    except (ValueError, KeyError, TypeError):
        return Line(time.monotonic(), "", {"text": text.rstrip()})


def story(lines: Sequence[Line], last: int = 80) -> str:
    """The log's last lines, for a failing test."""
    told = [{k: v for k, v in line.facts.items() if k not in {"event", "timestamp", "level"}} for line in lines[-last:]]
    return "\n".join(f"{line.at:10.2f} {line.event} {facts}"
                     for line, facts in zip(lines[-last:], told, strict=True))

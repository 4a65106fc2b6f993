"""`thermo-guard replay` as it is typed: what it prints where, and how it ends."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from replay.written import MIDNIGHT, burning, quiet, row, save
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core.readings import Reading


def replay(folder: Path, *arguments: str, env: Mapping[str, str] | None = None,
           stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", "from thermo_guard.cli import app; app(prog_name='thermo-guard')", "replay", *arguments],
        cwd=folder, capture_output=True, check=False, timeout=60, input=stdin,
        env={"PATH": os.environ["PATH"], "COLUMNS": "120", "MPLCONFIGDIR": str(folder / "mpl"), **(env or {})},
    )


def events(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_small_day_as_json(tmp_path: Path) -> None:
    """One object a line with the five keys, nothing else on standard output; what people read goes to stderr."""
    rows = burning()
    rows[30:30] = ["garbage", row(MIDNIGHT + 600, "b", "NaN")]
    save(tmp_path, rows)
    done = replay(tmp_path, "room.csv", "--json", "--cooling-restored-at", "2026-07-05T02:00:00Z")
    found = events(done)
    assert all({"time", "event", "level", "celsius", "reason"} <= set(event) <= {
        "time", "event", "level", "celsius", "reason", "sensor", "facts"} for event in found)
    assert [event["event"] for event in found if event["event"] in {"tripped", "permissive", "blind"}] == [
        "tripped", "permissive"]
    (suspect,) = [event for event in found if event["event"] == "sensor_suspect"]
    assert (suspect["time"], suspect["sensor"]) == ("2026-07-05T00:10:00Z", "b")
    (tripped,) = [event for event in found if event["event"] == "tripped"]
    assert tripped["time"].startswith("2026-07-05T01:")
    assert tripped["time"].endswith("Z")
    assert tripped["celsius"] > 30
    assert tripped["facts"]["sensors"]
    told = done.stderr.decode()
    assert "room.csv:32: no row of the table: 'garbage'" in told
    assert "min after the cooling was restored" in told


def test_a_small_day_as_a_table(tmp_path: Path) -> None:
    """Without --json a person reads it: events in their order, the mark, and what it came to."""
    save(tmp_path, burning())
    done = replay(tmp_path, "room.csv", "--cooling-restored-at", "2026-07-05T02:00:00Z", "--stop-minutes", "5")
    assert done.returncode == 0, done.stderr.decode()
    told = done.stdout.decode()
    assert told.index(" tripped ") < told.index("cooling restored") < told.index(" permissive ")
    assert "5 min to stop everything" in told
    assert "margin" in told
    assert done.stderr == b""


def test_standard_input_and_several_files(tmp_path: Path) -> None:
    """`zcat ... | thermo-guard replay -` needs no file, and further ones may stand beside it."""
    save(tmp_path, quiet(10), "quiet.csv")
    done = replay(tmp_path, "-", "quiet.csv", stdin=save(tmp_path, quiet(10, ["d"])).read_bytes())
    assert done.returncode == 0, done.stderr.decode()
    assert "40 rows of 4 room sensors" in done.stdout.decode()


def test_wrong_use_ends_with_2_and_says_all_of_it(tmp_path: Path) -> None:
    """Nothing is replayed of a part, and nothing stands on standard output."""
    save(tmp_path, quiet(1))
    (tmp_path / "picture").write_bytes(b"\x89PNG")
    unread = replay(tmp_path, "room.csv", "absent.csv", "picture", ".", "--json")
    assert (unread.returncode, unread.stdout) == (2, b"")
    told = unread.stderr.decode()
    for words in ("absent.csv cannot be read", "picture has no header", "There is no journal in .", "Nothing was"):
        assert words in told
    options = replay(tmp_path, "room.csv", "--high", "99", "--stop-minutes", "x", "--json")
    assert (options.returncode, options.stdout) == (2, b"")
    assert b"--temperature-high-threshold" in options.stderr
    assert b"--stop-minutes" in options.stderr
    assert b"Traceback" not in unread.stderr + options.stderr
    assert replay(tmp_path).returncode == 2


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_it_is_drawn(tmp_path: Path, ending: str) -> None:
    """A picture of the day, without a display."""
    pytest.importorskip("matplotlib")
    save(tmp_path, [*burning(), row(MIDNIGHT + 14400, "a", -127), row(MIDNIGHT + 14400, "i", 25, "bmc")])
    done = replay(tmp_path, "room.csv", "--json", "--plot", f"day.{ending}", "--cooling-restored-at", "2026-07-05")
    events(done)
    drawn = (tmp_path / f"day.{ending}").read_bytes()
    assert drawn.startswith(b"\x89PNG" if ending == "png" else b"<?xml")
    assert ending == "png" or b"tripped" in drawn or len(drawn) > 20_000


def test_without_matplotlib_one_line_says_what_to_install(tmp_path: Path) -> None:
    """The container has none: that is told before an hour of replaying."""
    save(tmp_path, quiet(1))
    hide = "import sys; sys.modules['matplotlib'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(hide)
    done = replay(tmp_path, "room.csv", "--plot", "day.png", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert done.stderr.decode().strip() == (
        "--plot needs matplotlib, which is not installed: pip install 'thermo-guard[plot]'")


def test_the_guards_own_history_is_replayed_beside_it(tmp_path: Path) -> None:
    """The folder of a guard that runs is read and left as it is; DATA_DIR is where none is named."""
    journal = SqlJournal.open(tmp_path / "guard")
    journal.keep_readings([
        Reading(f"Q2AA-{k}", 22.0 + k + 0.1 * (n % 4), MIDNIGHT + n * 300, MIDNIGHT + n * 300 + 40, 40.0)
        for n in range(60) for k in range(3)
    ])
    try:
        for arguments, env in ((["guard"], {}), (["--history"], {"DATA_DIR": "guard"}), (["--history", "guard"], {})):
            done = replay(tmp_path, *arguments, env=env)
            assert done.returncode == 0, done.stderr.decode()
            assert "180 rows of 3 room sensors and 0 inlets" in done.stdout.decode()
            assert " blind " not in done.stdout.decode()
    finally:
        journal.close()

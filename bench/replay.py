"""What it costs to replay a hundred days: reading the file, making polls of its rows, and the policy.

    python -m bench.replay [--days 100] [--runs 1]

Three room sensors to a tenth of a degree and five inlets to a whole one, each minute, with the noise that such sensors
show; on one of the days the cooling fails. The whole is the command itself, as a process; its parts are measured in
this one.
"""

import argparse
import math
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.table import Report
from thermo_guard.replay.recorded import read
from thermo_guard.replay.recording import Recording

WHOLE_S, READING_S = 30.0, 6.0
BEGIN = datetime(2026, 7, 5, tzinfo=UTC)
ROOM, INLETS = 3, 5
COMMAND = "from thermo_guard.cli import app; app()"


def write(path: Path, days: int) -> int:
    """The rows of so many days; how many they are."""
    draw = random.Random(7)
    burns_at = days * 720
    with path.open("w", encoding="utf-8") as file:
        file.write("time,sensor,source,celsius\n")
        for minute in range(days * 1440):
            at = (BEGIN + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
            since = minute - burns_at
            hot_k = 0.0 if since < 0 else 20 * (1 - math.exp(-min(since, 60) / 25))
            air_c = 22.0 + hot_k * math.exp(-max(0, since - 60) / 20)
            file.writelines(f"{at},room-{n},room,{air_c + draw.gauss(0.3 * n, 0.08):.1f}\n" for n in range(ROOM))
            file.writelines(f"{at},bmc-{n},bmc,{round(air_c + draw.gauss(2.2, 0.2))}\n" for n in range(INLETS))
    return days * 1440 * (ROOM + INLETS)


def main() -> bool:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--days", type=int, default=100)
    options.add_argument("--runs", type=int, default=1)
    given = options.parse_args()
    report = Report("replay")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "room.csv"
        rows = write(path, given.days)
        reading, polls, whole = [], [], []
        for _ in range(given.runs):
            began = time.perf_counter()
            recording = Recording()
            recording.add(read(str(path), recording.senders, recording.tally))
            recording.settle()
            reading.append(time.perf_counter() - began)
            for _instant in recording.instants():
                pass
            polls.append(time.perf_counter() - began)
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", COMMAND, "replay", str(path), "--json"], check=True, cwd=folder,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            whole.append(time.perf_counter() - began)
    report.add("read and put in time", "s", reading, note=f"{rows:,} rows")
    report.add("and made into polls", "s", polls, READING_S * given.days / 100)
    what = f"{given.days} days of {ROOM + INLETS} sensors, the whole command"
    report.add(what, "s", whole, WHOLE_S * given.days / 100)
    return report.show()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)

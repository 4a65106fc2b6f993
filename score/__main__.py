"""`python -m score`: score the decisions and write docs/DECISIONS.md (`make score`)."""

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from score import noise, show
from score.page import Findings, page, wishes, worst
from score.policies import POLICIES
from score.rows import ROWS
from score.traces import played
from score.work import CALM, GROUPS, SETTINGS, groups_spent, rows_scored

PAGE = Path(__file__).resolve().parents[1] / "docs" / "DECISIONS.md"
DRAWS = 1000
WEEKS = 580
"""Of benign rooms: more than 30 sensor-years."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m score", description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS, help="of each row; fewer are printed, not written")
    parser.add_argument("--write", action="store_true", help="write down even fewer; the page says how many")
    parser.add_argument("--weeks", type=int, help="of benign rooms")
    parser.add_argument("--only", help="rows whose name contains this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--worst", type=int, default=0, help="print so many of the worst draws of each row")
    parser.add_argument("--draw", metavar="ROW:NUMBER", help="show one draw minute by minute, and end")
    asked = parser.parse_args()
    if asked.draw:
        return show.one(asked.draw)
    began = time.monotonic()

    def told(name: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {name}", file=sys.stderr)

    wanted = (asked.only or "").lower()
    weeks = asked.weeks if asked.weeks is not None else max(1, WEEKS * asked.draws // DRAWS)
    found = Findings(
        rows=rows_scored([row for row in ROWS if wanted in row.name.lower()], asked.draws, asked.jobs, told),
        groups=groups_spent([group for group in GROUPS if wanted in group.name.lower()],
                            {g.name: weeks if g is CALM else asked.draws for g in GROUPS}, asked.jobs, told),
        traces=played(POLICIES, SETTINGS) if not wanted else (),
        is_noise_real=noise.pools().is_real, draws=asked.draws, date=datetime.now(UTC).date().isoformat(),
    )
    text = page(found)
    is_whole = asked.draws >= DRAWS and weeks >= WEEKS and not wanted
    if is_whole or asked.write:
        PAGE.write_text(text, encoding="utf-8")
        print(f"written: {PAGE}")
    else:
        print(text)
    for line in worst(found, asked.worst):
        print(line)
    missed = [wish for wish in wishes(found) if not wish.is_met]
    for wish in missed:
        print(f"not met: {wish.what}: {wish.found}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

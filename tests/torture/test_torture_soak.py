"""30 days over the wire in some 20 minutes, the cooling failing once a week: what is kept stays bounded.

SOAK_DAYS=n for another number of days, 9 or more. The short form is tests/sim/wire/test_wire_soak.py.
"""

import os
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from torture.soak import DAY_S, Sample, Soak, soak

pytestmark = pytest.mark.peer
DAYS = int(os.environ.get("SOAK_DAYS") or 30)
HOT_DAYS = range(0, DAYS, 7)
"""The first one is the warm-up: what an incident needs is loaded by then."""
SHARE = 0.05
SAMPLES_KEPT_DAYS = 7
WAL_BYTES = 5 * 2**20
"""SQLite takes its write-ahead log back into the database at 1,000 pages, of 4 KiB."""


def test_thirty_days_leave_it_as_the_second_did(tmp_path: Path) -> None:
    """Memory within 5 %, files and threads the same, readings kept for a week, and nothing told on a quiet day."""
    run = soak(tmp_path, hours=24 * DAYS, hot_at_h=[24 * day + 12 for day in HOT_DAYS])
    assert run.events["alarm.tripped"] == run.events["incident.closed"] == len(HOT_DAYS)
    warm = {day: samples for day, samples in run.days().items() if day > 0}
    is_flat("rss", run, SHARE)
    is_flat("simulator_rss", run, 4 * SHARE)
    assert len(set(run.medians("threads"))) == 1
    assert max(run.medians("files")[1:]) - min(run.medians("files")[1:]) <= 2
    is_bounded([samples[-1] for day, samples in warm.items() if day not in HOT_DAYS])
    tells_once(run)


def is_flat(what: str, run: Soak, share: float) -> None:
    """The median of each day lies within a share of the second's."""
    _, base, *later = run.medians(what)
    assert all(abs(median - base) <= share * base for median in later), (what, base, later)


def is_bounded(quiet: list[Sample]) -> None:
    """Events come of incidents alone, readings go after a week, and so the data folder stops growing."""
    for before, after in pairwise(quiet):
        if after.at_s - before.at_s < 1.5 * DAY_S:
            assert after.rows["event"] == before.rows["event"]
    full = [sample for sample in quiet if sample.at_s > (SAMPLES_KEPT_DAYS + 1.5) * DAY_S]
    rows = [sample.rows["sample"] for sample in full]
    assert max(rows) <= 3 * 1440 * (SAMPLES_KEPT_DAYS + 1)
    assert max(sample.disk for sample in full) <= min(sample.disk for sample in full) + WAL_BYTES
    assert {sample.rows["snapshot"] for sample in quiet} == {1}


def tells_once(run: Soak) -> None:
    """Quiet days are silent, and no incident tells more than the first, nor another thing."""
    days: dict[int, Counter[str]] = {}
    for at_s, title in run.told:
        days.setdefault(int(at_s // DAY_S), Counter())[title] += 1
    assert set(days) == set(HOT_DAYS)
    assert all(max(told.values()) <= 2 for told in days.values()), days

"""The short form of the soak, see tests/torture/test_torture_soak.py: some quiet hours over the wire."""

from pathlib import Path

import pytest

from torture.soak import soak

pytestmark = pytest.mark.peer


def test_quiet_hours_leave_nothing_behind(tmp_path: Path) -> None:
    """A guard with real adapters and limits misses no poll in hours, tells one thing once, and opens nothing anew."""
    run = soak(tmp_path, hours=4)
    assert [title for _, title in run.told] == ["ARMED: all that a shutdown needs has been seen to work"]
    first, *_, last = run.samples
    assert (last.files, last.threads) == (first.files, first.threads)
    assert last.rss <= 1.05 * first.rss
    assert last.rows["event"] == first.rows["event"]
    assert last.rows["sample"] >= 3 * 4 * 59  # three sensors, a reading a minute
    assert not {"look.failed", "status.not_published"} & set(run.events)

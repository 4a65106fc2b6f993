"""The composition root: what it makes of the settings and the journal before the loop starts."""

import pytest

from thermo_guard.adapters.clock import wall_now
from thermo_guard.core.events import Entry, GuardStarted
from thermo_guard.main import clock_after


@pytest.mark.parametrize("ahead_s", [86_400.0, 60.0])
def test_the_guards_line_never_runs_back_over_its_journal(ahead_s: float) -> None:
    """After the wall clock was set back, deadlines on record must not lie in the future: the line goes on from them."""
    last = Entry(7, wall_now() + ahead_s, GuardStarted(owner="o", version="v"))
    assert clock_after([last]).now() >= last.at


def test_an_old_journal_holds_no_clock_back() -> None:
    """The usual case: the journal ends in the past, and the line begins now."""
    last = Entry(7, wall_now() - 86_400.0, GuardStarted(owner="o", version="v"))
    assert abs(clock_after([last]).now() - wall_now()) < 60.0

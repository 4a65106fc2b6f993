"""The composition root: what it makes of the settings and the journal before the loop starts."""

import pytest

from peers.settings_bench import ENTRY, good, ilo
from thermo_guard.adapters.clock import SteadyClock, wall_now
from thermo_guard.core.events import Entry, GuardStarted
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.main import Site, clock_after


@pytest.mark.parametrize("ahead_s", [86_400.0, 60.0])
def test_the_guards_line_never_runs_back_over_its_journal(ahead_s: float) -> None:
    """After the wall clock was set back, deadlines on record must not lie in the future: the line goes on from them."""
    last = Entry(7, wall_now() + ahead_s, GuardStarted(owner="o", version="v"))
    assert clock_after([last]).now() >= last.at


def test_an_old_journal_holds_no_clock_back() -> None:
    """The usual case: the journal ends in the past, and the line begins now."""
    last = Entry(7, wall_now() - 86_400.0, GuardStarted(owner="o", version="v"))
    assert abs(clock_after([last]).now() - wall_now()) < 60.0


@pytest.mark.parametrize(("setting", "asked"), [("true", ["ilo1"]), ("false", [])])
async def test_inlets_are_asked_for_unless_told_otherwise(setting: str, asked: list[str]) -> None:
    """ILO_HOSTS is all that they need; BMC_INLETS=false leaves the BMCs to the power alone."""
    clock = SteadyClock()
    site = Site(good(ILO_HOSTS=ilo(ENTRY), BMC_INLETS=setting), clock, logins=RefusedLogins(clock))
    assert [inlet.address for inlet in site.inlets] == asked
    await site.aclose()

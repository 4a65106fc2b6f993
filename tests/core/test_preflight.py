"""`check`'s rules of clock, folder, settings and people, and what all findings come to."""

from dataclasses import replace

import pytest

from core.surveyed import FOLDER, SILENT, TERMS, cadence, judged, of, worse
from thermo_guard.core.data_folder import folder_remedy
from thermo_guard.core.finding import Area, Finding, Verdict, Way, conclusion, fail, listed, ok, warn
from thermo_guard.core.survey import DataFolder


def test_a_sound_site_has_no_finding_but_good_ones() -> None:
    """Nothing is warned of where nothing is wrong, and every area is told."""
    assert worse() == []
    assert [area for area in Area if of(area, judged())] == list(Area)
    assert conclusion(judged()).can_come_back


@pytest.mark.parametrize(("ahead_s", "words"), [(75.0, "75 s ahead of"), (-400.0, "400 s behind")])
def test_a_clock_that_is_off_is_told_with_its_side(ahead_s: float, words: str) -> None:
    """A clock that is a minute off and more is a warning: journal and certificates suffer."""
    (only,) = worse(clock_ahead_s=ahead_s)
    assert only.verdict is Verdict.WARN
    assert words in only.text


def test_a_clock_that_could_not_be_compared_is_not_called_right() -> None:
    """No comparison is said as such."""
    (only,) = worse(clock_ahead_s=None)
    assert only.verdict is Verdict.WARN


@pytest.mark.parametrize(("folder", "words"), [
    (replace(FOLDER, is_writable=False), "cannot be written by this user (id 1000)"),
    (replace(FOLDER, free_bytes=400 * 1024 * 1024), "400 MB free"),
])
def test_a_folder_that_takes_no_journal_stops_everything(folder: DataFolder, words: str) -> None:
    """Without a durable journal nothing is done: an unwritable or full folder fails, with what mends it."""
    (only,) = worse(folder=folder)
    assert only.way is Way.DOWN
    assert words in only.text
    assert only.remedy


def test_a_running_guard_is_a_fact_and_no_fault() -> None:
    """`check` beside a running guard is as good as one without."""
    found = judged(folder=replace(FOLDER, running="its loop last ticked at 08:00:00 UTC"))
    assert any("A guard works on it" in finding.text for finding in found)
    assert all(finding.verdict is Verdict.OK for finding in found)


def test_a_journal_that_cannot_be_read_fails() -> None:
    """A damaged journal would stop the guard at its start."""
    found = of(Area.DATA, worse(memory=SILENT))
    assert [finding.way for finding in found] == [Way.DOWN]


def test_an_open_incident_explains_what_is_off() -> None:
    """While an incident is open, what `check` finds may be its doing: it says so."""
    (only,) = worse(memory=replace(cadence(120), incident="20260102T080000Z"))
    assert only.verdict is Verdict.WARN
    assert "20260102T080000Z" in only.text


def test_what_the_settings_warn_of_is_repeated() -> None:
    """NOTIFY_URLS that are not set, MODE=observe and their like stand in the report as warnings."""
    terms = replace(TERMS, warnings=("NOTIFY_URLS is not set: nobody is told",), outlets=0)
    (only,) = worse(terms)
    assert (only.area, only.verdict) == (Area.SETTINGS, Verdict.WARN)
    assert of(Area.PEOPLE, judged(terms)) == []


@pytest.mark.parametrize(("found", "text", "down", "back"), [
    ([ok(Area.CLOCK, ""), warn(Area.CLOCK, "")], "down and back.", True, True),
    ([fail(Area.BMCS, Way.BACK, "")], "down, not back.", True, False),
    ([fail(Area.BMCS, Way.BACK, ""), fail(Area.CLUSTER, Way.PART, "")], "but for the hosts that are", False, False),
    ([fail(Area.BMCS, Way.BACK, ""), fail(Area.HOSTS, Way.LAST, "")], "not vCenter's own VM and host", False, False),
    ([fail(Area.HOSTS, Way.LAST, ""), fail(Area.VCENTER, Way.DOWN, "")], "NOT be brought down.", False, False),
])
def test_the_worst_finding_makes_the_closing_line(found: list[Finding], text: str, down: bool, back: bool) -> None:
    """Warnings never close the way; of the FAILs the one that stands earliest in it speaks."""
    end = conclusion(found)
    assert text in end.text
    assert (end.can_go_down, end.can_come_back) == (down, back)


def test_long_lists_are_cut_with_a_count() -> None:
    """A thousand names are no finding that anybody reads."""
    assert listed(["c", "a", "b"], 3) == "a, b, c"
    assert listed(["c", "a", "b"], 2) == "a, b and 1 more"


def test_observing_is_said_at_the_end() -> None:
    """A guard that only observes would do nothing of what it could: whoever reads only the last line must see it."""
    end = conclusion([ok(Area.ROOM, "fine")], is_observing=True)
    assert end.text == "The site could be brought down and back, but MODE=observe: nothing would be done."
    assert end.can_come_back


@pytest.mark.parametrize("path", ["/", "/etc", "/root/x", "/usr/share/guard", "/home", "/var", "/volume1", "/lib64"])
def test_nobody_is_told_to_give_away_a_folder_of_the_system(path: str) -> None:
    """A chown on one of the system's own folders would harm the machine: another folder is advised."""
    advice = folder_remedy(path, path, 10001, is_folder=True)
    assert "chown" not in advice
    assert "Name another folder in DATA_DIR" in advice


def test_the_advice_for_a_folder_is_for_that_folder_alone() -> None:
    """Its owner is changed, never that of what is below; what is no folder gets no chown at all."""
    assert folder_remedy("/volume1/guard", "/volume1/guard", 10001, is_folder=True).startswith(
        "As root: chown 10001 /volume1/guard;")
    assert "mkdir -p /srv/guard && chown 10001 /srv/guard" in folder_remedy("/srv/guard", "/srv", 10001, is_folder=True)
    assert "chown" not in folder_remedy("/srv/a/b", "/srv/a", 10001, is_folder=False)
    (only,) = worse(folder=replace(FOLDER, is_writable=False))
    assert "chown 1000 /data" in only.remedy
    assert "-R" not in only.remedy


def test_that_bmcs_may_cut_the_power_is_told_where_it_is_set() -> None:
    """It is the one act that a host cannot refuse: who checks sees that it is allowed, and nothing where it is not."""
    told = [one.text for one in judged(replace(TERMS, force_bmc_off=True)) if "FORCE_BMC_OFF" in one.text]
    assert told == ["FORCE_BMC_OFF is set: the BMC cuts the power of a host that has not shut down in time"]
    assert not any("FORCE_BMC_OFF" in one.text for one in judged())

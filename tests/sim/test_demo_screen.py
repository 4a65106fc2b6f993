"""What the demo shows: loud about being virtual, calm about everything else, the same in a pipe."""

import io
import re

import pytest
from rich.console import Console

from sim.on_site import STARTS_AT, OnSite
from thermo_guard.core import events as ev
from thermo_guard.sim.demo import NOTICE, DayOutcome, DemoScreen, Kind
from thermo_guard.sim.plans import day_of_failing_cooling, office, vcenter_outside
from thermo_guard.sim.story import DemoStory


class Pipe:
    """A screen whose output is kept as a pipe would get it."""

    def __init__(self, encoding: str = "utf-8", width: int = 80) -> None:
        self._bytes = io.BytesIO()
        file = io.TextIOWrapper(self._bytes, encoding=encoding, write_through=True)
        self.screen = DemoScreen(Console(file=file, width=width))
        self.encoding = encoding

    @property
    def text(self) -> str:
        return self._bytes.getvalue().decode(self.encoding)

    @property
    def lines(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.strip()]


def outcome(*differences: str) -> DayOutcome:
    return DayOutcome(
        cooling_failed_at=STARTS_AT, alarm_at=STARTS_AT + 600, all_off_at=STARTS_AT + 1230, peak_c=36.6,
        recovered_at=STARTS_AT + 7200, back_at=STARTS_AT + 9000, vms=(12, 12), hosts=(3, 3), differences=differences,
    )


def test_the_banner_says_that_nothing_is_real() -> None:
    """Nobody may take the demo for a guarded room."""
    pipe = Pipe()
    pipe.screen.banner("a day in short")
    assert NOTICE in pipe.text
    assert "a day in short" in pipe.text


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_a_pipe_gets_plain_text_in_its_own_encoding(encoding: str) -> None:
    """No escape sequence, no glyph that the output cannot hold, no line that is too wide."""
    pipe = Pipe(encoding)
    pipe.screen.banner()
    for number in range(30):
        pipe.screen.temperature(STARTS_AT + number * 60, 20.0 + number, "critical" if number > 20 else "low")
    pipe.screen.happened(STARTS_AT, "tier 1", Kind.PHASE)
    pipe.screen.happened(STARTS_AT, "ALARM: " + "so many reasons " * 20, Kind.ALARM)
    for number in range(50):
        pipe.screen.happened(STARTS_AT, f"vm{number:03d}", Kind.VM_OFF)
    pipe.screen.summary(outcome("mail does not run"))
    assert "\x1b" not in pipe.text
    assert max(map(len, pipe.lines)) <= 80
    assert "?" not in pipe.text


def test_a_still_temperature_is_shown_rarely() -> None:
    """A line when it moves by a degree or the level changes, and every ten minutes otherwise."""
    pipe = Pipe()
    for second in range(0, 1200, 2):
        pipe.screen.temperature(STARTS_AT + second, 22.0 + 0.1 * (second % 3), "low")
    assert len(pipe.lines) == 2
    pipe.screen.temperature(STARTS_AT + 1201, 23.5, "low")
    pipe.screen.temperature(STARTS_AT + 1202, 23.5, "band")
    assert len(pipe.lines) == 4
    assert "BAND" in pipe.lines[-1]


def test_blind_shows_no_degrees() -> None:
    """What is not known is not drawn as cold."""
    pipe = Pipe()
    pipe.screen.temperature(STARTS_AT, None, "blind")
    assert "BLIND" in pipe.text
    assert not re.search(r"\d\.\d", pipe.text)


def test_few_have_a_line_each_and_many_share_one() -> None:
    """Two VMs are two lines, sixty are one that names some and counts the rest."""
    pipe = Pipe()
    for name in ("mail", "files"):
        pipe.screen.happened(STARTS_AT, name, Kind.VM_OFF)
    pipe.screen.happened(STARTS_AT + 5, "esx1", Kind.HOST_OFF)
    for number in range(60):
        pipe.screen.happened(STARTS_AT + 10, f"vm{number}", Kind.VM_ON)
    pipe.screen.flush()
    assert [line.split(maxsplit=2)[2] for line in pipe.lines[:3]] == ["VM mail off", "VM files off", "host esx1 off"]
    assert "60 VMs on: vm0, vm1" in pipe.lines[3]
    assert "and 48 more" in pipe.text


def test_lines_stay_in_order_of_time() -> None:
    """What is gathered for one line is shown before anything later."""
    pipe = Pipe()
    pipe.screen.happened(STARTS_AT, "mail", Kind.VM_OFF)
    pipe.screen.temperature(STARTS_AT + 1, 30.0, "band")
    pipe.screen.happened(STARTS_AT + 2, "files", Kind.VM_OFF)
    pipe.screen.happened(STARTS_AT + 3, "hosts", Kind.PHASE)
    assert [word for line in pipe.lines for word in ("mail", "BAND", "files", "Hosts") if word in line] == [
        "mail", "BAND", "files", "Hosts",
    ]


def test_the_summary_names_each_difference() -> None:
    """A day that did not end as it began says how."""
    pipe = Pipe()
    pipe.screen.summary(outcome("mail does not run"))
    assert "1 difference" in pipe.text
    assert "mail does not run" in pipe.text
    pipe = Pipe()
    pipe.screen.summary(outcome())
    assert "everything is as it was" in pipe.text
    assert "10 min 30 s after the alarm" in pipe.text


async def test_the_story_tells_events_and_world_in_order() -> None:
    """What the world did before an event stands before it, with its own time."""
    pipe, on = Pipe(), OnSite(day_of_failing_cooling(office(), fails_after_s=60.0))
    story = DemoStory(pipe.screen, on.world)
    story.publish({"at": STARTS_AT, "level": "low", "hottest_c": 22.5}, tick_bound_s=60.0)
    on.world.timeline.at(STARTS_AT + 70, lambda: on.world.turn_vm("mail", is_on=False))
    await on.clock.sleep(100.0)
    story.hear(on.clock.now(), ev.AlarmTripped("i1", "high", ("2 of 3 sensors",)))
    story.hear(on.clock.now(), ev.PhaseBegun("i1", ev.Phase.DISARM))
    said = [next((w for w in ("22.5", "fails", "mail", "ALARM", "HA off") if w in line), "") for line in pipe.lines]
    assert said == ["22.5", "fails", "mail", "ALARM", "HA off"]
    assert not story.is_over
    story.hear(on.clock.now(), ev.IncidentClosed("i1", ()))
    assert story.is_over


async def test_the_outcome_is_the_worlds_account() -> None:
    """Times, peak and differences come from what happened, whatever the guard says of it."""
    on = OnSite(day_of_failing_cooling(vcenter_outside(), fails_after_s=60.0))
    story = DemoStory(Pipe().screen, on.world)
    await on.wait(600.0)
    story.hear(on.clock.now(), ev.AlarmTripped("i1", "high", ()))
    alarm_at = on.clock.now()
    for host in ("esx1", "esx2", "esx3"):
        await on.wait(60.0)
        on.world.cut_power(host)
    off_at = on.clock.now()
    on.world.press_power("esx1")
    await on.wait(600.0)
    story.hear(on.clock.now(), ev.IncidentClosed("i1", ()))
    outcome = story.close()
    assert (outcome.alarm_at, outcome.all_off_at) == (alarm_at, off_at)
    assert outcome.cooling_failed_at == STARTS_AT + 60.0
    assert outcome.hosts == (1, 3)
    assert "esx2 is off" in outcome.differences
    assert outcome.recovered_at is None

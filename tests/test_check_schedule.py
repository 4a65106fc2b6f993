"""The check on a schedule: what it compares, whom it tells, and how it ends; on the virtual site in virtual time."""

import asyncio
from dataclasses import dataclass, field

import pytest

from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.check_schedule import Answer, Change, changed, in_words, repeat
from thermo_guard.core.finding import Area, Finding, Way, fail, ok, warn
from thermo_guard.sim.loop import run

HOUR_S = 3600.0
SOUND = (ok(Area.VCENTER, "The login works"), ok(Area.CLUSTER, "Office: 3 hosts, 7 VMs, 5 of them on"))
BROKEN = (fail(Area.VCENTER, Way.DOWN, "Nothing of the cluster could be seen: it is silent", "See VCENTER_HOST."),)


@dataclass
class Watched:
    """A schedule over answers that are given one after another, the last for ever."""

    answers: list[tuple[Finding, ...]]
    shown: list[Answer] = field(default_factory=list)
    told: list[tuple[str, str, bool]] = field(default_factory=list)
    code: int | None = None

    async def check(self) -> tuple[Finding, ...]:
        await asyncio.sleep(30)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def tell(self, title: str, body: str, *, urgent: bool = False) -> None:
        self.told.append((title, body, urgent))

    async def aclose(self, within_s: float) -> None:
        """Nothing waits."""

    def over(self, seconds: float) -> "Watched":
        """What it has done after so long, when it is told to stop."""

        async def go() -> None:
            stop = asyncio.Event()
            asyncio.get_running_loop().call_later(seconds, stop.set)
            self.code = await repeat(self.check, self.shown.append, self, SteadyClock(epoch=0.0), HOUR_S, stop)

        run(go())
        return self


def test_it_checks_each_hour_and_tells_only_what_changes() -> None:
    """The first answer is the measure and is told to nobody; then a change is told once, each way."""
    seen = Watched([SOUND, SOUND, BROKEN, BROKEN, SOUND]).over(5 * (HOUR_S + 30) + 1)
    assert [round(one.at) for one in seen.shown] == [n * 3630 + 30 for n in range(5)]
    assert [one.change is None or bool(one.change) for one in seen.shown] == [True, False, True, False, True]
    assert [(title, urgent) for title, _, urgent in seen.told] == [
        ("Scheduled check: The site could NOT be brought down.", True),
        ("Scheduled check: The site could be brought down and back.", False),
    ]
    assert seen.told[0][1] == (
        "New, fail: vCenter: Nothing of the cluster could be seen: it is silent. See VCENTER_HOST."
    )
    assert "No longer so: vCenter: Nothing of the cluster could be seen" in seen.told[1][1]


@pytest.mark.parametrize(("answers", "seconds", "code"), [
    ([SOUND], HOUR_S, 0), ([BROKEN], HOUR_S, 1), ([SOUND, BROKEN], 2 * HOUR_S, 1),
    ([SOUND], 10, 1),  # in the midst of the first check: nothing is proved
    ([SOUND, BROKEN], HOUR_S + 40, 0),  # in the midst of the second: the first stands
])
def test_it_ends_at_once_and_as_its_last_check(answers: list[tuple[Finding, ...]], seconds: float, code: int) -> None:
    """Told to stop in a wait or in the midst of a check it is over, with what was last proved."""
    assert Watched(list(answers)).over(seconds).code == code


@pytest.mark.parametrize(("before", "now"), [
    ("/data can be written, 10,240 MB free", "/data can be written, 9,870.5 MB free"),
    ("its loop last ticked at 22:10:05 UTC (MODE=armed)", "its loop last ticked at 23:10:07 UTC (MODE=armed)"),
    ("Within 1 s of the sensors' source", "Within 12 s of the sensors' source"),
    ("Hottest 22.5 degC", "Hottest 23 degC"),
])
def test_numbers_alone_are_no_news(before: str, now: str) -> None:
    """Free space, clocks and degrees differ from hour to hour; whoever is told of that reads no message any more."""
    assert not changed([ok(Area.DATA, before)], [ok(Area.DATA, now)])


@pytest.mark.parametrize(("before", "now"), [
    (warn(Area.HOSTS, "no connection to esx1"), warn(Area.HOSTS, "no connection to esx2")),
    (ok(Area.VCENTER, "its address is 192.0.2.10"), ok(Area.VCENTER, "its address is 192.0.2.11")),
    (ok(Area.BMCS, "ilo-1 is esx1"), ok(Area.BMCS, "ilo-2 is esx1")),
    (warn(Area.HOSTS, "no login"), fail(Area.HOSTS, Way.LAST, "no login")),
    (fail(Area.HOSTS, Way.PART, "no login"), fail(Area.HOSTS, Way.LAST, "no login")),
])
def test_names_addresses_and_verdicts_are_news(before: Finding, now: Finding) -> None:
    """Another host, another address, a worse verdict: each is another answer, whatever digits it is written in."""
    assert changed([before], [now]) == Change((now,), (before,))


def test_a_message_names_trouble_and_is_bounded() -> None:
    """What was in order and cannot be seen any more is not listed beside the one line that says why."""
    fine = tuple(ok(Area.HOSTS, f"esx{n}: the direct login works") for n in range(40))
    assert "direct login works" not in in_words(changed(fine, BROKEN))
    assert in_words(changed(fine, fine[:-1])) == "No longer so: ESXi hosts: esx39: the direct login works"
    many = in_words(changed((), tuple(warn(Area.VMS, f"vm{n} stands still") for n in range(40))))
    assert many.splitlines()[-1] == "and 20 more: `thermo-guard check` shows them"

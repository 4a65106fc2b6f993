"""The survey with which a running guard judges itself: from its own edges, changing nothing, each side once."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER
from thermo_guard.core.finding import Area, Finding, Verdict, Way, in_the_way
from thermo_guard.core.plant import BmcSeen, MissingPrivilege
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.step import Timing
from thermo_guard.engine.terms import LoopSettings
from thermo_guard.ports import PowerController
from thermo_guard.sim.blueprint import Blueprint, Infrastructure
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office, vcenter_outside
from thermo_guard.sim.site import SENSORS, VirtualSite
from thermo_guard.sim.world import World
from thermo_guard.survey import Preflight
from thermo_guard.virtual_preflight import virtual_preflight

STARTS_AT = 1_767_340_800.0
SETTINGS = LoopSettings(policy=PolicySettings(), timing=Timing())


def judged(
    folder: Path, plan: Blueprint, trouble: Callable[[VirtualSite, SqlJournal], object] = lambda site, journal: None
) -> tuple[Finding, ...]:
    """What the guard of a virtual site finds of itself after some trouble."""

    async def look() -> tuple[Finding, ...]:
        clock = SteadyClock(epoch=STARTS_AT)
        site = VirtualSite(World(1, plan, STARTS_AT), clock)
        journal = SqlJournal.open(folder)
        try:
            trouble(site, journal)
            return await virtual_preflight(site, clock, SETTINGS, journal)()
        finally:
            journal.close()

    return run(look())


def texts(found: tuple[Finding, ...], way: Way) -> list[str]:
    return [finding.text for finding in in_the_way(found, way)]


def test_a_sound_site_holds_nothing_back(tmp_path: Path) -> None:
    """Where all is in order nothing stands in the way of arming, nor of the way back."""
    assert not [finding for finding in judged(tmp_path, office()) if finding.verdict is Verdict.FAIL]


@pytest.mark.parametrize("edge", [SENSORS, VCENTER])
def test_what_a_shutdown_cannot_do_without_stands_in_the_way_of_arming(tmp_path: Path, edge: str) -> None:
    """A silent source of sensors, or a silent vCenter, is a finding of the way down, with what mends it."""
    found = judged(tmp_path, office(), lambda site, _: site.faults.silence(edge))
    assert in_the_way(found, Way.DOWN)
    assert all(finding.remedy for finding in in_the_way(found, Way.DOWN))


def test_a_missing_right_to_stop_stands_in_the_way_of_arming(tmp_path: Path) -> None:
    """A right to stop that is missing holds arming back; one to start does not: the site could be brought down."""
    lacks = [MissingPrivilege("vm", "mail", f"VirtualMachine.Interact.{right}") for right in ("PowerOff", "PowerOn")]
    stop, start = (judged(tmp_path, replace(office(), denied=(lack,))) for lack in lacks)
    assert [len(texts(stop, way)) for way in (Way.DOWN, Way.BACK)] == [1, 0]
    assert [len(texts(start, way)) for way in (Way.DOWN, Way.BACK)] == [0, 1]


def test_what_only_the_way_back_needs_does_not_hold_back_arming(tmp_path: Path) -> None:
    """Silent BMCs, and direct logins that are refused: told, each in its own way, and nothing of the way down."""

    def trouble(site: VirtualSite, journal: SqlJournal) -> None:
        for bmc in site.bmcs:
            site.faults.silence(bmc.address)
        site.faults.deny_login("esx2")

    found = judged(tmp_path, office(), trouble)
    assert texts(found, Way.DOWN) == []
    assert len(texts(found, Way.BACK)) >= 4
    assert len(texts(found, Way.LAST)) == 1


def test_one_dead_host_does_not_hold_back_the_guard_of_the_others(tmp_path: Path) -> None:
    """A host that answers nobody is a finding of its own part; only where every host is dead nothing could go down."""
    plan = vcenter_outside()
    gone = replace(plan, hosts=tuple(replace(host, is_on=host.name != "esx3") for host in plan.hosts), bmcs=())
    found = judged(tmp_path, gone)
    assert texts(found, Way.DOWN) == []
    assert ["esx3" in text for text in texts(found, Way.PART)] == [True]
    none = replace(plan, hosts=tuple(replace(host, is_on=False) for host in plan.hosts), bmcs=())
    assert texts(judged(tmp_path, none), Way.DOWN)


def test_what_the_journal_remembers_is_judged_with(tmp_path: Path) -> None:
    """Sensors that the guard has learned count with those that the dashboard shows now."""
    serials = tuple(f"Q3CA-999{n}-GONE" for n in range(9))
    found = judged(tmp_path, office(), lambda _, journal: journal.append(STARTS_AT, ev.SensorsLearned(serials)))
    assert any("3 of 12 sensors have a fresh reading" in text for text in texts(found, Way.BACK))


def on_the_cluster(**carries: str) -> Blueprint:
    """The office, whose guard leans on VMs of its own cluster: all of them have addresses."""
    plan = office()
    vms = tuple(replace(vm, addresses=vm.addresses or (f"192.0.2.{100 + n}",)) for n, vm in enumerate(plan.vms))
    return replace(plan, vms=vms, infrastructure=Infrastructure(**carries))  # type: ignore[arg-type]


def test_a_guard_in_a_vm_of_its_cluster_says_so_and_arms(tmp_path: Path) -> None:
    """Its VM and host are named as what stays up; the rest would go down, so that nothing is held back by it."""
    found = judged(tmp_path, on_the_cluster(guard="build-1"))
    assert texts(found, Way.DOWN) == []
    (only,) = texts(found, Way.PART)
    assert "the VM build-1" in only
    assert "esx1" in only


def test_what_the_guard_itself_switches_off_is_told_before(tmp_path: Path) -> None:
    """Name server, domain and mail on VMs of the first tier: one warning each, and no failure."""
    found = judged(tmp_path, on_the_cluster(dns="build-1", domain_controller="print", mail="test-web"))
    assert [finding for finding in found if finding.verdict is Verdict.FAIL] == []
    warned = [finding.text for finding in found if finding.area is Area.INFRASTRUCTURE
              and finding.verdict is Verdict.WARN]
    assert ["build-1" in warned[0], "print" in warned[1], "test-web" in warned[2]] == [True] * 3


class OneByOne:
    """ports.PowerController that fails when it is asked while it is being asked, and counts who is asked at once."""

    busy = 0
    most = 0

    def __init__(self, bmc: PowerController) -> None:
        self.bmc = bmc
        self.is_asked = False

    @property
    def address(self) -> str:
        return self.bmc.address

    async def observe(self) -> BmcSeen:
        assert not self.is_asked
        self.is_asked = True
        OneByOne.busy += 1
        OneByOne.most = max(OneByOne.most, OneByOne.busy)
        try:
            return await self.bmc.observe()
        finally:
            self.is_asked = False
            OneByOne.busy -= 1

    async def power_on(self) -> None:
        pytest.fail("a survey switches nothing on")

    async def force_off(self) -> None:
        pytest.fail("a survey cuts no server's power")

    async def aclose(self) -> None:
        pytest.fail("the edges are the guard's, and stay open")


def test_looks_beside_a_working_guard_are_few_at_once(tmp_path: Path) -> None:
    """With a bound of two no more than two BMCs are asked together, and each once."""

    async def look() -> None:
        clock = SteadyClock(epoch=STARTS_AT)
        site = VirtualSite(World(1, office(), STARTS_AT), clock)
        journal = SqlJournal.open(tmp_path)
        try:
            bmcs = tuple(OneByOne(bmc) for bmc in site.bmcs)
            preflight: Preflight = virtual_preflight(site, clock, SETTINGS, journal, bmcs=bmcs)
            await replace(preflight, at_once=2)()
        finally:
            journal.close()

    run(look())
    assert 1 <= OneByOne.most <= 2


def test_a_preflight_can_be_cancelled(tmp_path: Path) -> None:
    """An alarm ends the survey at once, whatever hangs in it."""

    async def look() -> float:
        clock = SteadyClock(epoch=STARTS_AT)
        site = VirtualSite(World(1, office(), STARTS_AT), clock, silence_s=500.0)
        site.faults.silence(VCENTER)
        journal = SqlJournal.open(tmp_path)
        try:
            asked = asyncio.ensure_future(virtual_preflight(site, clock, SETTINGS, journal)())
            await clock.sleep(1.0)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            assert asked.cancelled()
            return clock.now() - STARTS_AT
        finally:
            journal.close()

    assert run(look()) < 2

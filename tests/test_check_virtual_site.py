"""The whole survey on the virtual site: what goes wrong on a side becomes a finding, and no side hides another."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.core.commands import VCENTER
from thermo_guard.core.finding import Conclusion, Finding, Verdict, conclusion
from thermo_guard.core.plant import ClusterSeen, MissingPrivilege, Unseen
from thermo_guard.core.policy import PolicySettings
from thermo_guard.core.preflight import Terms, findings
from thermo_guard.core.survey import Memory, Network, Survey
from thermo_guard.ports import Transient
from thermo_guard.sim.blueprint import Blueprint
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office, vcenter_outside
from thermo_guard.sim.room import SensorFault
from thermo_guard.sim.site import SENSORS, VirtualSite
from thermo_guard.sim.world import World
from thermo_guard.survey import SIDE_S, Sides, look_at_folder, survey

STARTS_AT = 1_767_340_800.0


@dataclass
class Looked:
    survey: Survey
    took_s: float

    @property
    def findings(self) -> tuple[Finding, ...]:
        return findings(self.survey, Terms(PolicySettings()))

    @property
    def end(self) -> Conclusion:
        return conclusion(self.findings)

    @property
    def failures(self) -> list[str]:
        return [finding.text for finding in self.findings if finding.verdict is Verdict.FAIL]


def looked(
    plan: Blueprint, trouble: Callable[[VirtualSite], None] = lambda site: None, *, hangs: bool = False,
    is_one_account: bool = False,
) -> Looked:
    """Survey a virtual site after some trouble, in virtual time."""

    async def look() -> Looked:
        clock = SteadyClock(epoch=STARTS_AT)
        site = VirtualSite(World(1, plan, STARTS_AT), clock)
        trouble(site)

        async def describe() -> Network:
            if hangs:
                await asyncio.Event().wait()
            if site.faults.is_silent(SENSORS):
                raise Transient("the sensors' source does not answer")
            return Network("N_1", "Virtual", {sensor.serial: None for sensor in plan.sensors})

        folder = look_at_folder(Path("/tmp"), None)
        sides = Sides(
            clock, site.sensors, site.hypervisor, site.bmcs, describe, lambda: 0.2, is_one_account=is_one_account
        )
        return Looked(await survey(sides, folder, Memory()), clock.now() - STARTS_AT)

    return run(look())


def test_the_office_could_be_brought_down_and_back() -> None:
    """The virtual office is in order, its foreign BMC apart, and one look at it takes moments."""
    found = looked(office())
    assert found.failures == []
    assert found.end.can_come_back
    assert found.took_s < 1


def test_vcenter_outside_is_as_good() -> None:
    """A site whose vCenter runs elsewhere, whose BMCs show only serials, can be brought down and back too."""
    assert looked(vcenter_outside()).failures == []


def test_a_denied_right_is_named_with_its_vm() -> None:
    """The right and the VM stand in the same finding."""
    lack = MissingPrivilege("vm", "mail", "VirtualMachine.Interact.PowerOff")
    (only,) = looked(replace(office(), denied=(lack,))).failures
    assert "PowerOff" in only
    assert "mail" in only


def test_silent_vcenter_hides_neither_room_nor_bmcs() -> None:
    """With vCenter silent, sensors and BMCs are looked at, and the hosts are not: nobody has said which they are."""
    found = looked(office(), lambda site: site.faults.silence(VCENTER))
    assert isinstance(found.survey.cluster, Unseen)
    assert found.survey.direct == {}
    assert not isinstance(found.survey.poll, Unseen)
    assert not any(isinstance(look, Unseen) for look in found.survey.bmcs.values())
    assert found.end.text == "The site could NOT be brought down."


def test_a_blind_source_hides_not_the_cluster() -> None:
    """With the sensors' source silent the cluster is seen, and it is said that no alarm could be raised."""
    found = looked(office(), lambda site: site.faults.silence(SENSORS))
    assert isinstance(found.survey.cluster, ClusterSeen)
    assert any("No alarm could be raised" in text for text in found.failures)


def test_a_host_that_refuses_the_login_is_told_with_what_stays_up() -> None:
    """ESXi's refusal on vCenter's host: it would stay up in the heat."""
    found = looked(office(), lambda site: site.faults.deny_login("esx2"))
    (only,) = found.failures
    assert only.startswith("esx2: no direct login")
    assert "heat the room" in only


@pytest.mark.parametrize(("denying", "tried"), [
    (("esx1", "esx2", "esx3"), {"esx1", "esx2"}), (("esx1",), {"esx1", "esx2", "esx3"}), ((), {"esx1", "esx2", "esx3"}),
])
def test_an_account_of_a_domain_is_not_locked_by_a_look(denying: tuple[str, ...], tried: set[str]) -> None:
    """What each host refuses counts against the same account: after two refusals it is tried nowhere else."""

    def deny(site: VirtualSite) -> None:
        for host in denying:
            site.faults.deny_login(host)

    direct = looked(office(), deny, is_one_account=True).survey.direct
    assert set(direct) == {"esx1", "esx2", "esx3"}
    assert {name for name, look in direct.items() if "not tried" not in getattr(look, "reason", "")} == tried
    assert all(isinstance(look, Unseen) and look.is_refused for name, look in direct.items()
               if name in denying or name not in tried)


def test_a_bmc_that_refuses_the_login_leaves_its_host_to_a_person() -> None:
    """A BMC that lets nobody in cannot be matched either: its host may have that one, which is said."""
    found = looked(office(), lambda site: site.faults.deny_login("ilo-b.virtual.invalid"))
    assert any(text.startswith("ilo-b.virtual.invalid") for text in found.failures)
    assert not any("esx2" in text for text in found.failures)
    (maybe,) = [finding.text for finding in found.findings if finding.text.startswith("esx2: no BMC that answers")]
    assert "ilo-b.virtual.invalid" in maybe
    assert found.end.text == "The site could be brought down, not back."


def test_sensors_that_are_gone_make_the_room_blind() -> None:
    """Two of three sensors without a reading are named; where the settings name all three, the room is BLIND."""

    def trouble(site: VirtualSite) -> None:
        for sensor in office().sensors[:2]:
            site.world.room.set_fault(sensor.serial, SensorFault.MISSING)

    found = looked(office(), trouble)
    silent = [finding.text for finding in found.findings if "does not count until it has" in finding.text]
    assert len(silent) == 2
    serials = tuple(sensor.serial for sensor in office().sensors)
    named = findings(found.survey, Terms(PolicySettings(sensors=serials)))
    assert any("the room would be BLIND" in finding.text for finding in named if finding.verdict is Verdict.FAIL)


def test_a_side_that_hangs_ends_at_its_bound() -> None:
    """A peer that never answers costs its bound and no more, and is told."""
    found = looked(office(), hangs=True)
    assert isinstance(found.survey.network, Unseen)
    assert SIDE_S <= found.took_s < SIDE_S + 5
    assert not isinstance(found.survey.poll, Unseen)


def test_the_folder_is_looked_at_and_not_made(tmp_path: Path) -> None:
    """A folder that is not there yet is judged by the one that it will be made in, and stays absent."""
    folder = look_at_folder(tmp_path / "deep" / "data", "ticking")
    assert (folder.is_there, folder.is_writable, folder.running) == (False, True, "ticking")
    assert folder.free_bytes
    assert not (tmp_path / "deep").exists()


def test_a_file_in_the_place_of_the_folder_is_not_writable(tmp_path: Path) -> None:
    """A file where the folder should be takes no journal."""
    (tmp_path / "data").write_text("")
    assert not look_at_folder(tmp_path / "data", None).is_writable


def test_a_folder_that_cannot_even_be_looked_at_is_not_writable(tmp_path: Path) -> None:
    """Whatever the system says against looking at it is a finding, not a traceback."""
    folder = look_at_folder(tmp_path / "file" / "data", None)
    assert folder.nearest == str(tmp_path)
    folder = look_at_folder(tmp_path / ("x" * 300), None)
    assert (folder.is_there, folder.nearest, folder.is_folder) == (False, str(tmp_path), True)
    (tmp_path / "file").write_text("")
    folder = look_at_folder(tmp_path / "file" / "data", None)
    assert (folder.is_writable, folder.nearest, folder.is_folder) == (False, str(tmp_path / "file"), False)

"""A site without vCenter: its settings, what is pinned of it, and what the composition root makes of them."""

import json
from pathlib import Path

import pytest

from peers.settings_bench import GOOD
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.names import SystemNames
from thermo_guard.adapters.vsphere.standalone import Standalone, VcenterOrHost
from thermo_guard.config import BadSettings, Settings, load
from thermo_guard.core.infrastructure import Infrastructure, Leaning, infrastructure_findings
from thermo_guard.core.plant import ClusterSeen, ClusterSettings, Host, Power, Vm
from thermo_guard.core.runbook import Runbook
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.main import Site, loop_settings
from thermo_guard.preflight import own_addresses, real_sides, terms
from thermo_guard.trust import Kind, endpoints_of

ALONE = {
    **{name: value for name, value in GOOD.items() if not name.startswith("VCENTER_")},
    "ESXI_HOSTS": "ESX1.example.com, esx2:8443", "ESXI_USER": "root", "ESXI_PASSWORD": "secret",
}


def wrong(**changes: str) -> dict[str, str]:
    """What is wrong with the settings of hosts without vCenter, changed so; an empty one is not set."""
    with pytest.raises(BadSettings) as caught:
        load({**ALONE, **changes}, None)
    return {problem.variable: problem.wrong for problem in caught.value.problems}


@pytest.mark.parametrize("written", [
    "ESX1.example.com, esx2:8443", '["esx1.example.com", "esx2:8443"]', "esx1.example.com,,esx2:8443,",
])
def test_hosts_stand_in_the_place_of_vcenter(written: str) -> None:
    """A list in either form is enough: VCENTER_HOST and its login are not asked for."""
    settings = load({**ALONE, "ESXI_HOSTS": written}, None)
    assert settings.esxi_hosts == ("esx1.example.com", "esx2:8443")
    assert (settings.vcenter_host, settings.vcenter_user, settings.vcenter_password) == (None, None, None)
    assert settings.warnings == ()


def test_ipv6_addresses_are_hosts_too() -> None:
    """A list that begins with a bracket is JSON only where it is no address."""
    settings = load({**ALONE, "ESXI_HOSTS": "[fd00::1]:8443,fd00::2"}, None)
    assert settings.esxi_hosts == ("[fd00::1]:8443", "fd00::2")


def test_hosts_and_a_vcenter_are_two_sites() -> None:
    """Both together would leave open who is asked: each of vCenter's settings is refused beside ESXI_HOSTS."""
    told = wrong(VCENTER_HOST="vc", VCENTER_USER="guard@vsphere.local", VCENTER_PASSWORD="secret")
    assert set(told) == {"VCENTER_HOST", "VCENTER_USER", "VCENTER_PASSWORD"}
    assert all("ESXI_HOSTS is too" in text for text in told.values())


def test_what_only_a_vcenter_has_is_told_to_be_unread() -> None:
    """A cluster's name or vCenter's fingerprint that is left over is no error, and not silently ignored."""
    noticed = load({**ALONE, "VCENTER_CLUSTER": "Lab"}, None).warnings
    assert [text for text in noticed if text.startswith("VCENTER_CLUSTER is set with ESXI_HOSTS")]


def test_each_host_needs_a_login() -> None:
    """One for all, or of its own in ILO_HOSTS: a host without any could never be shut down."""
    assert "esx1.example.com, esx2:8443" in wrong(ESXI_USER="", ESXI_PASSWORD="")["ESXI_PASSWORD"]
    entry = {"host": "ilo1", "username": "u", "password": "long enough", "esxi_host": "ESX1.example.com",
             "esxi_user": "tg", "esxi_password": "secret"}
    own = {"ESXI_USER": "", "ESXI_PASSWORD": "", "ILO_HOSTS": json.dumps([entry])}
    assert ": esx2:8443 of ESXI_HOSTS" in wrong(**own)["ESXI_PASSWORD"]
    settings = load({**ALONE, **own, "ESXI_HOSTS": "esx1.example.com"}, None)
    assert loop_settings(settings).bmc_overrides == {"ilo1": "esx1.example.com"}  # as the host is named


@pytest.mark.parametrize(("written", "part"), [
    ("https://esx1", "is a URL"), ("esx1,esx1:443", "names esx1:443 more than once"), ("esx 1", "no host name"),
    ('["esx1"', "no valid JSON"), ("[1]", "something else than texts"),
])
def test_what_is_no_list_of_hosts_is_told(written: str, part: str) -> None:
    """Each mistake is told in words, before the guard starts."""
    assert part in wrong(ESXI_HOSTS=written)["ESXI_HOSTS"]


def made(settings: Settings) -> Site:
    clock = SteadyClock()
    return Site(settings, clock, logins=RefusedLogins(clock), names=SystemNames(clock))


async def test_who_is_asked_is_decided_by_the_settings() -> None:
    """ESXI_HOSTS never ask a vCenter; what VCENTER_HOST is, its login says."""
    alone, either = made(load(ALONE, None)), made(load(GOOD, None))
    assert isinstance(alone.hypervisor, Standalone)
    assert isinstance(either.hypervisor, VcenterOrHost)
    for site in (alone, either):
        await site.aclose()


async def test_nothing_is_asked_of_a_vcenter_that_there_is_not(tmp_path: Path) -> None:
    """No certificate of its, no judgement of it, and the hosts are peers by which the guard's own VM is known."""
    settings = load({**ALONE, "ESXI_HOSTS": "127.0.0.1", "DATA_DIR": str(tmp_path)}, None)
    site, clock = made(settings), SteadyClock()
    names = SystemNames(clock)
    sides = real_sides(settings, clock, site.sensors, site.hypervisor, site.bmcs, names)
    assert sides.vcenter_certificate is None
    assert not terms(settings, loop_settings(settings)).has_vcenter
    assert own_addresses(settings, names, site.hypervisor)() == ()
    await site.aclose()


def test_the_hosts_certificates_are_pinned_as_vcenters_is() -> None:
    """Nobody else vouches for them: each is an endpoint, and so is each BMC; a vCenter is none."""
    endpoints = endpoints_of(load(ALONE, None))
    assert [(one.kind, one.key) for one in endpoints] == [
        (Kind.ESXI, "esx1.example.com:443"), (Kind.ESXI, "esx2:8443"), (Kind.BMC, "ilo1:443")]


def test_a_domain_on_the_hosts_takes_every_direct_login_with_it() -> None:
    """Of a vCenter's own host nothing is said where there is none."""
    settings = ClusterSettings(
        ha_enabled=False, ha_host_monitoring=None, ha_admission_control=None, drs_enabled=False, drs_behavior=None,
        drs_overrides=None, dpm_enabled=None,
    )
    domain = Vm("dc", "dc", "esx1", Power.ON, addresses=("192.0.2.10",))
    cluster = ClusterSeen(0.0, "esx1", (Host("esx1", "esx1:443", ""),), (domain,), settings, is_standalone=True)
    for setting, password in (("ESXI_USER", "ESXI_PASSWORD"), ("VCENTER_USER", "VCENTER_PASSWORD")):
        leaning = Infrastructure(domains=(Leaning(setting, "corp.lab", ("192.0.2.10",)),))
        told = infrastructure_findings(cluster, leaning, runbook=Runbook(), vcenter_vm=None, guard_vm=None)
        (only,) = [one for one in told if one.text.startswith(setting)]
        assert "the shutdown of every host" in only.text
        assert password in only.remedy
        assert "vCenter" not in only.text

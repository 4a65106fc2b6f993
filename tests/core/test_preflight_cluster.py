"""`check`'s rules of vCenter, privileges, cluster and hosts, each by an example."""

from dataclasses import replace

import pytest

from core.surveyed import CLUSTER, OUTSIDE, REFUSED, SILENT, SOUND, TERMS, VCENTER, bmc, judged, vm, worse
from thermo_guard.core.finding import Area, Verdict, Way, conclusion
from thermo_guard.core.plant import MissingPrivilege, Power, Trouble, Unseen


def direct(**looks: Unseen) -> dict[str, object]:
    return {**SOUND.direct, **looks}


@pytest.mark.parametrize(("cluster", "names"), [(REFUSED, "VCENTER_PASSWORD"), (SILENT, "VCENTER_HOST")])
def test_without_vcenter_nothing_could_be_brought_down(cluster: Unseen, names: str) -> None:
    """A vCenter that does not answer or refuses is one FAIL, and the BMCs are still told of."""
    found = worse(cluster=cluster, missing=cluster, direct={})
    assert [(finding.area, finding.way) for finding in found] == [(Area.VCENTER, Way.DOWN), (Area.BMCS, None)]
    assert names in found[0].remedy


def test_each_missing_privilege_is_named_with_its_entity() -> None:
    """Privilege and entities stand in one line, and what it stands in the way of is the privilege's own."""
    missing = (
        MissingPrivilege("vm", "web", "VirtualMachine.Interact.PowerOff"),
        MissingPrivilege("vm", "db", "VirtualMachine.Interact.PowerOff"),
        MissingPrivilege("vm", "db", "VirtualMachine.Interact.PowerOn"),
        MissingPrivilege("cluster", "Office", "Host.Inventory.EditCluster"),
    )
    told = {finding.text.split(":")[0]: finding.way for finding in worse(missing=missing)}
    assert told == {
        "Host.Inventory.EditCluster is missing on the cluster Office": Way.DOWN,
        "VirtualMachine.Interact.PowerOff is missing on the VMs db, web": Way.DOWN,
        "VirtualMachine.Interact.PowerOn is missing on the VM db": Way.BACK,
    }


def test_a_right_whose_absence_is_made_up_for_holds_nobody_up() -> None:
    """Without the one for the cluster services their hosts go down all the same: told, and no FAIL."""
    (only,) = worse(missing=(MissingPrivilege("root folder", "of vCenter", "Global.Settings"),))
    assert (only.verdict, only.way) == (Verdict.WARN, None)
    assert only.text.startswith("Global.Settings is missing on the root folder of vCenter: ")


def test_privileges_that_cannot_be_asked_for_are_not_taken_for_granted() -> None:
    """No answer on the privileges is a FAIL: nobody knows whether the shutdown would be allowed."""
    (only,) = worse(missing=SILENT)
    assert (only.area, only.way) == (Area.PRIVILEGES, Way.DOWN)


def test_vcenters_vm_is_named_and_a_vcenter_outside_is_said() -> None:
    """Which VM is vCenter and where it runs stands in the report; so does that none is."""
    inside = [finding.text for finding in judged() if finding.area is Area.VCENTER]
    assert any(text.startswith("vCenter is the VM vcsa on esx2") for text in inside)
    outside = [finding.text for finding in judged(cluster=OUTSIDE) if finding.area is Area.VCENTER]
    assert any("does not run in this cluster" in text and "external" in text for text in outside)


def test_two_vms_that_could_be_vcenter_fail() -> None:
    """Two candidates are never decided between: a person has to say which one it is."""
    twin = vm("vcsa-old", product="VMware vCenter Server Appliance")
    (only,) = worse(cluster=replace(CLUSTER, vms=(*CLUSTER.vms, twin)))
    assert (only.area, only.way) == (Area.VCENTER, Way.LAST)
    assert "vcsa, vcsa-old could each be vCenter" in only.text
    assert "VCENTER_VM" in only.remedy


def test_a_vcenter_vm_that_is_none_fails() -> None:
    """VCENTER_VM that names no VM is a slip of the pen, not an external vCenter."""
    (only,) = worse(replace(TERMS, vcenter_vm="vcs"), cluster=OUTSIDE)
    assert (only.area, only.verdict) == (Area.VCENTER, Verdict.FAIL)
    assert "vcs is no VM of the cluster" in only.text


def test_the_login_of_vcenters_host_decides_whether_it_goes_down() -> None:
    """A refused login on vCenter's host leaves it up; on another host DRS may move vCenter there. Both fail."""
    (home,) = worse(direct=direct(esx2=REFUSED))
    assert home.way is Way.LAST
    assert "vCenter runs there" in home.text
    (other,) = worse(direct=direct(esx3=SILENT))
    assert other.way is Way.LAST
    assert "can be moved there" in other.text
    assert not conclusion([home]).can_go_down


def test_a_direct_login_is_only_a_reserve_where_vcenter_is_outside() -> None:
    """With vCenter elsewhere a refused host login is a warning."""
    (only,) = worse(cluster=OUTSIDE, direct=direct(esx2=REFUSED))
    assert only.verdict is Verdict.WARN


@pytest.mark.parametrize(("cluster", "verdict"), [(CLUSTER, Verdict.FAIL), (OUTSIDE, Verdict.WARN)])
def test_no_esxi_login_at_all_is_said_once(cluster: object, verdict: Verdict) -> None:
    """Without ESXI_USER there is one line, not one a host; it fails where vCenter runs inside."""
    refused = dict.fromkeys(SOUND.direct, REFUSED)
    (only,) = worse(replace(TERMS, has_esxi_logins=False), cluster=cluster, direct=refused)
    assert only.verdict is verdict
    assert "ESXI_USER" in only.remedy


def test_guests_that_cannot_be_asked_are_counted() -> None:
    """VMs that run without tools are told: they lose their power instead of being shut down."""
    bare = vm("bare", can_shut_down_guest=False, is_tools_running=False)
    off = vm("off", can_shut_down_guest=False, power=Power.OFF)
    (only,) = worse(cluster=replace(CLUSTER, vms=(*CLUSTER.vms, bare, off)))
    assert only.text.startswith("1 VMs that run")
    assert only.text.endswith(": bare")


def test_a_host_that_vcenter_has_lost_is_told() -> None:
    """A host without connection is named; its VMs are not reported a second time as lost."""
    gone = replace(CLUSTER.hosts[2], is_connected=False, power=Power.UNKNOWN)
    vms = (vm("db", "esx3", is_reachable=False, power=Power.UNKNOWN), VCENTER)
    (only,) = worse(cluster=replace(CLUSTER, hosts=(*CLUSTER.hosts[:2], gone), vms=vms))
    assert "no connection to esx3" in only.text


def test_a_cluster_without_hosts_fails() -> None:
    """An empty cluster is a wrong VCENTER_CLUSTER, not a site in order."""
    found = worse(cluster=replace(OUTSIDE, hosts=(), vms=()), direct={})
    assert any(finding.area is Area.CLUSTER and finding.way is Way.DOWN for finding in found)


def test_the_settings_that_will_be_restored_are_shown() -> None:
    """HA, DRS and DPM as they stand are in the report, for whoever compares afterwards."""
    text = next(finding.text for finding in judged() if "restored" in finding.text)
    assert "HA is on with admission control, DRS is fullyAutomated, with levels of their own for single VMs" in text
    assert "disarmed before the first VM is stopped" in text
    still = replace(CLUSTER.settings, ha_enabled=False, drs_enabled=False)
    assert any("nothing to disarm" in one.text for one in judged(cluster=replace(CLUSTER, settings=still)))


def test_on_vsan_only_the_vms_could_be_brought_down() -> None:
    """A guard arms for them all the same; that its hosts stay up is said, by the conclusion also."""
    (only,) = worse(cluster=replace(CLUSTER, has_vsan=True))
    assert (only.area, only.way) == (Area.CLUSTER, Way.HOSTS)
    assert "stops the VMs only" in only.text
    end = conclusion([only])
    assert end.text == ("The VMs could be brought down and back, but no host: all of them stay up, and vCenter with "
                        "them.")
    assert not end.can_go_down


@pytest.mark.parametrize("word", ["external", "web"])
def test_a_vcenter_vm_against_the_evidence_fails(word: str) -> None:
    """VCENTER_VM that contradicts what vCenter's address shows would cut the guard off in mid-shutdown: no exit 0."""
    (only,) = worse(replace(TERMS, vcenter_vm=word))
    assert (only.area, only.way) == (Area.VCENTER, Way.DOWN)
    assert "vcsa: its address is 192.0.2.10" in only.text
    assert not conclusion([only]).can_go_down


def test_a_vcenter_vm_that_nothing_proves_is_a_warning() -> None:
    """A named VM whose tools are silent may be right: it is said, and is no failure."""
    silent = replace(VCENTER, addresses=())
    (only,) = worse(replace(TERMS, vcenter_vm="vcsa"), cluster=replace(CLUSTER, vms=(vm("web"), silent)))
    assert only.verdict is Verdict.WARN
    assert "VMware Tools" in only.remedy


def test_a_silent_host_that_no_login_reaches_fails() -> None:
    """What runs on it can be neither shown nor stopped; with a direct login that works, or off by its BMC, it warns."""
    gone = replace(CLUSTER.hosts[2], is_connected=False, power=Power.UNKNOWN)
    cluster = replace(OUTSIDE, hosts=(*CLUSTER.hosts[:2], gone))
    failed = [one for one in worse(cluster=cluster, direct=direct(esx3=SILENT)) if one.verdict is Verdict.FAIL]
    assert [(one.area, one.way) for one in failed] == [(Area.HOSTS, Way.PART)]
    assert not conclusion(failed).can_go_down
    assert "no connection to esx3, and no direct login works" in failed[0].text
    off = {**SOUND.bmcs, "ilo3": bmc("ilo3", "esx3", power=Power.OFF)}
    told = worse(cluster=cluster, direct=direct(esx3=SILENT), bmcs=off)
    assert all(one.verdict is Verdict.WARN for one in told)
    assert any("by the BMC the power is off" in one.text for one in told)


def test_only_where_every_host_is_silent_nothing_could_go_down() -> None:
    """One dead host is its own part and holds up nothing else; a cluster that no host of can be reached is no part."""
    gone = tuple(replace(host, is_connected=False, power=Power.UNKNOWN) for host in CLUSTER.hosts)
    found = worse(cluster=replace(OUTSIDE, hosts=gone), direct=dict.fromkeys(SOUND.direct, SILENT))
    assert [one.area for one in found if one.way is Way.DOWN] == [Area.HOSTS]


@pytest.mark.parametrize(("trouble", "words"), [
    (Trouble.NO_NAME, "DNS"), (Trouble.NOT_LISTENING, "port"), (Trouble.NO_ANSWER, "firewall"),
    (Trouble.UNTRUSTED, "VCENTER_FINGERPRINT=AA:BB"), (Trouble.WRONG_PIN, "renewed"),
    (Trouble.WRONG_CLUSTER, "VCENTER_CLUSTER"),
])
def test_each_trouble_with_vcenter_has_its_own_remedy(trouble: Trouble, words: str) -> None:
    """A name, a port, a certificate and a cluster are mended in different places: the remedy names the right one."""
    away = Unseen(0.0, "away", trouble=trouble, shows="AA:BB" if trouble is Trouble.UNTRUSTED else "")
    assert words in worse(cluster=away, missing=away, direct={})[0].remedy


def test_another_sites_vcenter_beside_an_external_one_is_a_warning() -> None:
    """VCENTER_VM=external, and a VM is a vCenter by its product alone: it may be right, and is said."""
    other = vm("vcsa-2", product="VMware vCenter Server Appliance")
    (only,) = worse(replace(TERMS, vcenter_vm="external"), cluster=replace(OUTSIDE, vms=(*OUTSIDE.vms, other)))
    assert (only.area, only.verdict) == (Area.VCENTER, Verdict.WARN)
    assert "a VM of this cluster is a vCenter by its product" in only.text

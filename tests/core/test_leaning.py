"""What `check` says of what the guard leans on: its own machine, name servers, the domains of its logins, mail."""

from dataclasses import replace

import pytest

from core.surveyed import CLUSTER, TERMS, VCENTER, judged, of, vm, worse
from thermo_guard.core.finding import Area, Finding, Verdict, Way, conclusion
from thermo_guard.core.infrastructure import Infrastructure, Leaning, domain_of, resolvers_of
from thermo_guard.core.runbook import Runbook

DC = vm("dc-1", "esx3", addresses=("192.0.2.53", "fe80::1"))
DB = vm("db", "esx3", tier=3)
SITE = replace(CLUSTER, vms=(vm("web"), DB, DC, VCENTER))
NAS = "192.0.2.99"


def leaning(terms: object = TERMS, cluster: object = SITE, **leans: object) -> list[Finding]:
    """What is not in order with this machine and this cluster."""
    machine = Infrastructure(**{"own_addresses": (NAS,), **leans})  # type: ignore[arg-type]
    found = worse(terms, cluster=cluster, infrastructure=machine)  # type: ignore[arg-type]
    assert found == of(Area.INFRASTRUCTURE, found)
    return found


def test_a_guard_outside_leans_on_nothing_of_the_cluster() -> None:
    """A NAS with name servers outside: nothing to say but that it is so."""
    elsewhere = Leaning("VCENTER_USER", "corp.example", ("198.51.100.7",))
    assert leaning(resolvers=("198.51.100.53",), domains=(elsewhere,)) == []
    (said, servers) = of(Area.INFRASTRUCTURE, judged(
        cluster=SITE, infrastructure=Infrastructure(("198.51.100.53",), (NAS,))))
    assert "No VM of this cluster runs the guard" in said.text
    assert "198.51.100.53" in servers.text


def test_a_guard_on_a_vm_of_its_cluster_fails_with_what_follows() -> None:
    """The VM and its host are named with what follows; the rest still goes down, so that arming is not held back."""
    (only,) = leaning(own_addresses=("192.0.2.53",))
    assert (only.verdict, only.way) == (Verdict.FAIL, Way.PART)
    assert "the VM dc-1" in only.text
    assert "esx3" in only.text
    assert "would stay up" in only.text
    assert "GUARD_VM=none" in only.remedy
    assert not conclusion([only]).can_go_down


def test_two_vms_that_could_be_the_guards_ask_a_person() -> None:
    """Each candidate is left up and named until GUARD_VM says which one it is."""
    twin = vm("dc-2", "esx1", addresses=("192.0.2.53",))
    (only,) = leaning(cluster=replace(SITE, vms=(*SITE.vms, twin)), own_addresses=("192.0.2.53",))
    assert only.way is Way.PART
    assert "GUARD_VM=<one of dc-1, dc-2>" in only.remedy


def test_a_guard_vm_that_is_none_stands_in_the_way_of_everything() -> None:
    """Whoever sets GUARD_VM says that the guard runs in a VM: with a slip of the pen it would shut itself down."""
    (only,) = leaning(replace(TERMS, guard_vm="dc1"))
    assert only.way is Way.DOWN
    assert "GUARD_VM=dc1 is no VM of the cluster" in only.text
    (found,) = leaning(replace(TERMS, guard_vm="dc1"), own_addresses=("192.0.2.53",))
    assert found.way is Way.PART  # its address says which one it is


def test_the_word_of_a_person_stands_against_the_address() -> None:
    """GUARD_VM=none where a router of the cluster lends the guard its address."""
    assert leaning(replace(TERMS, guard_vm="none"), own_addresses=("192.0.2.53",)) == []


@pytest.mark.parametrize(("maker", "count"), [("VMware, Inc.", 1), ("Synology", 0), (None, 0)])
def test_a_vm_of_vsphere_that_is_not_found_is_a_doubt(maker: str | None, count: int) -> None:
    """A machine that is a VM of vSphere and of no VM's address may be one without tools: a person should say so."""
    found = leaning(maker=maker)
    assert len(found) == count
    assert all("GUARD_VM=none" in finding.remedy for finding in found)
    assert leaning(replace(TERMS, guard_vm="none"), maker=maker) == []


def test_a_name_server_that_is_stopped_early_is_told_with_the_line_that_mends_it() -> None:
    """The VM, its tier, that names are remembered, and VM_TIERS as it has to be written."""
    (only,) = leaning(replace(TERMS, runbook=Runbook((("web*", 2),))), resolvers=("192.0.2.53",))
    assert only.verdict is Verdict.WARN
    assert "dc-1 (tier 1 of 3)" in only.text
    assert "remembers" in only.text
    assert """VM_TIERS='{"dc-1": 3, "web*": 2}'""" in only.remedy


def test_a_name_server_of_the_last_tier_or_of_vcenter_is_in_order() -> None:
    """What stops last serves until the hosts go; vCenter's own VM goes after them."""
    last = replace(SITE, vms=(vm("web"), DB, replace(DC, tier=3), VCENTER))
    assert leaning(cluster=last, resolvers=("192.0.2.53", "192.0.2.10")) == []


def test_without_tiers_a_name_server_goes_with_the_first() -> None:
    """Where all VMs are one tier, it needs a later one of its own."""
    flat = replace(SITE, vms=(vm("web"), DC, VCENTER))
    (only,) = leaning(cluster=flat, resolvers=("192.0.2.53",))
    assert """VM_TIERS='{"dc-1": 2}'""" in only.remedy


def test_a_tier_by_tag_is_mended_by_the_tag() -> None:
    """VM_TIERS would not count for a VM that has a tag."""
    tagged = replace(SITE, vms=(vm("web"), DB, replace(DC, tier=1), VCENTER))
    (only,) = leaning(cluster=tagged, resolvers=("192.0.2.53",))
    assert "thermo-guard-tier to 3" in only.remedy


def test_a_second_name_server_outside_is_named() -> None:
    """Who then has to answer stands in the same line."""
    (only,) = leaning(resolvers=("192.0.2.53", "198.51.100.53"))
    assert "then 198.51.100.53 has to answer" in only.text


@pytest.mark.parametrize(("setting", "local"), [
    ("VCENTER_USER", "VCENTER_USER=thermo-guard@vsphere.local"), ("ESXI_USER", "ESXI_USER=thermo-guard"),
])
def test_a_login_of_a_domain_on_the_cluster_is_told_with_a_local_account(setting: str, local: str) -> None:
    """Its controllers are named, with what fails when they are off, and the account that does not need them."""
    domain = Leaning(setting, "corp.example", ("192.0.2.53", "198.51.100.7"))
    (only,) = leaning(domains=(domain,))
    assert "corp.example" in only.text
    assert "dc-1" in only.text
    assert "198.51.100.7" in only.text
    assert local in only.remedy


def test_a_domain_that_stands_for_nothing_says_nothing() -> None:
    """A domain of vCenter's own has no address, or vCenter's: neither is a directory on the cluster."""
    own = (Leaning("VCENTER_USER", "vsphere.local"), Leaning("VCENTER_USER", "vsphere.local", ("192.0.2.10",)))
    assert leaning(domains=own) == []


def test_a_mail_server_on_the_cluster_makes_messages_wait() -> None:
    """Messages by it go out later, and an address elsewhere is advised."""
    (only,) = leaning(mail=(Leaning("NOTIFY_URLS", "mail.example", ("192.0.2.53",)),))
    assert "messages wait" in only.text


@pytest.mark.parametrize(("text", "servers"), [
    ("nameserver 192.0.2.53\nnameserver 2001:DB8::53\n", ("192.0.2.53", "2001:db8::53")),
    ("# a word\n; nameserver 198.51.100.1\nnameserver\t192.0.2.53 # ours\nsearch example\n", ("192.0.2.53",)),
    ("nameserver 127.0.0.11\noptions ndots:0\n# ExtServers: [192.0.2.53 host(192.0.2.54)]\n# Overrides: []\n",
     ("192.0.2.53", "192.0.2.54")),
    ("nameserver 127.0.0.11\n# ExtServers: [host(127.0.0.53) invalid IP]\n", ()),
    ("nameserver 127.0.0.1\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver nonsense\n", ()),
    ("", ()),
])
def test_name_servers_are_read_from_the_resolvers_file(text: str, servers: tuple[str, ...]) -> None:
    """Docker's comment holds the real ones; a server on the machine itself says nothing of who is behind it."""
    assert resolvers_of(text) == servers


def test_behind_a_local_server_the_real_ones_are_read_once() -> None:
    """Two files that name the same server name one."""
    assert resolvers_of("nameserver 127.0.0.53\n", "nameserver 192.0.2.53\nnameserver 192.0.2.53\n") == ("192.0.2.53",)


@pytest.mark.parametrize(("user", "domain"), [
    ("guard@Corp.Example", "corp.example"), ("CORP\\guard", "corp"), ("root", None), (None, None), ("@corp", None),
    ("guard@", None), ("first@last@corp.example.", "corp.example"),
])
def test_the_domain_of_an_account_is_what_its_name_says(user: str | None, domain: str | None) -> None:
    """Both ways in which it is written; an account without one has none."""
    assert domain_of(user) == domain

"""`check`'s rules of hosts that are locked, let go, asleep, in maintenance mode, or that have no vCenter."""

from dataclasses import replace

from core.surveyed import CLUSTER, OUTSIDE, REFUSED, SILENT, SOUND, TERMS, judged, of, worse
from thermo_guard.core.finding import Area, Finding, Verdict, Way
from thermo_guard.core.plant import ClusterSeen, HostSeen, Power, Trouble, Unseen


def with_third(cluster: ClusterSeen = CLUSTER, **changes: object) -> ClusterSeen:
    """The cluster with its third host changed."""
    return replace(cluster, hosts=(*cluster.hosts[:2], replace(cluster.hosts[2], **changes)))  # type: ignore[arg-type]


def hosts(found: list[Finding]) -> str:
    return "; ".join(f"{one.verdict} {one.text}" for one in of(Area.HOSTS, found))


def test_a_host_in_lockdown_mode_has_its_own_remedy() -> None:
    """A refused login is then no wrong password: the account is to be an exception user. Who is one is in order."""
    (only,) = worse(cluster=with_third(in_lockdown=True), direct={**SOUND.direct, "esx3": REFUSED})
    assert only.way is Way.LAST
    assert "exception users" in only.remedy
    assert "ESXI_PASSWORD" not in only.remedy
    found = judged(cluster=with_third(in_lockdown=True))
    assert "ok esx3: the direct login works; 0 VMs on, in lockdown mode, where the account" in hosts(found)


def test_a_host_that_vcenter_has_let_go_of_is_left_so() -> None:
    """It is stopped over its own login, and after the way back it is as someone had left it: told."""
    found = worse(cluster=with_third(is_connected=False, is_let_go=True, power=Power.UNKNOWN))
    assert {one.verdict for one in found} == {Verdict.WARN}
    assert "vCenter has let go of esx3" in hosts(found)
    assert "only be stopped over the direct login, which works" in hosts(found)


def test_a_host_in_standby_or_in_maintenance_mode_stays_so() -> None:
    """Neither is trouble, and a login that cannot be tried asleep is none."""
    asleep = judged(cluster=with_third(power=Power.OFF, is_connected=False), direct={**SOUND.direct, "esx3": SILENT})
    assert "ok In standby, and left so; no login can be tried there: esx3" in hosts(asleep)
    assert of(Area.HOSTS, [one for one in asleep if one.verdict is not Verdict.OK]) == []
    maintained = judged(cluster=with_third(in_maintenance=True))
    assert "ok In maintenance mode already, and still in it after the way back: esx3" in hosts(maintained)


def test_without_vcenter_each_host_must_take_a_login() -> None:
    """Standalone hosts: nothing is said of vCenter, HA or DRS, and a host that refuses stands in the way of arming."""
    alone = replace(OUTSIDE, is_standalone=True)
    found = judged(cluster=alone)
    assert [one.text for one in found if one.verdict is not Verdict.OK] == []
    assert of(Area.VCENTER, found) == []
    assert not any("DRS" in one.text or "vCLS" in one.text for one in found)
    no_login = replace(TERMS, has_esxi_logins=False)  # VCENTER_USER may be the hosts' own
    (only,) = worse(no_login, cluster=alone, direct={**SOUND.direct, "esx2": REFUSED})
    assert (only.area, only.way) == (Area.HOSTS, Way.DOWN)
    assert "There is no vCenter" in only.text
    untrusted = Unseen(0.0, "its certificate is not trusted", trouble=Trouble.UNTRUSTED)
    (only,) = worse(cluster=alone, direct={**SOUND.direct, "esx2": untrusted})
    assert "thermo-guard pin" in only.remedy


def test_a_host_that_a_vcenter_manages_is_no_standalone_host() -> None:
    """HA would start again what is stopped there: told before the alarm, and a guard does not arm on it."""
    managed = {name: replace(look, managed_by="192.0.2.10") for name, look in SOUND.direct.items()
               if isinstance(look, HostSeen)}
    (first, *_) = found = worse(cluster=replace(OUTSIDE, is_standalone=True), direct=managed)
    assert {one.way for one in found} == {Way.DOWN}
    assert "esx1: the vCenter at 192.0.2.10 manages it. Its HA would start again" in first.text
    assert "VCENTER_HOST" in first.remedy
    assert worse(direct=managed) == []


def test_one_dead_standalone_host_does_not_hold_up_the_others() -> None:
    """It is told once, and a guard still arms for those that answer."""
    alone = with_third(replace(OUTSIDE, is_standalone=True), is_connected=False, power=Power.UNKNOWN)
    (only,) = worse(cluster=alone, direct={**SOUND.direct, "esx3": SILENT})
    assert (only.area, only.way) == (Area.HOSTS, Way.PART)
    assert f"There is no answer from esx3 ({SILENT.reason})" in only.text


def test_a_standalone_host_that_is_turned_away_is_told_once() -> None:
    """It is shown as not connected too: one finding, with the login or the certificate as what is to be mended."""
    alone = with_third(replace(OUTSIDE, is_standalone=True), is_connected=False, power=Power.UNKNOWN)
    changed = Unseen(0.0, "another certificate", trouble=Trouble.WRONG_PIN)
    for look, remedy in ((REFUSED, "ESXI_PASSWORD"), (changed, "thermo-guard pin")):
        (only,) = worse(cluster=alone, direct={**SOUND.direct, "esx3": look})
        assert "There is no vCenter" in only.text
        assert remedy in only.remedy


def test_where_no_host_of_a_site_without_vcenter_is_seen_nothing_is_said_of_vcenter() -> None:
    """The remedy names the settings that there are: ESXI_HOSTS and its logins."""
    no_vcenter = replace(TERMS, has_vcenter=False)
    for unseen, remedy in ((SILENT, "ESXI_HOSTS"), (REFUSED, "ESXI_PASSWORD"),
                           (Unseen(0.0, "unknown CA", trouble=Trouble.UNTRUSTED), "thermo-guard pin")):
        found = worse(no_vcenter, cluster=unseen, missing=unseen, direct={})
        (only,) = of(Area.HOSTS, found)
        assert of(Area.VCENTER, found) == []
        assert remedy in only.remedy
        assert "vcenter" not in f"{only.text} {only.remedy}".lower()


def test_a_refused_login_of_a_host_is_sent_to_its_password() -> None:
    """Not in lockdown mode: the account itself, or as it stands in ILO_HOSTS."""
    (only,) = worse(direct={**SOUND.direct, "esx3": REFUSED})
    assert "ESXI_PASSWORD" in only.remedy

"""Which BMC is which host: on proof only, whatever the order and the names."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thermo_guard.core.matching import (
    FindingKind,
    Matching,
    Proof,
    is_another_machine,
    match_bmcs,
    real_serial,
    real_uuid,
)
from thermo_guard.core.plant import BmcSeen, Host, Power

A = "39383250-3834-584d-5132-333930524857"
A_OTHER_ORDER = "50323839-3438-4d58-5132-333930524857"
B = "4c4c4544-0035-3410-8050-c6c04f314733"
NO_UUID = "00000000-0000-0000-0000-000000000000"


def host(name: str, uuid: str = NO_UUID, *serials: str) -> Host:
    return Host(name, f"{name}:443", uuid, serials)


def bmc(address: str, uuid: str | None = None, *serials: str) -> BmcSeen:
    return BmcSeen(0.0, address, Power.ON, uuid, serials)


def kinds(matching: Matching) -> list[FindingKind]:
    return [finding.kind for finding in matching.findings]


def test_uuid_pairs_in_both_byte_orders_and_any_case() -> None:
    """SMBIOS writes the first three fields either way round; both are the same board."""
    for shown in (A, A.upper(), A_OTHER_ORDER):
        found = match_bmcs([host("esx1", A)], [bmc("10.0.0.1", shown)], {})
        assert [(pair.host, pair.bmc, pair.by) for pair in found.pairs] == [("esx1", "10.0.0.1", Proof.UUID)]
        assert found.findings == ()


def test_serial_pairs_where_a_uuid_is_missing() -> None:
    """Without a UUID on one side a shared serial number or service tag is proof, in any case and spacing."""
    found = match_bmcs([host("esx1", A, "mxq2390rhw ")], [bmc("10.0.0.1", None, "MXQ2390RHW")], {})
    assert [(pair.bmc, pair.by) for pair in found.pairs] == [("10.0.0.1", Proof.SERIAL)]


def test_names_and_places_in_the_list_prove_nothing() -> None:
    """A host and a BMC that stand alike in both lists and have like names are not paired."""
    found = match_bmcs([host("esx1", A)], [bmc("esx1", B)], {})
    assert found.pairs == ()
    assert kinds(found) == [FindingKind.FOREIGN_BMC, FindingKind.HOST_WITHOUT_BMC]


def test_serial_of_an_enclosure_does_not_overrule_a_uuid() -> None:
    """A shared serial with differing UUIDs may be a neighbour's node in one enclosure: told, not paired."""
    hosts, bmcs = [host("esx1", A, "ENCLOSURE1")], [bmc("10.0.0.1", B, "ENCLOSURE1")]
    found = match_bmcs(hosts, bmcs, {})
    assert found.pairs == ()
    assert FindingKind.CONTRADICTION in kinds(found)
    told = match_bmcs(hosts, bmcs, {"10.0.0.1": "esx1"})
    assert [pair.by for pair in told.pairs] == [Proof.OVERRIDE]
    assert kinds(told) == [FindingKind.UNVERIFIED]
    assert not is_another_machine(hosts[0].uuid, hosts[0].serials, bmcs[0]), "the pair counts when it is used too"


@pytest.mark.parametrize("serials", [(), ("CZ12340001",)])
def test_an_override_never_stands_against_the_uuids_alone(serials: tuple[str, ...]) -> None:
    """Without a serial that both share, UUIDs that differ are two machines, when pairing and when looking."""
    at, other = host("esx1", A, "CZ12349999"), bmc("10.0.0.1", B, *serials)
    told = match_bmcs([at], [other], {"10.0.0.1": "esx1"})
    assert told.pairs == ()
    assert FindingKind.CONTRADICTION in kinds(told)
    assert is_another_machine(at.uuid, at.serials, other)


def test_two_hosts_for_one_bmc_is_a_finding() -> None:
    """What fits two hosts is paired with neither, unless the operator says which."""
    hosts = [host("esx1", NO_UUID, "SAME77"), host("esx2", NO_UUID, "SAME77")]
    found = match_bmcs(hosts, [bmc("10.0.0.1", None, "SAME77")], {})
    assert found.pairs == ()
    several = next(finding for finding in found.findings if finding.kind is FindingKind.SEVERAL_HOSTS)
    assert (several.hosts, several.bmcs) == (("esx1", "esx2"), ("10.0.0.1",))
    told = match_bmcs(hosts, [bmc("10.0.0.1", None, "SAME77")], {"10.0.0.1": "esx2"})
    assert told.addresses() == (("esx2", "10.0.0.1"),)


def test_two_bmcs_for_one_host_is_a_finding() -> None:
    """One server listed twice, or two that show one UUID: neither is paired."""
    found = match_bmcs([host("esx1", A)], [bmc("10.0.0.2", A), bmc("10.0.0.1", A_OTHER_ORDER)], {})
    assert found.pairs == ()
    several = next(finding for finding in found.findings if finding.kind is FindingKind.SEVERAL_BMCS)
    assert several.bmcs == ("10.0.0.1", "10.0.0.2")


def test_uuid_stands_above_a_serial() -> None:
    """A second BMC that only shares a serial takes nothing from the one with the UUID, and is told."""
    found = match_bmcs([host("esx1", A, "SAME77")], [bmc("10.0.0.1", None, "SAME77"), bmc("10.0.0.2", A)], {})
    assert found.addresses() == (("esx1", "10.0.0.2"),)
    assert kinds(found) == [FindingKind.SEVERAL_BMCS]


def test_serial_that_others_share_pairs_nothing() -> None:
    """A serial is proof only while no other host and no other BMC bears it, even one that has its own UUID pair."""
    hosts = [host("esx1", A), host("esx2", NO_UUID, "SAME77")]
    found = match_bmcs(hosts, [bmc("10.0.0.1", A, "SAME77"), bmc("10.0.0.2", None, "SAME77")], {})
    assert found.addresses() == (("esx1", "10.0.0.1"),)
    assert FindingKind.SEVERAL_BMCS in kinds(found)
    hosts = [host("esx1", A, "SAME77"), host("esx2", NO_UUID, "SAME77")]
    found = match_bmcs(hosts, [bmc("10.0.0.1", B, "SAME77")], {})
    assert found.pairs == ()
    assert FindingKind.SEVERAL_HOSTS in kinds(found)


def test_override_is_verified() -> None:
    """An esxi_host that the hardware contradicts makes no pair; the finding names the host that it is."""
    hosts = [host("esx1", A), host("esx2", B)]
    found = match_bmcs(hosts, [bmc("10.0.0.1", A)], {"10.0.0.1": "esx2"})
    assert found.pairs == ()
    contradiction = next(finding for finding in found.findings if finding.kind is FindingKind.CONTRADICTION)
    assert contradiction.hosts == ("esx1", "esx2")
    right = match_bmcs(hosts, [bmc("10.0.0.1", A)], {"10.0.0.1": "ESX1"})
    assert [(pair.host, pair.by) for pair in right.pairs] == [("esx1", Proof.UUID)]


def test_serials_contradict_an_override_too() -> None:
    """Two real serials that differ are no match, whatever esxi_host says."""
    found = match_bmcs([host("esx1", A, "CZ12340001")], [bmc("10.0.0.1", None, "CZ12349999")], {"10.0.0.1": "esx1"})
    assert found.pairs == ()
    assert FindingKind.CONTRADICTION in kinds(found)


def test_override_is_taken_where_nothing_can_be_compared() -> None:
    """With no hardware identity on one side the operator's word counts, with a note."""
    found = match_bmcs([host("esx1", A, "CZ12340001")], [bmc("10.0.0.1")], {"10.0.0.1": "esx1"})
    assert [(pair.host, pair.by) for pair in found.pairs] == [("esx1", Proof.OVERRIDE)]
    assert kinds(found) == [FindingKind.UNVERIFIED]


def test_override_of_an_unknown_host_is_a_finding() -> None:
    """A name that the cluster does not have pairs nothing, not even by UUID: the server was said to be another."""
    found = match_bmcs([host("esx1", A)], [bmc("10.0.0.1", A)], {"10.0.0.1": "esx9"})
    assert found.pairs == ()
    assert FindingKind.UNKNOWN_HOST in kinds(found)


def test_host_says_which_of_its_bmcs_was_not_seen() -> None:
    """Where esxi_host names a host whose BMC does not answer, the host's finding points there."""
    found = match_bmcs([host("esx1", A)], [], {"10.0.0.1": "esx1"})
    assert [(finding.kind, finding.bmcs) for finding in found.findings] == [
        (FindingKind.HOST_WITHOUT_BMC, ("10.0.0.1",))
    ]


@pytest.mark.parametrize("junk", [
    "", "   ", "0", "000", "00000000", "FFFFFFFF", "0123456789", "123456789ABC", "To be filled by O.E.M.",
    "To Be Filled By O.E.M", "Default string", "None", "N/A", "Not Specified", "System Serial Number", "abc", "....",
])
def test_placeholders_never_match(junk: str) -> None:
    """What a vendor left in the field identifies nothing, on either side."""
    assert real_serial(junk) is None
    assert match_bmcs([host("esx1", NO_UUID, junk)], [bmc("10.0.0.1", NO_UUID, junk)], {}).pairs == ()


@pytest.mark.parametrize("junk", [
    NO_UUID, "ffffffff-ffff-ffff-ffff-ffffffffffff", "03000200-0400-0500-0006-000700080009", "", "unknown", "1234",
])
def test_uuids_of_no_board_never_match(junk: str) -> None:
    """All zeros, all F and the defaults of firmware are shared by thousands of boards."""
    assert real_uuid(junk) is None
    assert match_bmcs([host("esx1", junk)], [bmc("10.0.0.1", junk)], {}).pairs == ()


IDS = st.sampled_from([A, A_OTHER_ORDER, A.upper(), B, NO_UUID, "31313131-aaaa-4bbb-8ccc-123456789abc"])
SERIALS = st.lists(st.sampled_from(["CZ0001", "cz0001", "CZ0002", "CZ0003", "None", "0000"]), max_size=2).map(tuple)
NAMES = [f"esx{number}" for number in range(5)]
ADDRESSES = [f"10.0.0.{number}" for number in range(5)]


CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a loaded machine is no failure


@st.composite
def plants(draw: st.DrawFn) -> tuple[list[Host], list[BmcSeen], dict[str, str]]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    addresses = draw(st.lists(st.sampled_from(ADDRESSES), unique=True))
    return (
        [host(name, draw(IDS), *draw(SERIALS)) for name in names],
        [bmc(address, draw(st.none() | IDS), *draw(SERIALS)) for address in addresses],
        draw(st.dictionaries(st.sampled_from(ADDRESSES), st.sampled_from([*NAMES, "esx9"]), max_size=3)),
    )


@CALM
@given(plants(), st.randoms(use_true_random=False))
def test_order_changes_nothing(
    plant: tuple[list[Host], list[BmcSeen], dict[str, str]], rng: random.Random
) -> None:
    """However the settings list the BMCs and vCenter the hosts, the result is the same."""
    hosts, bmcs, overrides = plant
    shuffled = (rng.sample(hosts, len(hosts)), rng.sample(bmcs, len(bmcs)))
    turned = dict(rng.sample(sorted(overrides.items()), len(overrides)))
    assert match_bmcs(hosts, bmcs, overrides) == match_bmcs(*shuffled, turned)


@CALM
@given(plants())
def test_each_stands_in_one_pair_at_most_and_never_unexplained(
    plant: tuple[list[Host], list[BmcSeen], dict[str, str]]
) -> None:
    """No host has two BMCs and no BMC two hosts, and whatever is left over is named by a finding."""
    hosts, bmcs, overrides = plant
    found = match_bmcs(hosts, bmcs, overrides)
    paired_hosts = [pair.host for pair in found.pairs]
    paired_bmcs = [pair.bmc for pair in found.pairs]
    assert len(set(paired_hosts)) == len(paired_hosts)
    assert len(set(paired_bmcs)) == len(paired_bmcs)
    without = {finding.hosts[0] for finding in found.findings if finding.kind is FindingKind.HOST_WITHOUT_BMC}
    assert without == {one.name for one in hosts} - set(paired_hosts)
    named = {address for finding in found.findings for address in finding.bmcs}
    assert {one.address for one in bmcs} - set(paired_bmcs) <= named


@CALM
@given(plants())
def test_no_pair_against_a_uuid_without_the_operators_word(
    plant: tuple[list[Host], list[BmcSeen], dict[str, str]]
) -> None:
    """Two boards whose UUIDs both say that they are different are never paired by the hardware alone."""
    hosts, bmcs, overrides = plant
    by_name, by_address = {one.name: one for one in hosts}, {one.address: one for one in bmcs}
    for pair in match_bmcs(hosts, bmcs, overrides).pairs:
        mine, its = real_uuid(by_name[pair.host].uuid), real_uuid(by_address[pair.bmc].uuid)
        if pair.by is Proof.SERIAL:
            assert mine is None or its is None
        if pair.by is Proof.OVERRIDE:
            assert overrides[pair.bmc] == pair.host

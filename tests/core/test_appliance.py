"""Which VM is vCenter: the operator's word first, then evidence; never a choice between two."""

import pytest

from core.plants import vm
from thermo_guard.core.appliance import find_vcenter
from thermo_guard.core.plant import Power, Vm

REACHED = ("vc.example.com", "10.0.0.5")
VCSA = vm("vcsa", "esx1", addresses=("fe80::1", "10.0.0.5"), guest_name="VC.example.com",
          product="VMware vCenter Server Appliance")
WEB = vm("web", "esx1", addresses=("10.0.0.6",), guest_name="web.example.com")


def bare(name: str, power: Power = Power.ON, **changes: object) -> Vm:
    return vm(name, "esx1", power, **changes)


@pytest.mark.parametrize("candidate", [
    bare("a", addresses=("10.0.0.5",)), bare("a", guest_name="vc.EXAMPLE.com"),
    bare("a", product="VMware vCenter Server Appliance"), VCSA,
])
def test_each_kind_of_evidence_finds_it(candidate: Vm) -> None:
    """Its address, its guest's name, or its product."""
    found = find_vcenter([WEB, candidate], None, REACHED)
    assert found.vms == (candidate.id,)
    assert found.is_certain
    assert candidate.name in found.why


def test_no_evidence_is_external() -> None:
    """No VM that could be vCenter: it is external, and that is said."""
    found = find_vcenter([WEB], None, REACHED)
    assert found.vms == ()
    assert found.is_certain
    assert "external" in found.why


def test_two_candidates_are_both_stopped_last_and_are_not_certain() -> None:
    """`check` fails on it; at a trip each of them goes last."""
    old = bare("old-vcsa", product="VMware vCenter Server Appliance")
    found = find_vcenter([VCSA, WEB, old], None, REACHED)
    assert found.vms == tuple(sorted((VCSA.id, old.id)))
    assert not found.is_certain


def test_an_appliance_that_is_off_is_no_candidate() -> None:
    """The one from before the upgrade is kept, off: vCenter answers, so it is not that one."""
    old = bare("old-vcsa", Power.OFF, product="VMware vCenter Server Appliance", addresses=("10.0.0.5",))
    found = find_vcenter([VCSA, WEB, old], None, REACHED, [VCSA.id, old.id])
    assert (found.vms, found.is_certain) == ((VCSA.id,), True)
    assert find_vcenter([old, WEB], None, REACHED).vms == ()
    silent = bare("vcsa")
    assert find_vcenter([silent, old], None, REACHED, [silent.id]).vms == (silent.id,), "nor does it outweigh memory"


@pytest.mark.parametrize("word", ["vcsa", "VCSA", "id-vcsa", "ID-VCSA"])
def test_the_operators_word_goes_first(word: str) -> None:
    """A name or an instance UUID, in any case, against whatever evidence."""
    other = bare("other", addresses=("10.0.0.5",))
    found = find_vcenter([other, bare("vcsa")], word, REACHED)
    assert found.vms == ("id-vcsa",)
    assert found.is_certain


def test_external_means_external() -> None:
    """Also where a VM looks like vCenter, and whatever was known before."""
    assert find_vcenter([VCSA], "External", REACHED, [VCSA.id]).vms == ()


def test_a_word_that_fits_no_vm_falls_back_to_evidence_and_is_not_certain() -> None:
    """A typing error must not make vCenter an ordinary guest."""
    found = find_vcenter([VCSA, WEB], "vcsaa", REACHED)
    assert found.vms == (VCSA.id,)
    assert not found.is_certain
    assert not find_vcenter([WEB], "vcsaa", REACHED).is_certain


def test_a_name_that_two_vms_bear_is_not_certain() -> None:
    """Both go last."""
    twins = [Vm("u1", "vcsa", "esx1", Power.ON), Vm("u2", "vcsa", "esx1", Power.OFF)]
    found = find_vcenter(twins, "vcsa", ())
    assert found.vms == ("u1", "u2")
    assert not found.is_certain


def test_a_template_of_an_appliance_is_no_candidate() -> None:
    """It cannot run."""
    assert find_vcenter([bare("t", product="vCenter", is_template=True)], None, REACHED).vms == ()


def test_what_was_vcenter_stays_it_while_its_tools_are_silent() -> None:
    """At the trip its guest may report nothing: it must not go with the others (S4)."""
    silent = bare("vcsa")
    found = find_vcenter([silent, WEB], None, REACHED, ["id-vcsa"])
    assert found.vms == ("id-vcsa",)
    moved = bare("new", addresses=("10.0.0.5",))
    assert find_vcenter([silent, moved], None, REACHED, ["id-vcsa"]).vms == ("id-new",), "evidence goes before memory"
    off = bare("vcsa", power=Power.OFF)
    assert find_vcenter([off, WEB], None, REACHED, ["id-vcsa"]).vms == (), "vCenter answers, so it is not this one"


def test_external_against_evidence_is_followed_and_told() -> None:
    """The operator's word stands, and what speaks against it stands beside it; a VM that is off is no evidence."""
    found = find_vcenter([VCSA, WEB], "external", REACHED)
    assert found.vms == ()
    assert "vcsa: its address is 10.0.0.5" in found.against
    old = bare("old", Power.OFF, product="VMware vCenter Server Appliance")
    assert find_vcenter([old, WEB], "external", REACHED).against == ""


def test_a_named_vm_is_held_against_the_evidence() -> None:
    """Evidence that points elsewhere contradicts the word; none at all leaves it unproved; its own confirms it."""
    wrong = find_vcenter([VCSA, WEB], "web", REACHED)
    assert wrong.vms == (WEB.id,)
    assert wrong.against.startswith("vcsa")
    silent = find_vcenter([bare("quiet"), WEB], "quiet", REACHED)
    assert (silent.against, silent.is_unproved) == ("", True)
    right = find_vcenter([VCSA, WEB], "vcsa", REACHED)
    assert (right.against, right.is_unproved) == ("", False)


def test_an_address_goes_before_a_product() -> None:
    """Of two appliances in one cluster the one that answers at vCenter's address is vCenter, not the one named."""
    other = bare("other", product="VMware vCenter Server Appliance", addresses=("10.0.0.9",))
    assert find_vcenter([VCSA, other], "vcsa", REACHED).against == ""
    assert find_vcenter([VCSA, other], "other", REACHED).against.startswith("vcsa")


def test_a_named_vm_that_is_off_is_not_the_one_that_answers() -> None:
    """VCenter answers, so the VM that is off is another."""
    assert "is off" in find_vcenter([bare("vcsa", Power.OFF)], "vcsa", REACHED).against


def test_another_sites_vcenter_does_not_contradict_external() -> None:
    """A product alone says that it is some vCenter, not that it is ours: the operator's word stands, with a doubt."""
    other = Vm("id-o", "other-vc", "esx1", Power.ON, product="VMware vCenter Server Appliance")
    found = find_vcenter([other], "external", ("vc.example.com",))
    assert (found.vms, found.against, found.is_unproved) == ((), "", True)
    ours = Vm("id-v", "vc", "esx1", Power.ON, addresses=("192.0.2.9",))
    assert "vc: its address" in find_vcenter([ours], "external", ("192.0.2.9",)).against

"""Which VM runs the guard: the operator's word, then addresses; in doubt each candidate, and a person is asked."""

from dataclasses import replace

from core.surveyed import vm
from thermo_guard.core.guard_vm import find_guard
from thermo_guard.core.plant import Power

NAS = ("192.0.2.77",)
HERE = vm("tools", "esx3", addresses=("192.0.2.50", "fd00::50", "172.17.0.1"))
VMS = (vm("web", addresses=("192.0.2.51", "172.17.0.1")), HERE, vm("off", power=Power.OFF, addresses=("192.0.2.50",)))


def test_a_guard_outside_is_on_no_vm() -> None:
    """An address that no VM has is that of a machine outside, and nothing is left up for it."""
    found = find_guard(VMS, None, NAS)
    assert (found.vms, found.is_certain) == ((), True)


def test_the_guards_address_names_its_vm() -> None:
    """By IPv4 or IPv6, in any case; a VM that is off with the same address is not it."""
    for own in ("192.0.2.50", "FD00::50"):
        found = find_guard(VMS, None, ("198.51.100.1", own))
        assert (found.vms, found.is_certain) == (("id-tools",), True)
        assert "tools" in found.why


def test_a_template_with_its_address_is_not_it() -> None:
    """A template runs nothing."""
    assert find_guard((replace(HERE, is_template=True),), None, ("192.0.2.50",)).vms == ()


def test_two_vms_with_the_address_are_both_left_up() -> None:
    """Between two candidates a person decides; until then neither is stopped."""
    found = find_guard(VMS, None, ("172.17.0.1",))
    assert (found.vms, found.is_certain) == (("id-tools", "id-web"), False)


def test_the_operators_word_goes_before_addresses() -> None:
    """A name in any case, an instance UUID, or none."""
    for word in ("WEB", "id-web"):
        found = find_guard(VMS, word, ("192.0.2.50",))
        assert (found.vms, found.is_certain) == (("id-web",), True)
    assert find_guard(VMS, "None", ("192.0.2.50",)).vms == ()


def test_a_word_that_names_nothing_is_told_and_addresses_count() -> None:
    """A slip of the pen, and a VM that is off, leave the guard's own VM up all the same."""
    for word in ("wbe", "off"):
        found = find_guard(VMS, word, ("192.0.2.50",))
        assert (found.vms, found.is_certain) == (("id-tools",), False)
        assert word in found.why
        assert not find_guard(VMS, word, NAS).is_certain


def test_a_name_that_two_vms_have_leaves_both_up() -> None:
    """A name may stand in two folders of vCenter."""
    twins = (HERE, replace(HERE, id="id-other", addresses=()))
    found = find_guard(twins, "tools", NAS)
    assert (found.vms, found.is_certain) == (("id-other", "id-tools"), False)


def test_what_it_was_before_stands_while_its_tools_are_silent() -> None:
    """An address that is not reported just now takes no protection away; another address that is reported does."""
    silent = replace(HERE, addresses=())
    found = find_guard((silent,), None, ("192.0.2.50",), ("id-tools",))
    assert (found.vms, found.is_certain) == (("id-tools",), True)
    assert find_guard((HERE,), None, (), ("id-tools",)).vms == ("id-tools",)
    starting = replace(HERE, addresses=("fe80::50", "127.0.0.1"))
    assert find_guard((starting,), None, ("192.0.2.50",), ("id-tools",)).vms == ("id-tools",)
    assert not find_guard((silent, VMS[0]), None, (), ("id-tools", "id-web")).is_certain
    assert find_guard(VMS, None, NAS, ("id-tools",)).vms == ()
    assert find_guard((replace(silent, power=Power.OFF),), None, NAS, ("id-tools",)).vms == ()
    moved = replace(VMS[0], addresses=("192.0.2.50",))
    assert find_guard((moved, silent), None, ("192.0.2.50",), ("id-tools",)).vms == ("id-web",)

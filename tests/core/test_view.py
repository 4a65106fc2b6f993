"""The joined picture: what of a BMC's look is taken for a host's."""

from dataclasses import replace

import pytest

from core.plants import (
    FOREIGN,
    NOW,
    UUIDS,
    bmc,
    bmc_address,
    host,
    kept_host,
    kept_vm,
    seen,
    snapshot,
    vm,
)
from thermo_guard.core.matching import match_bmcs
from thermo_guard.core.plant import HostSeen, Power, Sight
from thermo_guard.core.view import plant_now


@pytest.mark.parametrize(("serial", "expected"), [("CZ2D0V01", Power.OFF), ("CZ2D0V99", Power.UNKNOWN)])
def test_what_is_paired_is_believed(serial: str, expected: Power) -> None:
    """A pair on esxi_host whose UUIDs differ and whose serial is shared is powered on; without that it is no pair."""
    at = host("esx1", serials=("CZ2D0V01",), is_connected=False)
    look = replace(bmc("esx1", Power.OFF, FOREIGN), serials=(serial,))
    matching = match_bmcs([at], [look], {look.address: "esx1"})
    assert dict(matching.addresses()) == ({"esx1": look.address} if expected is Power.OFF else {})
    kept = snapshot([kept_host("esx1", serials=("CZ2D0V01",))], [])
    sight = Sight(seen([at], []), {}, {look.address: look})
    now = plant_now(sight, kept, {"esx1": bmc_address("esx1")}).hosts["esx1"]
    assert now.power is expected
    assert now.bmc == (look.address if expected is Power.OFF else None)


def test_a_leftover_registration_on_an_old_host_is_not_the_vm() -> None:
    """It runs on a connected host; another, which vCenter has lost, still lists it as its own."""
    kept = snapshot([kept_host("esx1"), kept_host("esx2")], [kept_vm("web", "esx1")])
    shown = seen([host("esx1", is_connected=False), host("esx2")], [vm("web", "esx2")])
    old = HostSeen(NOW, "esx1", UUIDS["esx1"], in_maintenance=False, vms=(vm("web", "esx1", Power.OFF),))
    now = plant_now(Sight(shown, {"esx1": old}, {}), kept, {}).vms["id-web"]
    assert (now.host, now.power) == ("esx2", Power.ON)

"""The ways to write where a BMC is."""


import pytest

from peers.redfish import HandClock
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.engine.logins import RefusedLogins


@pytest.mark.parametrize("host", [
    "ilo1", "ilo1:8443", "https://ilo1", "https://ilo1:8443/", "10.0.0.1", "[fe80::1]:443", "fe80::1", " ilo1 ",
])
async def test_addresses_that_are_taken(host: str, clock: HandClock) -> None:
    """Each way to write a BMC's address is taken and handed back as it was written."""
    assert Bmc(host, "u", "p", clock, logins=RefusedLogins(clock)).address == host


@pytest.mark.parametrize("host", [
    "", "http://ilo1", "https://ilo1/redfish", "ilo1:port", "https://user:hunter2@ilo1", "user:hunter2@ilo1", "ilo1:0",
    "https://", "ilo 1", "ilo1?x",
])
async def test_addresses_that_are_none(host: str, clock: HandClock) -> None:
    """What is no https address is told at once, without a password that stood in it."""
    with pytest.raises(ValueError, match="BMC address") as refused:
        Bmc(host, "u", "p", clock, logins=RefusedLogins(clock))
    assert "hunter2" not in str(refused.value)

"""host:port: read in each way that people write it, written in one."""

import pytest

from thermo_guard.core.endpoint import joined, split_host


@pytest.mark.parametrize(("address", "host", "port"), [
    ("vc", "vc", 443), ("vc:8443", "vc", 8443), ("10.0.0.9:1", "10.0.0.9", 1), ("fd00::9", "fd00::9", 443),
    ("[fd00::9]", "fd00::9", 443), ("[fd00::9]:65535", "fd00::9", 65535), ("", "", 443),
])
def test_an_address_comes_apart_and_together(address: str, host: str, port: int) -> None:
    """Each way to write it gives one host and port, and what is written of these is read again as the same."""
    assert split_host(address, 443) == (host, port)
    assert split_host(joined(host, port), 1) == (host, port)


@pytest.mark.parametrize("address", [
    "vc:", "vc:0", "vc:65536", "vc:port", "vc:\u0663", "vc:+1", "[fd00::9", "[fd00::9]:", "[fd00::9]8443",
    "[fd00::9]::1",
])
def test_a_port_that_is_none_is_told(address: str) -> None:
    """What is no port is not taken for the usual one."""
    with pytest.raises(ValueError, match="not"):
        split_host(address)


def test_one_endpoint_has_one_key() -> None:
    """Case makes no second endpoint, with a pin and refused logins of its own."""
    assert joined("VC.Example", 443) == "vc.example:443"
    assert joined("FD00::9", 443) == "[fd00::9]:443"

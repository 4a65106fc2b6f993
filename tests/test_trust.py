"""How a certificate stands: the settings' fingerprint above a pin, a pin above the authorities; and who is who."""

import pytest

from thermo_guard.adapters.certificates import Certificate, Presented
from thermo_guard.config import Settings
from thermo_guard.trust import Endpoint, Kind, Standing, called, endpoints_of, standing

SHOWN, OTHER = "aa" * 32, "bb" * 32


@pytest.mark.parametrize(("fingerprint", "pin", "insecure", "is_vouched_for", "stands"), [
    (None, None, False, True, Standing.BY_CA),
    (None, None, False, False, Standing.UNTRUSTED),
    (None, None, True, False, Standing.INSECURE),
    (None, SHOWN, False, False, Standing.PINNED),
    (None, SHOWN, True, False, Standing.PINNED),
    (None, OTHER, False, False, Standing.CHANGED),
    (None, OTHER, False, True, Standing.CHANGED),
    (None, OTHER, True, True, Standing.CHANGED),
    (SHOWN, None, False, False, Standing.BY_SETTING),
    (SHOWN, OTHER, False, False, Standing.BY_SETTING),
    (OTHER, SHOWN, False, True, Standing.AGAINST_SETTING),
    (OTHER, None, False, False, Standing.AGAINST_SETTING),
])
def test_what_stands_above_what(
    fingerprint: str | None, pin: str | None, insecure: bool, is_vouched_for: bool, stands: Standing,
) -> None:
    """`pin` says of an endpoint what the adapters do with it: a narrower word is never widened by another."""
    endpoint = Endpoint(Kind.BMC, "ilo", "ilo", 443, fingerprint, None, insecure)
    shown = Presented(Certificate(SHOWN), None if is_vouched_for else "nobody knows it")
    seen = standing(endpoint, shown, pin)
    assert seen.standing is stands
    assert seen.standing.is_usable is (stands not in {Standing.UNTRUSTED, Standing.CHANGED, Standing.AGAINST_SETTING})
    assert (seen.expected is not None) is (stands in {Standing.CHANGED, Standing.AGAINST_SETTING})


def test_endpoints_are_known_by_one_spelling() -> None:
    """As adapters ask for pins: host:port in lower case, IPv6 in brackets; a person may leave the port out."""
    settings = Settings(
        meraki_api_key="0123456789abcdef", meraki_network_id="N_1", vcenter_host="VC.example.com", vcenter_user="u@v",
        vcenter_password="long enough", ilo_hosts=[
            {"host": "ilo:8443", "username": "u", "password": "long enough"},
            {"host": "fd00:0::9", "username": "u", "password": "long enough", "insecure": True},
        ],
    )
    endpoints = endpoints_of(settings)
    assert [one.key for one in endpoints] == ["vc.example.com:443", "ilo:8443", "[fd00::9]:443"]
    assert [one.is_insecure for one in endpoints] == [False, False, True]
    for name in ("vc.example.com", "VC.Example.com:443"):
        assert called(endpoints, name) == endpoints[:1]
    assert called(endpoints, "ilo") == endpoints[1:2]
    assert called(endpoints, "fd00:0::9") == called(endpoints, "[fd00::9]:443") == endpoints[2:]
    assert called(endpoints, "il") == ()

"""The rule that keeps the API key at home."""

import pytest
from yarl import URL

from thermo_guard.adapters.meraki.trust import may_carry_key

MERAKI = "https://api.meraki.com/api/v1"
BENCH = "http://127.0.0.1:4010/api/v1"
TLS_BENCH = "https://127.0.0.1:4010/api/v1"


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://api.meraki.com/api/v1/networks/N_1", MERAKI),
        ("https://n123.meraki.com/api/v1/networks/N_1", MERAKI),
        ("https://N123.Meraki.COM./api/v1", MERAKI),
        ("https://meraki.ca/api/v1", MERAKI),
        ("https://api.meraki.cn/api/v1", MERAKI),
        ("https://api.meraki.in/api/v1", MERAKI),
        ("https://n1.gov-meraki.com/api/v1", MERAKI),
        ("https://n1.meraki.com/api/v1", "https://proxy.example.org/meraki"),
        ("https://proxy.example.org/other", "https://proxy.example.org/meraki"),
        ("https://127.0.0.1:4011/api/v1", TLS_BENCH),
        ("http://127.0.0.1:4010/other", BENCH),
        ("http://localhost:4010/other", "http://localhost:4010"),
    ],
)
def test_the_key_goes_to_merakis_own_hosts(url: str, base: str) -> None:
    """Meraki's regions and shards, and the configured host, are trusted."""
    assert may_carry_key(URL(url), URL(base))


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://api.meraki.com/api/v1", MERAKI),
        ("https://evil-meraki.com/api/v1", MERAKI),
        ("https://meraki.com.example.net/api/v1", MERAKI),
        ("https://api.meraki.com@example.net/api/v1", MERAKI),
        ("https://user@api.meraki.com/api/v1", MERAKI),
        ("https://api.meraki.com:8443@example.net/", MERAKI),
        ("https://example.net\\@api.meraki.com/", MERAKI),
        ("https://n1.meraki.com:8443/api/v1", TLS_BENCH),
        ("https://meraki.co/api/v1", MERAKI),
        ("https://xmeraki.in/api/v1", MERAKI),
        ("https://api.example.org/", "https://example.org/"),
        ("ftp://api.meraki.com/api/v1", MERAKI),
        ("/api/v1/networks", MERAKI),
        ("http://127.0.0.1:4011/api/v1", BENCH),
        ("http://127.0.0.2:4010/api/v1", BENCH),
        ("https://127.0.0.1:4010/api/v1", BENCH),
        ("https://api.meraki.com/api/v1", BENCH),
        ("http://10.0.0.1/api/v1", "http://10.0.0.1/api/v1"),
    ],
)
def test_the_key_goes_nowhere_else(url: str, base: str) -> None:
    """Look-alikes, other schemes, users in the address, and plain http off this machine never get the key."""
    try:
        parsed = URL(url)
    except ValueError:
        return
    assert not may_carry_key(parsed, URL(base))

"""Which addresses may be given the API key: the one rule that keeps it at home.

Meraki redirects from its common address to shards, and an answer names the address of the next page; both are words of
the network and are judged here before anything is sent. It must not know requests or answers.
"""

import ipaddress

from yarl import URL

MERAKI_DOMAINS = ("meraki.com", "meraki.ca", "meraki.cn", "meraki.in", "gov-meraki.com")
"""The registered domains under which Meraki serves its API, one a region."""

HTTPS_PORT = 443


def may_carry_key(url: URL, base: URL) -> bool:
    """Say whether a request with the key in it may go to `url`, given the configured base URL.

    Over https: the configured host, or Meraki's own hosts on their usual port. A base URL of plain http stands for a
    test bench on this machine: then only that same host and port, and only on loopback.
    """
    if url.host is None or url.user is not None or url.password is not None:
        return False
    if base.scheme == "http":
        return url.origin() == base.origin() and is_loopback(url.host) if url.scheme == "http" else False
    if url.scheme != "https":
        return False
    return _bare(url.host) == _bare(base.host or "") or (_is_meraki(url.host) and url.port == HTTPS_PORT)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_meraki(host: str) -> bool:
    bare = _bare(host)
    return any(bare == domain or bare.endswith(f".{domain}") for domain in MERAKI_DOMAINS)


def _bare(host: str) -> str:
    """Drop what does not tell hosts apart: case, and the dot that ends a full name."""
    return host.lower().removesuffix(".")

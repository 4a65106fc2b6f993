"""By which addresses the guard's own VM is known, and which mail server its messages go by."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.names import SystemNames
from thermo_guard.config import Settings, load
from thermo_guard.preflight import mail_host, own_addresses


def settings(folder: Path) -> Settings:
    return load({
        "MERAKI_API_KEY": "0123456789abcdef", "MERAKI_NETWORK_ID": "N_1", "VCENTER_HOST": "127.0.0.2",
        "VCENTER_USER": "guard", "VCENTER_PASSWORD": "S3cret!", "ILO_HOSTS": "[]", "DATA_DIR": str(folder),
    }, None)


@dataclass
class Server:
    """What vCenter says of its session."""

    seen_from: str | None


@pytest.mark.parametrize(("maker", "seen_from", "counts"), [
    ("VMware, Inc.", "192.0.2.50", True), ("Synology Inc.", "192.0.2.50", False),
    ("VMware, Inc.", None, False),
])
async def test_where_vcenter_sees_us_counts_unless_we_are_no_vm(
    tmp_path: Path, maker: str, seen_from: str | None, counts: bool
) -> None:
    """Behind a bridge of containers only the server knows the machine's address; a NAS behind a router has another."""
    own = own_addresses(settings(tmp_path), SystemNames(SteadyClock()), Server(seen_from), maker)
    assert ("192.0.2.50" in own()) is counts


async def test_it_is_asked_anew_since_the_session_begins_later(tmp_path: Path) -> None:
    """Before the first login nobody has seen us."""
    server = Server(None)
    own = own_addresses(settings(tmp_path), SystemNames(SteadyClock()), server, "VMware, Inc.")
    assert own() == ()
    server.seen_from = "192.0.2.50"
    assert own() == ("192.0.2.50",)


@pytest.mark.parametrize(("url", "host"), [
    ("mailto://guard:S3cret@mail.example.com?to=a@example.com", "mail.example.com"),
    ("mailtos://guard:S3cret@example.com?smtp=SMTP.example.com&to=a@example.com", "smtp.example.com"),
    ("mailto://guard:S3cret@example.com?smtp=smtp.example.com:587", "smtp.example.com"),
    ("slack://TokenA/TokenB/TokenC", None), ("json://notify.example.com/", None), ("mailto://[", None),
    ("mailto://guard:S3cret@gmail", None),
])
def test_only_the_server_of_a_mail_address_is_a_name_that_may_be_asked_for(url: str, host: str | None) -> None:
    """In other addresses a token may stand where a host would, and a question to DNS would give it away."""
    assert mail_host(url) == host

"""Which endpoints the settings name, and how the certificate that each presents stands with the guard.

vCenter, the ESXi hosts of ESXI_HOSTS, and the BMCs. The hosts of a vCenter are trusted through it, which shows their
certificates; Meraki has a public authority. Shared by `thermo-guard pin` and by the guard that accepts at first use.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .adapters.certificates import Certificate, Presented, presented, spelt
from .adapters.pins import key_of
from .config import Settings
from .core.endpoint import HTTPS_PORT, joined, split_host
from .ports import Fault, Pins

ANSWER_S = 7.0
"""For each handshake."""


class Kind(StrEnum):
    VCENTER = "vCenter"
    """Or the one ESXi host that stands in its place: a handshake does not tell."""
    ESXI = "ESXi host"
    BMC = "BMC"


class Standing(StrEnum):
    BY_CA = "trusted by CA"
    BY_SETTING = "trusted by the settings"
    PINNED = "pinned"
    INSECURE = "not looked at"
    """The settings say that any certificate will do."""
    UNTRUSTED = "NOT trusted"
    CHANGED = "CHANGED"
    """It is another one than the pinned one."""
    AGAINST_SETTING = "CHANGED from the settings"
    """It is another one than the settings' own fingerprint says."""
    SILENT = "no answer"

    @property
    def is_usable(self) -> bool:
        """The guard talks to an endpoint that stands so."""
        return self in {Standing.BY_CA, Standing.BY_SETTING, Standing.PINNED, Standing.INSECURE}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server that a login is sent to, and what the settings say of its certificate."""

    kind: Kind
    name: str
    """As the settings have it."""
    host: str
    port: int
    fingerprint: str | None = None
    """Of the settings; stands above a pin."""
    ca_file: Path | None = None
    is_insecure: bool = False

    @property
    def key(self) -> str:
        """host:port, by which it is pinned."""
        return key_of(joined(self.host, self.port))

    @property
    def setting(self) -> str:
        """Where its fingerprint is set."""
        return "fingerprint in its entry of ILO_HOSTS" if self.kind is Kind.BMC else "VCENTER_FINGERPRINT"

    def is_called(self, name: str) -> bool:
        """Whether a person means this one: as the settings have it, with its port or without."""
        return name.strip().lower() in {self.name.lower(), self.key, self.host}

    async def presents(self) -> Presented:
        """:raises Fault: it does not answer with TLS, or its ca_file cannot be read."""
        return await presented(
            self.host, self.port, ANSWER_S, ca_file=self.ca_file,
            may_end_below_root=self.kind is Kind.BMC and self.ca_file is not None,
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """One endpoint as it was met."""

    endpoint: Endpoint
    standing: Standing
    certificate: Certificate | None
    """None where it did not answer."""
    reason: str = ""
    """Why it is not trusted, or did not answer."""
    expected: str | None = None
    """The fingerprint that stands against what it presents, as it is shown to people."""


def endpoints_of(settings: Settings) -> tuple[Endpoint, ...]:
    """Every endpoint that could be pinned, vCenter or the ESXi hosts without one first."""
    vcenter = settings.vcenter_host
    return *(
        Endpoint(Kind.VCENTER, one, *split_host(one, HTTPS_PORT), settings.vcenter_fingerprint,
                 settings.vcenter_ca_file, settings.vcenter_insecure)
        for one in ([] if vcenter is None else [vcenter])
    ), *(
        Endpoint(Kind.ESXI, one, *split_host(one, HTTPS_PORT), None, settings.vcenter_ca_file,
                 settings.vcenter_insecure)
        for one in settings.esxi_hosts
    ), *(
        Endpoint(Kind.BMC, bmc.host, *split_host(bmc.host, HTTPS_PORT), bmc.fingerprint, bmc.ca_file, bmc.insecure)
        for bmc in settings.ilo_hosts
    )


def called(endpoints: Iterable[Endpoint], name: str) -> tuple[Endpoint, ...]:
    """Those that a person means by the name."""
    return tuple(endpoint for endpoint in endpoints if endpoint.is_called(name))


async def meet(endpoint: Endpoint, pins: Pins) -> Seen:
    """See what it presents, and how that stands; nothing but a TLS handshake is sent, nothing is raised for it."""
    try:
        shown = await endpoint.presents()
    except Fault as fault:
        return Seen(endpoint, Standing.SILENT, None, str(fault))
    return standing(endpoint, shown, pins.pin_of(endpoint.key))


def standing(endpoint: Endpoint, shown: Presented, pin: str | None) -> Seen:
    """How what it presents stands: the settings' fingerprint goes before a pin, and a pin before the authorities."""
    certificate = shown.certificate
    expected = endpoint.fingerprint or pin
    if expected is not None and expected != certificate.sha256:
        against = Standing.AGAINST_SETTING if endpoint.fingerprint else Standing.CHANGED
        return Seen(endpoint, against, certificate, "it is another certificate", spelt(expected))
    if endpoint.fingerprint:
        return Seen(endpoint, Standing.BY_SETTING, certificate)
    if pin is not None:
        return Seen(endpoint, Standing.PINNED, certificate)
    if endpoint.is_insecure:
        return Seen(endpoint, Standing.INSECURE, certificate)
    if shown.distrust is None:
        return Seen(endpoint, Standing.BY_CA, certificate)
    return Seen(endpoint, Standing.UNTRUSTED, certificate, shown.distrust)


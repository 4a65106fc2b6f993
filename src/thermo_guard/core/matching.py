"""Which BMC is built into which host, by what the hardware says of itself.

A wrong pair resets a server of someone else, a missing one costs a walk to the rack: so a pair is made only on proof,
and whatever is doubtful becomes a finding that says what a person can do. The order in which hosts and BMCs are listed
and the likeness of their names prove nothing. The proofs, strongest first:

1. The UUID of the system board. SMBIOS before 2.6 and after it write its first three fields in opposite byte orders,
   and firmware, ESXi and BMC do not agree on which, so both orders count.
2. A serial number (Dell: service tag). Where both sides have a real UUID and they differ, a shared serial is rather
   that of an enclosure with several nodes: no proof without the operator's word.
3. The operator's `esxi_host`, taken unless the hardware contradicts it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from .plant import BmcSeen, Host

_JUNK = frozenset({
    "none", "null", "unknown", "n/a", "empty", "invalid", "default", "default string", "not specified",
    "not available", "not applicable", "not provided", "undefined", "system serial number", "chassis serial number",
    "base board serial number", "serial number", "asset tag", "no asset tag", "no asset information", "oem", "sku",
})
_JUNK_STARTS = ("to be filled", "0123456789", "123456789")
_JUNK_UUIDS = frozenset({  # defaults of AMI and Insyde firmware that boards left the factory with, in both byte orders
    "03000200040005000006000700080009", "00020003000400050006000700080009",
    "fefefefefefefefefefefefefefefefe",
})


class Proof(StrEnum):
    UUID = "uuid"
    SERIAL = "serial"
    OVERRIDE = "override"
    """The operator's word, which the hardware could neither prove nor disprove."""


class FindingKind(StrEnum):
    HOST_WITHOUT_BMC = "host_without_bmc"
    FOREIGN_BMC = "foreign_bmc"
    """A BMC of a server that is not among the hosts: it never gets a reset."""
    SEVERAL_HOSTS = "several_hosts"
    SEVERAL_BMCS = "several_bmcs"
    UNKNOWN_HOST = "unknown_host"
    """An override names a host that the cluster does not have."""
    CONTRADICTION = "contradiction"
    """The hardware says something else than the override, or than itself."""
    UNVERIFIED = "unverified"
    """A note: the pair was made on the operator's word alone."""


@dataclass(frozen=True, slots=True)
class Pair:
    host: str
    bmc: str
    """Its address."""
    by: Proof


@dataclass(frozen=True, slots=True)
class Finding:
    kind: FindingKind
    hosts: tuple[str, ...]
    """By name, sorted."""
    bmcs: tuple[str, ...]
    """By address, sorted."""
    text: str
    """What is so, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Matching:
    pairs: tuple[Pair, ...]
    """Sorted by host; each host and each BMC stands in one at most."""
    findings: tuple[Finding, ...]

    def addresses(self) -> tuple[tuple[str, str], ...]:
        """(host, BMC address) pairs, as the journal has them."""
        return tuple((pair.host, pair.bmc) for pair in self.pairs)


def match_bmcs(hosts: Sequence[Host], bmcs: Sequence[BmcSeen], overrides: Mapping[str, str]) -> Matching:
    """Pair hosts and BMCs on proof; the order of the inputs does not matter.

    :param bmcs: those that were seen; addresses are unique, as are the names of hosts.
    :param overrides: `esxi_host` by BMC address; of a BMC that was not seen too.
    """
    return _Match(hosts, bmcs, overrides).result()


@lru_cache(maxsize=1024)  # of every host and BMC, at every tick
def real_uuid(text: str | None) -> str | None:
    """32 lower-case hex digits; None where it is none or identifies nothing: one digit all over, a known default."""
    digits = re.sub(r"^urn:uuid:|[-{}\s]", "", (text or "").lower())
    if not re.fullmatch(r"[0-9a-f]{32}", digits) or len(set(digits)) == 1 or digits in _JUNK_UUIDS:
        return None
    return digits


def is_another_machine(host_uuid: str, host_serials: Sequence[str], bmc: BmcSeen) -> bool:
    """Both identify themselves, and in nothing as the same machine: the address has been given to another server.

    With a shared serial the UUIDs may differ: such a pair stands on the operator's word, or the next look ends it.
    """
    host, other = real_uuid(host_uuid), real_uuid(bmc.uuid)
    if host is None or other is None or other in {host, _other_order(host)}:
        return False
    return not _serials(host_serials) & _serials(bmc.serials)


def real_serial(text: str | None) -> str | None:
    """Trimmed, case folded; None where it identifies nothing: placeholders, one repeated sign, fewer than 4 signs."""
    serial = " ".join((text or "").split()).casefold()
    signs = [sign for sign in serial if sign.isalnum()]
    if len(signs) < 4 or len(set(signs)) == 1 or serial.strip(".") in _JUNK or serial.startswith(_JUNK_STARTS):
        return None
    return serial


class _Likeness(StrEnum):
    UUID = "uuid"
    SERIAL = "serial"
    TORN = "torn"
    """A serial is shared, the UUIDs differ."""
    DIFFERENT = "different"
    INCOMPARABLE = "incomparable"


_SHARING = frozenset({_Likeness.SERIAL, _Likeness.TORN})


def _likeness(host: Host, bmc: BmcSeen) -> _Likeness:
    host_uuid, bmc_uuid = real_uuid(host.uuid), real_uuid(bmc.uuid)
    host_serials, bmc_serials = _serials(host.serials), _serials(bmc.serials)
    has_uuids = host_uuid is not None and bmc_uuid is not None
    if has_uuids and host_uuid in (bmc_uuid, _other_order(bmc_uuid)):
        return _Likeness.UUID
    if host_serials & bmc_serials:
        return _Likeness.TORN if has_uuids else _Likeness.SERIAL
    if has_uuids or (host_serials and bmc_serials):
        return _Likeness.DIFFERENT
    return _Likeness.INCOMPARABLE


def _serials(texts: Sequence[str]) -> frozenset[str]:
    return frozenset(serial for text in texts if (serial := real_serial(text)))


def _other_order(digits: str | None) -> str | None:
    """The first three fields with their bytes reversed: 4, 2 and 2 bytes."""
    if digits is None:
        return None
    data = bytes.fromhex(digits)
    return (data[3::-1] + data[5:3:-1] + data[7:5:-1] + data[8:]).hex()


@dataclass(frozen=True, slots=True)
class _Claim:
    bmc: BmcSeen
    host: Host
    by: Proof
    is_told: bool = False


class _Match:
    """One run: first what each BMC claims on its own, then the claims against each other."""

    def __init__(self, hosts: Sequence[Host], bmcs: Sequence[BmcSeen], overrides: Mapping[str, str]) -> None:
        self._hosts = sorted(hosts, key=lambda host: host.name)
        self._bmcs = sorted(bmcs, key=lambda bmc: bmc.address)
        self._overrides = overrides
        self._findings: list[Finding] = []
        self._named: set[str] = set()
        """Hosts that a finding names already as one side of a doubt."""

    def result(self) -> Matching:
        claims = [claim for bmc in self._bmcs if (claim := self._claim(bmc))]
        pairs = [pair for host in self._hosts if (pair := self._settle(host, claims))]
        paired = {pair.host for pair in pairs}
        for host in self._hosts:
            if host.name not in paired:
                self._miss(host)
        return Matching(tuple(pairs), tuple(sorted(self._findings, key=lambda one: (one.kind, one.bmcs, one.hosts))))

    def _claim(self, bmc: BmcSeen) -> _Claim | None:
        """What this BMC has a claim to, looked at alone."""
        like = {host.name: _likeness(host, bmc) for host in self._hosts}
        if bmc.address in self._overrides:
            return self._told_claim(bmc, like)
        for proof, likeness in ((Proof.UUID, _Likeness.UUID), (Proof.SERIAL, _Likeness.SERIAL)):
            found = [host for host in self._hosts if like[host.name] is likeness]
            if found and likeness is _Likeness.SERIAL:  # a serial that one more host has identifies neither
                found = [host for host in self._hosts if like[host.name] in _SHARING]
            if len(found) > 1:
                self._find(FindingKind.SEVERAL_HOSTS, found, [bmc], (
                    f"BMC {bmc.address} has the same {_word(proof)} as the hosts {_names(found)}: it is paired with "
                    "none. Correct the hardware identity, or set esxi_host for this BMC."
                ))
                return None
            if found:
                return _Claim(bmc, found[0], proof)
        if torn := [host for host in self._hosts if like[host.name] is _Likeness.TORN]:
            self._find(FindingKind.CONTRADICTION, torn, [bmc], (
                f"BMC {bmc.address} shares a serial number with {_names(torn)} but the UUIDs differ: not paired. If "
                "it is that very server, say so with esxi_host for this BMC."
            ))
            return None
        self._find(FindingKind.FOREIGN_BMC, [], [bmc], (
            f"BMC {bmc.address} ({_identity(bmc)}) belongs to none of the cluster's hosts and will never be "
            "switched on. Remove it from ILO_HOSTS, or set esxi_host if it is one of them."
        ))
        return None

    def _told_claim(self, bmc: BmcSeen, like: Mapping[str, _Likeness]) -> _Claim | None:
        told = self._overrides[bmc.address]
        host = next((one for one in self._hosts if one.name.casefold() == told.strip().casefold()), None)
        if host is None:
            self._find(FindingKind.UNKNOWN_HOST, [], [bmc], (
                f"esxi_host of BMC {bmc.address} names {told!r}, which is no host of the cluster: not paired. Write "
                "the name as vCenter shows it, or leave esxi_host out."
            ), extra_hosts=(told.strip(),))
            return None
        better = {_Likeness.UUID, _Likeness.SERIAL} if like[host.name] is _Likeness.INCOMPARABLE else {_Likeness.UUID}
        others = [one for one in self._hosts if one is not host and like[one.name] in better]
        match like[host.name]:
            case _Likeness.UUID:
                return _Claim(bmc, host, Proof.UUID, is_told=True)
            case _Likeness.SERIAL if not others:
                return _Claim(bmc, host, Proof.SERIAL, is_told=True)
            case _Likeness.INCOMPARABLE | _Likeness.TORN if not others:
                self._find(FindingKind.UNVERIFIED, [host], [bmc], (
                    f"BMC {bmc.address} is taken for {host.name} because esxi_host says so; their hardware identities "
                    "cannot prove it. Look once that it is the right server."
                ))
                return _Claim(bmc, host, Proof.OVERRIDE, is_told=True)
        hint = f"; they are those of {_names(others)}" if others else ""
        self._find(FindingKind.CONTRADICTION, [host, *others], [bmc], (
            f"esxi_host says that BMC {bmc.address} is {host.name}, but its hardware ({_identity(bmc)}) is not that "
            f"host's{hint}: not paired. Correct esxi_host, or leave it out."
        ))
        return None

    def _settle(self, host: Host, claims: Sequence[_Claim]) -> Pair | None:
        """Of all who claim this host the one with the only claim; a UUID stands above what is not one."""
        rivals = [claim for claim in claims if claim.host is host]
        if not rivals:
            return None
        strong = [claim for claim in rivals if claim.by is Proof.UUID]
        winner = strong[0] if len(strong) == 1 else rivals[0] if len(rivals) == 1 else None
        involved = {claim.bmc.address for claim in rivals}
        if winner and winner.by is Proof.SERIAL and not winner.is_told:
            involved |= {bmc.address for bmc in self._bmcs if _likeness(host, bmc) in _SHARING}
            winner = winner if len(involved) == 1 else None
        if len(involved) > 1:
            fate = f"only {winner.bmc.address} is, by its UUID" if winner else "none of them is"
            self._find(FindingKind.SEVERAL_BMCS, [host], [bmc for bmc in self._bmcs if bmc.address in involved], (
                f"Several BMCs fit the host {host.name}: {', '.join(sorted(involved))}; {fate} paired with it. Is one "
                "server listed twice in ILO_HOSTS, or under a wrong esxi_host?"
            ))
        return Pair(host.name, winner.bmc.address, winner.by) if winner else None

    def _miss(self, host: Host) -> None:
        unseen = sorted(
            address for address, told in self._overrides.items()
            if told.strip().casefold() == host.name.casefold() and all(bmc.address != address for bmc in self._bmcs)
        )
        why = f"; the one that esxi_host names, {', '.join(unseen)}, was not seen" if unseen else ""
        doubt = " (another finding names it)" if host.name in self._named else ""
        self._findings.append(Finding(FindingKind.HOST_WITHOUT_BMC, (host.name,), tuple(unseen), (
            f"Host {host.name} has no BMC{why}{doubt}: it will be shut down, but a person must switch it on again. Add "
            f"its BMC to ILO_HOSTS; its hardware is {_identity(host)}."
        )))

    def _find(
        self, kind: FindingKind, hosts: Sequence[Host], bmcs: Sequence[BmcSeen], text: str,
        *, extra_hosts: tuple[str, ...] = (),
    ) -> None:
        names = tuple(sorted(host.name for host in hosts))
        self._named.update(names)
        self._findings.append(Finding(kind, names + extra_hosts, tuple(bmc.address for bmc in bmcs), text))


def _word(proof: Proof) -> str:
    return "UUID" if proof is Proof.UUID else "serial number"


def _names(hosts: Sequence[Host]) -> str:
    return ", ".join(sorted(host.name for host in hosts))


def _identity(seen: Host | BmcSeen) -> str:
    serials = ", ".join(sorted(text for text in seen.serials if real_serial(text)))
    return f"UUID {seen.uuid if real_uuid(seen.uuid) else 'none'}, serial {serials or 'none'}"


def merged_pairs(
    before: Mapping[str, str], matching: Matching, unseen: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """The (host, BMC address) pairs to keep: those made now, and earlier ones of BMCs that only did not answer now.

    :param before: BMC address by host name.
    :param unseen: addresses of configured BMCs that did not answer.
    """
    made = {pair.host: pair.bmc for pair in matching.pairs}
    kept = {host: bmc for host, bmc in before.items() if bmc in unseen and host not in made}
    return tuple(sorted((made | kept).items()))

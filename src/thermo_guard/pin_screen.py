"""What `pin` prints: each endpoint with its certificate, the lines for the settings, and what came of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from .adapters.certificates import Certificate
from .adapters.pins import Pin
from .trust import Kind, Seen, Standing

HOSTS = ("ESXi hosts: nothing to pin. vCenter shows the certificate of each of its hosts, and where vCenter is trusted "
         "its word is taken for them.")
COMPARE = ("Compare each SHA-256 that is not trusted with what the machine itself shows, not over this network: "
           "vCenter's and an ESXi host's on its console, a BMC's at the rack.")

_STYLES = {Standing.CHANGED: "bold red", Standing.AGAINST_SETTING: "bold red", Standing.UNTRUSTED: "yellow",
           Standing.SILENT: "red", Standing.INSECURE: "red"}


def show_seen(console: Console, seen: Sequence[Seen], kept: Mapping[str, Pin], now: float) -> None:
    """:param now: seconds since 1970 UTC; what is over by then is said to be."""
    for one in seen:
        _line(console, Text.assemble((f"{one.endpoint.kind} {one.endpoint.key}", "bold"), "  ",
                                     (_stands(one, kept.get(one.endpoint.key)), _STYLES.get(one.standing, "green"))))
        if one.certificate is not None:
            for word, value in _rows(one, one.certificate, now):
                _line(console, Text(f"  {word:<8} {value}"))
    if any(one.endpoint.kind is Kind.VCENTER for one in seen):
        _line(console, Text(HOSTS))
    if any(one.standing in {Standing.UNTRUSTED, Standing.CHANGED} for one in seen):
        _line(console, Text(COMPARE))
    console.print()


def _stands(seen: Seen, pin: Pin | None) -> str:
    endpoint, whose = seen.endpoint, "" if pin is None or not pin.sha256 else f" by {pin.by} at {pin.at}"
    authority = "the system's CAs" if endpoint.ca_file is None else str(endpoint.ca_file)
    match seen.standing:
        case Standing.BY_CA:
            return f"trusted by {authority}: needs no pin"
        case Standing.BY_SETTING:
            beside = ", which stands above the pin that it has too" if whose else ""
            return f"trusted by {endpoint.setting}{beside}"
        case Standing.PINNED:
            return f"pinned{whose}"
        case Standing.INSECURE:
            return "trusted WHATEVER it presents, as the settings say (insecure); name it here to pin it"
        case Standing.UNTRUSTED:
            return f"NOT trusted by {authority}: {seen.reason}"
        case Standing.CHANGED:
            return f"CHANGED since it was pinned{whose}: REFUSED. Unless you renewed it, someone stands in between"
        case Standing.AGAINST_SETTING:
            return (f"REFUSED: it is another certificate than {endpoint.setting} says. The setting stands above a pin: "
                    "change it there")
        case Standing.SILENT:
            return f"NO ANSWER: {seen.reason}"


def _rows(seen: Seen, certificate: Certificate, now: float) -> Iterable[tuple[str, str]]:
    if certificate.not_after is not None:
        yield "subject", certificate.subject or "(none)"
        if certificate.names:
            yield "for", ", ".join(certificate.names)
        yield "issuer", "itself" if certificate.is_self_signed else certificate.issuer or "(none)"
        over = " (over)" if certificate.not_after < now else ""
        yield "until", f"{_iso(certificate.not_after)[:10]}{over}"
    if seen.expected is not None:
        yield "expected", seen.expected
    yield "SHA-256", certificate.fingerprint


def print_lines(seen: Iterable[Seen], named: Collection[str]) -> None:
    """Lines for .env; what belongs into ILO_HOSTS stands as a comment, since that is one value with passwords in it."""
    for one in seen:
        is_named = one.endpoint.key in named
        wanted = one.standing in {Standing.UNTRUSTED, Standing.PINNED} or (
            is_named and one.standing in {Standing.CHANGED, Standing.INSECURE, Standing.AGAINST_SETTING}
        )
        if one.certificate is None or not wanted:
            continue
        for line in _setting_lines(one, one.certificate.fingerprint):
            print(line)  # noqa: T201 - for .env, without a terminal's colours


def _setting_lines(seen: Seen, fingerprint: str) -> Iterable[str]:
    endpoint = seen.endpoint
    if endpoint.kind is Kind.VCENTER:
        other = "VCENTER_CA_FILE" if endpoint.ca_file else "VCENTER_INSECURE" if endpoint.is_insecure else ""
        if other:
            yield f"# in the place of {other}"
        yield f"VCENTER_FINGERPRINT={fingerprint}"
        return
    if endpoint.kind is Kind.ESXI:
        yield f"# No setting holds the certificate of {endpoint.name}: run `thermo-guard pin {endpoint.key}`"
        return
    other = "ca_file" if endpoint.ca_file else "insecure" if endpoint.is_insecure else ""
    place = f", in the place of its {other}" if other else ""
    yield f"# ILO_HOSTS, into the entry of {endpoint.name}{place}:"
    yield f'#   "fingerprint": "{fingerprint}"'


def summary(agreed: Sequence[Seen], left: Sequence[Seen]) -> str:
    """What came of it, in a few lines."""
    lines = []
    if agreed:
        lines.append(f"Pinned: {_names(agreed)}. A running guard takes it up by itself.")
    if silent := [one for one in left if one.standing is Standing.SILENT]:
        lines.append(f"No answer, and so not pinned: {_names(silent)}.")
    if changed := [one for one in left if one.standing is Standing.CHANGED]:
        lines.append(f"CHANGED and still refused: {_names(changed)}. To trust the new certificate name it: "
                     f"thermo-guard pin {changed[0].endpoint.key}")
    if against := [one for one in left if one.standing is Standing.AGAINST_SETTING]:
        lines.append(f"Refused by the settings' own fingerprint: {_names(against)}.")
    if untrusted := [one for one in left if one.standing is Standing.UNTRUSTED]:
        lines.append(f"Still not trusted: {_names(untrusted)}. Nothing is sent there.")
    return "\n".join(lines) or "Nothing to pin."


def seen_as_data(seen: Sequence[Seen], agreed: Sequence[Seen]) -> list[dict[str, object]]:
    """The same for programs."""
    return [
        {
            "endpoint": one.endpoint.key, "kind": str(one.endpoint.kind), "standing": one.standing.name.lower(),
            "is_pinned_now": one in agreed, "reason": one.reason or None, "expected": one.expected,
            **_certificate_as_data(one.certificate),
        }
        for one in seen
    ]


def _certificate_as_data(certificate: Certificate | None) -> dict[str, object]:
    if certificate is None:
        return {"sha256": None}
    until = None if certificate.not_after is None else _iso(certificate.not_after)
    return {
        "sha256": certificate.fingerprint, "subject": certificate.subject, "issuer": certificate.issuer,
        "names": list(certificate.names), "not_after": until, "is_self_signed": certificate.is_self_signed,
    }


def _names(seen: Iterable[Seen]) -> str:
    return ", ".join(one.endpoint.key for one in seen)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _line(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=True)

"""By which way a host is commanded: through vCenter, or over its own API where vCenter is gone or refused there."""

from collections.abc import Iterable

from .commands import VCENTER, Outcome, Verb
from .record import Intent
from .step import Leg
from .view import HostNow


def way_to(leg: Leg, host: HostNow, *, must_be_direct: bool) -> str | None:
    """How it is commanded: over vCenter, or directly where that is needed, or where vCenter was refused there."""
    if must_be_direct:
        return host.name if host.is_direct else None
    if host.is_direct and host.name in refused_through_vcenter(leg.s.incident.intents.values()):
        return host.name
    return host.route


def refused_through_vcenter(intents: Iterable[Intent]) -> frozenset[str]:
    """Hosts that would not obey vCenter in this leg, and those that have been asked directly since."""
    verbs = {Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST, Verb.EXIT_MAINTENANCE}
    return frozenset(
        intent.command.target for intent in intents if intent.command.verb in verbs and (
            intent.command.via != VCENTER or intent.outcome in {Outcome.REFUSED, Outcome.UNAUTHORIZED}
        )
    )

"""How one host is brought down: maintenance mode, shutdown, seen off; its power cut by its BMC, by setting only."""

from .commands import Command, Verb
from .events import Abandoned, Phase
from .plant import Power
from .step import DIRECT_S, GIVE_UP_S, Leg, last_answer
from .view import SILENT_S, HostNow

_MAINTENANCE_SLACK_S = 30.0


def host_is_off(leg: Leg, host: HostNow) -> bool:
    was_cut = leg.first_asked(host.name, Verb.FORCE_OFF_HOST) is not None  # says nothing of its shutdown
    leg.note("host", host.name, host.name, host.power, host.by, *(() if was_cut else (Verb.SHUT_DOWN_HOST,)))
    if host.power is Power.OFF:
        return True
    was_on = leg.kept_hosts[host.name].is_on if host.name in leg.kept_hosts else True
    is_known_off = leg.was_seen(host.name, Power.OFF) or not was_on
    if host.power is Power.UNKNOWN and is_known_off and leg.first_asked(host.name, Verb.ENTER_MAINTENANCE) is None:
        return True  # it was off, and nothing has answered since
    if host.bmc is not None or host.power is not Power.UNKNOWN:
        return False
    asked = leg.intent(Verb.SHUT_DOWN_HOST, host.name)
    is_silent = host.silent_since is None or leg.now - host.silent_since >= SILENT_S
    if asked is not None and leg.now - asked.at >= SILENT_S and is_silent:
        leg.note("host", host.name, host.name, Power.OFF, "silence", Verb.SHUT_DOWN_HOST)
        return True
    return False


def stop_host(leg: Leg, host: HostNow, route: str | None, *, may_force: bool) -> None:
    """Maintenance mode, then shutdown; outside maintenance mode only when that would not come."""
    timing = leg.timing
    asked = leg.first_asked(host.name, Verb.SHUT_DOWN_HOST)
    entering = leg.first_asked(host.name, Verb.ENTER_MAINTENANCE)
    in_maintenance_by = (leg.since if entering is None else entering) + timing.maintenance_s + _MAINTENANCE_SLACK_S
    until = (in_maintenance_by if asked is None else asked) + timing.host_shutdown_s
    is_deaf = route is None and asked is None and leg.now >= leg.since + DIRECT_S and host.power is not Power.MOVING
    is_locked = leg.step.phase is Phase.LAST_HOST and route is None and host.is_login_refused
    if leg.now >= until or is_deaf or is_locked:
        why = _why_still_up(host, route)
        why += last_answer(leg.s.incident.intents, host.name, Verb.ENTER_MAINTENANCE, Verb.SHUT_DOWN_HOST)
        leg.abandon(Abandoned("host", host.name, host.name, leg.step.phase, why))
    if route is None and leg.is_settled(host.name):
        return
    leg.wait(host.name, "host to go off" if asked else "maintenance mode" if route else "host to answer", until)
    if route is None:
        return
    if host.in_maintenance:
        leg.ask(Command(Verb.SHUT_DOWN_HOST, host.name, host.name, route))
    elif leg.now < in_maintenance_by or not may_force:
        leg.ask(Command(Verb.ENTER_MAINTENANCE, host.name, host.name, route, timeout_s=timing.maintenance_s))
    else:
        leg.ask(Command(Verb.SHUT_DOWN_HOST, host.name, host.name, route, force=True))


def force_off(leg: Leg, host: HostNow) -> bool:
    """Have its BMC cut the power; whether there is nothing more to wait for."""
    asked = leg.first_asked(host.name, Verb.FORCE_OFF_HOST)
    if host.bmc is None or (asked is not None and leg.now >= asked + GIVE_UP_S):
        return True
    leg.ask(Command(Verb.FORCE_OFF_HOST, host.name, host.name, host.bmc))
    leg.wait(host.name, "its BMC to cut the power", (leg.now if asked is None else asked) + GIVE_UP_S)
    return False


def _why_still_up(host: HostNow, route: str | None) -> str:
    if host.is_login_refused and route is None:
        return f"it takes no direct login ({host.why_not_direct}) and still heats the room"
    if host.power is Power.ON and route is None:
        return f"it takes no direct login ({host.why_not_direct or 'none configured'}) and still heats the room"
    if host.power is Power.ON:
        return "it did not go off and still heats the room"
    if host.bmc is None:
        return "ESXi is silent and it has no BMC that could confirm that it is off"
    return f"ESXi is silent but its BMC {host.bmc} says {host.bmc_power}"

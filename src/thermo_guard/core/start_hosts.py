"""Which host is powered on when: one first, the others once the room has stayed level, staggered and counted."""

from collections.abc import Sequence

from .commands import VCENTER, Command, Outcome, Verb
from .events import Abandoned, Phase
from .plant import Power
from .snapshot import KeptHost
from .step import DIRECT_S, Leg, last_answer
from .view import HostNow

_LIMIT_WINDOW_H = 24


def _kept_on(leg: Leg) -> list[KeptHost]:
    """Hosts that ran, vCenter's first: it carries what the others are commanded through."""
    first = {vm.host for vm in leg.s.snapshot.vcenter_vms}
    ran = (host for host in leg.s.snapshot.hosts if host.is_on and leg.s.scope.has_host(host.name))
    return sorted(ran, key=lambda host: (host.name not in first, host.name))


def _is_going_down(leg: Leg, host: HostNow) -> bool:
    """It was told to stop before the goal turned and may do so at any moment."""
    told = leg.s.incident.stopping.get(host.name)
    return told is not None and leg.now < told + leg.s.timing.host_shutdown_s


def power_on_hosts(leg: Leg) -> bool:
    """One first, the others after the room has stayed level, staggered."""
    hosts = [leg.s.plant.hosts[kept.name] for kept in _kept_on(leg) if kept.name in leg.s.plant.hosts]
    for host in hosts:
        leg.note("host", host.name, host.name, host.power, host.by, Verb.POWER_ON_HOST)
    up = [host for host in hosts if host.power is Power.ON and not _is_going_down(leg, host)]
    up_names = {host.name for host in up}
    missing = [host for host in hosts if host.name not in up_names and not leg.is_abandoned(host.name)]
    leg.begin(Phase.OTHER_HOSTS if up else Phase.FIRST_HOST)
    off = [host for host in missing if not _is_coming(leg, host) and not _cannot_be_started(leg, host)]
    startable = {host.name for host in off}
    coming = [host for host in missing if host.name not in startable and host.name not in leg.given_up
              and not (up and _is_seen_by_vcenter_alone(leg, host))]
    if (off or not up) and hosts and not is_within_limit(leg):
        return bool(up) and not coming
    if not off and not coming:
        return _ask_given_up_hosts(leg, hosts, up)
    is_first = all(host.power is not Power.ON for host in hosts) and all(
        host.power is Power.UNKNOWN for host in coming  # a dead BMC delays no other host
    )
    if off and is_first:
        _power_on(leg, off[0])
        return False
    if off and up:
        watch = leg.s.watch(min(_on_since(leg, host) for host in up))
        if not watch.is_clear:
            leg.begin(Phase.WATCH)
            leg.wait("the room", watch.why, None)
        elif leg.now >= _last_power_on(leg) + leg.s.timing.host_stagger_s:
            _power_on(leg, off[0])
    return False


def _is_seen_by_vcenter_alone(leg: Leg, host: HostNow) -> bool:
    """It boots and takes no direct login: vCenter, which would show it, must not wait for it."""
    own = {vm.host for vm in leg.s.snapshot.vcenter_vms}
    is_booted = host.bmc_power is Power.ON and host.is_login_refused
    return is_booted and bool(own) and host.name not in own and leg.s.plant.settings is None


def _ask_given_up_hosts(leg: Leg, hosts: Sequence[HostNow], up: Sequence[HostNow]) -> bool:
    """A host given up before its BMC could be asked is asked once that answers; without any host nothing goes on."""
    is_free = not up or (
        leg.now >= _last_power_on(leg) + leg.s.timing.host_stagger_s
        and leg.s.watch(min(_on_since(leg, host) for host in up)).is_clear
    )
    for host in hosts:
        asked = leg.intent(Verb.POWER_ON_HOST, host.name)
        was_taken = asked is not None and asked.outcome is Outcome.ACCEPTED
        is_off = host.power is Power.OFF and leg.is_abandoned(host.name)
        if is_off and host.bmc is not None and not was_taken and is_free and is_within_limit(leg):
            leg.ask(_power_on_command(host.name, host.bmc))
            break
    if hosts and not up:
        leg.wait(leg.s.snapshot.cluster, "any host to come up", None)
    return bool(up) or not hosts


def _is_coming(leg: Leg, host: HostNow) -> bool:
    """Neither up nor startable now: it boots, or it is still going down. Gives it up at its deadline."""
    if host.power in {Power.ON, Power.MOVING} and _is_going_down(leg, host):
        leg.wait(host.name, "host to finish its shutdown", leg.s.incident.stopping[host.name]
                 + leg.s.timing.host_shutdown_s)
        return True
    asked = leg.intent(Verb.POWER_ON_HOST, host.name)
    if asked is None and host.power is Power.OFF:
        return False
    if asked is None and host.power is Power.MOVING and host.name in leg.s.incident.stopping:
        why = f"it hangs in its shutdown (its BMC says {host.bmc_power}): a person must cut its power and start it"
        leg.abandon(Abandoned("host", host.name, host.name, leg.step.phase, why))
        return True
    began = max(asked.first_at if asked is not None else leg.since, _silent_since(leg, host))
    is_unknown = asked is None and host.power is Power.UNKNOWN
    until = began + (DIRECT_S if is_unknown else leg.s.timing.host_boot_s)
    if leg.now >= until and is_unknown:
        why = "neither it nor its BMC answers: a person must see to it"
        leg.abandon(Abandoned("host", host.name, host.name, leg.step.phase, why))
        return True
    if leg.now >= until:
        why = f"it was not back within {leg.s.timing.host_boot_s:g} s (its BMC says {host.bmc_power})"
        leg.abandon(Abandoned("host", host.name, host.name, leg.step.phase,
                              why + last_answer(leg.s.incident.intents, host.name, Verb.POWER_ON_HOST)))
        return True
    leg.wait(host.name, "ESXi to answer", until)
    kept = leg.kept_hosts.get(host.name)
    if host.is_let_go and leg.s.plant.settings is not None and kept is not None and not kept.is_let_go:
        leg.ask(Command(Verb.RECONNECT_HOST, host.name, host.name, VCENTER))  # without it vCenter never shows it again
    if host.power is Power.OFF and host.bmc is not None:  # the one matched now: an address may change hands
        leg.ask(_power_on_command(host.name, host.bmc))
    return True


def _silent_since(leg: Leg, host: HostNow) -> float:
    """Since when a host that was up in this leg has not answered; its boot is not counted from the power-on then."""
    power, at = leg.s.incident.observed.get(host.name, ("", 0.0))
    return max(at, host.silent_since or leg.now) if power == Power.ON else 0.0


def _cannot_be_started(leg: Leg, host: HostNow) -> bool:
    if host.bmc is not None:
        return False
    why = "no BMC is matched to it: a person must power it on"
    leg.abandon(Abandoned("host", host.name, host.name, leg.step.phase, why))
    return True


def is_within_limit(leg: Leg) -> bool:
    """Whether the site may still be powered on; said once where it may not, and then a person's until the leg ends.

    What was shed counts as the site does: each time is one more cycle of the same machines.
    """
    limit, count = leg.s.timing.power_on_limit, len(leg.s.power_ons)
    if leg.s.incident.wished_by:
        return True  # the person that it needs has decided
    if leg.s.incident.is_powered_on or (count < limit and not leg.s.incident.is_held):
        return True
    leg.step.needs_person = (
        f"the site was powered on {max(limit, count)} times within {_LIMIT_WINDOW_H} hours: a person must decide"
    )
    leg.wait(leg.s.snapshot.cluster, leg.step.needs_person, None)
    return False


def _power_on(leg: Leg, host: HostNow) -> None:
    if host.bmc is not None:
        leg.ask(_power_on_command(host.name, host.bmc))
    leg.wait(host.name, "ESXi to answer", leg.now + leg.s.timing.host_boot_s)


def _power_on_command(host: str, bmc: str) -> Command:
    return Command(Verb.POWER_ON_HOST, host, host, bmc)


def _on_since(leg: Leg, host: HostNow) -> float:
    power, at = leg.s.incident.observed.get(host.name, ("", leg.now))
    return at if power == Power.ON else leg.now


def _last_power_on(leg: Leg) -> float:
    times = [i.at for (verb, _), i in leg.s.incident.intents.items() if verb is Verb.POWER_ON_HOST]
    return max(times, default=float("-inf"))

"""What `check` says of the BMCs: whether each works, which host it is built into, and what it does by itself."""

from collections.abc import Iterator, Mapping, Sequence

from .finding import Area, Finding, Way, fail, listed, ok, warn
from .matching import FindingKind, Matching, match_bmcs
from .plant import BmcSeen, Host, HostSeen, Power, Trouble, Unseen
from .readings import Reading
from .survey import InletSeen, Memory, Survey

SWITCHES_ON = ("On", "ForceOn")
ALWAYS_ON = "AlwaysOn"
"""Its policy for the return of the mains, as the adapter words it."""
COLDEST_INLET_C, WARMEST_INLET_C = 0.0, 60.0
"""No inlet of a server that runs is beyond: a sensor that is not there reads 0."""
NAME_ONE = "Name the right one by inlet_sensor in its entry of ILO_HOSTS; BMC_INLETS=false does without all of them."


def matching_of(survey: Survey, overrides: Mapping[str, str]) -> Matching | None:
    """Which BMC is which host; None where the hosts could not be seen."""
    if isinstance(survey.cluster, Unseen):
        return None
    found = [bmc for bmc in survey.bmcs.values() if isinstance(bmc, BmcSeen)]
    return match_bmcs(survey.cluster.hosts, found, overrides)


def pairs_of(survey: Survey, overrides: Mapping[str, str]) -> Mapping[str, str]:
    """BMC by host, of those that answer and are proved."""
    matching = matching_of(survey, overrides)
    return {} if matching is None else {pair.host: pair.bmc for pair in matching.pairs}


def bmc_findings(survey: Survey, overrides: Mapping[str, str]) -> tuple[Finding, ...]:
    if not survey.bmcs:
        return (fail(Area.BMCS, Way.BACK, "ILO_HOSTS is empty: no host's end could be confirmed, and a person would "
                                          "have to switch on each one", "List the BMCs of the hosts in ILO_HOSTS."),)
    matching = matching_of(survey, overrides)
    host_of = {} if matching is None else {pair.bmc: (pair.host, f"by {pair.by}") for pair in matching.pairs}
    before = survey.memory.bmc_of or {} if isinstance(survey.memory, Memory) else {}
    for host, bmc in before.items():  # what did not answer now stays what it was
        if isinstance(survey.bmcs.get(bmc), Unseen) and host not in {name for name, _ in host_of.values()}:
            host_of[bmc] = (host, "as seen before")
    hosts = {} if isinstance(survey.cluster, Unseen) else {host.name: host for host in survey.cluster.hosts}
    found: list[Finding] = []
    for address, look in sorted(survey.bmcs.items()):
        name, how = host_of.get(address, ("", ""))
        if isinstance(look, Unseen):
            found.append(_of_unseen(address, look, name))
        elif name or matching is None:  # of the others the matching itself says what they are
            found += _of_bmc(look, hosts.get(name), how, survey.direct.get(name))
    if matching is not None:
        silent = {address for address, look in survey.bmcs.items() if isinstance(look, Unseen)}
        known = {host for host, _ in host_of.values()}
        nameless = {host.name for host in hosts.values() if not (host.uuid or host.serials)} - known
        found += _of_matching(matching, known, sorted(silent - set(host_of)), overrides, nameless)
    elif isinstance(survey.cluster, Unseen):
        found.append(warn(Area.BMCS, "Which of them is which host cannot be told before the hosts are seen",
                          "Mend first what keeps them from being seen."))
    off = {address for address, bmc in survey.bmcs.items() if isinstance(bmc, BmcSeen) and bmc.power is Power.OFF}
    found += [_of_inlet(address, look, is_off=address in off) for address, look in sorted(survey.inlets.items())]
    return tuple(found)


def _of_inlet(address: str, look: InletSeen | Unseen, *, is_off: bool) -> Finding:
    """Never a FAIL: the room's own sensors decide."""
    if isinstance(look, Unseen):
        remedy = "" if look.trouble is not None or look.is_refused else NAME_ONE
        return warn(Area.BMCS, f"{address}: its server's inlet temperature cannot be had, {look.reason}", remedy)
    which = look.sensor or "sensor not known yet"
    match look.poll.readings, look.poll.rejected:
        case [Reading(celsius=celsius), *_], _ if COLDEST_INLET_C < celsius < WARMEST_INLET_C:
            return ok(Area.BMCS, f"{address}: inlet {which}, {celsius:g} degC")
        case _ if is_off:
            return ok(Area.BMCS, f"{address}: inlet {which}, no temperature while its server is off")
        case [Reading(celsius=celsius), *_], _:
            return warn(Area.BMCS, f"{address}: inlet {which}, {celsius:g} degC, which no inlet has", NAME_ONE)
        case _, [rejected, *_]:
            return warn(Area.BMCS, f"{address}: inlet {which}, no temperature: {rejected.reason}", NAME_ONE)
    return warn(Area.BMCS, f"{address}: inlet {which}, no temperature now", NAME_ONE)


def _of_unseen(address: str, look: Unseen, host: str) -> Finding:
    whose = f" (of {host})" if host else ""
    text = (f"{address}{whose}: {look.reason.rstrip('.')}. The end of its host could not be confirmed, and a person "
            "would have to switch it on")
    return fail(Area.BMCS, Way.BACK, text, _unseen_remedy(address, look))


def _unseen_remedy(address: str, look: Unseen) -> str:
    if look.is_refused:
        return "See its username and password in ILO_HOSTS."
    match look.trouble:
        case Trouble.UNTRUSTED:
            return ("Run `thermo-guard pin`, which shows the certificate and trusts it once you have compared its "
                    "SHA-256; or set fingerprint or ca_file for it in ILO_HOSTS.")
        case Trouble.WRONG_PIN:
            return (f"If the certificate was renewed, compare its SHA-256 and run `thermo-guard pin {address}`, or "
                    "change its fingerprint in ILO_HOSTS where that is set; if it was not, someone stands in between.")
    return "See its address in ILO_HOSTS, and whether this machine reaches it."


def _of_bmc(bmc: BmcSeen, host: Host | None, how: str, direct: HostSeen | Unseen | None) -> Iterator[Finding]:
    whose = "" if host is None else f" is {host.name} ({how})"
    model = "" if bmc.model is None else f", {bmc.model}"
    resets = ", ".join(bmc.allowed_resets) or "not listed"
    yield ok(Area.BMCS, f"{bmc.address}{whose}{model}: the login works, power {bmc.power}, resets {resets}, when the "
                        f"mains return: {bmc.auto_power_on or 'not shown'}")
    if host is not None:
        yield from _problems(bmc, host, direct)


def _problems(bmc: BmcSeen, host: Host, direct: HostSeen | Unseen | None) -> Iterator[Finding]:
    name = f"{bmc.address} of {host.name}"
    is_up = isinstance(direct, HostSeen) or (host.is_connected and host.power is Power.ON)
    if is_up and bmc.power is Power.OFF:
        yield fail(Area.BMCS, Way.BACK, f"{name} says Off while the host answers: it reports wrongly or is another "
                                        "server's, and neither its end nor its return could be trusted",
                   "Look at the rack which server it is built into; reset the BMC itself if it is the right one.")
    elif bmc.power is Power.UNKNOWN:
        yield fail(Area.BMCS, Way.BACK, f"{name} does not say whether it is on: its end could not be confirmed",
                   "See its own page for the power state; a newer firmware may show it.")
    if bmc.allowed_resets and not set(SWITCHES_ON) & set(bmc.allowed_resets):
        yield fail(Area.BMCS, Way.BACK, f"{name} offers no reset of type On, only {', '.join(bmc.allowed_resets)}: a "
                                        "person would have to switch the host on",
                   "Give the account the right to virtual power and reset; see the BMC's licence and firmware.")
    if bmc.auto_power_on == ALWAYS_ON:
        yield warn(Area.BMCS, f"{name} switches the server on whenever the mains return, also in a hot room, whatever "
                              "the guard wants", "Set its automatic power-on to the last state, or to off.")


def _of_matching(
    matching: Matching, known: set[str], unanswered: Sequence[str], overrides: Mapping[str, str], nameless: set[str]
) -> Iterator[Finding]:
    """`known` hosts have their BMC; `unanswered` are the BMCs of which nobody knows where they are built in, `nameless`
    the hosts that have never been seen, so that any BMC may be theirs.
    """
    lonely: list[str] = []
    if nameless:
        yield warn(Area.BMCS, f"Which BMC is built into {listed(nameless, 20)} cannot be told before it has been seen "
                              "once", "Check again when it answers.")
    without = {host for one in matching.findings if one.kind is FindingKind.HOST_WITHOUT_BMC for host in one.hosts}
    is_one_short = len(without - known) > len(unanswered)
    for one in matching.findings:
        match one.kind:
            case FindingKind.FOREIGN_BMC if nameless:
                continue  # it may well be theirs
            case FindingKind.HOST_WITHOUT_BMC if nameless.issuperset(one.hosts):
                lonely += one.hosts
            case FindingKind.FOREIGN_BMC | FindingKind.UNVERIFIED:
                yield warn(Area.BMCS, one.text)
            case FindingKind.HOST_WITHOUT_BMC:
                lonely += [host for host in one.hosts if host not in known]
                host = one.hosts[0]
                maybe = [bmc for bmc in unanswered if overrides.get(bmc, host).casefold() == host.casefold()]
                if host not in known and maybe:
                    yield _perhaps_unanswered(host, maybe, is_one_short=is_one_short)
                elif not known.issuperset(one.hosts):
                    yield fail(Area.BMCS, Way.BACK, one.text)
            case _:
                yield fail(Area.BMCS, Way.BACK, one.text)
    if matching.pairs and not lonely:
        yield ok(Area.BMCS, f"Every host has its BMC: {listed((pair.host for pair in matching.pairs), 100)}")


def _perhaps_unanswered(host: str, maybe: Sequence[str], *, is_one_short: bool) -> Finding:
    """A FAIL only where some host must be without one: the BMCs that do not answer are FAILs themselves."""
    text = (f"{host}: no BMC that answers is built into it. It may be one of those that do not, {', '.join(maybe)} "
            "(another finding names it)")
    remedy = "Mend those first, then check again."
    if is_one_short:
        return fail(Area.BMCS, Way.BACK, f"{text}; but they are fewer than such hosts", remedy)
    return warn(Area.BMCS, text, remedy)

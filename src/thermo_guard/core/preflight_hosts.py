"""What `check` says of the hosts: their own logins, those that vCenter has lost, and those that are not at work."""

from collections.abc import Iterator, Mapping

from .appliance import Appliance
from .finding import Area, Finding, Way, fail, listed, ok, warn
from .plant import BmcSeen, ClusterSeen, Host, HostSeen, Power, Trouble, Unseen
from .survey import Survey

_NAMED = 20
"""So many hosts are named in one line."""
_FEW = 8
_PIN = "Run `thermo-guard pin`, which shows the certificate and trusts it once you have compared its SHA-256."


def host_findings(
    survey: Survey, cluster: ClusterSeen, appliance: Appliance, *, has_esxi_logins: bool, bmc_of: Mapping[str, str]
) -> tuple[Finding, ...]:
    """All that can be said of the hosts of a cluster that is seen; of their BMCs another module says it."""
    return (
        *_of_silent(survey, cluster, bmc_of),
        *_of_idle(cluster),
        *(_of_standalone(survey, cluster) if cluster.is_standalone else
          _of_logins(survey, cluster, appliance, has_esxi_logins=has_esxi_logins)),
    )


def silent_hosts(cluster: ClusterSeen) -> list[Host]:
    """Those that vCenter has no connection to, and that it does not show in standby."""
    return [host for host in cluster.hosts if not host.is_connected and host.power is not Power.OFF]


def hosts_remedy(unseen: Unseen) -> str:
    """What to do where none of ESXI_HOSTS is seen."""
    if unseen.is_refused:
        return ("See ESXI_USER and ESXI_PASSWORD (or esxi_user and esxi_password in ILO_HOSTS), whether the account is "
                "locked, and in lockdown mode the hosts' exception users.")
    if unseen.trouble in {Trouble.UNTRUSTED, Trouble.WRONG_PIN}:
        return _PIN
    return ("See ESXI_HOSTS, whether the hosts run, and whether this machine's DNS knows them and a firewall lets it "
            "through to them.")


def _of_silent(survey: Survey, cluster: ClusterSeen, bmc_of: Mapping[str, str]) -> Iterator[Finding]:
    """Hosts that vCenter has lost: one that is off runs nothing, one with a direct login is stopped over that."""
    remedy = "See to the host." if cluster.is_standalone else "Reconnect it in vCenter, or see to the host."
    lacks = "There is no answer from" if cluster.is_standalone else "vCenter has no connection to"
    told: dict[str, list[str]] = {"off": [], "direct": [], "neither": []}
    for host in silent_hosts(cluster):
        bmc = survey.bmcs.get(bmc_of.get(host.name, ""))
        is_off = isinstance(bmc, BmcSeen) and bmc.power is Power.OFF
        look = survey.direct.get(host.name)
        if isinstance(look, HostSeen):
            told["direct"].append(host.name)
        elif is_off:
            told["off"].append(host.name)
        elif not cluster.is_standalone:
            told["neither"].append(host.name)
        elif not _is_turned_away(look):  # such a one is told with what is to be done about it
            told["neither"].append(f"{host.name} ({_why(look)})")
    if off := told["off"]:
        yield warn(Area.HOSTS, f"{lacks} {listed(off, _NAMED)}; by the BMC the power is off", remedy)
    if direct := told["direct"]:
        yield warn(Area.HOSTS, f"{lacks} {listed(direct, _NAMED)}: what runs there could only "
                                 "be stopped over the direct login, which works", remedy)
    if neither := told["neither"]:
        is_all = len(neither) == len(cluster.hosts)  # one dead host does not hold up the rest, nor its guard
        yield fail(Area.HOSTS, Way.DOWN if is_all else Way.PART,
                   f"{lacks} {listed(neither, _NAMED)}, and no direct login works: what runs "
                   "there can be neither shown nor stopped",
                   f"{remedy[:-1]}, or set a login that works (ESXI_USER and ESXI_PASSWORD); take a host that "
                   f"is gone out of the {'settings' if cluster.is_standalone else 'cluster'}.")


def _of_idle(cluster: ClusterSeen) -> Iterator[Finding]:
    """Hosts that are as someone has left them on purpose: so they are after the way back too."""
    if let_go := [host.name for host in cluster.hosts if host.is_let_go]:
        yield warn(Area.HOSTS, f"vCenter has let go of {listed(let_go, _NAMED)} (disconnected): after the way back it "
                               "is left so", "Reconnect it in vCenter where it belongs to the cluster.")
    if asleep := [host.name for host in cluster.hosts if host.power is Power.OFF]:
        yield ok(Area.HOSTS, f"In standby, and left so; no login can be tried there: {listed(asleep, _NAMED)}")
    if maintained := [host.name for host in cluster.hosts if host.in_maintenance]:
        yield ok(Area.HOSTS, "In maintenance mode already, and still in it after the way back: "
                             f"{listed(maintained, _NAMED)}")


def _of_standalone(survey: Survey, cluster: ClusterSeen) -> Iterator[Finding]:
    """Without vCenter there is no other way to a host than its own login."""
    for host in cluster.hosts:
        look = survey.direct.get(host.name)
        if isinstance(look, HostSeen):
            yield ok(Area.HOSTS, _works(host, look))
            if look.managed_by:
                yield fail(Area.HOSTS, Way.DOWN,
                           f"{host.name}: the vCenter at {look.managed_by} manages it. Its HA would start again what "
                           "is stopped, its DRS move it, and nothing here would switch them off",
                           "Set VCENTER_HOST to that vCenter in the place of the host; where there is none any more, "
                           "disconnect the host from it in the Host Client (Actions, Disconnect from vCenter Server).")
        elif host.is_connected or _is_turned_away(look):  # one that is silent is told as such
            yield fail(Area.HOSTS, Way.DOWN, f"{host.name}: no direct login ({_why(look)}). There is no vCenter, so "
                                             "neither its VMs nor the host itself could be shut down",
                       _remedy(host, look, is_standalone=True))


def _of_logins(
    survey: Survey, cluster: ClusterSeen, appliance: Appliance, *, has_esxi_logins: bool
) -> Iterator[Finding]:
    """The VM of vCenter and its host are stopped over the host's own API, wherever DRS has moved them by then."""
    homes = {vm.host for vm in cluster.vms if vm.id in appliance.vms}
    if not has_esxi_logins:
        text = "No login for the hosts themselves is configured"
        if homes:
            yield fail(Area.HOSTS, Way.LAST, f"{text}: vCenter's VM and its host ({listed(homes, _FEW)}) would stay up "
                                             "and heat the room", "Set ESXI_USER and ESXI_PASSWORD.")
        else:
            yield warn(Area.HOSTS, f"{text}: should vCenter not answer when the alarm comes, nothing could be stopped",
                       "Set ESXI_USER and ESXI_PASSWORD.")
        return
    for host in cluster.hosts:
        if host.power is not Power.OFF or host.name in homes:
            yield _of_login(host, survey.direct.get(host.name), homes)


def _of_login(host: Host, look: HostSeen | Unseen | None, homes: set[str]) -> Finding:
    if isinstance(look, HostSeen):
        return ok(Area.HOSTS, _works(host, look))
    text, remedy = f"{host.name}: no direct login ({_why(look)})", _remedy(host, look)
    if host.name in homes:
        return fail(Area.HOSTS, Way.LAST, f"{text}. vCenter runs there: its VM and this host would stay up and heat "
                                          "the room", remedy)
    if homes and host.is_connected:
        return fail(Area.HOSTS, Way.LAST, f"{text}. vCenter's VM can be moved there at any time; then it and this host "
                                          "would stay up", remedy)
    return warn(Area.HOSTS, f"{text}. It is only needed where vCenter does not answer", remedy)


def _works(host: Host, look: HostSeen) -> str:
    state = ", in maintenance mode" if look.in_maintenance else ""
    lockdown = ", in lockdown mode, where the account is an exception user" if host.in_lockdown else ""
    running = sum(vm.power is Power.ON for vm in look.vms)
    return f"{host.name}: the direct login works; {running} VMs on{state}{lockdown}"


def _why(look: Unseen | None) -> str:
    return "it was not looked at" if look is None else look.reason


def _is_turned_away(look: Unseen | None) -> bool:
    """It is there, and one of the two does not take the other: the login is refused, or the certificate."""
    return look is not None and (look.is_refused or look.trouble in {Trouble.UNTRUSTED, Trouble.WRONG_PIN})


def _remedy(host: Host, look: Unseen | None, *, is_standalone: bool = False) -> str:
    if host.in_lockdown and (look is None or look.trouble is None):
        return ("The host is in lockdown mode: add the account of ESXI_USER to its exception users (Configure, "
                "Security Profile, Lockdown Mode), or take it out of lockdown mode.")
    if look is not None and look.is_refused:
        return ("See ESXI_USER and ESXI_PASSWORD (or this host's in ILO_HOSTS), and in lockdown mode its exception "
                "users.")
    is_untrusted = look is not None and look.trouble in {Trouble.UNTRUSTED, Trouble.WRONG_PIN}
    if is_untrusted and is_standalone:
        return _PIN
    if is_untrusted:
        return ("It is trusted by the certificate that vCenter shows of it, and presents another: reconnect it in "
                "vCenter if its certificate was renewed, and see who answers there if not.")
    return "See whether this machine reaches the host's management address."

"""`thermo-guard role`: the least that the guard's account needs, as commands for govc and for PowerCLI.

Made of the adapter's own list of calls, so that a new call has its privilege here, in `check` and in the program alike.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .adapters.vsphere.privileges import OF_CLUSTER, OF_HOST, OF_ROOT, OF_VM, ON_ESXI, ON_ESXI_OF_VCENTER
from .settings_sources import gather

ROLE = "thermo-guard"


@dataclass(frozen=True, slots=True)
class Account:
    """Who is given the role, and where."""

    user: str = "thermo-guard@vsphere.local"
    """As VCENTER_USER has it."""
    cluster: str = "CLUSTER"
    """Its name, as VCENTER_CLUSTER has it."""
    esxi_user: str = "thermo-guard"
    """On each ESXi host, as ESXI_USER has it."""
    has_vcenter: bool = True
    """False: ESXI_HOSTS stands in its place."""
    notes: tuple[str, ...] = ()
    """What of it is not as the settings have it, in words."""


_ADMINISTRATOR = re.compile(r"(^|\\)(root|administrator)(@|$)", re.IGNORECASE)
_VARIABLES = {"VCENTER_USER": "user", "VCENTER_CLUSTER": "cluster", "ESXI_USER": "esxi_user"}


def account_from(env: Mapping[str, str], dotenv: Path) -> Account:
    """What of the account is set already; no login is needed to say what it will need.

    An administrator's is left out: these commands would take its own rights away.
    """
    found = dict(gather(env, dotenv, (*_VARIABLES, "ESXI_HOSTS"), ()).values)
    has_vcenter = found.pop("ESXI_HOSTS", None) is None
    given = {name: value for name, value in found.items() if not _ADMINISTRATOR.search(value) or "USER" not in name}
    own = Account()
    made = Account(
        user=given.get("VCENTER_USER", own.user), cluster=given.get("VCENTER_CLUSTER", own.cluster),
        esxi_user=given.get("ESXI_USER", own.esxi_user), has_vcenter=has_vcenter,
    )
    instead = {name: getattr(made, _VARIABLES[name]) for name in found if name not in given}
    notes = [f"{name} is an administrator's account, which these commands would make less: {user} stands in its place. "
             "Create that account and set it." for name, user in instead.items()]
    if has_vcenter and "VCENTER_CLUSTER" not in given:
        notes.append("VCENTER_CLUSTER is not set: put the cluster's name in the place of CLUSTER.")
    return replace(made, notes=tuple(notes))


@dataclass(frozen=True, slots=True)
class _Grant:
    """One role and where it is given; `why` is for the one who runs the commands."""

    why: str
    role: str
    privileges: Sequence[str]
    principal: str
    govc: str
    """The entity, as govc takes it."""
    powercli: str
    propagates: bool


def govc(account: Account) -> str:
    """The commands for govc, with comments that say what each is for; they change roles and permissions only."""
    blocks = (
        f"# {grant.why}\n"
        f"govc role.create {grant.role} {' '.join(grant.privileges)}\n"
        f"# where the role exists: govc role.update {grant.role} {' '.join(grant.privileges)}\n"
        f"govc permissions.set -principal {shlex.quote(grant.principal)} -role {grant.role} "
        f"-propagate={str(grant.propagates).lower()} {grant.govc}\n"
        for grant in _grants(account)
    )
    return "\n".join((*_notes(account), *blocks))


def powercli(account: Account) -> str:
    """The same for PowerCLI."""
    blocks = (
        f"# {grant.why}\n"
        f"$role = New-VIRole -Name {_ps(grant.role)} -Privilege "
        f"(Get-VIPrivilege -Id {','.join(_ps(one) for one in grant.privileges)})\n"
        f"# where the role exists: $role = Get-VIRole -Name {_ps(grant.role)}; Set-VIRole -Role $role -AddPrivilege "
        f"(Get-VIPrivilege -Id {','.join(_ps(one) for one in grant.privileges)})\n"
        f"New-VIPermission -Entity {grant.powercli} -Principal {_ps(_principal(grant.principal))} -Role $role "
        f"-Propagate:${str(grant.propagates).lower()}\n"
        for grant in _grants(account)
    )
    return "\n".join((*_notes(account), *blocks))


def _notes(account: Account) -> tuple[str, ...]:
    return tuple(f"# {note}\n" for note in account.notes)


def _grants(account: Account) -> tuple[_Grant, ...]:
    """What each account needs.

    System.View, System.Read and System.Anonymous come with every role, and with them all that is only read.
    """
    if not account.has_vcenter:
        return (_Grant(
            "On each ESXi host, logged in to the host itself, where its login (ESXI_USER) is not to be root.",
            ROLE, _sorted(ON_ESXI), account.esxi_user, "/", "(Get-Folder -NoRecursion)", propagates=True,
        ),)
    return (
        _Grant(
            "On the cluster, for its hosts and VMs too.", ROLE, _sorted(OF_CLUSTER, OF_HOST, OF_VM), account.user,
            f'"$(govc find / -type c -name {shlex.quote(account.cluster)})"',
            f"(Get-Cluster -Name {_ps(account.cluster)})", propagates=True,
        ),
        _Grant(
            "On vCenter itself and nothing below it, for the cluster services (vCLS): only where vCenter is older than "
            "8.0 U2.", f"{ROLE}-vcls", _sorted(OF_ROOT), account.user, "/", "(Get-Folder -NoRecursion)",
            propagates=False,
        ),
        _Grant(
            "On each ESXi host, logged in to the host itself, where its own login (ESXI_USER) is not to be root.",
            ROLE, _sorted(ON_ESXI_OF_VCENTER), account.esxi_user, "/", "(Get-Folder -NoRecursion)", propagates=True,
        ),
    )


def _sorted(*privileges: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({one for some in privileges for one in some}))


def _principal(user: str) -> str:
    r"""DOMAIN\user, as PowerCLI names an account of a domain."""
    name, at, domain = user.rpartition("@")
    return f"{domain.upper()}\\{name}" if at else user


def _ps(text: str) -> str:
    quoted = text.replace("'", "''")
    return f"'{quoted}'"

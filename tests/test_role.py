"""The role that is printed, held against the calls that the adapter makes: in its source, and on the wire."""

import ast
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from pyVmomi import VmomiSupport
from pyVmomi.SoapAdapter import SoapStubAdapter
from typer.testing import CliRunner

from peers.vsphere import ESXI_USER, PASSWORD, USER, VirtualVsphere
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.vsphere import Limits, TlsTrust, Vsphere, commands
from thermo_guard.adapters.vsphere.privileges import (
    CLUSTER_CALLS,
    DIRECT_CALLS,
    HOST_CALLS,
    OF_CLUSTER,
    OF_HOST,
    OF_ROOT,
    OF_VM,
    ON_ESXI,
    ON_ESXI_OF_VCENTER,
    READING_CALLS,
    ROOT_CALLS,
    VM_CALLS,
    Call,
    needed,
    wire_name,
)
from thermo_guard.cli import app
from thermo_guard.core.commands import VCENTER, Command, Verb
from thermo_guard.core.plant import ClusterSeen
from thermo_guard.core.preflight_cluster import NEEDED_FOR
from thermo_guard.engine.logins import RefusedLogins
from thermo_guard.ports import Fault, Unauthorized

ADAPTER = Path(__file__).resolve().parents[1] / "src" / "thermo_guard" / "adapters" / "vsphere"
ACTS = (*CLUSTER_CALLS, *HOST_CALLS, *VM_CALLS, *ROOT_CALLS, *DIRECT_CALLS)
CALLS: tuple[Call, ...] = (*ACTS, *READING_CALLS)


def methods_of_vsphere() -> set[str]:
    """Names by which any managed object of pyVmomi is called, its own and those of the wire."""
    names: set[str] = set()
    for kind in map(VmomiSupport.GetVmodlType, VmomiSupport._managedDefMap):
        for name in kind._methodInfo:
            names |= {name, kind._GetMethodInfo(name).wsdlName}
    return {name for name in names if not hasattr(SoapStubAdapter, name)}


def test_the_list_of_calls_is_that_of_the_source() -> None:
    """A call that is added without its privilege, or one that is left in the list when it has gone, fails here."""
    known, used = methods_of_vsphere(), set[str]()
    for module in ADAPTER.glob("*.py"):
        tree = ast.parse(module.read_text(encoding="utf-8"))
        used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in known}
    assert used == {name for _, name in CALLS}


def test_what_is_only_read_needs_no_privilege() -> None:
    """System.View, System.Read and System.Anonymous come with every role: no other may hide among the reads."""
    assert needed(READING_CALLS) == ()


def test_every_act_needs_a_privilege() -> None:
    """A call for which pyVmomi names none would be left out of the role in silence."""
    for call in ACTS:
        assert needed([call]), call


def test_every_privilege_is_explained_by_check() -> None:
    """`check` says of each right what would not work without it."""
    for privilege in (*OF_CLUSTER, *OF_HOST, *OF_VM, *OF_ROOT):
        assert privilege in NEEDED_FOR


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[VirtualVsphere, str]]:
    folder, ca = tmp_path_factory.mktemp("role"), trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    with VirtualVsphere(folder, ca, hosts=1, vms=1, guest_ms=50, host_off_ms=50, boot_ms=50) as running:
        yield running, str(folder / "ca.pem")


def opened(plant: tuple[VirtualVsphere, str]) -> Vsphere:
    clock = SteadyClock()
    return Vsphere(
        plant[0].vcenter, USER, PASSWORD, clock, logins=RefusedLogins(clock), tls=TlsTrust(ca_file=plant[1]),
        limits=Limits(connect_s=3, answer_s=5), esxi_user=ESXI_USER, esxi_password=PASSWORD,
    )


def command_of(verb: Verb, seen: ClusterSeen) -> Command:
    """Any command of a verb, to anything that there is."""
    host, vm = seen.hosts[0], seen.vms[0]
    if verb in commands.OF_CLUSTER:
        return Command(verb, seen.name, seen.name, VCENTER, settings=seen.settings)
    if verb in commands.OF_HOST:
        return Command(verb, host.name, host.name, VCENTER, timeout_s=1.0)
    via = host.name if verb is Verb.ADOPT_VM else VCENTER
    return Command(verb, vm.id, vm.name, via, path=vm.path, answer=("1", "0"))


OF_VERBS = {
    Verb.DISARM_HA: CLUSTER_CALLS, Verb.RETREAT_VCLS: (*ROOT_CALLS, *CLUSTER_CALLS),
    Verb.ENTER_MAINTENANCE: HOST_CALLS[:1], Verb.EXIT_MAINTENANCE: HOST_CALLS[1:2],
    Verb.SHUT_DOWN_HOST: HOST_CALLS[2:3], Verb.RECONNECT_HOST: HOST_CALLS[3:],
    Verb.SHUT_DOWN_GUEST: VM_CALLS[:1], Verb.ANSWER_VM: VM_CALLS[1:2],
    Verb.POWER_OFF_VM: VM_CALLS[2:3], Verb.TERMINATE_VM: VM_CALLS[3:4], Verb.POWER_ON_VM: VM_CALLS[4:],
}


@pytest.mark.peer
async def test_without_its_privilege_an_act_is_denied(plant: tuple[VirtualVsphere, str]) -> None:
    """The simulated plant has each call's right from the API's reference: the metadata must name the same one."""
    adapter = opened(plant)
    seen = await adapter.observe()
    for verb, calls in OF_VERBS.items():
        for privilege in needed(calls):
            plant[0].post("/deny", privilege=privilege, entity="*")
        try:
            with pytest.raises(Unauthorized, match=" or ".join(needed(calls)[-1:])):
                await adapter.execute(command_of(verb, seen))
        finally:
            plant[0].post("/deny", clear=1)
    await adapter.aclose()


@pytest.mark.peer
async def test_on_the_wire_nothing_else_is_called(plant: tuple[VirtualVsphere, str]) -> None:
    """Whatever way a call is made: what reaches vCenter and the hosts in a whole exercise stands in the list."""
    adapter = opened(plant)
    plant[0].clear_count()
    seen = await adapter.observe()
    await adapter.missing_privileges()
    for verb in [*sorted(set(Verb) - commands.OF_BMC - {Verb.SHUT_DOWN_HOST}), Verb.SHUT_DOWN_HOST]:
        with suppress(Fault):
            await adapter.execute(command_of(verb, seen), seen.hosts[0].address)
    await adapter.aclose()
    reached = set(plant[0].count())
    called = {name for name in reached if not name.startswith("REST ")}
    assert {name for name in reached - called if "/session" not in name and "GET" not in name} == set()  # tags are read
    assert called <= {wire_name(call) for call in CALLS}
    assert called >= {wire_name(call) for call in ACTS}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def printed(*arguments: str, **env: str) -> str:
    """What the command prints with nothing set but `env`."""
    unset = dict.fromkeys(("VCENTER_USER", "VCENTER_CLUSTER", "ESXI_USER", "ESXI_HOSTS"), "")
    done = CliRunner().invoke(app, ["role", *arguments], env={**unset, **env})
    assert done.exit_code == 0, done.output
    return done.stdout


def words(line: str) -> list[str]:
    return shlex.split(line)


def test_the_role_is_what_check_asks_for() -> None:
    """One role for the cluster and what is below it, one for vCenter itself, one for a host: no more and no less."""
    lines = [words(line) for line in printed("--for", "govc").splitlines() if line.startswith("govc role.create")]
    assert [set(line[3:]) for line in lines] == [
        {*OF_CLUSTER, *OF_HOST, *OF_VM}, {*OF_ROOT}, {*ON_ESXI_OF_VCENTER}]
    assert {line[2] for line in lines[:2]} == {"thermo-guard", "thermo-guard-vcls"}
    for privilege in {right for line in lines for right in line[3:]}:
        assert f"'{privilege}'" in printed("--for", "powercli")


def test_only_the_role_of_the_cluster_goes_down_to_what_is_below() -> None:
    """A right at the root that were handed down would hold for every cluster of that vCenter."""
    govc = [words(line) for line in printed("--for", "govc").splitlines() if "permissions.set" in line]
    given = [("-propagate=true" in line, line[-1] == "/") for line in govc]
    assert given == [(True, False), (False, True), (True, True)]
    powercli = [line for line in printed("--for", "powercli").splitlines() if "New-VIPermission" in line]
    assert ["-Propagate:$true" in line for line in powercli] == [True, False, True]


def test_names_of_the_settings_are_put_in_whatever_is_in_them() -> None:
    """The lines can be pasted: the account and the cluster are quoted as each tool's shell wants it."""
    told = printed(VCENTER_USER="tg@corp.lab", VCENTER_CLUSTER="Lab O'One", ESXI_USER="guard")
    assert "(Get-Cluster -Name 'Lab O''One') -Principal 'CORP.LAB\\tg'" in told
    assert "-principal tg@corp.lab" in told
    assert "-principal guard " in told
    assert shlex.quote("Lab O'One") in told


@pytest.mark.parametrize("user", ["administrator@vsphere.local", r"VSPHERE.LOCAL\Administrator", "root"])
def test_an_administrator_is_not_made_less(user: str) -> None:
    """A permission on an object overrides the one above: the commands would take an administrator's own rights away."""
    told = printed(VCENTER_USER=user, ESXI_USER=user)
    commands = "\n".join(line for line in told.splitlines() if not line.startswith("#"))
    assert "administrator" not in commands.lower()
    assert "root " not in commands.replace("root)", "")
    assert "# VCENTER_USER is an administrator's account" in told
    assert "thermo-guard@vsphere.local stands in its place" in told


def test_what_is_not_as_the_settings_have_it_is_said() -> None:
    """A placeholder that is pasted as it is names no cluster; a role that is there already is updated."""
    told = printed(VCENTER_USER="tg@corp.lab", ESXI_USER="guard")
    assert told.count("put the cluster's name in the place of CLUSTER") == 2
    assert "in the place of" not in printed(VCENTER_USER="tg@corp.lab", ESXI_USER="guard", VCENTER_CLUSTER="Lab")
    assert "# where the role exists: govc role.update thermo-guard " in told
    assert "# where the role exists: $role = Get-VIRole -Name 'thermo-guard'; Set-VIRole" in told


def test_hosts_without_vcenter_get_no_part_for_one() -> None:
    """ESXI_HOSTS: there is neither a cluster nor a vCenter to give a role on, only each host itself."""
    told = printed("--for", "govc", ESXI_HOSTS="esx1,esx2", ESXI_USER="guard")
    (create,) = [words(line) for line in told.splitlines() if line.startswith("govc role.create")]
    assert set(create[3:]) == {*ON_ESXI}
    assert "CLUSTER" not in told
    assert "-principal guard " in told


def test_both_tools_are_printed_by_default_and_nothing_is_needed_for_it() -> None:
    """Without any setting, as before the account exists, both tools' lines are there."""
    assert printed() == printed("--for", "govc") + "\n" + printed("--for", "powercli")

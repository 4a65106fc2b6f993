"""Every setting of Thermo-Guard: its form, its default, and what two of them have to do with each other.

A field's upper-case name is its variable. Its docstring says the unit, why the default, and what goes wrong on either
side; `.env.example` is made of these (settings_example.py). Forms are in settings_forms.py, settings_addresses.py and
settings_hosts.py. `Settings` built by hand goes through the same checks and takes nothing from the environment.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import PrivateAttr, SecretStr, ValidationInfo, field_validator, model_validator

from .core.goal import Mode
from .core.runbook import Runbook
from .runbook_file import RunbookFile
from .settings_addresses import HostAddress, HostList
from .settings_consequences import consequences
from .settings_fields import FirstUse, LogFormat, LogLevel, VmQuestions, Written, example, in_seconds, whole
from .settings_forms import CaFile, Choice, Fingerprint, Flag, Folder, Secret, Text, Tiers
from .settings_hosts import IloHost, IloHosts, NotifyUrls
from .settings_problems import NOT_SET, Wrong
from .settings_room import RoomSettings


class Settings(RoomSettings):
    """What the composition root is given: checked, in the core's units, unchangeable."""

    # --- What it does by itself ---
    mode: Annotated[Mode, Written(Choice(Mode))] = Mode.ARMED
    """armed acts, once the guard has proved itself or `thermo-guard arm` has said so; observe decides, logs and tells
    the same and touches nothing, also in a burning room. An operator's own orders act in both."""

    arm_after: Annotated[float, in_seconds(0, 86400)] = 900.0
    """Seconds for which every voting sensor must have stood below the high threshold, in a new data folder, before the
    guard takes hold. Too short does harm where it is installed into a room that is hot already; until it is over a
    real alarm is told and nothing is done."""

    # --- vCenter, or ESXi hosts without one ---
    esxi_hosts: Annotated[
        tuple[str, ...], Written(HostList()), example("esx1.example.com,esx2.example.com")
    ] = ()
    """ESXi hosts without a vCenter, each with :port where it is not 443; then VCENTER_HOST, VCENTER_USER and
    VCENTER_PASSWORD are not set. Their login is ESXI_USER and ESXI_PASSWORD, or that of their entry in ILO_HOSTS. Never
    name hosts here that a vCenter manages: its HA and DRS would start again what is stopped."""

    vcenter_host: Annotated[str | None, Written(HostAddress()), example("vcenter.example.com")]
    """Host name or address of vCenter, with :port where it is not 443. One ESXi host without vCenter may stand here
    too, with its login in VCENTER_USER and VCENTER_PASSWORD; several stand in ESXI_HOSTS instead."""

    vcenter_user: Annotated[
        str | None, Written(Text("a user name with its domain")), example("thermo-guard@vsphere.local")
    ]
    """Account in vCenter. Take one of the local domain (vsphere.local): one of a directory is gone when the VM of the
    domain controller has been shut down."""

    vcenter_password: Annotated[
        SecretStr | None, Written(Secret("the password of VCENTER_USER")), example("S3cret!x")
    ]
    """Password of VCENTER_USER."""

    vcenter_cluster: Annotated[str | None, Written(Text("the name of a cluster")), example("Cluster-1")] = None
    """Name of the cluster to bring down. Needed only where vCenter has several; no other cluster is ever touched."""

    vcenter_ca_file: Annotated[Path | None, Written(CaFile()), example("/config/vcenter-ca.pem")] = None
    """PEM file with the authority that signed vCenter's certificate, from https://VCENTER/certs/download.zip, or those
    of ESXI_HOSTS."""

    vcenter_fingerprint: Annotated[
        str | None, Written(Fingerprint()), example(":".join(["9F", "86", "D0", "81"] * 8))
    ] = None
    """SHA-256 fingerprint of vCenter's certificate, which is then trusted whoever signed it. A renewed certificate
    needs a new one: until then vCenter is refused."""

    vcenter_insecure: Annotated[bool, Written(Flag())] = False
    """true trusts any certificate, so that whoever sits on the network is given the password. For a test only."""

    vcenter_vm: Annotated[
        str | None, Written(Text("the VM's name, its instance UUID, or external")), example("vcenter")
    ] = None
    """Which VM is vCenter itself, by name or instance UUID: it is stopped last, with its host. By default it is looked
    for; external says that it does not run in this cluster. A wrong one cuts the guard off in mid-shutdown."""

    guard_vm: Annotated[
        str | None, Written(Text("the VM's name, its instance UUID, or none")), example("none")
    ] = None
    """The VM that runs Thermo-Guard itself, where one of the cluster does: it and its host are then left up, since the
    guard would otherwise stop itself in mid-shutdown. By default it is looked for by this machine's addresses; none
    says that it runs elsewhere."""

    # --- The hosts, directly and by their BMCs ---
    ilo_hosts: Annotated[
        tuple[IloHost, ...],
        Written(IloHosts()),
        example('[{"host": "ilo-esx1.example.com", "username": "guard", "password": "S3cret!y"}]'),
    ]
    """The BMCs (iLO, iDRAC, any Redfish): a JSON list of {host, username, password}, in any order. Optional in each:
    esxi_host (its name in vCenter), with it esxi_user and esxi_password, and fingerprint, ca_file or insecure for the
    BMC's certificate. A host without a BMC is shut down too, but its end is not confirmed and a person must power it
    on."""

    esxi_user: Annotated[str | None, Written(Text("a user name on the ESXi hosts")), example("root")] = None
    """Account on each ESXi host, for a direct login: without it vCenter's own VM and its host stay up in the heat, if
    vCenter runs in the cluster. Goes with ESXI_PASSWORD."""

    esxi_password: Annotated[
        SecretStr | None, Written(Secret("the password of ESXI_USER")), example("S3cret!z")
    ] = None
    """Password of ESXI_USER; an entry of ILO_HOSTS may have a login of its own."""

    # --- How long each step may take; after that the rest goes on without it ---
    vm_shutdown_timeout: Annotated[float, in_seconds(1, 7200)] = 300.0
    """Seconds that a guest has for its own shutdown before it is powered off. Too short cuts databases off, too long
    lets one stuck guest heat the room."""

    host_shutdown_timeout: Annotated[float, in_seconds(1, 7200)] = 600.0
    """Seconds from a host's shutdown to its BMC showing Off. Then it is given up and told; too short tells of hosts
    that were only slow."""

    maintenance_timeout: Annotated[float, in_seconds(1, 7200)] = 120.0
    """Seconds for entering maintenance mode. Its VMs are off by then; a host that does not get there is shut down
    without it."""

    vm_questions: Annotated[VmQuestions, Written(Choice(VmQuestions))] = VmQuestions.POWER_OFF
    """What to do with a VM that waits for an answer in vCenter and takes no shutdown until it has one. power-off: its
    power is cut at the end of its grace, and what it had not written is lost; answer-default: it is given the answer
    that vSphere proposes, where there is one, and then shut down, which may be an answer that you would not give. The
    question is logged in both."""

    vcenter_shutdown_timeout: Annotated[float, in_seconds(1, 7200)] = 600.0
    """Seconds that vCenter's own VM has for its shutdown before it is powered off: its database deserves more than a
    common guest."""

    force_bmc_off: Annotated[bool, Written(Flag())] = False
    """true has the BMC cut the power of a host that is not off when everything else has had its time. By default such a
    host is left running and told: it heats the room until a person comes, but what still writes on it is not cut off.
    """

    host_start_stagger: Annotated[float, in_seconds(0, 3600)] = 30.0
    """Seconds between the power-ons of two hosts. Less adds the inrush of all to one circuit, more delays the return.
    """

    host_boot_timeout: Annotated[float, in_seconds(1, 14400)] = 1800.0
    """Seconds from a host's power-on to its answer. Servers with much memory test it for 10 min and more; too short
    gives up a host that would have come, and starts its VMs on the others."""

    vcenter_start_timeout: Annotated[float, in_seconds(1, 14400)] = 1800.0
    """Seconds from the power-on of vCenter's VM to its answer; a cold vCenter takes about 10 to 15 min."""

    vm_start_timeout: Annotated[float, in_seconds(1, 7200)] = 300.0
    """Seconds to wait for the VMware Tools of one tier before the next one starts. Too short starts applications
    before their databases."""

    active_interval: Annotated[float, in_seconds(0.2, 30)] = 2.0
    """Seconds between two looks at the plant during an incident. Less loads vCenter, more lengthens each phase."""

    snapshot_interval: Annotated[float, in_seconds(60, 3600)] = 600.0
    """Seconds between two records of what runs where, in quiet time. After a crash of everything the last one is what
    comes back: a longer interval forgets newer VMs."""

    power_on_limit: Annotated[int, whole(1, 10, "power-ons in 24 hours")] = 2
    """How often in 24 hours the site may be powered on before a person must decide. More cycles disks and power
    supplies in a room whose cooling comes and goes."""

    # --- The order of the VMs ---
    vm_tiers: Annotated[tuple[tuple[str, int], ...], Written(Tiers()), example('{"test-*": 1, "db-*": 3}')] = ()
    """Tiers by VM name: a JSON object {shell pattern: tier from 1 to 99}, the first pattern that matches counts, in
    any case. Tier 1 stops first and starts last. A tag or custom attribute thermo-guard-tier goes before it."""

    default_tier: Annotated[int, whole(1, 99)] = 1
    """Tier of a VM that nothing else gives one: those that nobody thought of stop first and start last."""

    runbook: Annotated[Runbook | None, Written(RunbookFile()), example("/config/runbook.toml")] = None
    """TOML file with tiers, graces, dependencies and exceptions by VM and by tier, as docs/RUNBOOK.md describes it; it
    goes before tags and VM_TIERS. By default tags and VM_TIERS alone make the order. It is read once at start: a change
    needs a restart, and with any mistake inside the guard does not start. `thermo-guard plan` shows its effect."""

    # --- The guard itself ---
    data_dir: Annotated[Path, Written(Folder())] = Path("data")
    """Folder of the journal: what ran before the heat is remembered here, so it must outlive the container, on a local
    disk (not NFS or SMB). Two folders are two guards, which do not know of each other."""

    tls_first_use: Annotated[FirstUse, Written(Choice(FirstUse))] = FirstUse.ASK
    """What to do with a certificate that no authority vouches for, of vCenter, a host of ESXI_HOSTS or a BMC
    that is met for the first time. ask: nothing is sent there before `thermo-guard pin` or a fingerprint; accept: it is
    pinned and told. Whoever stands in between at that moment is then trusted for good. A changed certificate is refused
    with either."""

    log_format: Annotated[LogFormat, Written(Choice(LogFormat))] = LogFormat.AUTO
    """console for people, json for collectors, auto: console on a terminal and json elsewhere."""

    log_level: Annotated[LogLevel, Written(Choice(LogLevel))] = LogLevel.INFO
    """INFO tells what a person needs at 3 a.m.; DEBUG adds every poll and call; above INFO the story has gaps."""

    notify_urls: Annotated[
        tuple[SecretStr, ...],
        Written(NotifyUrls()),
        example("mailto://guard:S3cret!m@mail.example.com?to=admin@example.com"),
    ] = ()
    """Whom to tell: apprise addresses separated by commas (https://appriseit.com). At least one should not run on this
    cluster: its own mail server is switched off with the rest."""

    _noticed: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="before")
    @classmethod
    def _hosts_need_no_vcenter(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("esxi_hosts"):
            return {"vcenter_host": None, "vcenter_user": None, "vcenter_password": None, **given}
        return given

    @field_validator("vcenter_host", "vcenter_user", "vcenter_password")
    @classmethod
    def _vcenter_or_hosts(cls, value: str | SecretStr | None, info: ValidationInfo) -> str | SecretStr | None:
        if value is None and info.data.get("esxi_hosts") == ():
            raise Wrong(NOT_SET)
        if value is not None and info.data.get("esxi_hosts"):
            raise Wrong(
                "is set, and ESXI_HOSTS is too, which is for hosts without a vCenter",
                wanted="where there is a vCenter, VCENTER_HOST, VCENTER_USER and VCENTER_PASSWORD; else ESXI_HOSTS",
            )
        return value

    @field_validator("vcenter_insecure")
    @classmethod
    def _vcenter_is_trusted_one_way(cls, insecure: bool, info: ValidationInfo) -> bool:
        given = [name for name in ("vcenter_ca_file", "vcenter_fingerprint") if info.data.get(name)]
        given += ["vcenter_insecure"] if insecure else []
        if len(given) > 1:
            raise Wrong(
                "cannot hold: " + " and ".join(name.upper() for name in given) + " are set together",
                wanted="at most one of VCENTER_CA_FILE, VCENTER_FINGERPRINT and VCENTER_INSECURE",
            )
        return insecure

    @field_validator("esxi_password")
    @classmethod
    def _esxi_login_iswhole(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if "esxi_user" in info.data and (password is None) != (info.data["esxi_user"] is None):
            state = "is not set, while ESXI_USER is" if password is None else "is set, while ESXI_USER is not"
            raise Wrong(state, wanted="both ESXI_USER and ESXI_PASSWORD, or neither")
        own = {bmc.esxi_host.lower() for bmc in info.data.get("ilo_hosts", ()) if bmc.esxi_host and bmc.esxi_user}
        without = [host for host in info.data.get("esxi_hosts", ()) if host not in own]
        if password is None and without and "ilo_hosts" in info.data:
            raise Wrong(
                f"is not set, nor is ESXI_USER: {', '.join(without)} of ESXI_HOSTS would have no login",
                wanted="ESXI_USER and ESXI_PASSWORD, or esxi_host, esxi_user and esxi_password in ILO_HOSTS",
            )
        return password

    def noticing(self, noticed: Iterable[str]) -> Self:
        """The same, with what was noticed where it came from."""
        self._noticed = tuple(noticed)
        return self

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed and yet probably not meant: variables misspelt, and values with a consequence."""
        return (*self._noticed, *consequences(self))

"""What the guard leans on in the virtual site and does not guard: names, logins, mail, the way out, its own machine.

Each stands on a VM of the cluster, where the blueprint says so, and is gone while that VM is.
"""

from collections.abc import Iterator

from .blueprint import Blueprint
from .cluster import VirtualCluster
from .machines import BmcState, HostState, VmState
from .timeline import Timeline

SENSORS_IP = "192.0.2.80"
NAS_IP = "192.0.2.50"
"""Where the guard runs, when it runs in no VM."""


class VirtualNetwork:
    def __init__(self, plan: Blueprint, cluster: VirtualCluster, timeline: Timeline) -> None:
        """:raises ValueError: the blueprint names a VM that it does not have."""
        self._plan = plan
        self._cluster = cluster
        self._timeline = timeline
        self._is_wan_up = plan.infrastructure.is_wan_up
        wanted = plan.infrastructure
        self.dns_vm = self._vm(wanted.dns)
        self.domain_vm = self._vm(wanted.domain_controller)
        self.mail_vm = self._vm(wanted.mail)
        self.guard_vm = self._vm(wanted.guard)
        self._zone = self._names_now()

    def _vm(self, name: str | None) -> VmState | None:
        if name is None:
            return None
        found = next((vm for vm in self._cluster.vms.values() if vm.name == name), None)
        if found is None:
            raise ValueError(f"no VM is named {name}, on which the guard is to lean")
        return found

    # ---- names ----

    def ip_of(self, name: str) -> str | None:
        """The address that a host name stands for today, whether or not anybody answers the question."""
        name = name.lower()
        machine = self._zone.get(name)
        if machine is None or not _is_called(machine, name):
            self._zone = self._names_now()  # a machine has been given another name
            machine = self._zone.get(name)
        return machine if machine is None or isinstance(machine, str) else machine.ip

    def _names_now(self) -> dict[str, str | HostState | BmcState]:
        return {name.lower(): machine for name, machine in reversed([*self._names()])}

    def _names(self) -> Iterator[tuple[str, str | HostState | BmcState]]:
        yield self._plan.vcenter.address, self._plan.vcenter.ip
        yield self._plan.infrastructure.sensors_address, SENSORS_IP
        for host in self._cluster.hosts.values():
            yield _without_port(host.address), host
        for bmc in self._cluster.bmcs.values():
            yield bmc.plan.address, bmc

    @property
    def dns_answers(self) -> bool:
        return self._serves(self.dns_vm)

    # ---- the rest ----

    @property
    def domain_answers(self) -> bool:
        """Whether vCenter can have a password checked that is not its own."""
        return self._serves(self.domain_vm)

    @property
    def mail_answers(self) -> bool:
        return self._serves(self.mail_vm)

    @property
    def guard_addresses(self) -> tuple[str, ...]:
        """The IP addresses of the machine that the guard runs on, as that machine itself has them."""
        return (NAS_IP,) if self.guard_vm is None else self.guard_vm.plan.addresses

    @property
    def has_guard_died(self) -> bool:
        """The guard's own VM has been off: in life nothing would have been done from then on."""
        return self.guard_vm is not None and (not self.guard_vm.is_on or self.guard_vm.epoch > 0)

    @property
    def is_wan_up(self) -> bool:
        return self._is_wan_up

    def cut_wan(self) -> None:
        """The way out is gone, and the sensors' source with it."""
        self._turn_wan(is_up=False)

    def mend_wan(self) -> None:
        self._turn_wan(is_up=True)

    def _turn_wan(self, *, is_up: bool) -> None:
        if is_up is not self._is_wan_up:
            self._is_wan_up = is_up
            self._timeline.note("wan.up" if is_up else "wan.down", "WAN")

    def _serves(self, vm: VmState | None) -> bool:
        return vm is None or vm.serves(self._timeline.now)


def _is_called(machine: str | HostState | BmcState, name: str) -> bool:
    if isinstance(machine, str):
        return True
    return (machine.plan.address if isinstance(machine, BmcState) else _without_port(machine.address)).lower() == name


def _without_port(address: str) -> str:
    return address.rpartition(":")[0]

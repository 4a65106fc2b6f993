"""One host through its own API: what is left when vCenter is off."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pyVmomi import vim

from thermo_guard.core.plant import HostSeen, Role, Vm
from thermo_guard.ports import Clock, Refused

from . import collector, inventory
from .acts import Acts
from .cluster import answer_moved
from .questions import Questions
from .session import Endpoint, Session
from .turns import Turns

_MANAGER = "summary.managementServerIp"
_HOST_PATHS = ("runtime.inMaintenanceMode", "summary.hardware.uuid", _MANAGER, inventory.HOST_VSAN)
_PLACE_PATHS: dict[type, Sequence[str]] = {vim.Datacenter: ("vmFolder",), vim.ComputeResource: ("resourcePool",)}


class EsxiView:
    """Looks at one host over its own API; `name` is vCenter's name of it."""

    def __init__(self, endpoint: Endpoint, clock: Clock, name: str, questions: Questions) -> None:
        self.acts = Acts()
        self.endpoint = endpoint
        self.has_vsan = False
        """By its cluster's word or by its own, which is all there is without vCenter."""
        self._name = name
        self._clock = clock
        self._turns = Turns(clock)
        self._questions = questions
        self._latest: HostSeen | None = None
        self._vms: dict[str, str] = {}
        self._facts: dict[str, inventory.VmFacts] = {}
        self._host: str | None = None

    async def observe(self) -> HostSeen:
        """:raises Fault: as the port says."""
        await self._turns.take(self._observe)
        assert self._latest is not None  # noqa: S101 - the line above has set it
        return replace(self._latest, failures=self.acts.failures())

    async def vm(self, id: str) -> str:  # noqa: A002 - the plant's word for it
        """Reference of a VM on this host, which is another one than vCenter's; looks again where it is not known.

        :raises Fault: it is not there, or the host does not answer.
        """
        if id not in self._vms:
            await self._turns.take(self._observe, is_needless=lambda: id in self._vms)
        if id not in self._vms:
            raise Refused(f"{self.endpoint.at} shows no VM {id}")
        return self._vms[id]

    async def host(self) -> str:
        """Reference of the host itself."""
        if self._host is None:
            await self._turns.take(self._observe, is_needless=lambda: self._host is not None)
        return self._host or "ha-host"

    def is_secondary(self, id: str) -> bool:  # noqa: A002 - the plant's word for it
        """It follows its primary, in a fault-tolerant pair."""
        vms = () if self._latest is None else self._latest.vms
        return any(vm.id == id and vm.role is Role.FT_SECONDARY for vm in vms)

    def forget(self) -> None:
        """A reference was wrong: the next search looks anew."""
        self._vms.clear()
        self._host = None

    async def places(self) -> tuple[str, str]:
        """References of the VM folder and of the resource pool that a VM is registered in."""
        return await self.endpoint.look(_places)

    def _look(self, session: Session, wanted: Mapping[type, Sequence[str]]) -> collector.Found:
        self.acts.check(session)
        return collector.of_esxi(session, wanted)

    async def _observe(self) -> None:
        now = self._clock.now()
        wanted: dict[type, Sequence[str]] = {
            vim.HostSystem: _HOST_PATHS,
            vim.VirtualMachine: inventory.VM_FAST + inventory.VM_NAMES,
        }
        seen = await self.endpoint.look(lambda session: self._look(session, wanted))
        hosts = {m: p for m, p in seen.items() if "runtime.inMaintenanceMode" in p}
        if len(hosts) != 1:
            raise Refused(f"{self.endpoint.at} is no ESXi host: it shows {len(hosts)} hosts")
        ((self._host, properties),) = hosts.items()
        self.has_vsan = self.has_vsan or inventory.has_vsan(None, hosts.values())
        shown = {m: p for m, p in seen.items() if "runtime.powerState" in p}
        self._facts = inventory.known_or_read(shown, self._facts)
        vms = _apart({m: inventory.vm_of(self._facts[m], p, self._name) for m, p in shown.items()})
        self._vms = {vm.id: m for m, vm in vms.items()}
        for m, vm in list(vms.items()):
            reply = self.acts.moved_answer(vm, seen[m].get("runtime.question"))
            if reply is not None:
                vms[m] = replace(vm, question=None)
                await answer_moved(self.endpoint, m, *reply)
        self._questions.tell(vms.values())
        self._latest = HostSeen(
            at=now,
            name=self._name,
            uuid=str(properties.get("summary.hardware.uuid") or "").lower(),
            in_maintenance=properties["runtime.inMaintenanceMode"] is True,
            vms=tuple(sorted(vms.values(), key=lambda v: (v.name, v.id))),
            managed_by=_manager(properties.get(_MANAGER)),
        )


def _manager(shown: object) -> str:
    """The vCenter's address; one without a vCenter shows nothing, or its own loopback, as the host that VMware's
    simulator was recorded from.
    """
    address = str(shown or "").strip()
    return "" if address.startswith("127.") or address == "::1" else address


def _apart(vms: dict[str, Vm]) -> dict[str, Vm]:
    """Tell copies of a VM that share its UUID apart by their files: without vCenter nobody gives them another one."""
    counted = Counter(vm.id for vm in vms.values())
    return {m: vm if counted[vm.id] == 1 else replace(vm, id=f"{vm.id}/{vm.path or m}") for m, vm in vms.items()}


def _places(session: Session) -> tuple[str, str]:
    seen = collector.of_esxi(session, _PLACE_PATHS)
    folder = next((p["vmFolder"] for p in seen.values() if "vmFolder" in p), None)
    pool = next((p["resourcePool"] for p in seen.values() if "resourcePool" in p), None)
    if folder is None or pool is None:
        raise Refused("the host shows no folder or no resource pool for a VM")
    return str(folder), str(pool)

"""vSphere of the virtual site: VMware's simulator as a process, and one world kept in step with it.

    async with VsphereFace(world, clock, speed=1, folder=folder, hosts_net=1) as face: face.settings(), face.rack, ...

The simulator is the truth about hosts and VMs, the world about time, heat and people. What the simulator does is read
from its journal and written into the world (`mirror`). What the world does to the hardware goes the other way, through
`cluster.hands` (`hands`): a person, firmware, a power cut and a BMC all end there, and the world shows it only when
the journal has brought it back. So each thing happens in one place, once, and neither side has to guess whether the
other did it too.

The world's own services for VMs and hosts (HA, DRS, vCLS) are taken out; of DRS its moves of vCenter's VM are left.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import structlog

from thermo_guard.ports import Clock
from thermo_guard.sim.machines import Stage
from thermo_guard.sim.world import World

from . import inventory, overlay
from .hands import OverlayHands
from .mirror import Mirror

ESXI_USER = "root"
PASSWORD = "VMware1!"  # noqa: S105 - of a virtual site on loopback, and meant to be known
LOOK_S = 0.5
"""Real time between two steps of the world while the journal says nothing."""
END_S = 5.0
"""Real time that the process has to end by itself."""
_READY_LIMIT = 2**25
"""Bytes of the line by which it says that it is ready: it names every VM."""

_log = structlog.get_logger(__name__)


class VsphereFace:
    """One vSphere. Its attributes are there once it is entered.

    :param speed: the site's seconds for a real one, as the loop has it that runs this.
    :param folder: where the inventory is written.
    :param hosts_net: N of the hosts' addresses 127.0.N.1, 127.0.N.2 and so on; each site of a machine needs its own.
    :param port: vCenter's, and with `esxi_port` the hosts'; 0 = any.
    :raises OverlayMissing: on entering, there is no simulator here.
    """

    def __init__(
        self, world: World, clock: Clock, *, speed: float, folder: Path, hosts_net: int, port: int = 0,
        esxi_port: int = 0, password: str = PASSWORD,
    ) -> None:
        self.world = world
        self.user = world.plan.vcenter.user
        self.password = self.esxi_password = password
        self.esxi_user = ESXI_USER
        self.vcenter = ""
        """host:port; empty where there is none."""
        self.host_addresses: dict[str, str] = {}
        """host:port of each host's own API, by the world's name of it."""
        self.rack = OverlayRack(self)
        self._clock = clock
        self._speed = speed
        self._folder = folder
        self._flags = [
            f"-esxi-prefix=127.0.{hosts_net}.", f"-esxi-port={esxi_port}", f"-listen=127.0.0.2:{port}",
            f"-user={self.user}", f"-password={password}", f"-esxi-user={ESXI_USER}", f"-esxi-password={password}",
        ]
        self._fingerprints: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._orders: asyncio.Queue[tuple[str, Mapping[str, str]]] = asyncio.Queue()
        self._seen = 0
        """Number of the last entry of the journal that is in the world."""

    async def __aenter__(self) -> Self:
        program = await asyncio.to_thread(overlay.program)
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "inventory.json"
        file.write_text(json.dumps(inventory.inventory(self.world.cluster, self._speed)))
        self._process = await asyncio.create_subprocess_exec(
            str(program), "-die-with-stdin", f"-inventory={file}", *self._flags,
            *inventory.options(self.world.cluster, self._speed),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_READY_LIMIT,
            start_new_session=True,  # Ctrl-C is for the site, which then ends it
        )
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"virtual_vsphere ended with {await self._process.wait()} before it was ready")
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        try:
            await self._take_over(json.loads(line))
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def _take_over(self, ready: Mapping[str, Any]) -> None:
        """Let the world show from now on what the simulator does."""
        cluster = self.world.cluster
        self.vcenter, self._control = ready["vcenter"], f"http://{ready['control']}"
        self._names = {host["label"]: host["name"] for host in ready["hosts"]}
        self.host_addresses = {host["label"]: host["address"] for host in ready["hosts"]}
        hands = OverlayHands(lambda path, form: self._orders.put_nowait((path, form)), self._names)
        self._mirror = Mirror(cluster, hands, {name: label for label, name in self._names.items()})
        cluster.hands = hands
        cluster.watchers.clear()
        for path, rule in inventory.rules(cluster, self._names):
            await self._post(path, rule)
        await self._read_fingerprints()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._carry_out())]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._process.stdin.close()
        try:
            async with asyncio.timeout(END_S * self._speed):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    # ---- what a guard is told ----

    def settings(self) -> dict[str, str]:
        """A guard's settings for this vSphere; a certificate that no setting names is met with TLS_FIRST_USE."""
        esxi = {"ESXI_USER": self.esxi_user, "ESXI_PASSWORD": self.esxi_password}
        if self.world.plan.is_standalone:
            return {"ESXI_HOSTS": ",".join(self.host_addresses.values()), "TLS_FIRST_USE": "accept", **esxi}
        return {
            "VCENTER_HOST": self.vcenter, "VCENTER_USER": self.user, "VCENTER_PASSWORD": self.password,
            "VCENTER_CLUSTER": self.world.plan.cluster, "VCENTER_FINGERPRINT": self._fingerprints["vcenter"], **esxi,
        }

    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of the certificate that `vcenter` and each host, by the world's name, presented at the start."""
        return dict(self._fingerprints)

    async def state(self) -> dict[str, Any]:
        """Hosts, VMs, clusters and vCenter as the simulator has them, hosts by its own names for them."""
        return await self._get("/state")  # type: ignore[no-any-return]

    # ---- what is done to it ----

    def cut_vcenter(self) -> None:
        """Take vCenter off the network where it runs."""
        self.world.break_vcenter()

    def mend_vcenter(self) -> None:
        self.world.mend_vcenter()

    async def hang_guest(self, vm: str) -> None:
        """From now on its guest takes a shutdown and never ends it."""
        await self._post("/vm", {"name": vm, "hang": "1"})

    async def rescale(self, speed: float) -> None:
        """Go on at another speed; what is under way already ends as it was to."""
        self._speed = speed
        cluster = self.world.cluster
        await self._post("/timing", {name: str(value) for name, value in inventory.timing(cluster, speed).items()})
        for host in cluster.hosts.values():
            durations = inventory.durations_of_host(host.plan, speed)
            await self._post("/host", {"name": self._names.get(host.name, host.name), **_form(durations)})
        for vm in cluster.vms.values():
            await self._post("/vm", {"name": vm.name, **_form(inventory.durations_of_vm(vm, speed))})

    async def settle(self) -> None:
        """Wait until the world shows what came of everything that was done to it."""
        await self._orders.join()
        await self._look()

    # ---- the two ways ----

    async def _follow(self) -> None:
        """Write the journal into the world as it grows, and let the world's time go on meanwhile."""
        try:
            while True:
                await self._look(LOOK_S)
        except aiohttp.ClientError as error:
            _log.error("vsphere.simulator_lost", cluster=self.world.plan.cluster, reason=str(error))

    async def _look(self, wait_s: float = 0.0) -> None:
        entries = await self._get(f"/log?since={self._seen}&wait={wait_s}")
        self.world.advance(self._clock.now())
        for entry in entries:
            if entry["n"] > self._seen:  # two looks may overlap
                self._seen = entry["n"]
                self._mirror.show(entry)

    async def _carry_out(self) -> None:
        """Give the world's orders, one after the other."""
        while True:
            path, form = await self._orders.get()
            try:
                await self._post(path, form)
            except (aiohttp.ClientError, ValueError) as error:
                _log.error("vsphere.order_refused", path=path, form=dict(form), reason=str(error))
            finally:
                self._orders.task_done()

    async def _read_fingerprints(self) -> None:
        labels = {name: label for label, name in self._names.items()}
        told = await self._get("/certificates")
        self._fingerprints = {labels.get(name, name): fingerprint for name, fingerprint in told.items()}

    async def _get(self, path: str) -> Any:
        async with self._session.get(self._control + path) as answer:
            return await answer.json()

    async def _post(self, path: str, form: Mapping[str, str]) -> None:
        async with self._session.post(self._control + path, data=form) as answer:
            if answer.status != 200:
                raise ValueError((await answer.json())["error"])


class OverlayRack:
    """What a BMC does to its server; each returns when the world shows what came of it at once."""

    def __init__(self, face: VsphereFace) -> None:
        self._face = face

    async def power_on(self, host: str) -> None:
        cluster = self._face.world.cluster
        cluster.hands.start(cluster.hosts[host], "by its BMC")
        await self._face.settle()

    async def cut(self, host: str) -> None:
        cluster = self._face.world.cluster
        cluster.hands.cut_power(cluster.hosts[host], "by its BMC")
        await self._face.settle()

    async def press(self, host: str) -> None:
        """The button: on where it is off, else an orderly shutdown."""
        cluster = self._face.world.cluster
        state = cluster.hosts[host]
        if state.stage is Stage.OFF:
            cluster.hands.start(state, "by its BMC")
        else:
            cluster.hands.shut_down(state, "by its BMC")
        await self._face.settle()


def _form(durations: Mapping[str, int]) -> dict[str, str]:
    return {name.replace("_", "-"): str(value) for name, value in durations.items()}

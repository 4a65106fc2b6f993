"""One BMC as a PowerController: which computer it is built into, its power, On and ForceOff; and as an Inlet.

There is no power button in here, which would toggle, and no graceful off, which ESXi does better.
"""

import asyncio
from collections.abc import Container
from dataclasses import replace
from pathlib import Path

import structlog

from thermo_guard.core.plant import BmcSeen, Power
from thermo_guard.core.readings import Poll
from thermo_guard.ports import Ambiguous, Clock, Fault, Logins, Names, Pins, Refused, Transient, Unauthorized

from .endpoint import Trust
from .inlet_look import InletLook
from .system import (
    OFF,
    ON_OR_COMING,
    Node,
    System,
    action_info_resets,
    bios_auto_power_on,
    link_of,
    member_paths,
    sessions_of,
    system_of,
)
from .wire import Answer, Missing, Wire

log = structlog.get_logger(__name__)

NO_RESET_S = 20 * 60.0
"""After a refused reset none is asked for this long. A missing right locks no account: only this process keeps it."""
MEMBERS = 16
"""Of the systems that a BMC shows at most so many are looked at."""
POWER_AGE_S = 30.0
"""Power that was seen within this time says whether a server runs, without a look of its own."""
_RUNS = {Power.ON: True, Power.OFF: False}


class Bmc:
    """A BMC over Redfish; implements `ports.PowerController` and `ports.Inlet`.

    One operation at a time: BMCs are slow, and some answer a second connection with an error. A look ends within
    `request_timeout_s`, redirects and waits included; `power_on` and `force_off` within three times that. The search
    for the inlet's sensor lets the others in after each page.

    Where a BMC shows several systems (a baseboard of accelerators, a DPU), the one that most looks like the computer
    is taken: a UUID, a PowerState, a Reset, a serial; then the first by path. A wrong choice is harmless: its UUID
    then matches no host, and only the computer that was looked at last is ever forced off.

    :param host: as in ILO_HOSTS: host, host:port or https://host:port.
    :param logins: asked before anything is sent there, and told how each login ended.
    :param fingerprint: SHA-256 of the certificate, with or without colons; stands above a pin, and a pin above ca_file
        and insecure.
    :param names: how a host name is resolved; None: as aiohttp does it.
    :param pins: read at each request, so that one that is added while the guard runs counts at once.
    :param inlet_sensor: the sensor of its inlet, as the BMC names it; None: it is chosen, see `inlet`.
    :raises ValueError: host, fingerprint or ca_file cannot be used; the text says why.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self, host: str, username: str, password: str, clock: Clock, *,
        logins: Logins, fingerprint: str | None = None, ca_file: Path | None = None, insecure: bool = False,
        names: Names | None = None, pins: Pins | None = None, inlet_sensor: str | None = None,
        connect_timeout_s: float = 5.0, request_timeout_s: float = 30.0,
    ) -> None:
        self._address = host
        self._clock = clock
        self._wire = Wire(
            host, username, password, clock, Trust(fingerprint, ca_file, insecure, pins),
            logins=logins, names=names, connect_timeout_s=connect_timeout_s, request_timeout_s=request_timeout_s,
        )
        self._turn = asyncio.Lock()
        self._path: str | None = None
        self._seen_uuid: str | None = None
        self._resets: tuple[str, ...] = ()
        self._bios_policy: str | None = None
        self._reset_refused_until = 0.0
        self._power = Power.UNKNOWN
        self._power_seen_at: float | None = None
        self._inlet = InletLook(host, clock, self._read, inlet_sensor)

    @property
    def address(self) -> str:
        return self._address

    async def observe(self) -> BmcSeen:
        async with self._turn:
            system = await self._look()
            self._seen_uuid = system.uuid
            return BmcSeen(
                at=self._clock.now(), address=self._address, power=system.power, uuid=system.uuid,
                serials=system.serials, allowed_resets=system.reset_types, auto_power_on=system.auto_power_on,
                model=system.model,
            )

    @property
    def inlet_sensor(self) -> str | None:
        """The sensor that is taken as the inlet, as the BMC names it; None before it was found."""
        return self._inlet.sensor

    async def inlet(self) -> Poll:
        """What the server's inlet shows; one GET, and one for its power where that was not seen lately.

        :raises Refused: it has no inlet sensor; it is not searched for again within an hour.
        :raises Fault: as `observe`.
        """
        async with self._turn:
            if self._power_seen_at is None or self._clock.now() - self._power_seen_at > POWER_AGE_S:
                await self._look()
        return await self._inlet.poll(_RUNS.get(self._power))

    async def power_on(self) -> None:
        """Ask for On unless it is on or coming on already, and return once that is accepted, not when it is on.

        PowerState decides and never the status code: firmware answers a redundant On with 200, 400 or 409.

        :raises Fault: Ambiguous where the answer was lost and the machine is still seen off.
        """
        async with self._turn:
            system = await self._look()
            if system.power_state in ON_OR_COMING:
                return
            await self._reset(system, self._kind_on(system), ON_OR_COMING)

    async def force_off(self) -> None:
        """Ask for ForceOff unless it is off already, and return once that is accepted, not when it is off.

        A machine that says it is on its way off is asked too: what hangs there is what this is for.

        :raises Fault: Refused where it offers no ForceOff, or is another computer than the one looked at last;
            Ambiguous where the answer was lost and the machine is not seen off.
        """
        async with self._turn:
            system = await self._look()
            if system.power_state in OFF:
                return
            if self._seen_uuid not in (None, system.uuid):
                raise Refused(f"BMC {self._address} is built into another computer than before (UUID {system.uuid}, "
                              f"{self._seen_uuid} was seen): not forced off")
            if system.reset_types and "ForceOff" not in system.reset_types:
                raise self._not_offered("ForceOff", system)
            await self._reset(system, "ForceOff", OFF)

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def _reset(self, system: System, kind: str, wanted: Container[str]) -> None:
        """Ask once; what came of a request that failed is judged by the power that is then seen."""
        fault = await self._ask(system, kind)
        if fault is None:
            log.info("bmc.reset_accepted", bmc=self._address, reset=kind, was=system.power_state)
            return
        try:
            after = await self._look()
        except Fault as unseen:
            raise fault from unseen
        if after.power_state not in wanted:
            raise fault

    async def _ask(self, system: System, kind: str) -> Fault | None:
        """POST the reset once; None where it was accepted."""
        left_s = self._reset_refused_until - self._clock.now()
        if left_s > 0:
            return Unauthorized(f"BMC {self._address}: the account may not reset; asked again {_in_minutes(left_s)}")
        try:
            answer = await self._wire.post(system.reset_target, {"ResetType": kind}, self._wire.deadline())
        except (Transient, Ambiguous, Refused) as fault:
            return fault
        return None if 200 <= answer.status < 300 else self._declined(answer)

    def _declined(self, answer: Answer) -> Fault:
        """Nothing but the reset is refused to an account without that right: looking at the power goes on."""
        if answer.status not in (401, 403):
            return self._wire.fault_of(answer)
        self._reset_refused_until = self._clock.now() + NO_RESET_S
        return Unauthorized(
            f"BMC {self._address}: the account may not reset ({answer.text}). Give it the right Virtual Power and "
            f"Reset; asked again {_in_minutes(NO_RESET_S)}"
        )

    def _kind_on(self, system: System) -> str:
        """On, or ForceOn where only that is offered: both switch on and do nothing else."""
        if not system.reset_types or "On" in system.reset_types:
            return "On"
        if "ForceOn" in system.reset_types:
            return "ForceOn"
        raise self._not_offered("On", system)

    def _not_offered(self, kind: str, system: System) -> Refused:
        offered = ", ".join(system.reset_types)[:200]
        return Refused(f"BMC {self._address} offers no reset of type {kind}, only {offered}")

    async def _look(self) -> System:
        """The system now; that it could be seen shows that the login works."""
        system = await self._find()
        self._wire.accept()
        self._power, self._power_seen_at = system.power, self._clock.now()
        return system

    async def _read(self, path: str, until: float) -> Node | None:
        """A page that is no part of its power."""
        async with self._turn:
            return await self._wire.read(path, min(until, self._wire.deadline()))

    async def _find(self) -> System:
        """Look where it was, and for it first where it is not known yet, or no longer there."""
        until = self._wire.deadline()
        if self._path is not None:
            try:
                return self._completed(system_of(self._path, await self._wire.get(self._path, until)))
            except Missing:
                self._path = None
        system = await self._discover(until)
        self._path = system.path
        await self._read_once(system, until)
        return self._completed(system)

    async def _discover(self, until: float) -> System:
        root = await self._wire.get("/redfish/v1/", until, with_login=False)  # open to all, by the standard
        self._wire.sessions = sessions_of(root)
        systems = await self._wire.get(link_of(root.get("Systems")) or "/redfish/v1/Systems", until)
        paths = member_paths(systems)[:MEMBERS]
        if not paths:
            raise Refused(f"BMC {self._address} shows no computer system")
        found = [system_of(path, await self._wire.get(path, until)) for path in paths]
        found.sort(key=lambda system: (-system.weight, system.path))
        if len(found) > 1:
            log.info("bmc.system_chosen", bmc=self._address, system=found[0].path, of=[one.path for one in found])
        return found[0]

    async def _read_once(self, system: System, until: float) -> None:
        """What some BMCs keep on pages of their own and what seldom changes; a failure leaves it unknown."""
        if not system.reset_types and system.action_info:
            self._resets = action_info_resets(await self._wire.peek(system.action_info, until))
        if system.auto_power_on is None and system.bios:
            self._bios_policy = bios_auto_power_on(await self._wire.peek(system.bios, until))

    def _completed(self, system: System) -> System:
        return replace(
            system, reset_types=system.reset_types or self._resets,
            auto_power_on=system.auto_power_on or self._bios_policy,
        )


def _in_minutes(left_s: float) -> str:
    return f"in {max(left_s / 60, 1):.0f} minutes, or as soon as the guard is started anew"

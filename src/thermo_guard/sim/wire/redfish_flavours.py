"""How each vendor's BMC words what it shows: ids, fields, sensors, refusals.

Shapes as captured from an iLO 5 3.11, an iLO 6 1.66 and an iDRAC 9 6.00.30, of each only what a client of power and
temperature reads; Supermicro by its public reference and DMTF's schemas, since no capture of it is at hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from thermo_guard.core.plant import BmcSeen, Power
from thermo_guard.sim.machines import Stage

ROOT = "/redfish/v1"
SESSIONS = f"{ROOT}/SessionService/Sessions"
ROOT_PAGE, SESSIONS_PAGE = ROOT.lower(), SESSIONS.lower()

Body = dict[str, Any]

_POWER_STATES = {Power.ON: "On", Power.OFF: "Off", Power.MOVING: "PoweringOn"}
_MAINS = {
    "poweron": 0, "alwayson": 0, "on": 0, "remainoff": 1, "alwaysoff": 1, "off": 1, "restore": 2, "laststate": 2,
    "last": 2,
}
"""Which of a flavour's three words stands for the plan's, which may be any vendor's."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a BMC can tell now."""

    seen: BmcSeen
    stage: Stage
    air_c: float
    inlet_c: float | None
    """What its inlet sensor shows; None: nothing."""
    has_inlet: bool = True


@dataclass(frozen=True, slots=True)
class Flavour:
    """One vendor's firmware."""

    vendor: str
    manufacturer: str
    product: str
    firmware: str
    system: str
    """Id of its system, and of its chassis."""
    manager: str
    resets: tuple[str, ...]
    mains_words: tuple[str, str, str]
    """For on, off and last state after a return of the mains."""
    inlet: str
    inlet_context: str
    messages: str
    """Registry and version of DMTF's messages as it writes them."""
    redundant: tuple[int, str] | None
    """Status and message of a reset that changes nothing; None: it is accepted."""
    reset_status: int
    redfish_version: str
    others: tuple[tuple[str, str, float | None], ...]
    """What else its Thermal shows: name, context, and how much warmer than the room; None: it is not there."""
    inlet_at: int = 0
    """The inlet's place among them."""
    has_slash_redirect: bool = False
    """Its root is sent on to the same with a slash at the end, with 308."""

    @property
    def reset_path(self) -> str:
        return f"{self._system_path}/Actions/ComputerSystem.Reset"

    @property
    def _system_path(self) -> str:
        return f"{ROOT}/Systems/{self.system}"

    @property
    def _chassis_path(self) -> str:
        return f"{ROOT}/Chassis/{self.system}"

    @property
    def _manager_path(self) -> str:
        return f"{ROOT}/Managers/{self.manager}"

    def pages(self, sight: Sight) -> Mapping[str, Body]:
        """All its resources by path, in lower case: some firmware writes its own links so, and none minds."""
        pages = [
            self._root(),
            _collection("Systems", "ComputerSystemCollection", self._system_path),
            self._system(sight),
            _collection("Chassis", "ChassisCollection", self._chassis_path),
            self._chassis(sight),
            self._thermal(sight),
            _collection("Managers", "ManagerCollection", self._manager_path),
            self._manager(sight),
            _page(f"{ROOT}/SessionService", "SessionService", "Session Service", Id="SessionService",
                  ServiceEnabled=True, SessionTimeout=1800, Sessions=_link(SESSIONS),
                  Status={"Health": "OK", "State": "Enabled"}),
        ]
        if self.vendor == "Dell":
            pages.append(self._bios(sight))
        return {page["@odata.id"].lower(): page for page in pages}

    def error(self, message: str, about: str = "") -> Body:
        """A refusal, or a success that is told in the same shape.

        :param message: of DMTF's registry; one with a dot is of the vendor's own.
        """
        found = message if "." in message else f"{self.messages}.{message}"
        entry: Body = {"MessageId": found}
        if self.vendor != "HPE":
            entry |= {"Message": about or message, "MessageArgs": [], "Severity": "Critical", "RelatedProperties": []}
        elif about:
            entry["MessageArgs"] = [about]
        code = "iLO.0.10.ExtendedInfo" if self.vendor == "HPE" else f"{self.messages}.GeneralError"
        return {"error": {"code": code, "message": "See @Message.ExtendedInfo for more information.",
                          "@Message.ExtendedInfo": [entry]}}

    def _root(self) -> Body:
        links = {name: _link(f"{ROOT}/{name}") for name in ("Chassis", "Managers", "SessionService", "Systems")}
        return _page(ROOT, "ServiceRoot", "Root Service", Id="RootService", Product=self.product, Vendor=self.vendor,
                     RedfishVersion=self.redfish_version, Links={"Sessions": _link(SESSIONS)}, **links)

    def _system(self, sight: Sight) -> Body:
        seen = sight.seen
        reset = {"target": self.reset_path, "ResetType@Redfish.AllowableValues": list(self.resets)}
        page = _page(
            self._system_path, "ComputerSystem", "Computer System", Id=self.system, SystemType="Physical",
            Manufacturer=self.manufacturer, Model=seen.model or "", BiosVersion="1.0", AssetTag="", HostName="",
            PowerState=_POWER_STATES[seen.power], Actions={"#ComputerSystem.Reset": reset},
            SerialNumber=seen.serials[0] if seen.serials else "", SKU=self._sku(seen),
            Boot={"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None"},
            Links={"Chassis": [_link(self._chassis_path)], "ManagedBy": [_link(self._manager_path)]},
            Status={"Health": "OK", "State": "Enabled" if seen.power is not Power.OFF else self._state_off},
        )
        if seen.uuid is not None:
            page["UUID"] = seen.uuid if self.vendor == "Dell" else seen.uuid.upper()
        return page | self._mains(sight)

    @property
    def _state_off(self) -> str:
        return "Disabled" if self.vendor == "HPE" else "StandbyOffline"

    def _sku(self, seen: BmcSeen) -> str:
        """A product number; with Dell the machine's service tag."""
        if self.vendor == "Dell":
            return seen.serials[-1] if seen.serials else ""
        return "P28948-B21" if self.vendor == "HPE" else "SYS-120C-TR"

    def _mains(self, sight: Sight) -> Body:
        """What it does when the mains return, and where POST stands, as far as they are on the system's own page."""
        word = self._mains_word(sight.seen)
        if self.vendor == "HPE":
            oem: Body = {"PostState": _post_state(sight)}
            return {"Oem": {"Hpe": oem if word is None else oem | {"PowerAutoOn": word}}}
        if self.vendor == "Dell":
            return {"Bios": _link(f"{self._system_path}/Bios")}
        return {} if word is None else {"PowerRestorePolicy": word}

    def _mains_word(self, seen: BmcSeen) -> str | None:
        if seen.auto_power_on is None:
            return None
        return self.mains_words[_MAINS.get(seen.auto_power_on.casefold(), 2)]

    def _bios(self, sight: Sight) -> Body:
        word = self._mains_word(sight.seen)
        return _page(f"{self._system_path}/Bios", "Bios", "BIOS Configuration Current Settings", Id="Bios",
                     Attributes={} if word is None else {"AcPwrRcvry": word})

    def _chassis(self, sight: Sight) -> Body:
        return _page(
            self._chassis_path, "Chassis", "Computer System Chassis", Id=self.system, ChassisType="RackMount",
            Manufacturer=self.manufacturer, Model=sight.seen.model or "",
            Thermal=_link(f"{self._chassis_path}/Thermal"),
            SerialNumber=sight.seen.serials[0] if sight.seen.serials else "",
            PowerState=_POWER_STATES[sight.seen.power], Status={"Health": "OK", "State": "Enabled"},
            Links={"ComputerSystems": [_link(self._system_path)], "ManagedBy": [_link(self._manager_path)]},
        )

    def _thermal(self, sight: Sight) -> Body:
        """The inlet among others that may be taken for it; what is not there reads 0, or nothing."""
        path = f"{self._chassis_path}/Thermal"
        is_on = sight.seen.power is not Power.OFF
        others = [(name, context, sight.air_c + over_k if is_on and over_k else None) for name, context, over_k
                  in self.others]
        if sight.has_inlet:
            others.insert(self.inlet_at, (self.inlet, self.inlet_context, sight.inlet_c))
        found = [self._thermometer(path, number, *one) for number, one in enumerate(others)]
        return _page(path, "Thermal", "Thermal", Id="Thermal", Temperatures=found)

    def _thermometer(self, path: str, number: int, name: str, context: str, celsius: float | None) -> Body:
        is_hpe = self.vendor == "HPE"
        body: Body = {
            "@odata.id": f"{path}#{'' if is_hpe else '/'}Temperatures/{number}", "MemberId": str(number), "Name": name,
            "PhysicalContext": context, "SensorNumber": number + 1,
        }
        if celsius is None:
            return body | {"ReadingCelsius": 0 if is_hpe else None, "Status": {"State": "Absent"}}
        body |= {"ReadingCelsius": round(celsius), "Status": {"Health": "OK", "State": "Enabled"}}
        if name == self.inlet:
            body |= {"UpperThresholdCritical": 42, "UpperThresholdFatal": 47 if is_hpe else None}
        return body

    def _manager(self, sight: Sight) -> Body:
        now = datetime.fromtimestamp(sight.seen.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return _page(
            self._manager_path, "Manager", "Manager", Id=self.manager, ManagerType="BMC", Model=self.product,
            FirmwareVersion=self.firmware, DateTime=now, DateTimeLocalOffset="+00:00",
            Links={"ManagerForServers": [_link(self._system_path)], "ManagerForChassis": [_link(self._chassis_path)]},
            Status={"Health": "OK", "State": "Enabled"},
        )


def _post_state(sight: Sight) -> str:
    if sight.seen.power is Power.OFF:
        return "PowerOff"
    return "InPost" if sight.stage is Stage.BOOTING else "FinishedPost"


def _collection(name: str, kind: str, member: str) -> Body:
    return _page(f"{ROOT}/{name}", kind, name, Members=[_link(member)], **{"Members@odata.count": 1})


def _page(path: str, kind: str, name: str, **fields: Any) -> Body:
    return {"@odata.context": f"{ROOT}/$metadata#{kind}.{kind}", "@odata.id": path,
            "@odata.type": f"#{kind}.{_VERSIONS.get(kind, '')}{kind}", "Name": name, **fields}


def _link(path: str) -> Body:
    return {"@odata.id": path}


_VERSIONS = {
    "ServiceRoot": "v1_5_1.", "ComputerSystem": "v1_16_0.", "Chassis": "v1_16_0.", "Thermal": "v1_7_1.",
    "Manager": "v1_5_1.", "SessionService": "v1_0_0.", "Bios": "v1_0_0.",
}

_HPE_RESETS = ("On", "ForceOff", "GracefulShutdown", "ForceRestart", "Nmi", "PushPowerButton", "GracefulRestart")

_HPE_SENSORS = (
    ("02-CPU 1", "CPU", 18.0), ("05-P1 PMM 1-8", "Memory", None), ("25-P/S 1 Inlet", "PowerSupply", 8.0),
    ("27-P/S 2 Inlet", "PowerSupply", None), ("32-Board Inlet", "SystemBoard", 2.0),
)


def _ilo(number: int, firmware: str) -> Flavour:
    return Flavour(
        vendor="HPE", manufacturer="HPE", product=f"iLO {number}", firmware=f"iLO {number} v{firmware}", system="1",
        manager="1", resets=_HPE_RESETS, mains_words=("PowerOn", "RemainOff", "Restore"), inlet="01-Inlet Ambient",
        inlet_context="Intake", messages="Base.1.18", redundant=(400, "iLO.2.33.InvalidOperationForSystemState"),
        reset_status=200, redfish_version="1.20.0", others=_HPE_SENSORS, has_slash_redirect=True,
    )


FLAVOURS: Mapping[str, Flavour] = {
    "ilo5": _ilo(5, "3.11"),
    "ilo6": _ilo(6, "1.66"),
    "idrac": Flavour(
        vendor="Dell", manufacturer="Dell Inc.", product="Integrated Dell Remote Access Controller",
        firmware="6.00.30.00", system="System.Embedded.1", manager="iDRAC.Embedded.1",
        resets=("On", "ForceOff", "ForceRestart", "GracefulRestart", "GracefulShutdown", "PushPowerButton", "Nmi",
                "PowerCycle"),
        mains_words=("On", "Off", "Last"), inlet="System Board Inlet Temp", inlet_context="SystemBoard",
        messages="Base.1.12", redundant=(409, "IDRAC.2.7.PSU501"), reset_status=204, redfish_version="1.13.1",
        others=(("CPU1 Temp", "CPU", 15.0), ("System Board Exhaust Temp", "SystemBoard", 8.0)), inlet_at=1,
    ),
    "supermicro": Flavour(
        vendor="Supermicro", manufacturer="Supermicro", product="Supermicro BMC", firmware="01.03.16", system="1",
        manager="1", resets=("On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "Nmi", "ForceOn"),
        mains_words=("AlwaysOn", "AlwaysOff", "LastState"), inlet="Inlet Temp", inlet_context="Intake",
        messages="Base.1.10", redundant=None, reset_status=200, redfish_version="1.11.0",
        others=(("CPU Temp", "CPU", 20.0), ("System Temp", "Intake", 6.0), ("M2NVMeSSD Inlet Temp", "Intake", None)),
        inlet_at=2,
    ),
}

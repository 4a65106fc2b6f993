"""What a plant file may say, key by key, and the blueprint that comes of it."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from thermo_guard.core.plant import Role, Vcls

from .blueprint import NO_SETTINGS, SETTINGS, Blueprint, BmcPlan, HostPlan, Infrastructure, VcenterPlan, VmPlan
from .physics import Cooling, room_of
from .plans import PROTECTS_AT_C, sensors, vcenter_vm
from .wire.redfish_flavours import FLAVOURS

_UNITS_S = {"": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}
_NUMBER = re.compile(r"\{n(?::0?[1-9])?\}")
UNIT_HEIGHT_K = 0.05
"""So much warmer a rack unit's inlet is than the one's below it."""


def _seconds(value: Any) -> Any:
    """Seconds, or a number with its unit: 90, "90 s", "10 min", "2 h"."""
    if isinstance(value, str) and (found := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h)?\s*", value)):
        return float(found[1]) * _UNITS_S[found[2] or ""]
    return value


def _flavour(value: Any) -> Any:
    if value != "none" and value not in FLAVOURS:
        raise ValueError(f"it must be one of {', '.join(FLAVOURS)}, or none")
    return value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0.0, le=7 * 24 * 3600.0)]
Name = Annotated[str, Field(min_length=1, max_length=80)]
Count = Annotated[int, Field(ge=1, le=2000)]
Kilowatts = Annotated[float, Field(ge=0.0, le=1000.0)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Counted(_Form):
    """One table for many: a name with `{n}` in it, as `esx{n:02}`, stands for so many."""

    name: Name
    count: Count = 1

    @model_validator(mode="after")
    def _has_number(self) -> Self:
        places = _NUMBER.findall(self.name)
        if "{" in _NUMBER.sub("", self.name) or "}" in _NUMBER.sub("", self.name) or len(places) > 1:
            raise ValueError(f"the name {self.name!r}: of braces it takes {{n}} alone, or {{n:02}} with its digits")
        if self.count > 1 and not places:
            raise ValueError("with a count its name needs the number's place, as esx{n:02}")
        return self

    def names(self) -> Sequence[str]:
        return [self.name.format(n=number) for number in range(1, self.count + 1)]


class HostForm(_Counted):
    cluster: str = ""
    rack_unit: Annotated[int, Field(ge=1, le=60)] = 10
    busy_kw: Kilowatts = 0.6
    idle_kw: Kilowatts = 0.35
    boot: Seconds = 180.0
    shutdown: Seconds = 60.0
    protects_at_c: Annotated[float, Field(gt=0.0, lt=100.0)] = PROTECTS_AT_C
    on: bool = True
    maintenance: bool = False
    lockdown: bool = False
    hangs: bool = False
    bmc: Annotated[str, BeforeValidator(_flavour)] = "ilo5"
    bmc_dead: bool = False

    def plan(self, name: str, cluster: str) -> HostPlan:
        return HostPlan(
            name, cluster=self.cluster or cluster, is_on=self.on, in_maintenance=self.maintenance, boot_s=self.boot,
            shut_s=self.shutdown, busy_kw=self.busy_kw, idle_kw=self.idle_kw,
            inlet_offset_k=UNIT_HEIGHT_K * self.rack_unit, protects_at_c=self.protects_at_c,
            in_lockdown=self.lockdown, hangs_down=self.hangs,
        )


class VmForm(_Counted):
    host: str = ""
    tier: Annotated[int, Field(ge=1, le=99)] | None = None
    on: bool = True
    template: bool = False
    tools: bool = True
    hangs: bool = False
    shutdown: Seconds = 25.0
    start: Seconds = 40.0
    addresses: tuple[str, ...] = ()
    guest_os: str | None = None

    def plan(self, name: str, host: str) -> VmPlan:
        return VmPlan(
            name, host, is_on=self.on and not self.template, is_template=self.template, tier=self.tier,
            has_tools=self.tools, hangs=self.hangs, shut_s=self.shutdown, start_s=self.start,
            addresses=self.addresses, guest_os=self.guest_os,
        )


class VcenterForm(_Form):
    vm: Name | None = None
    host: str = ""
    start: Seconds = 240.0
    vcls: Literal["none", "deployed", "embedded"] = "none"
    drs: Literal["fullyAutomated", "partiallyAutomated", "manual"] = "fullyAutomated"
    ha: bool = True
    dpm: bool = False


class CoolingForm(_Form):
    kw: Annotated[float, Field(gt=0.0, le=10_000.0)]
    setpoint_c: Annotated[float, Field(ge=5.0, le=35.0)] = 21.0


class LeaningForm(_Form):
    """What the guard leans on, by the VM that carries it."""

    dns: str | None = None
    domain_controller: str | None = None
    mail: str | None = None


class RoomForm(_Form):
    name: Name
    cluster: Name = "Cluster"
    volume_m3: Annotated[float, Field(ge=5.0, le=100_000.0)] = 36.0
    racks: Annotated[int, Field(ge=1, le=500)] = 1
    outside_c: Annotated[float, Field(ge=-40.0, le=60.0)] = 25.0
    other_kw: Kilowatts = 0.2
    sensors: Annotated[int, Field(ge=1, le=100)] = 3
    sensor_cadence: Annotated[Seconds, Field(ge=1.0)] = 60.0
    vsan: bool = False
    standalone: bool = False
    cooling: CoolingForm
    vcenter: VcenterForm = VcenterForm()
    leans_on: LeaningForm = LeaningForm()
    host: Annotated[tuple[HostForm, ...], Field(min_length=1)]
    vm: tuple[VmForm, ...] = ()

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        hosts = self._host_names()
        alike = Counter(name.lower() for name in hosts)
        vms = Counter([name for form in self.vm for name in form.names()] + [self.vcenter.vm] * bool(self.vcenter.vm))
        wrong = [f"host {name} is there twice, whatever its case" for name, count in alike.items() if count > 1]
        wrong += [f"VM {name} is there twice" for name, count in vms.items() if count > 1]
        for place, host in [(f"vm {vm.name}", vm.host) for vm in self.vm] + [("vcenter", self.vcenter.host)]:
            if host and host not in hosts:
                wrong.append(f"{place}: there is no host {host}")
        if self.standalone and (self.vcenter.vm or self.vsan or self.vcenter.vcls != "none"):
            wrong.append("standalone: without vCenter there is no VM of it, no vSAN and no vCLS")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _host_names(self) -> Sequence[str]:
        return [name for form in self.host for name in form.names()]

    def blueprint(self) -> Blueprint:
        hosts = tuple(form.plan(name, self.cluster) for form in self.host for name in form.names())
        running = [host.name for host in hosts if host.is_on and not host.in_maintenance
                   and host.cluster == self.cluster] or [hosts[0].name]
        places = cycle(running)
        vms = [form.plan(name, form.host or next(places)) for form in self.vm for name in form.names()]
        if self.vcenter.vm is not None:
            vms.append(vcenter_vm(self.vcenter.vm, self.vcenter.host or running[0]))
        services = {"none": 0, "deployed": 3, "embedded": 2}[self.vcenter.vcls]
        vms += [VmPlan(f"vCLS-{number}", host, role=Role.VCLS, has_tools=False, shut_s=1.0)
                for number, host in enumerate(running[:services], start=1)]
        return Blueprint(
            room=room_of(self.volume_m3, self.racks, outside_c=self.outside_c), hosts=hosts, vms=tuple(vms),
            bmcs=tuple(BmcPlan(_bmc(name), name, is_dead=form.bmc_dead)
                       for form in self.host if form.bmc != "none" for name in form.names()),
            sensors=sensors(self.sensors, self.sensor_cadence), cluster=self.cluster, settings=self._settings(),
            vcenter=VcenterPlan(vm=self.vcenter.vm, start_s=self.vcenter.start),
            infrastructure=Infrastructure(**self.leans_on.model_dump()),
            cooling=Cooling(self.cooling.kw, self.cooling.setpoint_c), other_kw=self.other_kw, has_vsan=self.vsan,
            is_standalone=self.standalone,
        )

    def _settings(self) -> Any:
        if self.standalone:
            return NO_SETTINGS
        return replace(
            SETTINGS, ha_enabled=self.vcenter.ha, drs_behavior=self.vcenter.drs, dpm_enabled=self.vcenter.dpm,
            vcls=Vcls.NONE if self.vcenter.vcls == "none" else Vcls.ON,
        )

    def flavours(self) -> dict[str, str]:
        return {_bmc(name): form.bmc for form in self.host if form.bmc != "none" for name in form.names()}


class AtForm(_Form):
    at: Seconds
    do: Name
    target: str = ""
    how: str = ""
    for_: Annotated[Seconds, Field(alias="for")] = 0.0
    room: str = ""


class ScenarioForm(_Form):
    name: Name
    at: tuple[AtForm, ...] = ()


class PlantForm(_Form):
    room: Annotated[tuple[RoomForm, ...], Field(min_length=1)]
    scenario: tuple[ScenarioForm, ...] = ()


def _bmc(host: str) -> str:
    return f"bmc-{host.lower()}.virtual.invalid"

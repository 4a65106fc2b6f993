"""Which of a BMC's thermometers measures the air that its server takes in, and what it shows: values only.

Any shape may come; what is not understood is passed over. Source: DMTF Thermal and Sensor schemas, and captures of
iLO 5 to 7, iDRAC, XCC, Supermicro, Gigabyte and others. Three traps are why a name alone, or the BMC's own mark alone,
is not enough: sensors that are not there read 0; up to sixteen on one HPE server have Inlet in their names, of power
supplies and boards; and Gigabyte marks every sensor as one of the intake.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .system import Node, link_of, node_of, nodes_of, text_of

WARMEST_C = 70.0
"""What is chosen shows less, and more than 0: absent ones read 0, and no server runs on hotter air."""

_FITS = re.compile(r"inlet|ambient|intake", re.IGNORECASE)
_IN_THE_SERVER = re.compile(
    r"p/s|psu|power|gpu|dimm|memory|cpu|pci|exhaust|outlet|drive|nvme|ssd|hdd|batt|coolant|liquid|^\d+-board inlet"
    r"|(?<![a-z])(ps[ _-]?\d|m\.?2|ocp|nic\b)",
    re.IGNORECASE,
)
"""Names of what is warmed by the server itself, or is no air."""
_CELSIUS = frozenset({"cel", "c", "degc", "celsius"})


@dataclass(frozen=True, slots=True)
class Thermometer:
    """One temperature that a BMC shows."""

    page: str
    """Path of the resource that shows it, and perhaps others."""
    name: str
    id: str
    """Tells apart those of one name on one page."""
    celsius: float | None
    """As the BMC says it, plausible or not; None: it shows no number."""
    shows: str
    """What stands there in the place of a number, for people."""
    state: str | None
    is_intake: bool
    """The BMC marks it so."""

    @property
    def is_enabled(self) -> bool:
        return self.state in (None, "Enabled")

    @property
    def score(self) -> int:
        """How much it looks like the inlet; 0: not at all."""
        if not _FITS.search(self.name) or _IN_THE_SERVER.search(self.name) or self.state == "Absent":
            return 0
        name = self.name.casefold()
        return 2 * ("ambient" in name) + ("inlet" in name or "intake" in name) + 2 * self.is_intake

    @property
    def may_be_chosen(self) -> bool:
        """It shows what air may be."""
        return self.is_enabled and self.celsius is not None and 0.0 < self.celsius < WARMEST_C


def thermometers_of(page: str, body: Node) -> tuple[Thermometer, ...]:
    """All of a Thermal resource, or the one that a Sensor resource is."""
    if isinstance(body.get("Temperatures"), list):
        found = [_thermometer(page, one, "ReadingCelsius") for one in nodes_of(body.get("Temperatures"))]
    else:
        found = [_thermometer(page, body, "Reading")] if _is_temperature(body) else []
    return tuple(one for one in found if one.name)


def choose(found: Sequence[Thermometer], wanted: str | None = None) -> Thermometer | None:
    """The server's inlet; None where none can be told.

    :param wanted: the operator's name for it: then that one, whatever it shows.
    """
    if wanted is not None:
        named = [one for one in found if wanted.casefold() in (one.name.casefold(), one.id.casefold())]
        return max(named, key=lambda one: (one.may_be_chosen, one.state != "Absent"), default=None)
    fitting = [one for one in found if one.score and one.may_be_chosen]
    return max(fitting, key=lambda one: one.score, default=None)  # the first of equals


def same_of(chosen: Thermometer, found: Iterable[Thermometer]) -> Thermometer | None:
    """The chosen one as its page shows it now; numbers may have moved since the BMC was started anew."""
    alike = [one for one in found if one.name == chosen.name]
    return next((one for one in alike if one.id == chosen.id), alike[0] if alike else None)


def sensor_paths(metrics: Node, collection: Iterable[str], wanted: str | None = None) -> tuple[list[str], list[str]]:
    """Sensors to look at one by one: first those whose paths promise the inlet, and those that do not tell.

    :param metrics: ThermalMetrics, or empty: what it names is a temperature.
    :param collection: paths of all sensors, of any kind.
    """
    marked = link_or_uri(node_of(node_of(metrics.get("TemperatureSummaryCelsius")).get("Intake")))
    listed = [uri for one in nodes_of(metrics.get("TemperatureReadingsCelsius")) if (uri := link_or_uri(one))]
    others = listed or list(collection)
    hint = re.compile(re.escape(_squeezed(wanted)), re.IGNORECASE) if wanted else _FITS
    promising, rest = [marked] if marked else [], []
    for path in dict.fromkeys(others):
        last = _squeezed(path.rpartition("/")[2])
        if hint.search(last):
            promising.append(path)
        else:
            rest.append(path)
    return list(dict.fromkeys(promising)), [path for path in rest if path != marked]


def link_or_uri(node: Node) -> str | None:
    return text_of(node.get("DataSourceUri")) or link_of(node)


def _squeezed(text: str | None) -> str:
    """A name as it comes back in a path: `System Board Inlet Temp`, `SystemBoardInletTemp`, `inlet_temp`."""
    return re.sub(r"[^A-Za-z0-9]", "", text or "")


def _thermometer(page: str, body: Node, key: str) -> Thermometer:
    status, value = node_of(body.get("Status")), body.get(key)
    celsius = _number(value)
    return Thermometer(
        page=page, name=text_of(body.get("Name")) or "",
        id=text_of(body.get("@odata.id")) or text_of(body.get("MemberId")) or "",
        celsius=celsius, shows="" if celsius is not None else _shown(value, is_there=key in body),
        state=text_of(status.get("State")), is_intake=text_of(body.get("PhysicalContext")) == "Intake",
    )


def _is_temperature(body: Node) -> bool:
    unit = text_of(body.get("ReadingUnits"))
    is_celsius = unit is None or unit.casefold() in _CELSIUS
    return is_celsius and (body.get("ReadingType") == "Temperature" or unit is not None)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _shown(value: object, *, is_there: bool) -> str:
    if value is None:
        return "null" if is_there else "nothing"
    return {str: "text", bool: "a truth value", list: "a list", dict: "an object"}.get(type(value), "no finite number")

"""What a BMC's JSON says, read without trust: any shape may come, and what is not understood is None or UNKNOWN.

Source: DMTF ComputerSystem schema; HPE's and Dell's deviations as captured from real machines.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from thermo_guard.core.matching import real_serial, real_uuid
from thermo_guard.core.plant import Power

Node = Mapping[str, object]

_POWER = {
    "On": Power.ON,
    "Paused": Power.ON,  # powered, and as warm as if it ran
    "Off": Power.OFF,
    "PoweringOn": Power.MOVING,
    "PoweringOff": Power.MOVING,
    "Reset": Power.MOVING,  # iLO 4
}
ON_OR_COMING = frozenset({"On", "PoweringOn", "Reset", "Paused"})
"""PowerStates in which nothing is left to ask for, where it is to be on."""
OFF = frozenset({"Off"})
"""Where it is to be off."""

_MAINS_RETURN = {
    "alwayson": "AlwaysOn", "poweron": "AlwaysOn", "alwayspoweron": "AlwaysOn", "on": "AlwaysOn",
    "alwaysoff": "AlwaysOff", "remainoff": "AlwaysOff", "alwayspoweroff": "AlwaysOff", "off": "AlwaysOff",
    "laststate": "LastState", "restore": "LastState", "restorelaststate": "LastState", "last": "LastState",
}
_MAINS_RETURN_ATTRIBUTES = ("AutoPowerOn", "PowerAutoOn", "AcPwrRcvry")
"""BIOS attributes: HPE since Gen10, HPE before, Dell."""


@dataclass(frozen=True, slots=True)
class System:
    """A ComputerSystem resource."""

    path: str
    power_state: str | None
    """In the BMC's own word."""
    uuid: str | None
    """Lower case; None where it identifies nothing."""
    serials: tuple[str, ...]
    model: str | None
    reset_target: str
    reset_types: tuple[str, ...]
    """Empty where the resource does not list them."""
    action_info: str | None
    """Path of the resource that lists them instead."""
    bios: str | None
    auto_power_on: str | None
    weight: int
    """How much it looks like the computer itself, where a BMC shows several systems."""

    @property
    def power(self) -> Power:
        return _POWER.get(self.power_state or "", Power.UNKNOWN)


def system_of(path: str, body: Node) -> System:
    reset = node_of(node_of(body.get("Actions")).get("#ComputerSystem.Reset"))
    uuid = text_of(body.get("UUID"))
    power_state = text_of(body.get("PowerState"))
    serials = _serials(body)
    reset_types = _texts(reset.get("ResetType@Redfish.AllowableValues"))
    is_known = power_state in _POWER
    return System(
        path=path,
        power_state=power_state,
        uuid=uuid.lower() if uuid and real_uuid(uuid) else None,
        serials=serials,
        model=text_of(body.get("Model")),
        reset_target=text_of(reset.get("target")) or f"{path.rstrip('/')}/Actions/ComputerSystem.Reset",
        reset_types=reset_types,
        action_info=text_of(reset.get("@Redfish.ActionInfo")),
        bios=link_of(body.get("Bios")),
        auto_power_on=_auto_power_on(body),
        weight=(
            8 * (real_uuid(uuid) is not None) + 8 * is_known + 4 * bool(reset)
            + 2 * (text_of(body.get("SystemType")) in (None, "Physical")) + 1 * bool(serials)
            + 1 * (body.get("Bios") is not None or body.get("BiosVersion") is not None)
        ),
    )


def member_paths(collection: Node) -> tuple[str, ...]:
    members = collection.get("Members")
    paths = (link_of(member) for member in members) if isinstance(members, list) else ()
    return tuple(path for path in paths if path)


def sessions_of(root: Node) -> str | None:
    """Path of the Sessions collection, where the service root offers the service."""
    service = link_of(root.get("SessionService"))
    if service is None:
        return None
    return link_of(node_of(root.get("Links")).get("Sessions")) or f"{service.rstrip('/')}/Sessions"


def action_info_resets(body: Node) -> tuple[str, ...]:
    """Reset types of an ActionInfo resource; empty where it names none."""
    for parameter in nodes_of(body.get("Parameters")):
        if parameter.get("Name") == "ResetType":
            return _texts(parameter.get("AllowableValues"))
    return ()


def bios_auto_power_on(body: Node) -> str | None:
    attributes = node_of(body.get("Attributes")) or body  # iLO 4 has no Attributes level
    return next((word for name in _MAINS_RETURN_ATTRIBUTES if (word := _policy(attributes.get(name)))), None)


def message_id(body: object) -> str | None:
    """The first extended message's id, of an error answer; only what looks like one, e.g. Base.1.0.AccessDenied."""
    error = node_of(node_of(body).get("error"))
    for message in nodes_of(error.get("@Message.ExtendedInfo")):
        found = text_of(message.get("MessageId")) or text_of(message.get("MessageID"))  # iLO 4 writes the latter
        if found:
            return _plain(found)
    code = text_of(error.get("code"))
    return _plain(code) if code else None


def link_of(node: object) -> str | None:
    return text_of(node_of(node).get("@odata.id"))


def text_of(value: object) -> str | None:
    """A non-empty printable text, trimmed. Lone surrogates and controls would break a journal or a terminal later."""
    text = value.strip() if isinstance(value, str) and len(value) < 2048 else ""
    return text if text.isprintable() and text else None


def _serials(body: Node) -> tuple[str, ...]:
    """What identifies this one machine. SKU is the service tag on Dell; elsewhere it names the product."""
    is_dell = (text_of(body.get("Manufacturer")) or "").casefold().startswith("dell")
    found = (text_of(body.get("SerialNumber")), text_of(body.get("SKU")) if is_dell else None)
    return tuple(dict.fromkeys(serial for serial in found if serial and real_serial(serial)))


def _auto_power_on(body: Node) -> str | None:
    """What it does when the mains come back, in Redfish's words where they are known."""
    oem = node_of(body.get("Oem"))
    hpe = node_of(oem.get("Hpe")) or node_of(oem.get("Hp"))  # the latter on iLO 4
    found = (body.get("PowerRestorePolicy"), hpe.get("PowerAutoOn"))
    return next((word for value in found if (word := _policy(value))), None)


def _policy(value: object) -> str | None:
    word = text_of(value)
    return _MAINS_RETURN.get(word.casefold(), _plain(word)) if word else None


def _plain(text: str) -> str:
    return "".join(sign for sign in text if sign.isascii() and sign.isprintable())[:100]


def node_of(value: object) -> Node:
    return value if isinstance(value, dict) else {}


def nodes_of(value: object) -> Iterator[Node]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


def _texts(value: object) -> tuple[str, ...]:
    values: Sequence[object] = value if isinstance(value, list) else ()
    return tuple(word for one in values if (word := text_of(one)))

"""What one message of a gateway says, judged: from bytes to a reading or a rejection.

Pure, and trusts nothing. Cisco publishes the topic and no schema of the payload; what subscribers in public read is
`{"ts": "<ISO 8601>", "celsius": <number>}`, and here and there Fahrenheit under its own name or a `unit` beside a
`value`. Whether the degrees are plausible is the policy's to say. Source: Cisco Meraki, MT MQTT Setup Guide.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from thermo_guard.core.readings import UNNAMED, Reading, Rejected

MOST_BYTES = 4096
"""Of one payload; a gateway's has about a hundred."""
FUTURE_TOLERANCE_S = 120.0
"""How far a time may be ahead and still count as now: clocks of gateways drift."""
MILLISECONDS_FROM = 1e11
"""As seconds since 1970 this number is the year 5138: from here on they are thousandths."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came in."""

    mac: str
    """Of the sensor, as the topic has it and `mac_of` spells it; empty: it names none."""
    payload: bytes
    is_retained: bool
    """The broker had kept it: it may be of any age."""
    arrived_at: float
    """Seconds on the guard's line."""


class _Nonsense(Exception):  # noqa: N818 - it says why
    """The sensor says something that is no measurement."""


class _Foreign(Exception):  # noqa: N818 - it says why
    """A way of saying it that is not known here, which speaks against no sensor."""


def topic_of(network_id: str) -> str:
    """The filter of all temperatures of a network."""
    return f"meraki/v1/mt/{network_id}/ble/+/temperature"


def mac_of(text: str) -> str:
    """One spelling of a MAC address, as Meraki's API has it: 00:18:0a:00:00:01; empty where it is none."""
    digits = re.sub(r"[:.-]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        return ""
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def judge(message: Message, sensor: str, ahead_s: float = 0.0) -> Reading | Rejected | None:
    """Judge a message of this sensor; None says nothing of now: kept by the broker, and without a time.

    What is not understood is rejected under no sensor's name: it must not cast doubt on one that the API reads well.

    :param ahead_s: how far the guard's clock is ahead of the one that the gateways are set by.
    """
    if not message.mac:
        return Rejected(UNNAMED, "an MQTT topic without a MAC address")
    now = message.arrived_at - ahead_s
    try:
        said = _said(message.payload)
        stamp, celsius = _stamp(said), _celsius(said)
    except _Foreign as foreign:
        return Rejected(UNNAMED, f"{sensor} over MQTT: {foreign}")
    except _Nonsense as nonsense:
        return None if message.is_retained else Rejected(sensor, str(nonsense))
    if stamp is None:
        return None if message.is_retained else Reading(sensor, celsius, now, message.arrived_at, 0.0)
    if stamp > now + FUTURE_TOLERANCE_S:
        return Rejected(sensor, "future: its time is ahead of its arrival")
    return Reading(sensor, celsius, stamp, message.arrived_at, max(0.0, now - stamp))


def _said(payload: bytes) -> Mapping[str, object]:
    if len(payload) > MOST_BYTES:
        raise _Foreign(f"its message has {len(payload)} bytes")
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise _Foreign("its message is no JSON") from error
    if not isinstance(said, dict):
        raise _Foreign("its message is no JSON object")
    return said


def _celsius(said: Mapping[str, object]) -> float:
    """Degrees under a name that says which they are; a bare `temperature` is Celsius unless a `unit` says otherwise."""
    temperature = said.get("temperature")
    for each in (said, temperature if isinstance(temperature, dict) else {}):
        if "celsius" in each:
            return _number(each["celsius"])
        if "fahrenheit" in each:
            return _from_fahrenheit(_number(each["fahrenheit"]))
    if "temperature" not in said and "value" not in said:
        raise _Foreign("no temperature in its message")
    bare = said.get("temperature", said.get("value"))
    unit = said.get("unit", "celsius" if "temperature" in said else "")
    match str(unit).lower().lstrip("\u00b0"):
        case "c" | "celsius":
            return _number(bare)
        case "f" | "fahrenheit":
            return _from_fahrenheit(_number(bare))
    raise _Foreign("its message does not say in which unit its degrees are")


def _number(value: object) -> float:
    if value is None:
        raise _Nonsense("no degrees in its message")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Foreign("its degrees are not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Nonsense("its degrees are not a finite number")
    return number


def _from_fahrenheit(degrees: float) -> float:
    return round((degrees - 32.0) / 1.8, 2)


def _stamp(said: Mapping[str, object]) -> float | None:
    """ISO 8601 with its zone, or seconds or thousandths since 1970; None where no time is given at all."""
    ts = said.get("ts", said.get("timestamp"))
    if ts is None:
        return None
    if isinstance(ts, str):
        try:
            at = datetime.fromisoformat(ts)
        except ValueError as error:
            raise _Foreign("its time cannot be read") from error
        if at.tzinfo is None:  # it could be hours off
            raise _Foreign("its time has no zone")
        return at.timestamp()
    try:
        number = _number(ts)
    except (_Foreign, _Nonsense) as error:
        raise _Foreign("its time cannot be read") from error
    return number / 1000.0 if number >= MILLISECONDS_FROM else number

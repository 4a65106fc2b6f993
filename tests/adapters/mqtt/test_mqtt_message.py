"""What a gateway's message says: understood where it can be, never raised, and never taken for fresher than it is."""

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermo_guard.adapters.mqtt.message import Message, judge, mac_of
from thermo_guard.core.readings import UNNAMED, Reading, Rejected

MAC = "00:18:0a:00:00:01"
NOW = 1_785_931_200.0
THEN = NOW - 40.0
ISO = datetime.fromtimestamp(THEN, UTC).isoformat().replace("+00:00", "Z")


def said(payload: object, *, is_retained: bool = False, ahead_s: float = 0.0) -> Reading | Rejected | None:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return judge(Message(MAC, raw, is_retained, NOW), "Q2AA-1", ahead_s)


@pytest.mark.parametrize(("payload", "celsius"), [
    ({"celsius": 22.5}, 22.5), ({"temperature": 22}, 22.0), ({"temperature": {"celsius": 22.5, "fahrenheit": 9}}, 22.5),
    ({"fahrenheit": 72.5}, 22.5), ({"temperature": {"fahrenheit": 72.5}}, 22.5),
    ({"celsius": 22.5, "fahrenheit": 9}, 22.5),
    ({"value": 22.5, "unit": "celsius"}, 22.5), ({"temperature": 72.5, "unit": "\u00b0F"}, 22.5),
])
def test_degrees_are_found_under_the_names_that_say_which_they_are(payload: dict[str, object], celsius: float) -> None:
    """The payload is unpublished: each form that subscribers in public read is understood, Fahrenheit only by name."""
    reading = said({"ts": ISO, **payload})
    assert reading == Reading("Q2AA-1", celsius, THEN, NOW, 40.0)


@pytest.mark.parametrize("ts", [ISO, THEN, THEN * 1000.0, ISO.replace("Z", ".000000+00:00")])
def test_a_time_is_read_in_each_of_its_forms(ts: object) -> None:
    """The gateway's own time makes a sample that also comes from the API the same sample."""
    reading = said({"celsius": 20.0, "ts": ts})
    assert isinstance(reading, Reading)
    assert (reading.stamp, reading.age_s) == (THEN, 40.0)


def test_without_a_time_it_is_as_old_as_its_arrival() -> None:
    """A message that is published now was measured now; by the clock of the gateways, not by a NAS that is ahead."""
    assert said({"celsius": 20.0}, ahead_s=100.0) == Reading("Q2AA-1", 20.0, NOW - 100.0, NOW, 0.0)


def test_what_the_broker_had_kept_is_never_fresh() -> None:
    """A kept message may be of any age: with its time it is that old, without one it says nothing at all."""
    assert said({"celsius": 20.0}, is_retained=True) is None
    old = said({"celsius": 20.0, "ts": NOW - 7200.0}, is_retained=True)
    assert isinstance(old, Reading)
    assert old.age_s == 7200.0


@pytest.mark.parametrize(("payload", "reason"), [
    ({"celsius": None}, "no degrees"), (b'{"celsius": NaN}', "finite"), (b'{"celsius": 1e999}', "finite"),
    ({"celsius": 10**400}, "finite"), ({"celsius": 20.0, "ts": NOW + 600.0}, "future"),
])
def test_what_is_no_measurement_is_rejected_under_the_sensors_name(payload: object, reason: str) -> None:
    """A sensor that sends nonsense is the one that is doubted."""
    rejected = said(payload)
    assert isinstance(rejected, Rejected)
    assert rejected.sensor == "Q2AA-1"
    assert reason in rejected.reason


@pytest.mark.parametrize("payload", [
    b"", b"22.5", b"\xff\xfe", b"[" * 4000, b'{"celsius": 22.5}' + b" " * 5000, [22.5], {}, {"humidity": 40},
    {"celsius": True}, {"celsius": "22.5"}, {"celsius": {}}, {"value": 22.5}, {"value": 295.0, "unit": "kelvin"},
    {"celsius": 20.0, "ts": "yesterday"}, {"celsius": 20.0, "ts": "2026-08-05T12:00:00"}, {"celsius": 20.0, "ts": [1]},
])
def test_an_unknown_dialect_casts_doubt_on_no_sensor(payload: object) -> None:
    """The API may read the same sensor well: what is not understood is told, and makes no sensor suspect."""
    rejected = said(payload)
    assert isinstance(rejected, Rejected)
    assert rejected.sensor == UNNAMED
    assert rejected.reason.startswith("Q2AA-1 over MQTT: ")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(
        st.sampled_from(("celsius", "temperature", "fahrenheit", "ts", "unit", "value")), each, max_size=4),
    max_leaves=8,
)


@given(st.binary(max_size=60) | _JSON.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_no_message_whatever_raises(payload: bytes, is_retained: bool) -> None:
    """Anybody may publish anything: it ends as a reading of finite degrees, a rejection, or nothing."""
    verdict = said(payload, is_retained=is_retained)
    assert verdict is None or isinstance(verdict, Rejected) or (
        math.isfinite(verdict.celsius) and math.isfinite(verdict.stamp) and verdict.age_s >= 0.0)


def test_a_mac_address_has_one_spelling() -> None:
    """Topics and the API write it in their own ways, and it is one sensor."""
    assert {mac_of(each) for each in (MAC, MAC.upper(), "00-18-0A-00-00-01", "0018.0a00.0001")} == {MAC}
    assert {mac_of(each) for each in ("", "rack1", "00:18:0a:00:00", f"{MAC}:02", "gg:18:0a:00:00:01")} == {""}

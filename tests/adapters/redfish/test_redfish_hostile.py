"""Bodies that no BMC should send: whatever comes, a look ends in a value or in one of the four faults."""

import asyncio
import contextlib
import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peers.redfish import RESET, ROOT, SYSTEM, HandClock, Reply, WrittenBmc
from peers.redfish_bench import guarding
from thermo_guard.adapters.redfish.inlet import WARMEST_C, choose, same_of, sensor_paths, thermometers_of
from thermo_guard.adapters.redfish.system import (
    action_info_resets,
    bios_auto_power_on,
    member_paths,
    message_id,
    sessions_of,
    system_of,
)
from thermo_guard.core.plant import Power
from thermo_guard.ports import Fault, Refused

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
LINK = st.sampled_from([SYSTEM, RESET, ROOT, "", "//x", "https://[", "/redfish/v1/ \x00", "no link", "?", "#", "../.."])
FIELDS = {
    "UUID": JSON, "PowerState": JSON, "SerialNumber": JSON, "SKU": JSON, "Manufacturer": st.just("Dell") | JSON,
    "Model": JSON, "Oem": JSON | st.fixed_dictionaries({"Hpe": JSON}),
    "Bios": JSON | st.fixed_dictionaries({"@odata.id": LINK | JSON}), "SystemType": JSON, "Members": JSON,
    "Systems": JSON | st.fixed_dictionaries({"@odata.id": LINK | JSON}), "SessionService": JSON, "Links": JSON,
    "Actions": JSON | st.fixed_dictionaries({"#ComputerSystem.Reset": JSON | st.fixed_dictionaries({}, optional={
        "target": LINK | JSON, "ResetType@Redfish.AllowableValues": JSON, "@Redfish.ActionInfo": LINK | JSON,
    })}),
    "Attributes": JSON, "Parameters": JSON, "error": JSON, "PowerRestorePolicy": JSON,
}
RESOURCE = st.fixed_dictionaries({}, optional=FIELDS)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a loaded machine is no failure
@given(RESOURCE)
def test_any_json_is_read_without_trust(body: dict[str, object]) -> None:
    """No shape of JSON breaks the reading, and what is not exactly Off is never read as off."""
    system = system_of("/redfish/v1/Systems/1", body)
    assert (system.power is Power.OFF) == (isinstance(body.get("PowerState"), str) and system.power_state == "Off")
    assert all(isinstance(text, str) and text.isprintable() for text in (*system.serials, *system.reset_types))
    for read in (member_paths, action_info_resets, bios_auto_power_on, message_id, sessions_of):
        read(body)


@settings(max_examples=60, deadline=None, suppress_health_check=[
    HealthCheck.function_scoped_fixture, HealthCheck.too_slow,
])
@given(
    pages=st.fixed_dictionaries({}, optional=dict.fromkeys(
        (ROOT, f"{ROOT}/Systems", SYSTEM, RESET),
        st.tuples(st.sampled_from([200, 200, 200, 201, 204, 300, 302, 308, 400, 404, 409, 418, 500, 503]),
                  RESOURCE.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=40)),
    )),
    location=LINK,
)
async def test_only_faults_come_out(
    peer: WrittenBmc, tmp_path: Path, pages: dict[str, tuple[int, bytes]], location: str
) -> None:
    """Whatever status and body each page has, nothing but a Fault escapes, and nothing but On is ever asked."""
    clean = location.replace("\x00", "")
    written: dict[str, Reply] = {
        path: Reply(status, body, {"Location": clean} if 300 <= status < 400 else {})
        for path, (status, body) in pages.items()
    }
    kept = dict(peer.pages)
    peer.pages.update(written)
    guard = guarding(peer.address, HandClock(), tmp_path, request_timeout_s=5)
    told: list[Fault] = []
    try:
        for act in (guard.observe, guard.power_on):
            try:
                await act()
            except Fault as fault:
                told.append(fault)
        assert all(str(fault).isprintable() for fault in told)
    finally:
        await guard.aclose()
        peer.pages.clear()
        peer.pages.update(kept)
        peer.power_state = "Off"


@pytest.mark.parametrize(("body", "why"), [
    (b"<!DOCTYPE html><html>login</html>", "web page"), (b"", "no JSON"), (b"[]", "no resource"),
    (b"\xff\xfe\x00", "JSON"),
    (b"[" * 200_000, "no JSON"), (b'{"a":' + b"9" * 5000 + b"}", "no JSON"), (b"x" * (5 << 20), "4 MB"),
])
async def test_nonsense_with_200_is_refused(peer: WrittenBmc, tmp_path: Path, body: bytes, why: str) -> None:
    """A web page, nothing, too deep, too long: refused, with a text that points at the address."""
    peer.pages[SYSTEM] = Reply(200, body)
    guard = guarding(peer.address, HandClock(), tmp_path)
    with pytest.raises(Refused, match=why):
        await guard.observe()
    await guard.aclose()


THERMOMETER = st.fixed_dictionaries({}, optional={
    "Name": st.sampled_from(["Inlet Ambient", "01-Inlet", "P/S 1 Inlet", "CPU"]) | JSON,
    "ReadingCelsius": st.floats() | st.integers() | JSON, "Reading": st.floats() | JSON,
    "Status": st.fixed_dictionaries({"State": st.sampled_from(["Enabled", "Absent"]) | JSON}) | JSON,
    "PhysicalContext": st.just("Intake") | JSON, "MemberId": JSON, "@odata.id": LINK | JSON,
    "ReadingUnits": st.just("Cel") | JSON, "ReadingType": st.just("Temperature") | JSON, "DataSourceUri": LINK | JSON,
})
THERMAL = THERMOMETER | st.fixed_dictionaries({}, optional={
    "Temperatures": st.lists(THERMOMETER | JSON, max_size=4) | JSON,
    "TemperatureReadingsCelsius": st.lists(THERMOMETER, max_size=4),
    "TemperatureSummaryCelsius": st.fixed_dictionaries({"Intake": THERMOMETER | JSON}) | JSON,
})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(THERMAL, st.none() | st.text(max_size=5))
def test_no_json_makes_an_inlet_of_what_is_none(body: dict[str, object], wanted: str | None) -> None:
    """Whatever a page holds, what is chosen has a fitting name and a number that air may have; or it was named."""
    found = thermometers_of(SYSTEM, body)
    chosen = choose(found, wanted)
    for one in found:
        assert one.celsius is None or math.isfinite(one.celsius)
        assert one.name.isprintable()
        assert (one.celsius is None) == bool(one.shows)
    if chosen is not None:
        assert same_of(chosen, found) is not None
        if wanted is None:
            assert chosen.celsius is not None
            assert 0 < chosen.celsius < WARMEST_C
            assert chosen.name.isprintable()
            assert "inlet" in chosen.name.casefold()
            assert not chosen.name.startswith("P/S")
    for paths in sensor_paths(body, member_paths(body), wanted):
        assert all(isinstance(path, str) and path for path in paths)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow,
                                                                 HealthCheck.function_scoped_fixture])
@given(RESOURCE, st.fixed_dictionaries({}, optional=dict.fromkeys(
    ("Thermal", "Sensors", "ThermalSubsystem"), st.fixed_dictionaries({"@odata.id": LINK | JSON}) | JSON
)), THERMAL)
def test_a_look_at_the_inlet_ends_whatever_is_there(
    tmp_path: Path, collection: dict[str, object], chassis: dict[str, object], thermal: dict[str, object]
) -> None:
    """Pages of any shape, links to anywhere: a poll or one of the four faults, and never another server."""

    async def look() -> None:
        pages = {f"{ROOT}/Chassis": {"Members": [{"@odata.id": f"{ROOT}/Chassis/1"}], **collection},
                 f"{ROOT}/Chassis/1": {"Thermal": {"@odata.id": f"{ROOT}/T"}, **chassis}, f"{ROOT}/T": thermal}
        async with WrittenBmc({path: Reply(body=page) for path, page in pages.items()}) as peer:
            guard = guarding(peer.address, HandClock(), tmp_path)
            with contextlib.suppress(Fault):
                poll = await guard.inlet()
                assert len(poll.readings) + len(poll.rejected) <= 1
            await guard.aclose()

    asyncio.run(look())

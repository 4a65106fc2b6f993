"""The inlet of a server as its BMC shows it: which sensor is taken, what a look costs, and what is made of nonsense."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from peers import shared
from peers.redfish import ROOT, SYSTEM, HandClock, Reply, WrittenBmc
from peers.redfish_bench import guarding
from thermo_guard.adapters.redfish import Bmc
from thermo_guard.core.readings import Kind, Reading
from thermo_guard.ports import Refused, Transient

CHASSIS = f"{ROOT}/Chassis"
THERMAL = f"{CHASSIS}/1/Thermal"
INLETS = {
    "ilo5": ("01-Inlet Ambient", 21.0), "ilo6": ("01-Inlet Ambient", 24.0), "ilo7": ("01-Inlet Ambient", 22.0),
    "dell": ("System Board Inlet Temp", 25.0),
}


@pytest.mark.parametrize("machine", INLETS)
async def test_inlet_of_a_captured_machine(machine: str, tmp_path: Path) -> None:
    """On a real machine the server's own inlet is taken, of up to four sensors with Inlet in their names."""
    tree = shared(f"data/redfish/{machine}")

    async def page(request: web.Request) -> Reply:
        file = tree / request.path.removeprefix("/redfish/v1").strip("/") / "index.json"
        return Reply(body=file.read_bytes()) if file.is_file() else Reply(404)

    paths = [file.parent.relative_to(tree).as_posix() for file in tree.rglob("index.json")]
    async with WrittenBmc({f"{ROOT}/{path}" if path != "." else ROOT: page for path in paths}) as peer:
        guard = guarding(peer.address, HandClock(0), tmp_path)
        poll = await guard.inlet()
        await guard.aclose()
    sensor, celsius = INLETS[machine]
    assert guard.inlet_sensor == sensor
    assert poll.kind is Kind.BMC
    assert not poll.lists_all
    assert poll.readings == (Reading(peer.address, celsius, 0.0, 0.0, 0.0, Kind.BMC, is_running=True),)


def sensor(name: str, shows: object = 22, **more: Any) -> dict[str, Any]:
    return {"Name": name, "ReadingCelsius": shows, "Status": {"State": "Enabled"}, **more}


def show(peer: WrittenBmc, *sensors: Mapping[str, Any]) -> None:
    """One chassis with these on its Thermal."""
    peer.pages[CHASSIS] = Reply(body={"Members": [{"@odata.id": f"{CHASSIS}/1"}]})
    peer.pages[f"{CHASSIS}/1"] = Reply(body={"Thermal": {"@odata.id": THERMAL}})
    peer.pages[THERMAL] = Reply(body=json.dumps({"Temperatures": sensors}).encode())


def show_pages(peer: WrittenBmc, pages: Mapping[str, Mapping[str, Any]]) -> None:
    """One chassis with each sensor on a page of its own, beside two that measure something else."""
    chassis = f"{CHASSIS}/1"
    links = [{"@odata.id": f"{chassis}/Sensors/{path}"} for path in pages]
    peer.pages[CHASSIS] = Reply(body={"Members": [{"@odata.id": chassis}]})
    peer.pages[chassis] = Reply(body={"Sensors": {"@odata.id": f"{chassis}/Sensors"}})
    peer.pages[f"{chassis}/Sensors"] = Reply(body={"Members": links[:1], "Members@odata.nextLink": f"{chassis}/More"})
    peer.pages[f"{chassis}/More"] = Reply(body={"Members": links[1:]})
    for path, page in pages.items():
        body = {"@odata.id": f"{chassis}/Sensors/{path}", "ReadingUnits": "Cel", "ReadingType": "Temperature", **page}
        peer.pages[f"{chassis}/Sensors/{path}"] = Reply(body=body)


async def look(guard: Bmc) -> Sequence[float]:
    return [reading.celsius for reading in (await guard.inlet()).readings]


async def test_looks_cost_one_request(peer: WrittenBmc, guard: Bmc, clock: HandClock) -> None:
    """Once the sensor is known a look costs one GET, and one more where the power was not seen lately."""
    show(peer, sensor("CPU 1", 50), sensor("Inlet Ambient", 22))
    assert await look(guard) == [22]
    peer.requests.clear()
    assert await look(guard) == [22]
    assert peer.seen("GET") == [THERMAL]
    await clock.sleep(31)
    await look(guard)
    assert peer.seen("GET") == [THERMAL, SYSTEM, THERMAL]


async def test_power_is_told_with_the_reading(peer: WrittenBmc, guard: Bmc, clock: HandClock) -> None:
    """Whether the server runs is told with the reading, and where the BMC does not know, nothing is made up."""
    show(peer, sensor("Inlet Temp"))
    for state, runs in {"On": True, "Off": False, "PoweringOn": None, None: None}.items():
        peer.power_state = state
        await clock.sleep(31)
        assert [reading.is_running for reading in (await guard.inlet()).readings] == [runs]


@pytest.mark.parametrize(("wanted", "sensors"), [
    ("Ambient Temp", [sensor("Inlet Temp"), sensor("Ambient Temp")]),
    ("Inlet 2", [sensor("Inlet 1"), sensor("Inlet 2", PhysicalContext="Intake")]),
    ("Inlet A", [sensor("Inlet A"), sensor("Inlet B")]),
    ("Inlet 2", [sensor("Inlet 1", 0), sensor("Inlet 2", 21)]),
    ("Inlet 2", [sensor("Inlet Ambient", 24, Status={"State": "Absent"}), sensor("Inlet 2", 21)]),
    ("System2 Intake", [sensor("System2 Intake"), *(
        sensor(f"{name} Inlet Ambient", PhysicalContext="Intake") for name in
        ("23-P/S 1", "PS2", "Temp_PS3", "PSU1", "GPU 4", "P1 DIMM", "CPU", "M.2", "PCIe", "OCP 1", "Battery")
    )]),
    ("Front Intake", [sensor("61-Board Inlet"), sensor("Front Intake", Status=None)]),
])
async def test_choice(peer: WrittenBmc, guard: Bmc, wanted: str, sensors: Sequence[Mapping[str, Any]]) -> None:
    """The likeliest name is taken, the first of equals; none that is absent, or warmed by the server itself."""
    show(peer, *sensors)
    await guard.inlet()
    assert guard.inlet_sensor == wanted


async def test_none_is_guessed(peer: WrittenBmc, guard: Bmc, clock: HandClock) -> None:
    """Where every sensor is marked as the intake and none is named so none is taken, and an hour nobody searches."""
    peer.power_state = "On"
    show(peer, *(sensor(name, PhysicalContext="Intake") for name in ("CPU0_TEMP", "DIMMG0_TEMP", "MB_TEMP1")))
    with pytest.raises(Refused, match=r"no inlet sensor: name one by inlet_sensor in ILO_HOSTS; it shows CPU0_TEMP"):
        await guard.inlet()
    peer.requests.clear()
    with pytest.raises(Refused):
        await guard.inlet()
    assert peer.seen("GET") == []
    show(peer, sensor("Inlet"))
    await clock.sleep(3601)
    assert await look(guard) == [22]


async def test_absent_sensor_is_not_waited_for(peer: WrittenBmc, clock: HandClock, tmp_path: Path) -> None:
    """An inlet that is not fitted is none, which is told; one that shows nothing just now is searched for again."""
    peer.power_state = "On"
    show(peer, sensor("Inlet Ambient", 0))
    silent, lacking = (guarding(peer.address, clock, tmp_path) for _ in range(2))
    assert await look(silent) == []
    show(peer, sensor("Inlet Ambient", 0, Status={"State": "Absent"}))
    with pytest.raises(Refused, match="no inlet sensor"):
        await lacking.inlet()
    show(peer, sensor("Inlet Ambient", 22))
    assert await look(silent) == []
    await clock.sleep(301)
    assert await look(silent) == [22]
    for guard in (silent, lacking):
        await guard.aclose()


async def test_operators_choice_stands(peer: WrittenBmc, clock: HandClock, tmp_path: Path) -> None:
    """The sensor that the operator names is taken, in whatever case and whatever it shows, and no other instead."""
    show(peer, sensor("Inlet Ambient"), sensor("MB_TEMP1", 90))
    named = guarding(peer.address, clock, tmp_path, inlet_sensor="mb_temp1")
    wrong = guarding(peer.address, clock, tmp_path, inlet_sensor="MB_TEMP2")
    peer.power_state = "On"
    assert await look(named) == [90]
    with pytest.raises(Refused, match=r"no sensor MB_TEMP2, its inlet_sensor in ILO_HOSTS: it shows Inlet Ambient, MB"):
        await wrong.inlet()
    await named.aclose()
    await wrong.aclose()


async def test_pages_of_their_own(peer: WrittenBmc, guard: Bmc) -> None:
    """Where there is no Thermal the sensor is found among those on pages of their own, by its path or by its name."""
    show_pages(peer, {
        "fan1": {"Name": "Fan Inlet", "ReadingUnits": "RPM", "ReadingType": "Rotational", "Reading": 40},
        "temperature_inlet": {"Name": "Inlet", "Reading": 23.4}, "other": {"Name": "Ambient", "Reading": 30},
    })
    assert await look(guard) == [23.4]
    assert f"{CHASSIS}/1/Sensors/other" not in peer.seen("GET")
    peer.requests.clear()
    assert await look(guard) == [23.4]
    assert peer.seen("GET") == [f"{CHASSIS}/1/Sensors/temperature_inlet"]


async def test_thermal_metrics_lead_to_the_sensor(peer: WrittenBmc, guard: Bmc) -> None:
    """Of sensors whose paths tell nothing, only those that ThermalMetrics calls temperatures are looked at."""
    chassis = f"{CHASSIS}/1"
    show_pages(peer, {f"s{number}": {"Name": f"Fan {number}", "Reading": 40} for number in range(9)}
                     | {"t1": {"Name": "CPU", "Reading": 50}, "t2": {"Name": "Intake", "Reading": 20}})
    peer.pages[chassis] = Reply(body={"ThermalSubsystem": {"@odata.id": f"{chassis}/TS"},
                                      "Sensors": {"@odata.id": f"{chassis}/Sensors"}})
    peer.pages[f"{chassis}/TS"] = Reply(body={"ThermalMetrics": {"@odata.id": f"{chassis}/TM"}})
    peer.pages[f"{chassis}/TM"] = Reply(body={"TemperatureReadingsCelsius": [
        {"DataSourceUri": f"{chassis}/Sensors/{one}", "Reading": 1} for one in ("t1", "t2")
    ]})
    assert await look(guard) == [20]
    assert not [path for path in peer.seen("GET") if "/Sensors/s" in path]


async def test_moved_sensor_is_found_again(peer: WrittenBmc, guard: Bmc) -> None:
    """A sensor whose page is gone while the server runs, as after an update of the firmware, is searched for anew."""
    peer.power_state = "On"
    show(peer, sensor("Inlet Ambient"))
    await guard.inlet()
    del peer.pages[THERMAL]
    show_pages(peer, {"inlet": {"Name": "Inlet Temp", "Reading": 25}})
    assert await look(guard) == [25]
    assert guard.inlet_sensor == "Inlet Temp"


async def test_server_that_is_off(peer: WrittenBmc, guard: Bmc, clock: HandClock) -> None:
    """A BMC that shows no sensor while its server is off is not thought to be without one: it is there with it."""
    show(peer)
    peer.power_state = "Off"
    assert await look(guard) == []
    peer.power_state = "On"
    await clock.sleep(31)
    show(peer, sensor("Inlet", 22))
    assert await look(guard) == [22]
    peer.power_state = "Off"
    await clock.sleep(31)
    for shown in ([], [sensor("Inlet", None)], [sensor("Inlet", 0, Status={"State": "Disabled"})]):
        show(peer, *shown)
        poll = await guard.inlet()
        assert not poll.readings
        assert not poll.rejected
    show(peer, sensor("Inlet", 24))
    assert await look(guard) == [24]


@pytest.mark.parametrize(("shown", "reason"), [
    (None, "null"), ("22", "text"), (float("nan"), "no finite number"), (True, "a truth value"), ([22], "a list"),
    (10 ** 400, "no finite number"),
])
async def test_nonsense_is_named(peer: WrittenBmc, guard: Bmc, shown: object, reason: str) -> None:
    """What is no number is rejected and says what stands there; a number is passed on, however implausible."""
    peer.power_state = "On"
    show(peer, sensor("Inlet", 22))
    await guard.inlet()
    show(peer, sensor("Inlet", shown))
    poll = await guard.inlet()
    assert [(one.sensor, one.reason, one.kind) for one in poll.rejected] == [
        (peer.address, f"Inlet shows {reason}", Kind.BMC)
    ]
    show(peer, sensor("Inlet", -127))
    assert await look(guard) == [-127]


async def test_page_that_is_forbidden_costs_no_login(peer: WrittenBmc, guard: Bmc) -> None:
    """An account that may not read the sensors still sees the power and may switch: nothing is held against it."""
    show(peer, sensor("Inlet"))
    peer.power_state = "On"
    peer.pages[CHASSIS] = Reply(403)
    with pytest.raises(Refused, match="shows no temperature at all"):
        await guard.inlet()
    assert (await guard.observe()).power == "on"


async def test_busy_bmc_is_asked_again(peer: WrittenBmc, guard: Bmc) -> None:
    """A search that a busy BMC cut short is no proof that there is no sensor: the next look searches again."""
    peer.power_state = "On"
    show(peer, sensor("Inlet"))
    thermal = peer.pages[THERMAL]
    peer.pages[THERMAL] = Reply(500)
    with pytest.raises(Transient):
        await guard.inlet()
    peer.pages[THERMAL] = thermal
    assert await look(guard) == [22]

"""Plant files: what they say is what is built, and what is wrong with them is said at once, each with its place."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from thermo_guard.sim import plant_form
from thermo_guard.sim.happenings import WHATS
from thermo_guard.sim.plant_file import DEFAULT_SCENARIO, EXAMPLES, BadPlant, parsed, read
from thermo_guard.sim.world import World

PAGE = (Path(__file__).parents[2] / "docs" / "PLANT_FILES.md").read_text()
SMALL = """
[[room]]
name = "Closet"
{room}
[room.cooling]
kw = 3
[[room.host]]
name = "esx{{n}}"
count = 2
{host}
[[room.vm]]
name = "files"
{vm}
{scenario}
"""


def small(room: str = "", host: str = "", vm: str = "", scenario: str = "") -> str:
    return SMALL.format(room=room, host=host, vm=vm, scenario=scenario)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_quiet_room(name: str) -> None:
    """Its cooling is enough: two hours later it is as warm, and nothing has happened."""
    for room in read(name).rooms:
        world = World(1, room.blueprint)
        before, air_c = world.running(), world.air_c
        world.advance(7200.0)
        assert world.air_c == pytest.approx(air_c, abs=0.5)
        assert air_c < 27
        assert world.running() == before


@pytest.mark.parametrize("name", EXAMPLES)
def test_without_cooling_it_gets_hot(name: str) -> None:
    """Within the default scenario's time: else a drill of it would show nothing."""
    file = read(name)
    world = World(1, file.rooms[0].blueprint)
    world.fail_cooling(file.scenarios[DEFAULT_SCENARIO][0].happening.for_s)
    world.advance(4000.0)
    assert world.room.peak_c > 36


def test_a_file_says_what_is_built() -> None:
    """Counts, spread, times with their units, flavours, vCenter's VM and its services."""
    text = small('cluster = "Till"\n[room.vcenter]\nvm = "vc"\nvcls = "embedded"', 'boot = "2 min"\nbmc = "idrac"',
                 'tier = 3\nshutdown = "1 h"')
    room = parsed(text, "x").rooms[0]
    plan = room.blueprint
    assert [(host.name, host.boot_s, host.cluster) for host in plan.hosts] == [("esx1", 120.0, "Till"),
                                                                              ("esx2", 120.0, "Till")]
    assert {vm.name: (vm.host, vm.tier) for vm in plan.vms} == {
        "files": ("esx1", 3), "vc": ("esx1", None), "vCLS-1": ("esx1", None), "vCLS-2": ("esx2", None)}
    assert plan.vms[0].shut_s == 3600.0
    assert plan.vcenter.vm == "vc"
    assert set(room.flavours.values()) == {"idrac"}
    assert [bmc.host for bmc in plan.bmcs] == ["esx1", "esx2"]


@pytest.mark.parametrize(("text", "said"), [
    ("room = 3", "room"),
    ("[[room", "no TOML"),
    ("", "room: it is missing"),
    (small('cluter = "X"'), "room[1].cluter: there is no such key"),
    (small(host='boot = "soon"'), "room[1].host[1].boot"),
    (small(host='bmc = "ilo9"'), "one of ilo5"),
    (small(vm='host = "esx9"'), "there is no host esx9"),
    ("[[room]]\nname = 'R'\n[room.cooling]\nkw = 1\n[[room.host]]\nname = 'h{x}{n:zz}'", "of braces"),
    (small(host="[[room.host]]\nname = 'ESX1'"), "host esx1 is there twice"),
    (small(scenario='[[scenario]]\nname = "s"\n[[scenario]]\nname = "s"'), "scenario: the name s is there twice"),
    (small(scenario='[[scenario]]\nname = "s"\n[[scenario.at]]\nat = 1\ndo = "cut WAN"\nfor = 5'), "for: 'cut WAN'"),
    (small(host='idle_kw = "much"'), "must be a number"),
    (small(vm="count = 3"), "the number's place"),
    (small(vm='[[room.vm]]\nname = "files"'), "VM files is there twice"),
    (small("standalone = true\nvsan = true"), "standalone"),
    (small(scenario='[[scenario]]\nname = "s"\n[[scenario.at]]\nat = 1\ndo = "explode"'), "scenario s, at[1]"),
    (small(scenario='[[scenario]]\nname = "s"\n[[scenario.at]]\nat = 1\ndo = "hang guest"\ntarget = "x"'), "files"),
    (small(scenario='[[scenario]]\nname = "s"\n[[scenario.at]]\nat = 1\ndo = "cut WAN"\nroom = "x"'), "no room x"),
])
def test_a_mistake_is_said_with_its_place(text: str, said: str) -> None:
    """By the words of the file."""
    with pytest.raises(BadPlant) as bad:
        parsed(text, "plant.toml")
    assert said in str(bad.value)
    assert str(bad.value).startswith("plant.toml: ")


def test_all_mistakes_are_said_at_once() -> None:
    """A line each."""
    with pytest.raises(BadPlant) as bad:
        parsed(small("volume_m3 = -1\nracks = 0", "boot = -5"), "x")
    assert len(str(bad.value).splitlines()) == 3


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """With the names of those that are shipped."""
    with pytest.raises(BadPlant, match="vcenter-inside"):
        read(str(tmp_path / "none.toml"))


def _documented() -> dict[str, set[str]]:
    """Keys of each table of the page, by its heading."""
    parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0]: set(re.findall(r"^\| `(\w+)` \|", part, flags=re.MULTILINE)) for part in parts}


@pytest.mark.parametrize(("heading", "form"), [
    ("[[room]]", plant_form.RoomForm), ("[room.cooling]", plant_form.CoolingForm),
    ("[room.vcenter]", plant_form.VcenterForm), ("[room.leans_on]", plant_form.LeaningForm),
    ("[[room.host]]", plant_form.HostForm), ("[[room.vm]]", plant_form.VmForm),
    ("[[scenario]]", plant_form.ScenarioForm), ("[[scenario.at]]", plant_form.AtForm),
])
def test_the_page_has_every_key_and_no_other(heading: str, form: type[BaseModel]) -> None:
    """What it says can be written, and what can be written it says."""
    assert _documented()[heading] == {field.alias or name for name, field in form.model_fields.items()}


def test_the_page_has_everything_that_can_happen() -> None:
    """In the words of the files."""
    table = PAGE.split("## What can happen")[1].split("## The control face")[0]
    assert set(re.findall(r"`([a-zA-Z ]+)`", table)) - {"how"} == set(WHATS)

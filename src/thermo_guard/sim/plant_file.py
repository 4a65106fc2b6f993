"""Plant files: rooms of the virtual site and what happens in them, as TOML. Their form is in docs/PLANT_FILES.md.

All that is wrong with a file is said at once, each with its place.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from .blueprint import Blueprint
from .happenings import Happening, checked
from .plant_form import PlantForm
from .world import World

DEFAULT_SCENARIO = "cooling-fails"
EXAMPLES = ("branch-office", "vcenter-inside", "vsan")
"""Plant files that are shipped, by their names."""


class BadPlant(Exception):  # noqa: N818 - what the file is
    """A plant file that cannot be used; str() has a line for each mistake."""


@dataclass(frozen=True, slots=True)
class PlantRoom:
    name: str
    blueprint: Blueprint
    flavours: Mapping[str, str]
    """Of its BMCs, by their address in the blueprint."""


@dataclass(frozen=True, slots=True)
class At:
    """One line of a scenario."""

    at_s: float
    """From its beginning."""
    happening: Happening
    room: str


@dataclass(frozen=True, slots=True)
class PlantFile:
    rooms: tuple[PlantRoom, ...]
    scenarios: Mapping[str, tuple[At, ...]]


def read(plant: str) -> PlantFile:
    """A plant file, or the shipped example of this name.

    :raises BadPlant: it cannot be read, or is wrong.
    """
    return parsed(_text(plant), plant)


def parsed(text: str, name: str) -> PlantFile:
    """:raises BadPlant: it is wrong."""
    try:
        form = PlantForm.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadPlant(f"{name}: it is no TOML: {error}") from error
    except ValidationError as error:
        raise BadPlant("\n".join(_lines(error, name))) from error
    rooms = tuple(PlantRoom(room.name, room.blueprint(), room.flavours()) for room in form.room)
    scenarios = {
        scenario.name: tuple(
            At(one.at, Happening(one.do, one.target, one.how, one.for_), one.room or rooms[0].name)
            for one in scenario.at
        ) for scenario in form.scenario
    }
    file = PlantFile(rooms, {DEFAULT_SCENARIO: _cooling_fails(rooms), **scenarios})
    told = [scenario.name for scenario in form.scenario]
    if problems := _problems(file, sorted({one for one in told if told.count(one) > 1})):
        raise BadPlant("\n".join(f"{name}: {problem}" for problem in problems))
    return file


def _text(plant: str) -> str:
    try:
        if plant in EXAMPLES:
            return resources.files(__package__).joinpath("examples", f"{plant}.toml").read_text()
        return Path(plant).read_text()
    except FileNotFoundError as error:
        raise BadPlant(f"{plant}: there is no such file, and no such example; there are {', '.join(EXAMPLES)}"
                       ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadPlant(f"{plant}: it cannot be read: {error}") from error


def _lines(error: ValidationError, name: str) -> list[str]:
    """One a mistake: `FILE: room[1].host[2].boot_s: ...`."""
    lines = []
    errors = error.errors()
    for one in errors:
        if any(other["loc"][:len(one["loc"])] == one["loc"] != other["loc"] for other in errors):
            continue  # it only follows from what is wrong within
        place = ""
        for part in one["loc"]:
            place += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if place else part
        value = one["input"]
        given = f" (it is {value!r:.80})" if isinstance(value, str | int | float) else ""
        said = _WORDS.get(one["type"]) or _KINDS.get(one["type"], one["msg"].removeprefix("Value error, "))
        lines.append(f"{name}: {place or 'the file'}: {said}{given if one['type'] not in _WORDS else ''}")
    return lines


_NUMBER = 'it must be a number; a time may have s, min or h, as "10 min"'
_WORDS = {
    "missing": "it is missing", "extra_forbidden": "there is no such key; docs/PLANT_FILES.md has them all",
}
_KINDS = {
    "float_parsing": _NUMBER, "float_type": _NUMBER, "int_parsing": "it must be a whole number",
    "int_type": "it must be a whole number", "tuple_type": "it must be a list of tables",
    "string_type": "it must be text", "bool_parsing": "it must be true or false",
}


def _cooling_fails(rooms: tuple[PlantRoom, ...]) -> tuple[At, ...]:
    """Ten minutes of peace, and a bit more than an hour without cooling."""
    return tuple(At(600.0, Happening("break cooling", for_s=4200.0), room.name) for room in rooms)


def _problems(file: PlantFile, twice: Collection[str]) -> list[str]:
    """What only the whole file shows.

    :param twice: names that several of its scenarios have.
    """
    names = [room.name for room in file.rooms]
    problems = [f"room: the name {name} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
    problems += [f"scenario: the name {name} is there twice" for name in twice]
    worlds = {}
    for room in file.rooms:
        try:
            worlds[room.name] = World(1, room.blueprint)
        except ValueError as error:
            problems.append(f"room {room.name}: {error}")
    for name, timeline in file.scenarios.items():
        for place, one in enumerate(timeline, start=1):
            where = f"scenario {name}, at[{place}]"
            if one.room not in names:
                problems.append(f"{where}: there is no room {one.room}, only {', '.join(names)}")
            elif one.room in worlds:
                try:
                    checked(worlds[one.room], one.happening)
                except ValueError as error:
                    problems.append(f"{where}: {error}")
    return problems

"""The runbook's file: TOML into `core.runbook.Runbook`, with all that is wrong in it at once, each in its place.

It is read once, with the settings, and told of like them: a guard that does not know its order does not start. Its
form is described in docs/RUNBOOK.md.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from .core.runbook import HIGHEST_TIER, Ready, Runbook, TierRule, VmRule
from .settings_forms import Flag, Form, Number
from .settings_problems import Problem, Wrong, WrongFile, shown
from .settings_sources import text_of

VARIABLE = "RUNBOOK"


@dataclass(frozen=True, slots=True)
class RunbookFile:
    """The path of a runbook; gives what is in it. A `Runbook` stands for itself."""

    wanted: str = "the path of a TOML file with the order of the VMs"

    def __call__(self, value: Any) -> Runbook | None:
        if value is None or isinstance(value, Runbook):
            return value
        path = Path(str(value).strip())
        text, mistake = text_of(path)
        if text is None:
            raise Wrong(f"names {shown(path, 250)}, which {mistake}")
        told = _Told(path)
        made = _runbook(_tables(text, told), told)
        if told.problems:
            raise WrongFile(told.problems)
        return made


@dataclass(slots=True)
class _Told:
    """What is wrong with the file."""

    path: Path
    problems: list[Problem] = field(default_factory=list)

    def add(self, place: str, wrong: str, wanted: str, example: str) -> None:
        where = f"({shown(self.path, 250)}) {place}".rstrip()
        self.problems.append(Problem(VARIABLE, f"{where}: {wrong}", wanted, example))


# What is written in it


@dataclass(frozen=True, slots=True)
class Patterns:
    """Shell patterns on names of VMs, or instance UUIDs."""

    wanted: str = "a list of VM names, patterns or instance UUIDs in [ ], with at least one inside"

    def __call__(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise Wrong(f"is {_kind(value)} and no list")
        if not value:
            raise Wrong("is an empty list")
        for one in value:
            if not isinstance(one, str):
                raise Wrong(f"has {_kind(one)} inside")
            if not one.strip() or not one.isprintable():
                raise Wrong("has an empty text inside" if not one.strip() else "has a control character inside")
        return tuple(one.strip() for one in value)


@dataclass(frozen=True, slots=True)
class Readiness:
    """When a started VM counts as ready."""

    wanted: str = '"tools", "none", or "tcp:" and a port from 1 to 65535'

    def __call__(self, value: Any) -> Ready:
        if not isinstance(value, str):
            raise Wrong(f"is {_kind(value)} and no text")
        match value.strip().lower().split(":"):
            case ["tools"]:
                return Ready()
            case ["none"]:
                return Ready(tools=False)
            case ["tcp", port] if re.fullmatch(r"[0-9]{1,9}", port):
                if not 1 <= int(port) <= 65535:
                    raise Wrong(f"is {shown(value)}, whose port is none")
                return Ready(port=int(port))
        raise Wrong(f"is {shown(value)}, which is none of its words")


@dataclass(frozen=True, slots=True)
class Typed:
    """A form for values that have a type of their own in TOML: "600" and true are no numbers."""

    form: Form
    types: tuple[type, ...]

    @property
    def wanted(self) -> str:
        return self.form.wanted

    def __call__(self, value: Any) -> Any:
        if type(value) not in self.types:
            raise Wrong(f"is {_kind(value)}")
        return self.form(value)


_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a date or time")


_GRACE = Typed(Number("seconds", 1, 7200), (int, float))
_FLAG = Typed(Flag(), (bool,))
_VM_KEYS: Mapping[str, tuple[Form, str]] = {
    "match": (Patterns(), 'match = ["db-*"]'),
    "tier": (Typed(Number("", 1, HIGHEST_TIER, is_whole=True), (int,)), "tier = 3"),
    "grace": (_GRACE, "grace = 600"),
    "after": (Patterns(), 'after = ["db-*"]'),
    "ready": (Readiness(), 'ready = "tcp:5432"'),
    "keep_last": (_FLAG, "keep_last = true"),
    "never_touch": (_FLAG, "never_touch = true"),
    "sheddable": (_FLAG, "sheddable = true"),
}
_TIER_KEYS: Mapping[str, tuple[Form, str]] = {
    "grace": (_GRACE, "grace = 600"),
    "start_delay": (Typed(Number("seconds", 0, 3600), (int, float)), "start_delay = 60"),
    "ready": (Readiness(), 'ready = "tools"'),
    "sheddable": (_FLAG, "sheddable = true"),
}
_TABLES = {"vms": "[[vms]]", "tiers": "[tiers.2]"}


# How it is read


def _tables(text: str, told: _Told) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = str(error) if str(error).isprintable() else ascii(str(error))
        if (line := _open_list(text, str(error))) is not None:
            place = f"the list that begins in line {line} is not closed, or something in it is wrong. {place}"
    except (ValueError, RecursionError):
        place = "a number is too long, or lists are nested too deep"
    told.add("", f"is no valid TOML: {place}", "tables [[vms]] and [tiers.N] with lines key = value", _TABLES["vms"])
    return {}


_NO_BRACKETS = re.compile(r""""(?:\\.|[^"\\])*"|'[^']*'|#.*""")
"""Texts and comments: brackets in them open nothing."""


def _open_list(text: str, error: str) -> int | None:
    """The line of a list that is still open where TOML gives up, which is often many lines below."""
    at = re.search(r"at line ([0-9]+)", error)
    depth, opened = 0, None
    for number, line in enumerate(text.splitlines()[:int(at[1]) - 1 if at else None], 1):
        bare = _NO_BRACKETS.sub("", line)
        value = bare if depth else bare.partition("=")[2]
        if not depth and "[" in value:
            opened = number
        depth = max(0, depth + value.count("[") - value.count("]"))
    return opened if depth else None


def _runbook(tables: Mapping[str, Any], told: _Told) -> Runbook:
    for name in tables:
        if name not in _TABLES:
            _tell_unknown("", name, _TABLES, " and ".join(_TABLES.values()), told)
    rules = _rules(tables.get("vms", []), told)
    return Runbook(rules=rules, tiers=_tier_rules(tables.get("tiers", {}), told))


def _rules(tables: Any, told: _Told) -> tuple[VmRule, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        told.add("vms", f"is {_kind(tables)}", "[[vms]] in double brackets, once for each rule", "[[vms]]")
        return ()
    rules, given = [], dict[tuple[str, str], int]()
    for number, table in enumerate(tables, 1):
        values = _values(_place(number, table), table, _VM_KEYS, told)
        for place, wrong, wanted, example in _contradictions(number, table, values, given):
            told.add(place, wrong, wanted, example)
        rules.append(VmRule(
            match=values.get("match", ()), tier=values.get("tier"), grace_s=values.get("grace"),
            after=values.get("after", ()), ready=values.get("ready"), keep_last=values.get("keep_last", False),
            never_touch=values.get("never_touch", False), sheddable=values.get("sheddable"),
        ))
    return tuple(rules)


def _place(number: int, table: Mapping[str, Any]) -> str:
    match table.get("match"):
        case [str(first), *_]:
            return f"[[vms]] number {number} ({shown(first)})"
    return f"[[vms]] number {number}"


def _contradictions(
    number: int, table: Mapping[str, Any], values: Mapping[str, Any], given: dict[tuple[str, str], int]
) -> Iterable[tuple[str, str, str, str]]:
    """What does not go together in a rule, and what an earlier rule says of the very same pattern; `given` is kept."""
    place = _place(number, table)
    if "match" not in table:
        yield place, "match is not given", "which VMs the rule is about", _VM_KEYS["match"][1]
    if values.get("keep_last") and "tier" in table:
        yield (f"{place}, keep_last", "is true, and a tier is given too", "one of the two", "keep_last = true")
    if values.get("never_touch"):
        idle = [name for name in table if name in _VM_KEYS.keys() - {"match", "never_touch"} and table[name]]
        if idle:
            yield (f"{place}, never_touch", f"is true, so that {' and '.join(idle)} can have no effect",
                   "never_touch alone, beside match", "never_touch = true")
    match = [pattern.lower() for pattern in values.get("match", ())]
    if itself := [one for one in values.get("after", ()) if one.lower() in match]:
        yield (f"{place}, after", f"has {shown(itself[0])}, as match has: they would wait for each other",
               "patterns of other VMs", _VM_KEYS["after"][1])
    matters = {"tier" if name == "keep_last" else name for name in values} - {"match", "after", "never_touch"}
    for matter in sorted(matters):
        for pattern in dict.fromkeys(match):
            before = given.setdefault((pattern, matter), number)
            if before != number:
                key = "keep_last" if matter == "tier" and values.get("keep_last") else matter
                yield (f"{place}, {key}", f"is given for {shown(pattern)} by number {before} already, which counts",
                       "one place for it", _VM_KEYS[key][1])


def _tier_rules(tables: Any, told: _Told) -> Mapping[int, TierRule]:
    wanted = f"[tiers.N] with a number from 1 to {HIGHEST_TIER}, and lines key = value"
    if not isinstance(tables, dict):
        told.add("tiers", f"is {_kind(tables)}", wanted, _TABLES["tiers"])
        return {}
    rules = {}
    for name, table in tables.items():
        place = f"[tiers.{name if re.fullmatch(r'[A-Za-z0-9_-]{1,20}', name, re.ASCII) else shown(name)}]"
        if not re.fullmatch(r"[1-9][0-9]?", name, re.ASCII):
            told.add(place, "is no tier's number", wanted, _TABLES["tiers"])
        elif not isinstance(table, dict):
            told.add(place, f"is {_kind(table)} and no table", wanted, f"[tiers.{name}]")
        else:
            values = _values(place, table, _TIER_KEYS, told)
            rules[int(name)] = TierRule(
                values.get("grace"), values.get("start_delay", 0.0), values.get("ready"),
                sheddable=values.get("sheddable", False),
            )
    return rules


def _values(
    place: str, table: Mapping[str, Any], keys: Mapping[str, tuple[Form, str]], told: _Told
) -> Mapping[str, Any]:
    """What of a table can be used; what is wrong with the rest is told."""
    values = {}
    for name, value in table.items():
        if name not in keys:
            examples = {known: example for known, (_, example) in keys.items()}
            _tell_unknown(place, name, examples, f"one of {', '.join(keys)}", told)
            continue
        form, example = keys[name]
        try:
            values[name] = form(value)
        except Wrong as wrong:
            for text in wrong.texts:
                told.add(f"{place}, {name}", text, form.wanted, example)
    return values


def _tell_unknown(place: str, name: str, examples: Mapping[str, str], wanted: str, told: _Told) -> None:
    near = get_close_matches(name.lower().replace("-", "_"), examples, n=1, cutoff=0.5)
    hint = f": did you mean {near[0]}?" if near else ""
    told.add(place, f"{shown(name)} is not known{hint}", wanted, examples[near[0]] if near else "")

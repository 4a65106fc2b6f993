"""The runbook's file: what it gives, and each mistake in its place."""

import math
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peers.settings_bench import GOOD, good, problem
from thermo_guard.config import BadSettings, Problem, explain, load
from thermo_guard.core.plant import Power, Vm
from thermo_guard.core.runbook import KEPT_LAST, Place, Ready, Runbook, TierRule, VmRule
from thermo_guard.main import EXIT_BAD_SETTINGS, loop_settings
from thermo_guard.runbook_file import RunbookFile
from thermo_guard.settings_problems import Wrong, WrongFile

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "RUNBOOK.md"


def written(folder: Path, text: str) -> Path:
    path = folder / "runbook.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> Runbook:
    made = RunbookFile()(str(written(folder, text)))
    assert made is not None
    return made


def example() -> str:
    (found,) = re.findall(r"```toml\n(.+?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


def mistakes(folder: Path, text: str) -> tuple[Problem, ...]:
    with pytest.raises(BadSettings) as caught:
        good(RUNBOOK=str(written(folder, text)))
    return caught.value.problems


def test_the_documented_example_is_read_as_the_document_says(tmp_path: Path) -> None:
    """What an administrator copies from docs/RUNBOOK.md loads, and means what stands beside it."""
    made = read(tmp_path, example())
    assert made.rules == (
        VmRule(("test-*", "*-lab"), tier=1, grace_s=60),
        VmRule(("app-*",), tier=2, after=("cache-*",)),
        VmRule(("cache-*",), tier=2),
        VmRule(("db-*",), tier=3, grace_s=600, ready=Ready(port=5432)),
        VmRule(("dc1", "dc2", "52014f5e-9ad5-8e42-3a5f-1b6f8b1c2a77"), keep_last=True),
        VmRule(("appliance-*",), ready=Ready(tools=False)),
        VmRule(("fire-alarm",), never_touch=True),
    )
    assert made.tiers == {1: TierRule(sheddable=True), 3: TierRule(300, 60, Ready())}


def test_the_document_names_every_key_and_shows_a_mistake_as_it_is_told(tmp_path: Path) -> None:
    """The document's tables have the keys that are taken, and its example of a mistake is a real one."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for heading, table in (("## [[vms]]", "[[vms]]\n"), ("## [tiers.N]", "[tiers.2]\n")):
        part = text.split(heading)[1].split("\n## ")[0]
        told = mistakes(tmp_path, f"{table}zzzzzzzzz = 1")
        (wanted,) = [one.wanted for one in told if "'zzzzzzzzz'" in one.wrong]
        assert re.findall(r"(?m)^\| `(\w+)`", part) != []
        assert set(re.findall(r"(?m)^\| `(\w+)`", part)) == set(wanted.removeprefix("one of ").split(", "))
    told = mistakes(tmp_path, '[[vms]]\nmatch = ["a"]\n[[vms]]\nmatch = ["db-*"]\ngrace = -5')
    shown = explain(told).split("\n\n")[1].replace(str(tmp_path), "/config")
    assert [line.strip() for line in shown.splitlines()] == [
        line.strip() for line in text.split("like this:\n\n")[1].split("\n\n")[0].splitlines()
    ]


def test_the_file_goes_before_the_settings_and_keeps_them(tmp_path: Path) -> None:
    """VM_TIERS and DEFAULT_TIER stay for the VMs that the file has no word on, and without a file they are all."""
    path = written(tmp_path, '[[vms]]\nmatch = ["db-*"]\ntier = 3')
    more = {"VM_TIERS": '{"web-*": 2}', "DEFAULT_TIER": "4"}
    made = loop_settings(good(RUNBOOK=str(path), **more)).runbook
    assert made == Runbook((("web-*", 2),), 4, (VmRule(("db-*",), tier=3),))
    assert loop_settings(good(**more)).runbook == Runbook((("web-*", 2),), 4)


@pytest.mark.parametrize(("name", "place"), [
    ("DB-1", Place(3, "runbook, as db-*", 600, Ready(port=5432))),
    ("dc1", Place(KEPT_LAST, "kept to the last by the runbook, as dc1")),
    ("appliance-1", Place(2, "name like appl*", None, Ready(tools=False))),
    ("fire-alarm", Place(4, "default", is_untouched=True)),
    ("web-test", Place(3, "name like web-test*", 300, Ready())),
    ("WEB-1", Place(1, "name like web-*", is_sheddable=True)),
])
def test_a_vm_is_placed_by_file_then_settings(name: str, place: Place, tmp_path: Path) -> None:
    """The documented example and the settings together: the file first, then the first pattern, then the default."""
    path = written(tmp_path, example())
    tiers = '{"web-test*": 3, "web-*": 1, "appl*": 2}'
    runbook = loop_settings(good(RUNBOOK=str(path), VM_TIERS=tiers, DEFAULT_TIER="4")).runbook
    assert runbook.place_of(Vm("id", name, "esx1", Power.ON)) == place


def test_the_choices_for_trouble_reach_the_planner() -> None:
    """VM_QUESTIONS and FORCE_BMC_OFF do what they say, and by default nothing is answered or cut off."""
    timing = loop_settings(good()).timing
    assert (timing.answers_questions, timing.force_bmc_off) == (False, False)
    timing = loop_settings(good(VM_QUESTIONS="Answer-Default", FORCE_BMC_OFF="true")).timing
    assert (timing.answers_questions, timing.force_bmc_off) == (True, True)
    assert "none of its words" in problem("VM_QUESTIONS", "ask").wrong


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    """A file with nothing but comments is allowed, with a byte order mark and the line ends of Windows too."""
    assert read(tmp_path, "# nothing yet") == Runbook()
    assert read(tmp_path, '\ufeff[[vms]]\r\nmatch = ["a"]\r\n') == Runbook(rules=(VmRule(("a",)),))


VM = '[[vms]]\nmatch = ["db-*"]\n'


@pytest.mark.parametrize(("text", "place", "wrong"), [
    (VM + "tier = 0", "[[vms]] number 1 ('db-*'), tier", "below its bounds"),
    (VM + "tier = 100", "tier", "above its bounds"),
    (VM + "tier = 1.5", "tier", "is a number"),
    (VM + "tier = true", "tier", "is true or false"),
    (VM + 'tier = "3"', "tier", "is a text"),
    (VM + "tier = 2020-01-01", "tier", "is a date or time"),
    (VM + "grace = -1", "grace", "below its bounds"),
    (VM + "grace = nan", "grace", "no finite number"),
    (VM + "grace = inf", "grace", "no finite number"),
    (VM + f"grace = {'9' * 400}", "grace", "hundreds of digits"),
    (VM + 'grace = "10 min"', "grace", "is a text"),
    (VM + "keep_last = 1", "keep_last", "is a number"),
    (VM + "keep_last = true\ntier = 3", "keep_last", "a tier is given too"),
    (VM + "never_touch = true\ngrace = 60", "never_touch", "grace can have no effect"),
    (VM + 'never_touch = true\nafter = ["x"]', "never_touch", "after can have no effect"),
    (VM + 'after = "x"', "after", "is a text and no list"),
    (VM + "after = []", "after", "is an empty list"),
    (VM + 'after = ["web-*", "DB-*"]', "after", "has 'DB-*', as match has"),
    (VM + 'ready = "tcp:0"', "ready", "whose port is none"),
    (VM + 'ready = "tcp:65536"', "ready", "whose port is none"),
    (VM + 'ready = "http"', "ready", "none of its words"),
    (VM + "ready = 5432", "ready", "is a number and no text"),
    (VM + "graec = 60", "[[vms]] number 1 ('db-*')", "'graec' is not known: did you mean grace?"),
    (VM + "keep-last = true", "('db-*')", "did you mean keep_last?"),
    (VM + "tier = 3\n" + VM + "tier = 2", "[[vms]] number 2 ('db-*'), tier", "by number 1 already"),
    (VM + "tier = 3\n" + VM + "keep_last = true", "number 2 ('db-*'), keep_last", "by number 1 already"),
    ("[[vms]]\ntier = 3", "[[vms]] number 1", "match is not given"),
    ("[[vms]]\nmatch = []", "number 1, match", "is an empty list"),
    ('[[vms]]\nmatch = "db-*"', "number 1, match", "is a text and no list"),
    ('[[vms]]\nmatch = ["a", 1]', "number 1 ('a'), match", "has a number inside"),
    ('[[vms]]\nmatch = ["a", " "]', "match", "has an empty text inside"),
    ("[vms]\nmatch = []", "vms", "is a table"),
    ("vms = [1]", "vms", "is a list"),
    ("[[vm]]", "", "'vm' is not known: did you mean vms?"),
    ("tiers = 3", "tiers", "is a number"),
    ("tiers.2 = 3", "[tiers.2]", "is a number and no table"),
    ("[tiers.0]", "[tiers.0]", "no tier's number"),
    ("[tiers.02]", "[tiers.02]", "no tier's number"),
    ("[tiers.100]", "[tiers.100]", "no tier's number"),
    ("[tiers.last]", "[tiers.last]", "no tier's number"),
    ("[tiers.2]\nstart_delay = -1", "[tiers.2], start_delay", "below its bounds"),
    ("[tiers.2]\ntier = 3", "[tiers.2]", "'tier' is not known"),
    ("[tiers.2]\n[tiers.2]", "", "no valid TOML: Cannot declare ('tiers', '2') twice (at line 2"),
    ('[[vms]]\nmatch = ["db-[1]*",\n\n[tiers.2]\ngrace = 3', "", "the list that begins in line 2 is not closed"),
    ("grace = ", "", "no valid TOML: Invalid value (at "),
    (f"x = {'[' * 20_000}", "", "no valid TOML"),
    (f"x = {'9' * 5000}", "", "no valid TOML"),
])
def test_a_mistake_is_told_with_its_place(text: str, place: str, wrong: str, tmp_path: Path) -> None:
    """Each mistake stops the start with the file, the table and key, what is wrong, and a line that would do."""
    (told,) = mistakes(tmp_path, text)
    assert told.variable == "RUNBOOK"
    assert told.wrong.startswith(f"('{tmp_path}/runbook.toml')")
    before, _, after = told.wrong.removeprefix(f"('{tmp_path}/runbook.toml')").partition(": ")
    assert before.strip().endswith(place)
    assert wrong in after
    assert told.wanted
    tomllib.loads(told.example)


@pytest.mark.parametrize(("table", "key"), [
    *(('[[vms]]\nmatch = ["a"]', key) for key in ("tier", "grace", "after", "ready", "keep_last", "never_touch")),
    ("[[vms]]", "match"), *(("[tiers.3]", key) for key in ("grace", "start_delay", "ready")),
])
def test_a_misspelt_key_is_answered_with_a_line_that_loads(table: str, key: str, tmp_path: Path) -> None:
    """The nearest key is named, and its example is taken as it stands."""
    told = next(one for one in mistakes(tmp_path, f"{table}\n{key}s = 1") if "is not known" in one.wrong)
    assert f"did you mean {key}?" in told.wrong
    assert told.example.startswith(f"{key} = ")
    read(tmp_path, f"{table}\n{told.example}")


def test_all_mistakes_are_told_at_once_among_those_of_the_settings(tmp_path: Path) -> None:
    """One mistake hides no other, in the file or outside of it."""
    path = written(tmp_path, VM + "tier = 0\ngrace = -1\nx = 1\n[tiers.2]\nready = 3\n[tier]")
    with pytest.raises(BadSettings) as caught:
        load({**GOOD, "RUNBOOK": str(path), "TRIP_VOTES": "two", "LOG_LEVEL": "loud"}, None)
    assert [one.variable for one in caught.value.problems] == ["TRIP_VOTES", *["RUNBOOK"] * 5, "LOG_LEVEL"]


@pytest.mark.parametrize(("content", "wrong"), [
    (None, "cannot be read: No such file"), (b"\xff\xfe", "is no UTF-8 text"), (b"#" * 1_000_001, "is larger"),
])
def test_a_file_that_cannot_be_read_stops_the_start(content: bytes | None, wrong: str, tmp_path: Path) -> None:
    """A runbook that is named and not there would be believed to hold."""
    path = tmp_path / "runbook.toml"
    if content is not None:
        path.write_bytes(content)
    assert wrong in problem("RUNBOOK", str(path)).wrong
    assert "Is a directory" in problem("RUNBOOK", str(tmp_path)).wrong


def test_a_file_of_secrets_in_its_place_is_not_shown(tmp_path: Path) -> None:
    """Who names the wrong file finds nothing of its contents on the screen."""
    for text in ("top-secret", "PASSWORD=top-secret", 'PASSWORD="top-secret"'):
        assert "top-secret" not in explain(mistakes(tmp_path, text))


def test_the_guard_does_not_start_with_a_bad_file(tmp_path: Path) -> None:
    """The process ends as with any bad setting, and says which line to mend."""
    env = {**GOOD, "NOTIFY_URLS": "", "RUNBOOK": str(written(tmp_path, VM + "teir = 3")), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, str(DOCUMENT.parents[1] / "main.py")], env=env, cwd=tmp_path, capture_output=True, text=True,
        timeout=60, check=False,
    )
    assert done.returncode == EXIT_BAD_SETTINGS, done.stderr
    assert "'teir' is not known: did you mean tier?" in done.stderr


# Whatever is written in it

names = st.one_of(
    st.sampled_from(["match", "tier", "grace", "after", "ready", "keep_last", "never_touch", "start_delay", "2", "02"]),
    st.text(max_size=8),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.booleans(), st.integers(-(2**80), 2**80), st.integers(0, 100), st.floats(), st.text(max_size=8),
        st.sampled_from(["tools", "none", "tcp:1", "db-*", "\ud7ff", "[", "\x7f"]), st.dates(), st.times(),
        st.datetimes(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
tables = st.dictionaries(names, values, max_size=5)
files = st.fixed_dictionaries({}, optional={
    "vms": st.one_of(st.lists(tables, max_size=3), values),
    "tiers": st.one_of(st.dictionaries(names, st.one_of(tables, values), max_size=3), values), "other": values,
})


def toml(value: Any) -> str:
    """A value as TOML writes it inline; a text as JSON does, but for what TOML forbids."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + "".join(f"\\U{ord(sign):08x}" if not sign.isalnum() else sign for sign in value) + '"'
        case float():
            return "nan" if math.isnan(value) else repr(value)
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{toml(key)} = {toml(one)}" for key, one in value.items()) + "}"
        case int():
            return str(value)
    return str(value.isoformat())


def attempt(text: str) -> Runbook | None:
    """What is read from it; of a mistake, that it is one that can be told."""
    told: Wrong | None = None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runbook.toml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            return RunbookFile()(str(path))
        except Wrong as wrong:
            told = wrong
    assert told.texts
    assert all(text and text.isprintable() for text in told.texts)
    for one in told.problems if isinstance(told, WrongFile) else ():
        assert (one.variable, bool(one.wanted)) == ("RUNBOOK", True)
    return None


@settings(deadline=None)
@given(files)
def test_any_tables_give_a_runbook_or_a_clear_mistake(tables: dict[str, Any]) -> None:
    """No value of any type in any place gives anything but a sound runbook or mistakes with their places."""
    made = attempt("\n".join(f"{name} = {toml(value)}" for name, value in tables.items()))
    for rule in made.rules if made is not None else ():
        assert rule.match
        assert rule.tier is None or 1 <= rule.tier <= 99
        assert rule.grace_s is None or 1 <= rule.grace_s <= 7200
        assert not (rule.keep_last and rule.tier)
        assert rule.ready is None or rule.ready.port is None or 1 <= rule.ready.port <= 65535


@settings(deadline=None)
@given(st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(["[[vms]]", "[tiers.2]", "match", "=", "[", "]", '"a"', "\n", "{", "}", "tier", "3", "#",
                              "'", ".", ","]), max_size=24).map(" ".join),
))
def test_any_text_gives_a_runbook_or_a_clear_mistake(text: str) -> None:
    """A file that is no TOML at all is told as such, and nothing else escapes."""
    attempt(text)

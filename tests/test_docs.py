"""The documents an administrator works from, held against the program."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from thermo_guard.adapters.vsphere.privileges import OF_CLUSTER, OF_HOST, OF_ROOT, OF_VM
from thermo_guard.adapters.watchdog import EXIT_LATE
from thermo_guard.cli import app
from thermo_guard.core.events import Goal, Phase
from thermo_guard.core.messages import described
from thermo_guard.core.record import Incident
from thermo_guard.main import EXIT_BAD_SETTINGS, EXIT_FOLDER_TAKEN, EXIT_REFUSED

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "thermo_guard"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
OPERATIONS = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")


def test_the_privileges_are_printed_by_the_program_and_not_written_down_again() -> None:
    """A list in a document is old with the next call: it leads to the command that is made of the calls."""
    page = (ROOT / "docs" / "PRIVILEGES.md").read_text(encoding="utf-8")
    assert "`thermo-guard role`" in page
    assert [privilege for privilege in (*OF_CLUSTER, *OF_HOST, *OF_VM, *OF_ROOT) if privilege in page] == []


def test_the_readme_leads_to_the_documents_for_administrators() -> None:
    """A document that nothing links is not found at 3 a.m."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("OPERATIONS", "SYNOLOGY", "PRIVILEGES", "RUNBOOK"):
        assert f"(docs/{name}.md)" in readme


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """A link within the repository has its file, and its heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if heading:
            assert heading in _headings(file), target


def _headings(page: Path) -> set[str]:
    """As GitHub makes anchors of them."""
    lines = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_written_down_exists(page: Path) -> None:
    """Who types a line from a document is not told that there is no such command or option."""
    group = typer.main.get_command(app)
    commands = getattr(group, "commands")  # noqa: B009 - typer does not say that it is a group
    text = page.read_text(encoding="utf-8")
    # Only what stands as code: in a sentence the program's name is followed by other words.
    for code in [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"(?m)^ {4,}(\S.*)$", text)]:
        # After `exec` it is the container's name.
        said = re.findall(r"(?<![\w/.-])(?<!exec )thermo-guard (?!thermo-guard)([a-z][a-z-]*)([^|;&#]*)", code)
        for name, rest in said:
            assert name in commands, code
            known = {flag for option in commands[name].params for flag in option.opts}
            assert set(re.findall(r"(?<!\S)--[a-z-]+", re.sub(r'"[^"]*"', "", rest))) <= known | {"--help"}, code


# What people are told, found in the source, against the tables of OPERATIONS.md


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _titles(file: Path) -> Iterator[ast.expr]:
    """The first argument of everything that tells people or makes what they are told."""
    makes_messages = file.name == "messages.py"
    for function in _functions(ast.parse(file.read_text(encoding="utf-8"))):
        kept = {target.id: node.value for node in ast.walk(function) if isinstance(node, ast.Assign)
                for target in node.targets if isinstance(target, ast.Name)}
        parameters = {one.arg for one in [*function.args.args, *function.args.kwonlyargs]}
        for call in [node for node in ast.walk(function) if isinstance(node, ast.Call)]:
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            says_more = len(call.args) + len(call.keywords) > 1  # whoever is told gets a title and a body
            if name not in {"tell", "tell_now", *(["Message"] if makes_messages else [])} or not says_more:
                continue
            title = call.args[0]
            if isinstance(title, ast.Name) and title.id in kept:
                title = kept[title.id]
            is_handed_on = (isinstance(title, ast.Attribute) and title.attr == "title") or (
                isinstance(title, ast.Name) and title.id in parameters
            )
            if not is_handed_on:
                yield title


def _pattern(title: ast.expr) -> str:
    """The fixed words of a title as a regular expression; what differs from time to time is anything."""
    match title:
        case ast.Constant(value=str(words)):
            return re.escape(words)
        case ast.JoinedStr(values=parts):
            return "".join(_pattern(part) for part in parts)
        case ast.FormattedValue(value=ast.IfExp(body=one, orelse=other)):
            return f"({_pattern(one)}|{_pattern(other)})"
        case _:
            return ".+"


@cache
def _all_patterns() -> list[str]:
    found = [_pattern(title) for file in sorted(SOURCE.rglob("*.py")) if "sim" not in file.parts
             for title in _titles(file)]
    shed = Incident("", 0.0, Goal.OFF, 0.0, (), is_shed=True)
    begun = [described(phase, 1 if phase in {Phase.GUESTS, Phase.START_GUESTS} else None, of)
             for phase in Phase for of in (None, shed)]
    return [*(re.escape(words[0].upper() + words[1:]).replace("1", r"\S+") for words in begun),
            *(pattern for pattern in found if pattern != ".+")]


@cache
def _told_on_the_page() -> list[str]:
    tables = OPERATIONS.split("## Every message")[1].split("\n## ")[0]
    return re.findall(r"(?m)^\| \*\*(.+?)\*\* \|", tables)


@pytest.mark.parametrize("pattern", sorted(set(_all_patterns())))
def test_each_message_that_people_are_told_is_explained(pattern: str) -> None:
    """Who is woken by a title finds it on the page, by its fixed words, with what to do."""
    assert any(re.fullmatch(pattern, title) for title in _told_on_the_page())


@pytest.mark.parametrize("title", _told_on_the_page())
def test_each_message_that_is_explained_is_still_told(title: str) -> None:
    """A row whose message is gone, or has other words by now, misleads."""
    assert any(re.fullmatch(pattern, title) for pattern in _all_patterns())


def test_the_titles_are_really_found_in_the_source() -> None:
    """The search above finds a title that it knows from each place that tells, and only one that has no words."""
    found = _all_patterns()
    for words in ("test", "NOT guarded", "reserve", "would do nothing", "it stays armed", "ARMED: ", "did not power on",
                  "Trusted at first use", "middle of an incident", "Everything is off that could be stopped"):
        assert any(re.escape(words) in pattern for pattern in found), words
    wordless = [title for file in SOURCE.rglob("*.py") if "sim" not in file.parts for title in _titles(file)
                if _pattern(title) == ".+"]
    assert len(wordless) == 1, "a phase that begins; any other title must have fixed words"


@pytest.mark.parametrize("code", [0, EXIT_REFUSED, EXIT_BAD_SETTINGS, EXIT_FOLDER_TAKEN, EXIT_LATE])
def test_each_exit_code_is_explained(code: int) -> None:
    """What the container shows as the last exit code stands in the table."""
    assert f"\n| {code} | " in OPERATIONS.split("## When the process ends")[1].split("\n## ")[0]

"""Where settings come from: the environment, then `.env`, and for each secret a file that a variable names.

An empty value counts as not set, white space around one is dropped. In `.env` the rules of python-dotenv hold for
quotes, `export` and comments, without its ${...} expansion: a password may have that inside.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from .settings_problems import Problem, shown

SUFFIX = "_FILE"
_LARGEST_FILE = 1_000_000
_PATH_LIKE = re.compile(r"[A-Za-z0-9_.,+:~ \\/-]{1,250}", re.ASCII)
_COLON = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*:", re.ASCII)
_QUOTES = ("'", '"')


@dataclass(slots=True)
class Gathered:
    """What the sources gave for the names asked for, and what was noticed on the way."""

    values: dict[str, str] = field(default_factory=dict)
    """By variable; neither empty nor with white space around."""
    broken: set[str] = field(default_factory=set)
    """Variables that are set in a way that gives no value; `problems` says why."""
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def gather(env: Mapping[str, str], dotenv: Path | None, names: Collection[str], secrets: Collection[str]) -> Gathered:
    """Look up `names` in the environment and, where absent there, in the file; `secrets` also by NAME_FILE."""
    found = Gathered()
    filed = _read_dotenv(dotenv, found) if dotenv is not None else {}
    merged = {**filed, **{name: value for name, value in env.items() if value.strip()}}
    for name in names:
        if value := merged.get(name, "").strip():
            found.values[name] = value
            if len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES:
                found.warnings.append(
                    f"{name} has quotation marks around it that count as part of it: `docker run --env-file` and "
                    "`environment:` lists hand them on"
                )
    for name in secrets:
        if path := merged.get(name + SUFFIX, "").strip():
            _read_secret(name, path, found)
    known = {*names, *(name + SUFFIX for name in secrets)}
    found.warnings += _misspelt(merged, known)
    return found


def _read_dotenv(path: Path, found: Gathered) -> dict[str, str]:
    def problem(wrong: str) -> None:
        found.problems.append(Problem(path.name, wrong, "a text file (UTF-8) with lines NAME=value", ""))

    text, mistake = text_of(path)
    if text is None:
        if path.exists() or path.is_symlink():
            problem(f"({path.absolute()}) {mistake}")
        return {}
    values: dict[str, str] = {}
    for binding in parse_stream(StringIO(text)):
        # A blank line or a comment is a binding without a key.
        colon = _COLON.match(binding.original.string)
        if colon is not None and (binding.error or binding.value is None):
            problem(f"has a colon instead of = in line {binding.original.line}, after {_name(colon[1])}")
        elif binding.error:
            problem(f"cannot be read in line {binding.original.line} (a quotation mark that is not closed?)")
        elif binding.key is not None and binding.value is None:
            found.warnings.append(f"{path.name} has no = in line {binding.original.line}: it is not read")
        elif binding.key is not None and binding.value is not None and binding.value.strip():
            if binding.key in values:
                found.warnings.append(f"{path.name} has {_name(binding.key)} more than once: the last one counts")
            values[binding.key] = binding.value
    return values


def _read_secret(name: str, path: str, found: Gathered) -> None:
    variable = name + SUFFIX
    wanted, example = "the path of a file that holds nothing but the secret", f"{variable}=/run/secrets/{name.lower()}"
    if name in found.values:
        del found.values[name]
        wrong = f"is set, and {name} is too"
        found.problems.append(Problem(variable, wrong, f"one of the two; {wanted}", example))
        found.broken.add(name)
        return
    text, mistake = text_of(Path(path))
    if text is not None and not text.strip():
        text, mistake = None, "is empty"
    if text is None:
        # Someone may have put the secret itself here: only what looks like a path is shown.
        is_path = _PATH_LIKE.fullmatch(path) and ("/" in path or "\\" in path) and "://" not in path
        told = f"names {shown(path, 250)}, which {mistake}" if is_path else f"names a file which {mistake}"
        found.problems.append(Problem(variable, told, wanted, example))
        found.broken.add(name)
        return
    found.values[name] = text.strip()


def text_of(path: Path) -> tuple[str | None, str]:
    """A file's text, or None and why not; no exception is left behind that holds what was read."""
    mistake = ""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            return None, "is larger than any setting"
        return content.decode("utf-8-sig"), ""
    except OSError as error:
        mistake = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        mistake = "is no UTF-8 text"
    except ValueError:
        mistake = "is no path"
    return None, mistake


def _misspelt(variables: Mapping[str, str], known: Collection[str]) -> list[str]:
    """A warning for each variable that nobody reads and that was probably meant for us; its value is not shown."""
    families = {name.partition("_")[0] + "_" for name in known if name.startswith(_FAMILIES)}
    texts = []
    for name in sorted(set(variables) - set(known)):
        is_ours = name.upper().startswith(tuple(families))
        near = get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.6 if is_ours else 0.88)
        if name.endswith(SUFFIX) and name.removesuffix(SUFFIX) in known:
            texts.append(f"{_name(name)} is not read: only secrets can be given by a file")
        elif near:
            texts.append(f"{_name(name)} is not read: did you mean {near[0]}?")
        elif is_ours:
            texts.append(f"{_name(name)} is not read: no setting has that name")
    return texts


_FAMILIES = ("MERAKI_", "TEMPERATURE_", "VCENTER_", "ESXI_", "ILO_", "NOTIFY_")


def _name(variable: str) -> str:
    return variable if re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", variable, re.ASCII) else shown(variable)

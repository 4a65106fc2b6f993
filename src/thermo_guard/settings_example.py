"""`.env.example` made of the settings themselves: `python -m thermo_guard.settings_example > .env.example`."""

import inspect
import re
import sys
import textwrap

from .config import SECRET_VARIABLES, Settings, example_of, form
from .settings_room import RoomSettings

_HEAD = """\
Settings of Thermo-Guard. Copy this file to .env and fill in the first part; the rest has working defaults, shown.
The environment goes before this file. A value with $, # or " inside stands in 'single quotes': otherwise Compose puts
variables in the place of $NAME, and # cuts the value. A value with ' inside stands in "double quotes", with a backslash
before each " and \\ of its own; one with ' and $ inside goes into a file (NAME_FILE). White space around a value is
dropped.
Times are seconds, temperatures degrees Celsius.
A secret can be kept in a file of its own, named by NAME_FILE instead of NAME.
Made by `python -m thermo_guard.settings_example`.
"""


def dotenv_example() -> str:
    """The whole file: what is required first and empty, then the rest by section, commented out."""
    required = [name for name, field in Settings.model_fields.items() if field.is_required()]
    parts = [_comment(_HEAD, keep_lines=True)]
    parts += [_title("Required"), *(_setting(name, "") for name in required)]
    for title, names in _sections().items():
        optional = [name for name in names if name not in required]
        parts += [_title(title), *(_setting(name, "#") for name in optional)] if optional else []
    return "\n".join(parts)


def _setting(name: str, mark: str) -> str:
    field = Settings.model_fields[name]
    variable = name.upper()
    text = " ".join((field.description or "").split())
    lines = [_comment(text), _comment(f"Wanted: {form(name).wanted}.")]
    example = example_of(name)
    quoted = f"'{example}'" if re.search(r"[\"#{$ ]", example) else example
    if mark:
        lines.append(f"{mark}{variable}={quoted}\n")
    else:
        lines += [_comment(f"Example: {variable}={quoted}"), f"{variable}=\n"]
    if variable in SECRET_VARIABLES:
        lines.append(f"#{variable}_FILE=/run/secrets/{name}\n")
    return "".join(lines)


def _sections() -> dict[str, list[str]]:
    """Names of the fields by the headings that stand over them in the source."""
    sections: dict[str, list[str]] = {}
    title = ""
    for line in (inspect.getsource(RoomSettings) + inspect.getsource(Settings)).splitlines():
        if heading := re.fullmatch(r"    # --- (.+) ---", line):
            title = heading[1]
        elif (name := re.match(r"    ([a-z]\w*):", line)) and name[1] in Settings.model_fields:
            sections.setdefault(title, []).append(name[1])
    return sections


def _title(text: str) -> str:
    return f"# ===== {text} =====\n"


def _comment(text: str, *, keep_lines: bool = False) -> str:
    wrapped = textwrap.wrap(text, 116, break_long_words=False, break_on_hyphens=False)
    lines = text.splitlines() if keep_lines else wrapped
    return "".join(f"# {line.rstrip()}".rstrip() + "\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(dotenv_example())

"""The settings, read from the environment, `.env` and files of secrets; all that is wrong at once."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr, ValidationError

from .core.endpoint import split_host
from .core.goal import Mode
from .settings import Settings
from .settings_fields import FirstUse, LogFormat, LogLevel, VmQuestions, Written
from .settings_forms import Form
from .settings_hosts import IloHost, secret_parts
from .settings_problems import NOT_SET, BadSettings, Problem, Wrong, WrongFile, explain
from .settings_sources import gather

__all__ = [
    "BadSettings", "FirstUse", "IloHost", "LogFormat", "LogLevel", "Mode", "Problem", "Settings", "VmQuestions",
    "explain", "load", "load_notify_urls", "secrets", "split_host",
]

SECRET_VARIABLES = (
    "MERAKI_API_KEY", "MERAKI_WEBHOOK_SECRET", "MQTT_PASSWORD", "VCENTER_PASSWORD", "ESXI_PASSWORD", "ILO_HOSTS",
    "NOTIFY_URLS",
)
"""Each can also be given as NAME_FILE, the path of a file that holds it."""


def load(env: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> Settings:
    """Read the settings; `env` is the process's environment where not given, `dotenv` need not exist.

    :raises BadSettings: with everything that is wrong, in the order of the fields.
    """
    fields = Settings.model_fields
    found = gather(os.environ if env is None else env, dotenv, [name.upper() for name in fields], SECRET_VARIABLES)
    problems = list(found.problems)
    settings: Settings | None = None
    try:
        settings = Settings.model_validate({name.lower(): value for name, value in found.values.items()})
    except ValidationError as error:
        for one in error.errors(include_url=False):
            name = str(one["loc"][0])
            if name.upper() not in found.broken:
                problems += _problems(name, one.get("ctx", {}).get("error"))
    # Raised outside of the handler, so that no traceback leads back to the values.
    if settings is None or problems:
        order = [name.upper() for name in fields]
        ranks = {name + suffix: rank for rank, name in enumerate(order) for suffix in ("", "_FILE")}
        raw = [found.values[name] for name in SECRET_VARIABLES if name in found.values]
        problems.sort(key=lambda problem: ranks.get(problem.variable, -1))
        raise BadSettings(tuple(_without(raw, problem) for problem in problems))
    return settings.noticing(found.warnings)


def load_notify_urls(
    env: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")
) -> tuple[SecretStr, ...]:
    """NOTIFY_URLS alone, whatever is wrong or missing elsewhere: so that messages can be tried before the rest is set.

    :raises BadSettings: with what is wrong with it, or with the file where that leaves nothing to try.
    """
    name = "NOTIFY_URLS"
    found = gather(os.environ if env is None else env, dotenv, [name], [name])
    urls: tuple[SecretStr, ...] = ()
    problems = [one for one in found.problems if one.variable.startswith(name) or name not in found.values]
    try:
        urls = form(name.lower())(found.values.get(name, ""))
    except Wrong as wrong:
        problems += _problems(name.lower(), wrong)
    # Raised outside of the handler, so that no traceback leads back to the values.
    if problems:
        raise BadSettings(tuple(_without(list(found.values.values()), problem) for problem in problems))
    return urls


def _problems(name: str, mistake: object) -> list[Problem]:
    """What is wrong with one field; no mistake means that it is missing."""
    if isinstance(mistake, WrongFile):
        return list(mistake.problems)
    wrong = mistake if isinstance(mistake, Wrong) else Wrong(NOT_SET)
    wanted, example = wrong.wanted or form(name).wanted, wrong.example or example_of(name)
    variable = name.upper()
    return [Problem(variable, text, wanted, f"{variable}={example}") for text in wrong.texts]


def _without(raw: list[str], problem: Problem) -> Problem:
    """The same problem, where a secret was also put where it does not belong and would be shown."""
    wrong = problem.wrong
    for secret in raw:
        if len(secret) >= 6:
            wrong = wrong.replace(ascii(secret)[1:-1], "(a secret)")
    return Problem(problem.variable, wrong, problem.wanted, problem.example)


def form(name: str) -> Form:
    """How a field is written."""
    return next(note.form for note in Settings.model_fields[name].metadata if isinstance(note, Written))


def example_of(name: str) -> str:
    """A value of the field as one writes it: its default, or where that says nothing, one made up."""
    field = Settings.model_fields[name]
    if field.examples:
        return str(field.examples[0])
    if isinstance(field.default, float):
        return f"{field.default:g}"
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def secrets(settings: Settings) -> frozenset[str]:
    """Every string that no log, report or error may show; for redaction."""
    found = {settings.meraki_api_key, settings.meraki_webhook_secret, settings.mqtt_password,
             settings.vcenter_password, settings.esxi_password}
    for bmc in settings.ilo_hosts:
        found |= {bmc.password, bmc.esxi_password}
    texts = {secret.get_secret_value() for secret in found if secret is not None}
    for url in settings.notify_urls:
        texts |= secret_parts(url.get_secret_value())
    return frozenset(text for text in texts if text)

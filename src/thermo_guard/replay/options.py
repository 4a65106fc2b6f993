"""What `replay` is asked: the policy's settings by options, the environment and `.env`, and what it marks and shows.

Settings are checked by their own forms and rules, so that what is replayed is what the guard would be told. No other
setting is needed: no login, no address. All that is wrong is told at once.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from thermo_guard.config import SECRET_VARIABLES, BadSettings, Problem, Settings, example_of, form
from thermo_guard.core.policy_settings import PolicySettings
from thermo_guard.settings_forms import Number
from thermo_guard.settings_problems import NOT_SET, Wrong, shown
from thermo_guard.settings_sources import gather

from .recorded import seconds_of

POLICY = (
    "temperature_high_threshold", "temperature_low_threshold", "critical_threshold", "trip_votes", "votes_degrade_to",
    "trip_on_delay", "sensor_max_age", "recovery_hold", "restart_watch", "meraki_polling_interval",
    "meraki_alarm_votes", "inlet_high_threshold", "inlet_low_threshold", "inlet_votes", "warn_threshold",
    "shed_threshold", "dead_band", "off_delay", "stop_margin", "projection", "projection_floor", "blind_policy",
)
"""The settings that the policy is told; MERAKI_SENSORS is not one here, since other sensors may be replayed."""
MERAKI = ("meraki_api_key", "meraki_network_id", "meraki_api_base_url", "meraki_ca_file")
PICTURES = (".png", ".svg")
_STOP = Number("minutes", 0, 1440)
_UNITS_S = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options that are no settings, as they were written."""

    stop_minutes: str = "10"
    cooling_restored_at: str | None = None
    sensors: str | None = None
    from_meraki: str | None = None
    plot: Path | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What to replay, checked."""

    settings: Settings
    """Only of POLICY and DATA_DIR; and of MERAKI, where its history was asked for."""
    policy: PolicySettings
    cooling_restored_at: float | None = None
    """Seconds since 1970 UTC."""
    from_meraki_s: float | None = None
    notes: tuple[str, ...] = ()


def option(name: str) -> str:
    """The option of a setting."""
    return "--" + name.replace("_", "-")


def asked(given: Mapping[str, str | bool], wishes: Wishes, env: Mapping[str, str], dotenv: Path | None) -> Asked:
    """What is asked for.

    :param given: settings by option, by the name of their field; they go before `env` and the file `dotenv`.
    :raises BadSettings: with everything that is wrong.
    """
    from thermo_guard.main import loop_settings  # noqa: PLC0415 - the names of the options are wanted without it

    problems: list[Problem] = []

    def read(
        name: str, wanted: str, example: str, value: str | None, take: Callable[[str], float | None]
    ) -> float | None:
        found = None if value is None else take(value)
        if value is not None and found is None:
            problems.append(Problem(name, f"is {shown(value)}", wanted, f"{name} {example}"))
        return found

    restored_at = read("--cooling-restored-at", "a time in ISO 8601, UTC where it names no zone",
                       "2026-07-05T04:10:00Z", wishes.cooling_restored_at, seconds_of)
    from_meraki_s = read("--from-meraki", "how far back: hours, days or weeks", "7d", wishes.from_meraki, _duration_s)
    try:
        stop_s = (_STOP(wishes.stop_minutes) or 0.0) * 60
    except Wrong as wrong:
        stop_s = 0.0
        problems += [Problem("--stop-minutes", text, _STOP.wanted, "--stop-minutes 10") for text in wrong.texts]
    sensors = None if wishes.sensors is None else tuple(
        dict.fromkeys(name for text in wishes.sensors.split(",") if (name := text.strip())))
    if sensors == ():
        problems.append(Problem("--sensors", "names no sensor", "sensors as the files name them", "--sensors a,b,c"))
    if wishes.plot is not None and wishes.plot.suffix.lower() not in PICTURES:
        problems.append(Problem("--plot", f"is {shown(wishes.plot)}", "a file that ends in .png or .svg",
                                "--plot room.png"))
    settings, notes = _settings(given, env, dotenv, problems, with_meraki=wishes.from_meraki is not None)
    votes = None if settings is None else settings.trip_votes
    if sensors and votes is not None and votes > len(sensors):
        problems.append(Problem("--trip-votes", f"is {votes}, while --sensors names {len(sensors)}",
                                f"a whole number from 1 to {len(sensors)}", ""))
    if settings is None or problems:
        raise BadSettings(tuple(problems))
    policy = replace(loop_settings(settings).policy, sensors=sensors, stop_s=stop_s)
    return Asked(settings, policy, restored_at, from_meraki_s, tuple(notes))


def _settings(
    given: Mapping[str, str | bool], env: Mapping[str, str], dotenv: Path | None, problems: list[Problem],
    *, with_meraki: bool,
) -> tuple[Settings | None, list[str]]:
    """The settings of the policy, the others standing at their examples; None and `problems` where any is wrong."""
    asked_for = [*POLICY, "data_dir", *(MERAKI if with_meraki else ())]
    variables = [name.upper() for name in asked_for]
    secrets = [name for name in SECRET_VARIABLES if name in variables]
    found = gather(env, dotenv, [*variables, "MERAKI_SENSORS"], secrets)
    notes = []
    if found.values.pop("MERAKI_SENSORS", None) is not None:
        notes.append("MERAKI_SENSORS is left aside: the sensors of the recording vote, or those of --sensors.")
    problems += found.problems
    examples = {name: example_of(name) for name, field in Settings.model_fields.items()
                if field.is_required() and name not in asked_for}
    values = {**examples, **{name.lower(): value for name, value in found.values.items()}, **given}
    try:
        return Settings.model_validate(values), notes
    except ValidationError as error:
        for one in error.errors(include_url=False):
            name = str(one["loc"][0])
            if name.upper() not in found.broken:
                problems += _told(name, one.get("ctx", {}).get("error"), is_option=name in given)
    return None, notes


def _told(name: str, mistake: object, *, is_option: bool) -> list[Problem]:
    """What is wrong with a setting, by the name that it was given by; no mistake means that it is missing."""
    wrong = mistake if isinstance(mistake, Wrong) else Wrong(NOT_SET)
    variable, equals = (option(name), " ") if is_option else (name.upper(), "=")
    example = f"{variable}{equals}{wrong.example or example_of(name)}"
    return [Problem(variable, text, wrong.wanted or form(name).wanted, example) for text in wrong.texts]


def _duration_s(text: str) -> float | None:
    """Seconds of 12h, 7d or 2w; None where it is none of these."""
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([mhdw])", text.strip().lower(), re.ASCII)
    seconds = float(found[1]) * _UNITS_S[found[2]] if found else 0.0
    return seconds or None

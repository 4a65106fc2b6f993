"""Settings, whatever is written in them: they load or name what is wrong, and a secret never shows."""

import json
import logging
import traceback
from itertools import chain

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thermo_guard.config import SECRET_VARIABLES, BadSettings, Settings, example_of, explain, load

FIELDS = [name.upper() for name in Settings.model_fields]
VARIABLES = [*FIELDS, *(name + "_FILE" for name in SECRET_VARIABLES)]
GOOD = {name.upper(): example_of(name) for name, field in Settings.model_fields.items() if field.is_required()}

words = st.sampled_from(
    ["", " ", "0", "1", "-1", "35", "95", "nan", "1e400", "true", "armed", "json", "[]", "[{}]", "{}", "[[", "[1]",
     "vc:1", "https://vc", "http://[", "://", "@", "\ud800", "\x00", "a,b", '{"a": 1}', '{"a": [], "a": 1}', "mailto://u:p@h"]
)  # fmt: skip
anything = st.one_of(words, st.text(max_size=40), st.floats().map(str), st.integers().map(str))
SLOW_AT_FIRST = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The first message address loads all of apprise."""


def attempt(env: dict[str, str]) -> tuple[Settings | None, BadSettings | None]:
    try:
        return load(env, None), None
    except BadSettings as bad:
        return None, bad


@SLOW_AT_FIRST
@given(st.dictionaries(st.sampled_from(VARIABLES), anything, max_size=12))
def test_any_text_loads_or_is_refused_by_name(env: dict[str, str]) -> None:
    """No text in any of our variables makes the guard fall: it starts, or says which variable is wrong."""
    loaded, bad = attempt({**GOOD, **env})
    if bad is not None:
        assert bad.problems
        for problem in bad.problems:
            assert problem.variable in VARIABLES
            assert problem.wrong
            assert problem.wanted
            assert explain([problem]).isprintable() or "\n" in explain([problem])
            str(bad).encode("utf-8")
    if loaded is not None:
        assert loaded.temperature_low_threshold < loaded.temperature_high_threshold < loaded.critical_threshold
        assert all(isinstance(warning, str) for warning in loaded.warnings)


secret = st.text(st.sampled_from("abcXYZ0189!#$%&*+-./:=?@[]^_{}~'\"\\ ü"), min_size=6, max_size=24).map(
    lambda text: f"zq{text}qz"
)
"""Begins and ends in a way that no text of ours does, so that finding it proves that it leaked."""


def shapes(value: str) -> dict[str, str]:
    """Ways in which a secret gets into a variable, right and wrong."""
    entry = {"host": "ilo1", "username": "guard", "password": value}
    return {
        "plain": value,
        "url": f"mailto://user:{value}@mail.example.com",
        "odd url": f"{value}://x",
        "list": json.dumps([entry]),
        "literal": repr([entry]),
        "wrong key": json.dumps([{**entry, "pasword": value}]),
        "everywhere": json.dumps([dict.fromkeys([*entry, "ca_file", "fingerprint", "insecure", "esxi_host"], value)]),
        "broken": json.dumps([entry])[:-3],
        "bare": f"[{value}]",
    }


@SLOW_AT_FIRST
@given(
    value=secret,
    places=st.dictionaries(
        st.sampled_from([*SECRET_VARIABLES, *(n + "_FILE" for n in SECRET_VARIABLES if n != "ESXI_PASSWORD")]),
        st.sampled_from(sorted(shapes("x"))),
        min_size=1,
        max_size=4,
    ),
    others=st.dictionaries(st.sampled_from(sorted(set(FIELDS) - set(SECRET_VARIABLES))), words, max_size=3),
)
def test_no_secret_ever_shows(value: str, places: dict[str, str], others: dict[str, str]) -> None:
    """Whatever else is wrong, no text, repr, traceback or warning shows what was given as a secret."""
    # A path may be shown: a secret in the place of one is recognised only where it does not look like one.
    hidden = value.replace("/", "!") if any(name.endswith("_FILE") for name in places) else value
    env = {**GOOD, **others, **{name: shapes(hidden)[shape] for name, shape in places.items()}}
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    ear = Ear()
    logging.getLogger().addHandler(ear)
    try:
        loaded, bad = attempt(env)
    finally:
        logging.getLogger().removeHandler(ear)
    shown = []
    if loaded is not None:
        shown = [repr(loaded), str(loaded), loaded.model_dump_json(), *loaded.warnings]
    if bad is not None:
        shown = [str(bad), repr(bad), explain(bad.problems), "".join(traceback.format_exception(bad))]
        assert (bad.__context__, bad.__cause__) == (None, None)
    for text in chain(shown, heard):
        for form in {hidden, json.dumps(hidden)[1:-1], repr(hidden)[1:-1], ascii(hidden)[1:-1]}:
            assert form not in text


@SLOW_AT_FIRST
@given(value=secret, place=st.sampled_from(["MODE", "MERAKI_NETWORK_ID", "TRIP_VOTES", "VCENTER_HOST", "LOG_LEVEL"]))
def test_a_secret_pasted_into_the_wrong_line_does_not_show(value: str, place: str) -> None:
    """A value that is a secret elsewhere is hidden also where values are shown."""
    password = value.strip()
    _, bad = attempt({**GOOD, "VCENTER_PASSWORD": password, place: password})
    assert password not in str(bad)
    assert ascii(password)[1:-1] not in str(bad)

"""Settings: each rule of what is taken, refused and warned of."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr, ValidationError

from thermo_guard.config import (
    BadSettings,
    LogFormat,
    LogLevel,
    Mode,
    Problem,
    Settings,
    explain,
    load,
    load_notify_urls,
    secrets,
    split_host,
)

KEY = "0123456789abcdef0123456789abcdef01234567"
GOOD = {
    "MERAKI_API_KEY": KEY,
    "MERAKI_NETWORK_ID": "L_646829496481105433",
    "VCENTER_HOST": "vcenter.example.com",
    "VCENTER_USER": "guard@vsphere.local",
    "VCENTER_PASSWORD": "hunter2 with blanks",
    "ILO_HOSTS": '[{"host": "ilo1", "username": "guard", "password": "pw-ilo-1"}]',
    "NOTIFY_URLS": "json://localhost:8080/",
}


def good(**more: str) -> Settings:
    return load({**GOOD, **more}, None)


def problems(**more: str) -> dict[str, str]:
    """What is wrong with these, by variable."""
    with pytest.raises(BadSettings) as caught:
        good(**more)
    return {problem.variable: problem.wrong for problem in caught.value.problems}


def problem(variable: str, value: str) -> Problem:
    with pytest.raises(BadSettings) as caught:
        good(**{variable: value})
    (only,) = caught.value.problems
    assert only.variable == variable
    return only


def test_defaults_are_those_of_the_plan() -> None:
    """What the plan names keeps the plan's default."""
    settings = good()
    assert settings.meraki_api_base_url == "https://api.meraki.com/api/v1"
    assert (settings.temperature_high_threshold, settings.temperature_low_threshold) == (35, 30)
    assert (settings.critical_threshold, settings.meraki_polling_interval) == (40, 60)
    assert (settings.mode, settings.trip_on_delay, settings.sensor_max_age) == (Mode.ARMED, 60, None)
    assert (settings.recovery_hold, settings.restart_watch, settings.votes_degrade_to) == (900, 600, 2)
    assert (settings.vm_shutdown_timeout, settings.host_shutdown_timeout) == (300, 600)
    assert (settings.data_dir, settings.log_format, settings.log_level) == (Path("data"), LogFormat.AUTO, LogLevel.INFO)
    assert (settings.power_on_limit, settings.default_tier, settings.vm_tiers) == (2, 1, ())
    assert settings.warnings == ()


def test_everything_missing_is_told_at_once() -> None:
    """An administrator mends the settings in one go: each missing one, with an example that would be taken."""
    with pytest.raises(BadSettings) as caught:
        load({}, None)
    told = caught.value.problems
    assert [p.variable for p in told] == [
        "MERAKI_API_KEY", "MERAKI_NETWORK_ID", "VCENTER_HOST", "VCENTER_USER", "VCENTER_PASSWORD", "ILO_HOSTS",
    ]  # fmt: skip
    assert all(p.wrong == "is not set" for p in told)
    load(dict(p.example.split("=", 1) for p in told), None)


def test_missing_wrong_and_contradicting_are_told_together() -> None:
    """A missing setting hides neither a wrong value nor two that contradict each other."""
    told = problems(VCENTER_HOST="", TEMPERATURE_LOW_THRESHOLD="36", CRITICAL_THRESHOLD="35", TRIP_VOTES="two")
    assert set(told) == {"VCENTER_HOST", "TEMPERATURE_LOW_THRESHOLD", "CRITICAL_THRESHOLD", "TRIP_VOTES"}
    assert "not below TEMPERATURE_HIGH_THRESHOLD (35)" in told["TEMPERATURE_LOW_THRESHOLD"]
    assert "not above TEMPERATURE_HIGH_THRESHOLD (35)" in told["CRITICAL_THRESHOLD"]


def test_a_high_threshold_is_held_against_the_default_critical_one() -> None:
    """A default contradicts as a given value does."""
    told = problems(TEMPERATURE_HIGH_THRESHOLD="45")
    assert "not above TEMPERATURE_HIGH_THRESHOLD (45)" in told["CRITICAL_THRESHOLD"]


@pytest.mark.parametrize("variable", ["TEMPERATURE_HIGH_THRESHOLD", "TEMPERATURE_LOW_THRESHOLD", "CRITICAL_THRESHOLD"])
def test_fahrenheit_is_recognised_and_converted(variable: str) -> None:
    """A threshold above 60 was meant as Fahrenheit and would never trip: refused with the Celsius value."""
    told = problem(variable, "95")
    assert told.wrong == "is '95', which looks like degrees Fahrenheit; 95 F is 35 C"
    assert told.example == f"{variable}=35"


@pytest.mark.parametrize(
    ("variable", "value", "part"),
    [
        ("TEMPERATURE_HIGH_THRESHOLD", "nan", "no finite number"),
        ("TEMPERATURE_HIGH_THRESHOLD", "-inf", "no finite number"),
        ("TEMPERATURE_HIGH_THRESHOLD", "1e999", "no finite number"),
        ("TEMPERATURE_HIGH_THRESHOLD", "300", "hotter than any server room"),
        ("TEMPERATURE_LOW_THRESHOLD", "-3", "colder than any server room"),
        ("TEMPERATURE_HIGH_THRESHOLD", "35,5", "a decimal point is wanted"),
        ("TEMPERATURE_HIGH_THRESHOLD", "35C", "no number"),
        ("TRIP_ON_DELAY", "3_600", "no number"),
        ("TRIP_ON_DELAY", "3601", "above its bounds"),
        ("MERAKI_POLLING_INTERVAL", "0.5", "below its bounds"),
        ("MERAKI_POLLING_INTERVAL", "301", "above its bounds"),
        ("SENSOR_MAX_AGE", "59", "below its bounds"),
        ("VOTES_DEGRADE_TO", "3", "above its bounds"),
        ("TRIP_VOTES", "0", "below its bounds"),
        ("TRIP_VOTES", "1.5", "no whole number"),
        ("POWER_ON_LIMIT", "11", "above its bounds"),
        ("ACTIVE_INTERVAL", "0", "below its bounds"),
        ("MODE", "on", "none of its words"),
        ("LOG_LEVEL", "loud", "none of its words"),
        ("VCENTER_INSECURE", "perhaps", "neither true nor false"),
        ("MERAKI_NETWORK_ID", "Server room", "no network id"),
        ("MERAKI_API_KEY", "abcde", "is 5 characters long, too short"),
        ("MERAKI_API_KEY", "abcd efgh ijkl", "has white space inside"),
        ("MERAKI_API_KEY", "schlüssel-zum-raum", "not ASCII"),
        ("VCENTER_PASSWORD", "two\nlines", "control character"),
        ("MERAKI_API_BASE_URL", "http://api.meraki.com/api/v1", "unencrypted"),
        ("MERAKI_API_BASE_URL", "https://user:pw@api.meraki.com/api/v1", "has a login inside"),
        ("MERAKI_API_BASE_URL", "api.meraki.com/api/v1", "no https:// address"),
        ("MERAKI_API_BASE_URL", "https://api.meraki.com/api/v1?x=1", "has a query"),
        ("VCENTER_HOST", "https://vc.example.com/ui", "is a URL"),
        ("VCENTER_HOST", "vc.example.com/ui", "has a path"),
        ("VCENTER_HOST", "admin@vc", "has an @ inside"),
        ("VCENTER_HOST", "vc:0", "no host name"),
        ("VCENTER_HOST", "vc:70000", "no host name"),
        ("VCENTER_HOST", "300.1.1.1", "no host name"),
        ("VCENTER_HOST", "vc enter", "no host name"),
        ("VCENTER_FINGERPRINT", ":".join(["AB"] * 20), "SHA-1"),
        ("VCENTER_FINGERPRINT", "AB" * 31, "has 62 hex digits"),
        ("VCENTER_FINGERPRINT", "XY" * 32, "no hex digit"),
        ("VCENTER_CA_FILE", "/nowhere/ca.pem", "cannot be read: No such file"),
        ("MERAKI_SENSORS", "Q2AA-0001, Q2AA-0001", "names Q2AA-0001 more than once"),
        ("MERAKI_SENSORS", "Q2AA_0001", "no serial number"),
        ("MERAKI_SENSORS", "[1, 2]", "something else than texts"),
        ("MERAKI_SENSORS", '["Q2AA-0001"', "no valid JSON"),
        ("MERAKI_SENSORS", ",,", "names no sensor"),
        ("VM_TIERS", '{"db-*": 0}', "no whole number from 1 to 99"),
        ("VM_TIERS", '{"db-*": true}', "no whole number from 1 to 99"),
        ("VM_TIERS", '{"a": 1, "a": 2}', "the pattern 'a' twice"),
        ("VM_TIERS", "db-*=3", "is no JSON object"),
        ("ESXI_PASSWORD", "secret", "ESXI_USER is not"),
        ("NOTIFY_URLS", "json://localhost, nosuchthing://x", "entry 2 of 2"),
        ("NOTIFY_URLS", "bad, foo", "has no address inside"),
        ("NOTIFY_URLS", "localhost:25, json://localhost", "something before or between its addresses"),
    ],
)
def test_a_wrong_value_is_refused_with_its_reason(variable: str, value: str, part: str) -> None:
    """A value that would make the guard blind, deaf or unsafe is refused, and what is wrong with it is said."""
    assert part in problem(variable, value).wrong


def test_a_url_as_host_is_answered_with_the_host() -> None:
    """The commonest mistake carries its mending."""
    assert problem("VCENTER_HOST", "https://VC.example.com/ui").example == "VCENTER_HOST=vc.example.com"


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("meraki_api_base_url", "https://api.meraki.cn/api/v1/", "https://api.meraki.cn/api/v1"),
        ("meraki_api_base_url", "http://127.0.0.2:8080/api/v1", "http://127.0.0.2:8080/api/v1"),
        ("meraki_api_base_url", "http://localhost:1", "http://localhost:1"),
        ("meraki_api_base_url", "http://[::1]:8080", "http://[::1]:8080"),
        ("vcenter_host", " VC.Example.com:8443 ", "vc.example.com:8443"),
        ("vcenter_host", "[fd00::9]:443", "[fd00::9]:443"),
        ("vcenter_host", "fd00::9", "fd00::9"),
        ("meraki_sensors", "q2aa-0001, Q2AA-0002,", ("Q2AA-0001", "Q2AA-0002")),
        ("meraki_sensors", '["Q2AA-0001"]', ("Q2AA-0001",)),
        ("vcenter_fingerprint", ":".join(["AB"] * 32), "ab" * 32),
        ("vcenter_fingerprint", "SHA256:" + "ab" * 32, "ab" * 32),
        ("mode", "Observe", Mode.OBSERVE),
        ("log_level", "debug", LogLevel.DEBUG),
        ("vcenter_insecure", "Yes", True),
        ("trip_votes", "2", 2),
        ("sensor_max_age", "600", 600.0),
        ("temperature_low_threshold", "+2.75e1", 27.5),
        ("vm_tiers", '{"test-*": 1, "db-*": 3}', (("test-*", 1), ("db-*", 3))),
    ],
)
def test_a_value_is_taken_in_the_forms_people_write(field: str, value: str, wanted: object) -> None:
    """Case, blanks, colons and list forms that mean the same give the same."""
    assert getattr(good(**{field.upper(): value}), field) == wanted


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("vc", ("vc", 443)),
        ("vc:8443", ("vc", 8443)),
        ("[fd00::9]:8443", ("fd00::9", 8443)),
        ("[fd00::9]", ("fd00::9", 443)),
        ("fd00::9", ("fd00::9", 443)),
    ],
)
def test_an_address_comes_apart_in_host_and_port(address: str, wanted: tuple[str, int]) -> None:
    """An address that the settings take can be connected to."""
    assert split_host(address, 443) == wanted


def test_more_votes_than_sensors_are_refused() -> None:
    """An alarm that can never be raised is no alarm."""
    assert "never be raised" in problems(MERAKI_SENSORS="Q2-1,Q2-2", TRIP_VOTES="3")["TRIP_VOTES"]


def test_an_age_below_the_polling_interval_is_refused() -> None:
    """Measurements that age faster than they are fetched would make the guard blind for ever."""
    told = problems(MERAKI_POLLING_INTERVAL="120", SENSOR_MAX_AGE="60")
    assert "too old before the next poll" in told["SENSOR_MAX_AGE"]


def test_vcenter_is_trusted_in_one_way_only(tmp_path: Path) -> None:
    """Two ways of trust contradict each other; which would win must not be guessed."""
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca))
    assert good(VCENTER_CA_FILE=str(ca)).vcenter_ca_file == ca
    told = problems(VCENTER_CA_FILE=str(ca), VCENTER_FINGERPRINT="ab" * 32)
    assert "VCENTER_CA_FILE and VCENTER_FINGERPRINT" in told["VCENTER_INSECURE"]


def test_a_ca_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    """A wrong file is told at start, not at the first connection."""
    ca = tmp_path / "ca.pem"
    ca.write_text("nothing")
    assert "no certificate in PEM form" in problem("VCENTER_CA_FILE", str(ca)).wrong


def test_the_esxi_login_is_whole() -> None:
    """Half a login is refused: without it vCenter's host could not be shut down."""
    assert problems(ESXI_USER="root") == {"ESXI_PASSWORD": "is not set, while ESXI_USER is"}
    settings = good(ESXI_USER="root", ESXI_PASSWORD="pw")
    assert settings.esxi_password == SecretStr("pw")


def test_the_first_pattern_gives_the_tier() -> None:
    """Tiers by name follow the order of the setting, in any case, and the default fills the rest."""
    settings = good(VM_TIERS='{"db-test*": 1, "db-*": 3}', DEFAULT_TIER="2")
    assert [settings.tier_by_name(name) for name in ("DB-test1", "db-1", "web")] == [1, 3, 2]


def test_settings_do_not_change() -> None:
    """What was checked is what is used."""
    with pytest.raises(ValidationError):
        good().mode = Mode.OBSERVE  # type: ignore[misc]


def test_settings_by_hand_are_checked_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """A composition or a test that builds Settings gets the same checks, and nothing from the environment."""
    monkeypatch.setenv("MODE", "observe")
    values: dict[str, Any] = {name.lower(): value for name, value in GOOD.items()}
    assert Settings.model_validate(values).mode is Mode.ARMED
    again = Settings.model_validate(dict(good()))
    assert again == good()
    with pytest.raises(ValidationError):
        Settings.model_validate({**values, "temperature_low_threshold": 50.0})


# --- ILO_HOSTS ---


def ilo(*entries: object, form: Callable[[object], str] = json.dumps) -> str:
    return form(list(entries))


ENTRY = {"host": "ilo1", "username": "guard", "password": "pw-ilo-1"}


@pytest.mark.parametrize("form", [json.dumps, repr])
def test_bmcs_are_taken_as_json_and_as_the_plans_literal(form: Callable[[object], str]) -> None:
    """Both ways of writing the list give the same BMCs, with every optional key."""
    more = {
        "host": "10.0.0.9:8443", "username": "u", "password": "p\\d'\"", "esxi_host": "ESX9", "esxi_user": "root",
        "esxi_password": "pw-esxi-9", "fingerprint": "AB" * 32, "insecure": False,
    }  # fmt: skip
    first, second = good(ILO_HOSTS=ilo(ENTRY, more, form=form)).ilo_hosts
    assert (first.host, first.username, first.password.get_secret_value()) == ("ilo1", "guard", "pw-ilo-1")
    assert (first.esxi_host, first.fingerprint, first.insecure) == (None, None, False)
    assert (second.host, second.esxi_host, second.fingerprint) == ("10.0.0.9:8443", "ESX9", "ab" * 32)
    assert second.password.get_secret_value() == "p\\d'\""


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        ({**ENTRY, "user": "x"}, ["entry 1: the key 'user' is not known: did you mean username?"]),
        ({**ENTRY, "finger_print": "x"}, ["did you mean fingerprint?"]),
        ({"password": "pw-ilo-1"}, ["entry 1: host is not given", "entry 1: username is not given"]),
        ({**ENTRY, "password": " "}, ["entry 1: password is not given"]),
        ({**ENTRY, "password": 12345678}, ["entry 1: password is no text"]),
        ({**ENTRY, "host": "https://pw-ilo-1"}, ["entry 1: host is not a host name or IP address without https://"]),
        ({**ENTRY, "insecure": "pw-ilo-1"}, ["entry 1: insecure is not true or false"]),
        ({**ENTRY, "fingerprint": "ab" * 20}, ["entry 1: fingerprint is a SHA-1 fingerprint"]),
        ({**ENTRY, "fingerprint": "ab" * 32, "insecure": True}, ["fingerprint and insecure are given: at most one"]),
        ({**ENTRY, "esxi_user": "root"}, ["esxi_user and esxi_password belong together"]),
        ({**ENTRY, "esxi_user": "root", "esxi_password": "pw"}, ["esxi_user is given without esxi_host"]),
        ("pw-ilo-1", ["entry 1: is no object"]),
    ],
)
def test_each_mistake_in_an_entry_is_told_without_its_values(entry: object, parts: list[str]) -> None:
    """A mistake in a list of secrets is found by entry and key; no value is shown, since any may be a password."""
    with pytest.raises(BadSettings) as caught:
        good(ILO_HOSTS=ilo(entry))
    told = explain(caught.value.problems)
    assert [part for part in parts if part not in told] == []
    assert len(caught.value.problems) == len(parts)
    assert "pw-ilo-1" not in told
    assert "12345678" not in told


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"host": "pw-ilo-1"}', "is one object"),
        ('"pw-ilo-1"', "is no list"),
        ("[{'host': pw-ilo-1}]", "neither JSON (it breaks at line 1 column 3) nor a Python list"),
        ("[" * 100_000, "neither JSON"),
        ('[{"host": "a", "host": "b", "username": "u", "password": "pw-ilo-1"}]', "host is given twice"),
        (ilo(ENTRY, {**ENTRY, "host": "ILO1"}), "names the host ilo1 more than once"),
    ],
)
def test_a_list_of_bmcs_that_is_none_is_refused(text: str, part: str) -> None:
    """What cannot be read as the list is told by its place, and a BMC is not driven twice."""
    told = problem("ILO_HOSTS", text).wrong
    assert part in told
    assert "pw-ilo-1" not in told


# --- Sources ---


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    """A variable overrides `.env`; an empty one does not; comments, quotes and export are python-dotenv's."""
    dotenv = tmp_path / ".env"
    lines = ["# us", "export MODE=observe # now", "VCENTER_USER=file@x", "VCENTER_PASSWORD='a${b} #c'", "TRIP_VOTES="]
    dotenv.write_text("\n".join(lines))
    env = {k: v for k, v in GOOD.items() if k != "VCENTER_PASSWORD"} | {"MODE": " "}
    settings = load(env, dotenv)
    assert (settings.mode, settings.vcenter_user, settings.trip_votes) == (Mode.OBSERVE, "guard@vsphere.local", None)
    assert settings.vcenter_password.get_secret_value() == "a${b} #c"


def test_a_dotenv_that_cannot_be_read_is_told_and_a_missing_one_is_not(tmp_path: Path) -> None:
    """A setting that is written down and not read would be believed to hold."""
    assert load(GOOD, tmp_path / "absent").mode is Mode.ARMED
    for content, part in ((b"\xff\xfe\x00", "no UTF-8"), (b"MODE=observe\nVCENTER_USER='open-quote\n", "in line 2")):
        dotenv = tmp_path / ".env"
        dotenv.write_bytes(content)
        with pytest.raises(BadSettings) as caught:
            load(GOOD, dotenv)
        assert part in caught.value.problems[0].wrong
        assert "open-quote" not in str(caught.value)
    with pytest.raises(BadSettings, match="Is a directory"):
        load(GOOD, tmp_path)


def test_lines_of_a_dotenv_that_do_nothing_are_warned_of(tmp_path: Path) -> None:
    """A line without = and a name given twice are seen."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("MODE\nLOG_LEVEL=INFO\nLOG_LEVEL=DEBUG\n")
    assert load(GOOD, dotenv).warnings == (
        ".env has no = in line 1: it is not read", ".env has LOG_LEVEL more than once: the last one counts",
    )  # fmt: skip


SECRETS = ("MERAKI_API_KEY", "VCENTER_PASSWORD", "ESXI_PASSWORD", "ILO_HOSTS", "NOTIFY_URLS")


@pytest.mark.parametrize("variable", SECRETS)
def test_a_secret_comes_from_a_file(variable: str, tmp_path: Path) -> None:
    """Each secret can be a file of its own; the newline at its end is no part of it."""
    values = {**GOOD, "ESXI_USER": "root", "ESXI_PASSWORD": "pw-esxi"}
    file = tmp_path / "secret"
    file.write_bytes(values[variable].encode() + b"\r\n")
    direct = load(values, None)
    del values[variable]
    assert load({**values, variable + "_FILE": str(file)}, None) == direct


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    """Which of two passwords holds must not be guessed; only this is told of it."""
    file = tmp_path / "secret"
    file.write_text("other-secret")
    assert problems(VCENTER_PASSWORD_FILE=str(file)) == {"VCENTER_PASSWORD_FILE": "is set, and VCENTER_PASSWORD is too"}


def test_a_secret_file_that_gives_nothing_is_named_and_not_shown(tmp_path: Path) -> None:
    """An unreadable, empty or binary file is told by its name; one that looks like the secret itself is not shown."""
    values = {k: v for k, v in GOOD.items() if k != "VCENTER_PASSWORD"}
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"top-secret\xff")
    for path, part in (
        (str(tmp_path / "absent"), f"names '{tmp_path}/absent', which cannot be read: No such file or directory"),
        (str(tmp_path / "empty"), "/empty', which is empty"),
        (str(tmp_path / "binary"), "/binary', which is no UTF-8 text"),
        ("top-secret", "names a file which cannot be read"),
        ("mailto://top-secret@x/y", "names a file which cannot be read"),
    ):
        with pytest.raises(BadSettings) as caught:
            load({**values, "VCENTER_PASSWORD_FILE": path}, None)
        (told,) = caught.value.problems
        assert told.variable == "VCENTER_PASSWORD_FILE"
        assert part in told.wrong
        assert "top-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("MERAKI_APIKEY", "MERAKI_APIKEY is not read: did you mean MERAKI_API_KEY?"),
        ("TEMPERATURE_HIGH_TRESHOLD", "is not read: did you mean TEMPERATURE_HIGH_THRESHOLD?"),
        ("vcenter_host", "vcenter_host is not read: did you mean VCENTER_HOST?"),
        ("VCENTER_HOST_FILE", "VCENTER_HOST_FILE is not read: only secrets can be given by a file"),
        ("ESXI_QQQQQQQQQQQQ", "ESXI_QQQQQQQQQQQQ is not read: no setting has that name"),
        ("TRIP_ON_DELAYS", "did you mean TRIP_ON_DELAY?"),
    ],
)
def test_a_misspelt_variable_is_warned_of(name: str, warning: str) -> None:
    """A setting that is not read would be believed to hold; its value is not shown."""
    (told,) = good(**{name: "hunter-value"}).warnings
    assert warning in told
    assert "hunter-value" not in told


def test_the_environment_of_a_usual_machine_raises_no_warning() -> None:
    """Variables that are none of ours are none of our business."""
    usual = {"PATH": "/bin", "HOME": "/", "LANG": "C", "XDG_DATA_DIRS": "/x", "NODE": "1", "LOGNAME": "x", "TZ": "UTC"}
    assert good(**usual).warnings == ()


@pytest.mark.parametrize(
    ("variable", "value", "part"),
    [
        ("MODE", "observe", "nothing will be shut down"),
        ("ILO_HOSTS", "[]", "a person must power on each one"),
        ("ILO_HOSTS", ilo({**ENTRY, "insecure": True}), "ilo1 is insecure"),
        ("VCENTER_INSECURE", "true", "ANY certificate is trusted"),
        ("TEMPERATURE_LOW_THRESHOLD", "33.5", "only 1.5 degC below"),
        ("NOTIFY_URLS", "", "nobody is told"),
        ("VM_SHUTDOWN_TIMEOUT", "5", "below 60 s guests that are still writing are powered off"),
        ("VCENTER_PASSWORD", '"hunter2"', "quotation marks"),
    ],
)
def test_what_is_allowed_and_dangerous_is_warned_of(variable: str, value: str, part: str) -> None:
    """A setting with a consequence that its writer may not have seen is taken, and said."""
    (told,) = good(**{variable: value}).warnings
    assert part in told


def test_messages_addresses_keep_their_own_commas() -> None:
    """Addresses are split as apprise splits them, where a comma can belong to one."""
    urls = good(NOTIFY_URLS="mailto://u:pw@mail.example.com?to=a@x.org,b@x.org, json://localhost:8080/p").notify_urls
    assert [url.get_secret_value().partition(":")[0] for url in urls] == ["mailto", "json"]


def test_a_refused_message_address_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The library that refuses an address would log it, with its token."""
    with caplog.at_level(logging.DEBUG):
        problem("NOTIFY_URLS", "slack://token-that-is-wrong")
    assert caplog.text == ""


def test_all_secrets_are_known_for_redaction() -> None:
    """Every secret, and what of a message address may be one, is in the set that logs redact by."""
    found = secrets(
        good(
            ESXI_USER="root", ESXI_PASSWORD="pw-esxi",
            ILO_HOSTS=ilo({**ENTRY, "esxi_host": "esx1", "esxi_user": "root", "esxi_password": "pw-esxi-1"}),
            NOTIFY_URLS="json://u:p%40ss-word@localhost/Hook-Token-1,mailto://u:pw-mail@mail.example.com",
        )
    )  # fmt: skip
    assert found >= {KEY, "hunter2 with blanks", "pw-esxi", "pw-ilo-1", "pw-esxi-1"}
    assert found >= {"p%40ss-word", "p@ss-word", "Hook-Token-1", "pw-mail"}
    assert "mail.example.com" not in found
    assert "" not in found


@pytest.mark.parametrize("line", [
    "VCENTER_HOST: vc.example.com", "VCENTER_HOST:vc.example.com", "export VCENTER_HOST : x",
])
def test_a_colon_in_the_place_of_the_equals_sign_is_told(line: str, tmp_path: Path) -> None:
    """YAML's way to write it is a common slip in `.env`: the line and the setting are named."""
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"MODE=observe\n{line}\n", encoding="utf-8")
    with pytest.raises(BadSettings) as caught:
        load({}, dotenv)
    assert "has a colon instead of = in line 2, after VCENTER_HOST" in [one.wrong for one in caught.value.problems]


def test_addresses_for_messages_need_no_other_setting(tmp_path: Path) -> None:
    """Messages can be tried first: what is missing or wrong elsewhere is no obstacle, a bad address is told."""
    (url,) = load_notify_urls({"NOTIFY_URLS": "json://127.0.0.1:9/", "TRIP_VOTES": "none"}, None)
    assert url.get_secret_value() == "json://127.0.0.1:9/"
    assert load_notify_urls({}, tmp_path / "none") == ()
    with pytest.raises(BadSettings) as caught:
        load_notify_urls({"NOTIFY_URLS": "nosuchthing://x"}, None)
    assert [one.variable for one in caught.value.problems] == ["NOTIFY_URLS"]


def test_missing_and_wrong_are_counted_apart() -> None:
    """An untouched site has nothing wrong in it: its settings are missing."""
    with pytest.raises(BadSettings) as caught:
        load({}, None)
    assert str(caught.value).startswith("6 settings are missing; nothing is being protected:")
    with pytest.raises(BadSettings) as caught:
        load({"TRIP_VOTES": "none"}, None)
    assert str(caught.value).startswith("6 settings are missing and 1 setting is wrong; nothing")

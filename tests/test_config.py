"""Settings: each rule of what is taken, refused and warned of."""

import logging
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr, ValidationError

from peers.settings_bench import ENTRY, GOOD, KEY, good, ilo, problem, problems
from thermo_guard.config import BadSettings, LogFormat, LogLevel, Mode, Settings, load, secrets, split_host


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

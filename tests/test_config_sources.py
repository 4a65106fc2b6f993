"""Where settings come from: environment, `.env`, files of secrets, and what is noticed there."""

from pathlib import Path

import pytest

from peers.settings_bench import GOOD, good, problems
from thermo_guard.config import BadSettings, Mode, load, load_notify_urls


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    """A variable overrides `.env`; an empty one does not; comments, quotes and export are python-dotenv's."""
    dotenv = tmp_path / ".env"
    lines = ["# us", "export MODE=observe # now", "VCENTER_USER=file@x", "VCENTER_PASSWORD='a${b} #c'", "TRIP_VOTES="]
    dotenv.write_text("\n".join(lines))
    env = {k: v for k, v in GOOD.items() if k != "VCENTER_PASSWORD"} | {"MODE": " "}
    settings = load(env, dotenv)
    assert (settings.mode, settings.vcenter_user, settings.trip_votes) == (Mode.OBSERVE, "guard@vsphere.local", None)
    assert settings.vcenter_password is not None
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

"""`.env.example`: the settings as an administrator meets them first."""

import re
from pathlib import Path

import pytest
import trustme

from thermo_guard.config import SECRET_VARIABLES, BadSettings, Settings, example_of, load
from thermo_guard.settings_example import dotenv_example

FILE = Path(__file__).resolve().parents[1] / ".env.example"


def test_it_is_what_the_settings_say() -> None:
    """The file is made of the settings, so that neither can drift: `python -m thermo_guard.settings_example`."""
    assert FILE.read_text(encoding="utf-8") == dotenv_example()


def test_it_names_exactly_the_settings() -> None:
    """Every setting stands in it once, every secret also with its file, and nothing else does."""
    names = re.findall(r"^#?([A-Z_]+)=", FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(names) == sorted(
        [*(name.upper() for name in Settings.model_fields), *(name + "_FILE" for name in SECRET_VARIABLES)]
    )


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_each_setting_is_explained(name: str) -> None:
    """A setting without a sentence is a riddle at 3 a.m."""
    assert len((Settings.model_fields[name].description or "").split()) >= 3


def test_untouched_it_says_what_is_missing(tmp_path: Path) -> None:
    """Copied and not filled in, it starts nothing and names just what is required."""
    with pytest.raises(BadSettings) as caught:
        load({}, FILE)
    required = [name.upper() for name, field in Settings.model_fields.items() if field.is_required()]
    assert [problem.variable for problem in caught.value.problems] == required


def test_every_example_in_it_loads(tmp_path: Path) -> None:
    """Filled in with its own examples, everything uncommented, it is taken without a warning."""
    text = FILE.read_text(encoding="utf-8")
    text = re.sub(r"^# Example: ([A-Z_]+=.*)\n[A-Z_]+=$", r"\1", text, flags=re.MULTILINE)
    text = re.sub(r"^#[A-Z_]+_FILE=.*\n", "", text, flags=re.MULTILINE)  # of these, files of this machine follow
    text = re.sub(r"^#ESXI_HOSTS=.*\n", "", text, flags=re.MULTILINE)  # stands in the place of VCENTER_HOST
    text = re.sub(r"^#([A-Z_]+=)", r"\1", text, flags=re.MULTILINE)
    text = text.replace("MQTT_TLS=false", "MQTT_TLS=true")  # a login without it is warned of
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca))
    runbook = tmp_path / "runbook.toml"
    runbook.write_text('[[vms]]\nmatch = ["db-*"]\n', encoding="utf-8")
    text = re.sub(r"^RUNBOOK=.*$", f"RUNBOOK={runbook}", text, flags=re.MULTILINE)
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"{text}\nMERAKI_CA_FILE={ca}\n", encoding="utf-8")
    settings = load({}, dotenv)
    assert settings.warnings == ()
    assert settings.meraki_ca_file == ca
    assert settings.vm_tiers == (("test-*", 1), ("db-*", 3))
    for name, field in Settings.model_fields.items():
        if not field.examples and name != "mqtt_tls":
            assert getattr(settings, name) == field.default, f"{name}: the value shown is the default"
    assert settings.vcenter_user == example_of("vcenter_user")


@pytest.mark.parametrize(("written", "password"), [
    ("'pa$word'", "pa$word"), ("'${HOME}'", "${HOME}"), ("'a#b #c'", "a#b #c"), ("'a\"b'", 'a"b'), ("\"it's\"", "it's"),
    ('"it\'s \\"so\\""', 'it\'s "so"'), ('"it\'s \\\\here"', "it's \\here"),
])
def test_the_quotes_that_it_advises_give_the_value(written: str, password: str, tmp_path: Path) -> None:
    """A password with $, # or a quotation mark, quoted as the head of the file says, comes out whole."""
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        "MERAKI_API_KEY=0123456789abcdef\nMERAKI_NETWORK_ID=N_1\nVCENTER_HOST=vc\nVCENTER_USER=u@v\nILO_HOSTS=[]\n"
        f"VCENTER_PASSWORD={written}\n", encoding="utf-8",
    )
    given = load({}, dotenv).vcenter_password
    assert given is not None
    assert given.get_secret_value() == password

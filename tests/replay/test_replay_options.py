"""What replay is asked: every setting of the policy, by option, environment or .env, and all that is wrong at once."""

import ast
import inspect
from collections.abc import Mapping
from pathlib import Path

import pytest

from thermo_guard import cli_replay, main
from thermo_guard.config import BadSettings, Settings, example_of, form
from thermo_guard.replay.options import POLICY, Asked, Wishes, asked, option
from thermo_guard.settings_forms import Flag


def ask(given: Mapping[str, str | bool] | None = None, env: Mapping[str, str] | None = None, **wishes: str) -> Asked:
    return asked(given or {}, Wishes(**wishes), env or {}, None)  # type: ignore[arg-type]


def wrong(given: Mapping[str, str | bool] | None = None, env: Mapping[str, str] | None = None,
          **wishes: str) -> dict[str, str]:
    with pytest.raises(BadSettings) as caught:
        ask(given, env, **wishes)
    return {problem.variable: problem.wrong for problem in caught.value.problems}


def test_without_any_settings_the_defaults_are_replayed() -> None:
    """No login and no address is needed to look at a file."""
    policy = ask().policy
    assert (policy.high_c, policy.low_c, policy.critical_c, policy.stop_s, policy.sensors) == (35, 30, 40, 600, None)


def test_no_setting_of_the_policy_is_left_out() -> None:
    """Each that the composition root gives to the policy has an option; the sensors are those of the recording."""
    (function,) = ast.parse(inspect.getsource(main.loop_settings)).body
    (call,) = [node for node in ast.walk(function) if isinstance(node, ast.Call)
               and getattr(node.func, "id", "") == "PolicySettings"]
    read = {node.attr for node in ast.walk(call) if isinstance(node, ast.Attribute)
            and getattr(node.value, "id", "") == "settings"}
    assert read - {"meraki_sensors", "ilo_hosts"} == set(POLICY)
    assert set(inspect.signature(cli_replay.replay).parameters) >= set(POLICY)


@pytest.mark.parametrize("name", POLICY)
def test_each_option_is_checked_by_its_settings_own_form(name: str) -> None:
    """What the guard would not take, replay does not take, and says so by the name of the option."""
    ask({name: not Settings.model_fields[name].default if isinstance(form(name), Flag) else example_of(name)})
    if not isinstance(form(name), Flag):
        assert option(name) in wrong({name: "nonsense"})


def test_options_go_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    """As everywhere: the nearer to the person the stronger."""
    (tmp_path / ".env").write_text("TEMPERATURE_HIGH_THRESHOLD=33\nTEMPERATURE_LOW_THRESHOLD=26\nTRIP_VOTES=3\n")
    env = {"TEMPERATURE_HIGH_THRESHOLD": "34", "TEMPERATURE_LOW_THRESHOLD": "27", "VCENTER_HOST": "not read"}
    policy = asked({"temperature_high_threshold": "36"}, Wishes(), env, tmp_path / ".env").policy
    assert (policy.high_c, policy.low_c, policy.votes) == (36, 27, 3)


def test_the_sensors_of_the_site_do_not_blind_a_replay_of_others() -> None:
    """MERAKI_SENSORS names this site's; a file from elsewhere would have none of them."""
    found = ask(env={"MERAKI_SENSORS": "Q2XX-AAAA-0001,Q2XX-AAAA-0002"})
    assert found.policy.sensors is None
    assert "MERAKI_SENSORS is left aside" in found.notes[0]
    assert ask(sensors="rack 1/top, b,b").policy.sensors == ("rack 1/top", "b")


def test_all_that_is_wrong_is_told_at_once() -> None:
    """One go to mend it all, options by their own names and variables by theirs."""
    told = wrong(
        {"temperature_high_threshold": "99", "trip_votes": "0"}, {"TEMPERATURE_LOW_THRESHOLD": "low"},
        stop_minutes="soon", cooling_restored_at="later", from_meraki="7y", sensors=" , ", plot=Path("room.gif"),  # type: ignore[arg-type]
    )
    assert set(told) == {
        "--temperature-high-threshold", "--trip-votes", "TEMPERATURE_LOW_THRESHOLD", "--stop-minutes",
        "--cooling-restored-at", "--from-meraki", "--sensors", "--plot", "MERAKI_API_KEY", "MERAKI_NETWORK_ID",
    }
    assert "37.2 C" in told["--temperature-high-threshold"]


def test_the_policy_is_told_what_the_options_say() -> None:
    """From text to the policy's own units."""
    policy = ask({"blind_policy": "trip-after:15", "projection": False, "inlet_high_threshold": "37", "dead_band": "1",
                  "warn_threshold": "27", "meraki_alarm_votes": True}, stop_minutes="7.5").policy
    assert (policy.blind_trip_s, policy.projects, policy.inlet_high_c, policy.dead_band_k) == (900, False, 37, 1)
    assert (policy.warn_c, policy.alarm_votes, policy.stop_s) == (27, True, 450)


def test_settings_that_contradict_each_other_are_told() -> None:
    """The same rules as for the guard: it would go up and down."""
    assert "not below TEMPERATURE_HIGH_THRESHOLD (29)" in wrong({"temperature_high_threshold": "29"})[
        "TEMPERATURE_LOW_THRESHOLD"]
    assert "--trip-votes" in wrong({"trip_votes": "3"}, sensors="a,b")


@pytest.mark.parametrize(("text", "seconds"), [("7d", 604800), ("12h", 43200), ("2w", 1209600), ("90m", 5400)])
def test_how_far_back_meraki_is_asked(text: str, seconds: float) -> None:
    """In the units that people use."""
    env = {"MERAKI_API_KEY": "0123456789abcdef", "MERAKI_NETWORK_ID": "N_1"}
    found = ask(env=env, from_meraki=text)
    assert found.from_meraki_s == seconds
    assert found.settings.meraki_network_id == "N_1"

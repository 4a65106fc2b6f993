"""The room's settings: inlets, stages, projection, blindness, brokers, and when hosts may come back."""

import pytest

from peers.settings_bench import good, problems
from thermo_guard.config import secrets
from thermo_guard.main import loop_settings


@pytest.mark.parametrize(("values", "variable", "part"), [
    ({"INLET_HIGH_THRESHOLD": "32"}, "INLET_LOW_THRESHOLD", "by default 33 is not below"),
    ({"INLET_LOW_THRESHOLD": "39"}, "INLET_LOW_THRESHOLD", "(39) is not below the high threshold of the inlets (38)"),
    ({"INLET_HIGH_THRESHOLD": "30"}, "INLET_HIGH_THRESHOLD", "not above TEMPERATURE_LOW_THRESHOLD"),
    ({"WARN_THRESHOLD": "35"}, "WARN_THRESHOLD", "not below TEMPERATURE_HIGH_THRESHOLD (35)"),
    ({"SHED_THRESHOLD": "28"}, "SHED_THRESHOLD", "below WARN_THRESHOLD (30)"),
    ({"WARN_THRESHOLD": "34"}, "SHED_THRESHOLD", "before anybody is warned"),
    ({"PROJECTION_FLOOR": "36"}, "PROJECTION_FLOOR", "would come too late"),
    ({"BLIND_POLICY": "trip"}, "BLIND_POLICY", "neither of its forms"),
    ({"BLIND_POLICY": "trip-after:0"}, "BLIND_POLICY", "is 'trip-after:0', whose MINUTES are no number from 1"),
    ({"DEAD_BAND": "-1"}, "DEAD_BAND", "below its bounds"),
    ({"INLET_INTERVAL": "5"}, "INLET_INTERVAL", "below its bounds"),
    ({"WEBHOOK_PORT": "8443"}, "MERAKI_WEBHOOK_SECRET", "is not set, while WEBHOOK_PORT is"),
    ({"MERAKI_WEBHOOK_SECRET": "S3cret!w"}, "MERAKI_WEBHOOK_SECRET", "is set, while WEBHOOK_PORT is not"),
    ({"MQTT_USER": "guard", "MQTT_PASSWORD": "S3cret!q"}, "MQTT_USER", "while MQTT_BROKER is not"),
    ({"MQTT_TLS": "true"}, "MQTT_TLS", "while MQTT_BROKER is not"),
    ({"MQTT_BROKER": "mqtt.lan", "MQTT_USER": "guard"}, "MQTT_PASSWORD", "is not set, while MQTT_USER is"),
    ({"RESTART_HOURS": "25:00-26:00"}, "RESTART_HOURS", "no span of the day"),
    ({"RESTART_HOURS": "06:00-06:00"}, "RESTART_HOURS", "that is never"),
    ({"RESTART_MAX_WAIT": "3600"}, "RESTART_MAX_WAIT", "nothing to wait for"),
])
def test_what_cannot_be_meant_is_refused(values: dict[str, str], variable: str, part: str) -> None:
    """Each with its variable and its reason; a default that no longer fits is held against what was set."""
    told = problems(**values)
    assert set(told) == {variable}
    assert part in told[variable]
    assert "S3cret" not in told[variable]


def test_the_defaults_follow_the_rooms_thresholds() -> None:
    """A site that changes HIGH and LOW alone has fitting limits everywhere else."""
    policy = loop_settings(good(TEMPERATURE_HIGH_THRESHOLD="32", TEMPERATURE_LOW_THRESHOLD="27")).policy
    assert (policy.warn_at_c, policy.shed_at_c, policy.floor_c) == (27, 30, 27)
    assert policy.blind_trip_s is None
    assert policy.projects
    assert not policy.alarm_votes


def test_what_is_set_reaches_the_policy_and_the_loop() -> None:
    """Nothing is read and then forgotten."""
    terms = loop_settings(good(
        INLET_HIGH_THRESHOLD="39", INLET_LOW_THRESHOLD="32", INLET_VOTES="1", INLET_INTERVAL="45", WARN_THRESHOLD="28",
        SHED_THRESHOLD="31", DEAD_BAND="1.5", OFF_DELAY="120", STOP_MARGIN="60", PROJECTION="false",
        PROJECTION_FLOOR="31", BLIND_POLICY="trip-after:15", MERAKI_ALARM_VOTES="true", RESTART_HOURS="20:00-06:00",
        RESTART_NEEDS_ACK="true", RESTART_MAX_WAIT="7200",
    ))
    policy = terms.policy
    assert (policy.inlet_high_c, policy.inlet_low_c, policy.inlet_votes, terms.inlet_s) == (39, 32, 1, 45)
    assert (policy.warn_c, policy.shed_c, policy.dead_band_k, policy.off_delay_s) == (28, 31, 1.5, 120)
    assert (policy.stop_margin_s, policy.projects, policy.projection_floor_c) == (60, False, 31)
    assert (policy.blind_trip_s, policy.alarm_votes) == (900, True)
    assert (terms.restart.hours, terms.restart.needs_ack, terms.restart.max_wait_s) == ((1200, 360), True, 7200)


@pytest.mark.parametrize(("values", "part"), [
    ({"BLIND_POLICY": "trip-after:15"}, "while nobody sees the room"),
    ({"PROJECTION": "false"}, "critical before everything is off"),
    ({"BMC_INLETS": "false"}, "nothing confirms"),
    ({"INLET_VOTES": "9"}, "the inlets can never decide"),
    ({"MQTT_BROKER": "mqtt.lan"}, "can send temperatures"),
])
def test_what_is_allowed_and_bold_is_warned_of(values: dict[str, str], part: str) -> None:
    """Whoever wrote it reads what follows from it."""
    assert any(part in warning for warning in good(**values).warnings)


def test_the_new_secrets_are_known_for_redaction() -> None:
    """The webhook's and the broker's appear in no log."""
    settings = good(WEBHOOK_PORT="8443", MERAKI_WEBHOOK_SECRET="S3cret!w", MQTT_BROKER="mqtt.lan", MQTT_USER="guard",
                    MQTT_PASSWORD="S3cret!q")
    assert {"S3cret!w", "S3cret!q"} <= secrets(settings)

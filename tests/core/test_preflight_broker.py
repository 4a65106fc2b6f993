"""`check`'s rules of the broker on site, each by an example."""

from dataclasses import replace

from core.surveyed import AT, REFUSED, SENSORS, SILENT, TERMS, judged, worse
from thermo_guard.core.finding import Area, Verdict
from thermo_guard.core.policy_settings import PolicySettings
from thermo_guard.core.survey import BrokerSeen


def seen(*sensors: str, ago_s: float = 600.0) -> BrokerSeen:
    return BrokerSeen("192.0.2.5:1883", dict.fromkeys(sensors, AT - ago_s))


def test_a_broker_that_is_not_configured_is_not_told_of() -> None:
    """Most sites have none."""
    assert not [one for one in judged() if "MQTT" in one.text]


def test_a_broker_over_which_all_speak_is_in_order() -> None:
    """It answers, and who has spoken is named."""
    assert not worse(broker=seen(*SENSORS))
    (only,) = (one for one in judged(broker=seen(*SENSORS)) if "MQTT" in one.text)
    assert (only.area, only.verdict) == (Area.MERAKI, Verdict.OK)
    assert all(sensor in only.text for sensor in SENSORS)


def test_a_broker_that_does_not_answer_is_a_warning() -> None:
    """The alarm still comes from Meraki; what mends it depends on whether the login was refused."""
    (silent,) = worse(broker=SILENT)
    (refused,) = worse(broker=REFUSED)
    assert {silent.verdict, refused.verdict} == {Verdict.WARN}
    assert "MQTT_BROKER" in silent.remedy
    assert "MQTT_PASSWORD" in refused.remedy


def test_a_sensor_that_has_not_spoken_is_named() -> None:
    """Of those that count: with the way out down the room would be without it."""
    (only,) = worse(broker=seen(*SENSORS[:2]))
    assert SENSORS[2] in only.text
    assert SENSORS[0] not in only.text
    assert len(worse(broker=seen(*SENSORS, ago_s=90_000.0))) == 1
    named = replace(TERMS, policy=replace(PolicySettings(), sensors=SENSORS[:2]))
    assert not [one for one in worse(named, broker=seen(*SENSORS[:2])) if "MQTT" in one.text]


def test_a_stranger_that_speaks_is_named() -> None:
    """Whoever may publish to the broker has a vote, and a person should know."""
    (only,) = worse(broker=seen(*SENSORS, "00:18:0a:00:00:09"))
    assert "00:18:0a:00:00:09" in only.text

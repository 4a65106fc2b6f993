"""What `check` says of the broker on site: whether it answers, and which sensors have spoken over it."""

from collections.abc import Iterator

from .finding import Area, Finding, listed, ok, warn
from .plant import Trouble, Unseen
from .policy_settings import PolicySettings
from .survey import Network, Survey

SILENT_S = 86_400.0
"""A sensor that has not spoken for so long does not speak over it."""
MOST_NAMED = 5


def broker_findings(survey: Survey, policy: PolicySettings) -> Iterator[Finding]:
    """Nothing where none is configured. No FAIL: the alarm comes from Meraki's API still."""
    broker = survey.broker
    if broker is None:
        return
    if isinstance(broker, Unseen):
        yield warn(Area.MERAKI, f"Nothing is heard over MQTT: {broker.reason.rstrip('.')}. With the way out down there "
                                "are no room temperatures", _remedy(broker))
        return
    spoken = {name for name, at in broker.heard.items() if survey.at - at < SILENT_S}
    yield ok(Area.MERAKI, f"The MQTT broker {broker.address} answers; sensors that have spoken over it within a day: "
                          f"{listed(spoken, MOST_NAMED) or 'none yet'}")
    known = set(survey.network.sensors) if isinstance(survey.network, Network) else set()
    silent = set(policy.sensors or known) - spoken
    if silent:
        yield warn(Area.MERAKI, f"Not heard over MQTT within a day: {listed(silent, MOST_NAMED)}. With the way out "
                                "down they say nothing",
                   "A sensor speaks every 2 to 20 minutes: check again in half an hour. Then see in the dashboard that "
                   "MT telemetry is on for the network, and that each gateway has a firmware that has it.")
    if known and (strangers := spoken - known):
        yield warn(Area.MERAKI, f"Heard over MQTT, and not among the network's sensors: "
                                f"{listed(strangers, MOST_NAMED)}. They vote, except under a MAC address",
                   "Name the sensors that count in MERAKI_SENSORS, and give the broker a password.")


def _remedy(unseen: Unseen) -> str:
    if unseen.is_refused:
        return "See MQTT_USER and MQTT_PASSWORD, and what the broker lets this user read."
    if unseen.trouble is Trouble.UNTRUSTED:
        return "Name the broker's CA in MQTT_CA_FILE, and the broker in MQTT_BROKER as its certificate has it."
    return "See MQTT_BROKER and MQTT_TLS, and whether the broker runs."

"""Room temperatures that Meraki's gateways publish to a broker on site: they come when the way out is down, too."""

from .broker import Broker
from .memory import MqttMemory
from .sensors import Mqtt
from .serials import Serials

__all__ = ["Broker", "Mqtt", "MqttMemory", "Serials"]

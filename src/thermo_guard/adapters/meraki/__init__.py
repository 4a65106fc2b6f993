"""Room temperatures from Cisco Meraki MT sensors, over the Meraki Dashboard API v1."""

from .sensors import Meraki, NetworkDescription, SensorDescription

__all__ = ["Meraki", "NetworkDescription", "SensorDescription"]

"""BMCs over Redfish: iLO, iDRAC, XCC, Supermicro, OpenBMC.

A thin client of our own on aiohttp, since what a power-on needs is what the vendors' libraries lack: a POST that is
never replayed, bounds on every wait, TLS that is verified or pinned, and no login storm.
"""

from .bmc import Bmc
from .endpoint import endpoint_of

__all__ = ["Bmc", "endpoint_of"]

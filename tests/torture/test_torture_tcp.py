"""Each fault of a connection by each kind of server, in mid-incident; in short: tests/e2e/test_tcp_faults.py."""

import time
from functools import partial
from pathlib import Path

import pytest

from e2e.plant import Plant
from torture.faults import RSS_RATIO, SETTINGS, Proxies, hold_incident, is_sound, spell
from torture.proxy import Fault

pytestmark = pytest.mark.peer
LASTS_S = 20.0
ENDLESS_RATIO = 3.0
"""Of an answer without end a guard reads 8 MiB before it gives it up, and several are under way at once."""
FAULTS = [fault for fault in Fault if fault is not Fault.PASS]


@pytest.mark.parametrize("peer", ["meraki", "vcenter", "bmc"])
def test_each_fault_is_borne_and_gone_afterwards(tmp_path: Path, peer: str) -> None:
    """Twenty seconds of a fault cost no memory and no tick, are told on their edges alone, and leave nothing behind."""
    proxies = Proxies()
    try:
        with Plant(tmp_path, is_vcenter_inside=False, settings=SETTINGS, through=proxies) as plant:
            hold_incident(plant)
            name = plant.first_host if peer == "bmc" else peer
            for fault in FAULTS if peer != "bmc" else [one for one in FAULTS if one is not Fault.ENDLESS]:
                ends = time.monotonic() + LASTS_S
                found = spell(plant, proxies, {name: fault}, partial(is_past, ends))
                print(peer, fault, found)
                is_sound(plant, found, ENDLESS_RATIO if fault is Fault.ENDLESS else RSS_RATIO)
    finally:
        proxies.close()


def is_past(ends: float, _since: int) -> bool:
    return time.monotonic() >= ends

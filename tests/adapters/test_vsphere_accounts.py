"""A wrong password of a domain's account is tried at two hosts at most, though all are asked at once."""

import asyncio
from collections.abc import Callable

import pytest

from peers.vsphere import ESXI_USER, USER, VirtualVsphere
from thermo_guard.adapters.vsphere import Vsphere
from thermo_guard.adapters.vsphere.accounts import FirstLogins
from thermo_guard.core.plant import HostSeen
from thermo_guard.ports import Unauthorized

pytestmark = pytest.mark.peer

StartPlant = Callable[..., VirtualVsphere]
OpenVsphere = Callable[..., Vsphere]


async def looks(adapter: Vsphere, plant: VirtualVsphere) -> list[object]:
    return list(await asyncio.gather(
        *(adapter.look_at_host(host.name, host.address) for host in plant.hosts), return_exceptions=True
    ))


def tries(plant: VirtualVsphere) -> int:
    return sum(plant.count(host.name).get("Login", 0) for host in plant.hosts)


@pytest.mark.parametrize(("user", "at_most"), [("guard@lab.test", 2), (r"LAB\guard", 2), (ESXI_USER, 5)])
async def test_a_wrong_password_goes_to_two_hosts(
    start_plant: StartPlant, open_vsphere: OpenVsphere, user: str, at_most: int
) -> None:
    """Two tries in a domain, however often all hosts are asked; one at each host for an account of its own."""
    plant = start_plant(hosts=5, vms=1)
    plant.post("/timing", call_delay_ms=50)
    adapter = open_vsphere(plant, esxi_user=user, esxi_password="wrong")
    for _ in range(2):
        assert {type(found) for found in await looks(adapter, plant)} == {Unauthorized}
    assert tries(plant) == at_most


async def test_a_right_password_logs_in_everywhere(start_plant: StartPlant, open_vsphere: OpenVsphere) -> None:
    """The account that one host has let in is let in by all in the same round."""
    plant = start_plant(hosts=5, vms=1, esxi_user=USER)
    adapter = open_vsphere(plant, esxi_user=USER)
    assert {type(found) for found in await looks(adapter, plant)} == {HostSeen}
    assert tries(plant) == 5


async def test_an_accepted_login_lets_all_others_in_at_once() -> None:
    """Two first, then, while neither has ended, whoever waits: a frozen host holds nobody up any more."""
    first, inside, end = FirstLogins(), asyncio.Semaphore(0), asyncio.Event()
    most = 0

    async def log_in() -> None:
        nonlocal most
        async with first.turn():
            most += 1
            inside.release()
            await end.wait()

    logins = [asyncio.create_task(log_in()) for _ in range(5)]
    for _ in range(2):
        await inside.acquire()
    assert most == 2
    first.accepted()
    async with asyncio.timeout(5):
        for _ in range(3):
            await inside.acquire()
    end.set()
    await asyncio.gather(*logins)

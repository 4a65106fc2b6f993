"""Names to addresses: asked anew each time, remembered when nobody answers, and no call waits twice for nothing."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.names import SystemNames
from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Transient


class Resolver:
    """What stands for the machine's resolver: answers, refuses, or hangs until it is let go."""

    def __init__(self) -> None:
        self.zone: dict[str, tuple[str, ...]] = {}
        self.asked: list[str] = []
        self.fault: Exception | None = None
        self.lets_go = threading.Event()
        self.lets_go.set()

    def __call__(self, name: str) -> tuple[str, ...]:
        self.asked.append(name)
        self.lets_go.wait(timeout=20)
        if self.fault is not None:
            raise self.fault
        if name not in self.zone:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.zone[name]


@pytest.fixture
def resolver() -> Resolver:
    made = Resolver()
    made.zone["esx1.example"] = ("192.0.2.11",)
    return made


def names(resolver: Resolver, within_s: float = 0.2, in_doubt_s: float = 30.0) -> SystemNames:
    return SystemNames(SteadyClock(), within_s=within_s, in_doubt_s=in_doubt_s, ask=resolver)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what holds comes from a thread
            await asyncio.sleep(0.01)


SILENT = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


async def test_the_machines_own_resolver_is_asked() -> None:
    """Without anything in its place the real resolver answers: its hosts file knows localhost."""
    found = await SystemNames(SteadyClock()).resolve("LOCALHOST")
    assert set(found) <= {"127.0.0.1", "::1"}
    assert found


@pytest.mark.parametrize(("host", "address"), [
    ("192.0.2.1", "192.0.2.1"), ("[2001:DB8::1]", "2001:db8::1"), ("2001:db8::1", "2001:db8::1"),
])
async def test_an_address_stands_for_itself(resolver: Resolver, host: str, address: str) -> None:
    """An IPv4 or IPv6 literal is asked of nobody, and is no name that is remembered."""
    subject = names(resolver)
    assert await subject.resolve(host) == (address,)
    assert resolver.asked == []
    assert subject.known() == {}


async def test_it_is_asked_anew_each_time(resolver: Resolver) -> None:
    """A name that has moved is found at its new address with the next connection: no answer is kept for later."""
    subject = names(resolver)
    assert await subject.resolve("ESX1.example") == ("192.0.2.11",)
    resolver.zone["esx1.example"] = ("192.0.2.12", "2001:db8::12")
    assert await subject.resolve("esx1.example") == ("192.0.2.12", "2001:db8::12")
    assert subject.known() == {"esx1.example": ("192.0.2.12", "2001:db8::12")}


@pytest.mark.parametrize("fault", [
    SILENT, socket.gaierror(socket.EAI_NONAME, "Name or service not known"), OSError("out of sockets"),
])
async def test_what_it_last_said_stands_in(resolver: Resolver, fault: Exception) -> None:
    """Whatever the resolver then says against it, a name that was resolved keeps its address."""
    subject = names(resolver)
    await subject.resolve("esx1.example")
    resolver.fault = fault
    assert await subject.resolve("esx1.example") == ("192.0.2.11",)


async def test_what_the_journal_gave_stands_in_and_never_before_the_resolver(resolver: Resolver) -> None:
    """A start in the night when DNS is off: the journal's addresses. What was resolved since is newer than those."""
    subject = names(resolver)
    subject.recall({"VCENTER.example": ("192.0.2.10",), "empty.example": ()})
    await subject.resolve("esx1.example")
    subject.recall({"esx1.example": ("192.0.2.99",)})
    assert subject.known()["esx1.example"] == ("192.0.2.11",)
    resolver.fault = SILENT
    assert await subject.resolve("vcenter.example") == ("192.0.2.10",)
    with pytest.raises(Transient):
        await subject.resolve("empty.example")


async def test_a_name_that_never_was_one_is_told_in_words(resolver: Resolver) -> None:
    """Nothing in memory: a person is told the name, and that it is DNS that has to be mended."""
    with pytest.raises(Transient, match=r"nobody\.example.*DNS does not know it") as unknown:
        await names(resolver).resolve("nobody.example")
    assert unknown.value.trouble is Trouble.NO_NAME
    with pytest.raises(Transient, match="stands for no address") as nameless:
        await SystemNames(SteadyClock()).resolve(f"{'x' * 70}.example")
    assert nameless.value.trouble is Trouble.NO_NAME


async def test_a_resolver_that_hangs_costs_one_wait(resolver: Resolver) -> None:
    """The first call waits its bound; after that memory answers at once, and one question at a time is out."""
    subject = names(resolver, within_s=0.3)
    subject.recall({"vcenter.example": ("192.0.2.10",), "esx1.example": ("192.0.2.11",)})
    resolver.lets_go.clear()
    began = time.monotonic()
    assert await subject.resolve("vcenter.example") == ("192.0.2.10",)
    assert 0.25 < time.monotonic() - began < 2
    began = time.monotonic()
    for _ in range(50):
        assert await subject.resolve("vcenter.example") == ("192.0.2.10",)
        assert await subject.resolve("esx1.example") == ("192.0.2.11",)
    assert time.monotonic() - began < 0.25
    await until(lambda: "esx1.example" in resolver.asked)
    assert sorted(resolver.asked) == ["esx1.example", "vcenter.example"]
    resolver.lets_go.set()


async def test_a_name_nobody_knows_does_not_wait_again_for_a_resolver_that_hangs(resolver: Resolver) -> None:
    """While the first question still hangs the second one is answered with what is known: nothing."""
    subject = names(resolver, within_s=0.2)
    resolver.lets_go.clear()
    with pytest.raises(Transient, match="no DNS server answers"):
        await subject.resolve("esx1.example")
    began = time.monotonic()
    with pytest.raises(Transient, match="no DNS server answers"):
        await subject.resolve("esx1.example")
    assert time.monotonic() - began < 0.1
    resolver.lets_go.set()


async def test_a_late_answer_is_taken_up_and_ends_the_doubt(resolver: Resolver) -> None:
    """The question that nobody waited for is answered: from then on the resolver is waited for again."""
    subject = names(resolver)
    subject.recall({"esx1.example": ("192.0.2.99",)})
    resolver.lets_go.clear()
    assert await subject.resolve("esx1.example") == ("192.0.2.99",)
    resolver.lets_go.set()
    await until(lambda: subject.known()["esx1.example"] == ("192.0.2.11",))
    resolver.zone["esx1.example"] = ("192.0.2.13",)
    assert await subject.resolve("esx1.example") == ("192.0.2.13",)


async def test_who_asks_the_same_at_once_shares_one_question(resolver: Resolver) -> None:
    """Thirty calls for one name are one lookup; one that is cancelled takes it from no other."""
    resolver.lets_go.clear()
    subject = names(resolver, within_s=10)
    calls = [asyncio.create_task(subject.resolve("esx1.example")) for _ in range(30)]
    await until(lambda: resolver.asked)
    calls[0].cancel()
    resolver.lets_go.set()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert found[1:] == [("192.0.2.11",)] * 29
    assert resolver.asked == ["esx1.example"]


def test_a_resolver_that_hangs_does_not_hold_up_the_end_of_the_program() -> None:
    """The process ends while its question is still out: nothing can interrupt the call, so nothing waits for it."""
    program = """
import asyncio, threading
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.names import SystemNames
from thermo_guard.ports import Transient
hang = threading.Event().wait
async def main():
    try:
        await SystemNames(SteadyClock(), within_s=0.1, ask=lambda name: hang()).resolve("esx1.example")
    except Transient as fault:
        print(fault)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert "no DNS server answers within 0.1 s" in done.stdout
    assert done.stderr == ""

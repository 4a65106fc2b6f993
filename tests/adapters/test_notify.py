"""The outbox, against an HTTP sink of our own by real apprise, and its patience on virtual time."""

import asyncio
import logging
import selectors
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from aiohttp import web
from structlog.testing import capture_logs

from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.notify import Delivery, Message, Outbox, refused

SECRET = "s3cretpass"


@pytest.fixture(autouse=True)
def _logs_of_every_level() -> None:
    """What is said at INFO and WARNING is what these tests look at, whatever the others keep quiet."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET))


@dataclass
class Sink:
    """What a local HTTP server was told by apprise's json:// plugin."""

    port: int
    told: list[dict[str, str]] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    hangs: bool = False
    tries: int = 0

    def url(self, query: str = "") -> str:
        return f"json://user:{SECRET}@127.0.0.1:{self.port}/{query}"

    async def wait_for(self, count: int) -> list[str]:
        async with asyncio.timeout(60), self.arrived:
            await self.arrived.wait_for(lambda: len(self.told) >= count)
        return [each["title"] for each in self.told]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        async with self.arrived:
            self.tries += 1
            self.arrived.notify_all()
        if self.hangs:
            await asyncio.Event().wait()
        async with self.arrived:
            self.told.append(body)
            self.arrived.notify_all()
        return web.Response()


@asynccontextmanager
async def listening(sink: Sink) -> AsyncIterator[Sink]:
    app = web.Application()
    app.router.add_post("/", sink.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", sink.port, reuse_address=True).start()
    try:
        yield sink
    finally:
        await runner.cleanup()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_message_reaches_each_outlet_beside_the_loop() -> None:
    """`tell` returns at once, and what is told arrives, urgent marked as failure, in order."""
    async with listening(Sink(_free_port())) as one, listening(Sink(_free_port())) as other:
        outbox = Outbox([one.url(), other.url()], SteadyClock())
        outbox.tell("Alarm", "35.2 °C\nsecond line", urgent=True)
        outbox.tell("Phase", "b")
        assert one.tries == 0
        await outbox.aclose(30.0)
        for sink in (one, other):
            assert [(each["title"], each["type"]) for each in sink.told] == [("Alarm", "failure"), ("Phase", "info")]
            assert sink.told[0]["message"] == "35.2 °C\nsecond line"


async def test_a_title_that_says_it_all_arrives_and_holds_up_nothing() -> None:
    """An order without a reason is told, and with it all that is told after it: nothing waits for a body for days."""
    async with listening(Sink(_free_port())) as sink:
        outbox = Outbox([sink.url()], SteadyClock())
        outbox.tell("The cluster is being shut down, as admin@nas asked", "", urgent=True)
        outbox.tell("Acknowledged by admin@nas", " \n")
        outbox.tell("VMs shutting down, tier 1", "incident 1")
        await outbox.aclose(30.0)
        assert [each["title"] for each in sink.told] == [
            "The cluster is being shut down, as admin@nas asked", "Acknowledged by admin@nas",
            "VMs shutting down, tier 1",
        ]
        assert sink.told[0]["message"] == "The cluster is being shut down, as admin@nas asked"


async def test_a_dead_outlet_gets_all_in_order_once_it_lives() -> None:
    """A mail server that stops with tier 1 still tells the story when it is back, and no other outlet waits for it."""
    dead = Sink(_free_port())
    with capture_logs() as logs:
        async with listening(Sink(_free_port())) as alive:
            outbox = Outbox(
                [dead.url(), alive.url()], SteadyClock(), first_pause_s=0.2, longest_pause_s=0.2
            )
            for title in ("one", "two", "three"):
                outbox.tell(title, "b")
            assert await alive.wait_for(3) == ["one", "two", "three"]
            async with asyncio.timeout(60):
                while not any(entry["event"] == "notify.failed" for entry in logs):  # noqa: ASYNC110 - a list
                    await asyncio.sleep(0.01)
            async with listening(dead):
                assert await dead.wait_for(3) == ["one", "two", "three"]
                await outbox.aclose(30.0)
    warned = [entry for entry in logs if entry["event"] == "notify.failed" and entry["log_level"] == "warning"]
    assert len(warned) == 1, "a dead outlet is said to be dead once"
    assert warned[0]["outlet"] == "1 (json://***)"
    assert "notify.recovered" in [entry["event"] for entry in logs]
    assert SECRET not in str(logs)
    assert "127.0.0.1" not in str(logs)


async def test_an_outlet_that_hangs_is_given_its_time_and_no_more() -> None:
    """A server that takes the connection and never answers ends its try at the bound, and tries again."""
    async with listening(Sink(_free_port(), hangs=True)) as hung, listening(Sink(_free_port())) as alive:
        with capture_logs() as logs:
            outbox = Outbox(
                [hung.url("?rto=600"), alive.url()], SteadyClock(), deliver_timeout_s=8.0, first_pause_s=0.1
            )
            outbox.tell("one", "b")
            assert await alive.wait_for(1) == ["one"]
            async with asyncio.timeout(60), hung.arrived:
                await hung.arrived.wait_for(lambda: hung.tries == 1)
            hung.hangs = False
            assert await hung.wait_for(1) == ["one"]
            assert hung.tries == 2
            await outbox.aclose(30.0)
    assert "no answer within 8 s" in [entry.get("reason") for entry in logs]


async def test_closing_waits_no_longer_than_it_may() -> None:
    """The process ends in time whatever the outlets do; what could not be told is counted."""
    async with listening(Sink(_free_port(), hangs=True)) as hung:
        outbox = Outbox([hung.url("?rto=600")], SteadyClock())
        outbox.tell("one", "b")
        outbox.tell("two", "b")
        async with asyncio.timeout(60), hung.arrived:
            await hung.arrived.wait_for(lambda: hung.tries == 1)
        with capture_logs() as logs:
            async with asyncio.timeout(5):
                await outbox.aclose(0.2)
        assert {"event": "notify.left", "log_level": "warning", "outlet": "1 (json://***)", "messages": 2} in logs


async def test_the_test_says_what_became_of_each_outlet() -> None:
    """`notify --test` names the outlet that does not work, and why, without its address."""
    dead = Sink(_free_port())
    async with listening(Sink(_free_port())) as alive:
        tested = await Outbox([alive.url(), dead.url(), f"nonsense://{SECRET}"], SteadyClock()).test()
    assert [(each.outlet, each.delivery.ok) for each in tested] == [
        ("1 (json://***)", True), ("2 (json://***)", False), ("3 (nonsense://***)", False),
    ]
    assert "onnection" in tested[1].delivery.reason
    assert tested[2].delivery.is_final
    assert SECRET not in str(tested)
    assert "127.0.0.1" not in str(tested)


def test_bad_addresses_are_named_by_place() -> None:
    """A setting is refused by its place in the list, since the address is a secret."""
    assert refused(("json://localhost", f"nonsense://{SECRET}", f"mailto://{SECRET}")) == (2, 3)
    assert refused(()) == ()


async def test_without_outlets_telling_is_nothing() -> None:
    """NOTIFY_URLS is optional."""
    outbox = Outbox([], SteadyClock())
    outbox.tell("t", "b", urgent=True)
    assert await outbox.test() == []
    await outbox.aclose(1.0)


class _Jump(selectors.DefaultSelector):
    """Waits by setting the time forward."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout is not None:
            self.now_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time jumps to the next timer: a day passes at once."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now_s


@dataclass
class Scripted:
    """An outlet that works from a time on, and notes when it was tried."""

    clock: SteadyClock
    works_from_s: float = 0.0
    tried_at: list[float] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    rested_at: list[float] = field(default_factory=list)

    async def deliver(self, message: Message) -> Delivery:
        self.tried_at.append(self.clock.now())
        await asyncio.sleep(0.1)
        if self.clock.now() < self.works_from_s:
            return Delivery(ok=False, reason="down")
        self.delivered.append(message.title)
        self.bodies.append(message.body)
        return Delivery(ok=True)

    async def rest(self) -> None:
        self.rested_at.append(self.clock.now())


def on_virtual_time(story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story)


def _outbox(*outlets: Scripted, **options: Any) -> Outbox:
    by_url = {f"x{place}://": outlet for place, outlet in enumerate(outlets)}
    return Outbox(list(by_url), outlets[0].clock, courier_for=by_url.__getitem__, **options)


def test_pauses_grow_and_have_a_bound() -> None:
    """A dead server is not hammered, and is not forgotten either."""
    async def story() -> None:
        outlet = Scripted(SteadyClock(epoch=0.0), works_from_s=3600.0)
        outbox = _outbox(outlet)
        outbox.tell("t", "b")
        await asyncio.sleep(4000.0)
        assert outlet.delivered == ["t"]
        pauses = [round(b - a) for a, b in zip(outlet.tried_at, outlet.tried_at[1:], strict=False)]
        assert pauses[:7] == [5, 10, 20, 40, 80, 160, 300]
        assert set(pauses[7:]) == {300}
        await outbox.aclose(1.0)

    on_virtual_time(story())


def test_nothing_runs_in_long_pauses() -> None:
    """A mail server that is off for hours costs no memory between two tries."""
    async def story() -> None:
        outlet = Scripted(SteadyClock(epoch=0.0), works_from_s=10_000.0)
        outbox = _outbox(outlet)
        outbox.tell("t", "b")
        await asyncio.sleep(9000.0)
        assert len(outlet.rested_at) == len([at for at in outlet.tried_at if at > 70.0])
        await outbox.aclose(1.0)

    on_virtual_time(story())


def test_a_message_waits_over_a_long_weekend() -> None:
    """The mail server is off until the room has recovered: what happened on Friday night is told on Monday, dated."""
    async def story() -> None:
        outlet = Scripted(SteadyClock(epoch=1_783_123_200.0), works_from_s=1_783_123_200.0 + 72 * 3600.0)
        outbox = _outbox(outlet)
        outbox.tell("ALARM", "the room is hot", urgent=True)
        await asyncio.sleep(71 * 3600.0)
        outbox.tell("talk", "something")
        await asyncio.sleep(2 * 3600.0)
        assert outlet.delivered == ["ALARM", "talk"]
        assert outlet.bodies[0] == "(Told at 2026-07-04 00:00 UTC; it could not be delivered before.)\nthe room is hot"
        outbox.tell("now", "something")
        await asyncio.sleep(1.0)
        assert outlet.bodies[2] == "something"
        await outbox.aclose(1.0)

    on_virtual_time(story())


def test_after_four_days_a_message_is_given_up_and_the_next_one_is_tried() -> None:
    """What is that old tells nobody anything new; that it was lost is logged."""
    async def story() -> None:
        outlet = Scripted(SteadyClock(epoch=0.0), works_from_s=400_000.0)
        outbox = _outbox(outlet)
        with capture_logs() as logs:
            outbox.tell("old", "b")
            await asyncio.sleep(200_000.0)
            outbox.tell("new", "b")
            await asyncio.sleep(250_000.0)
        assert outlet.delivered == ["new"]
        assert [entry["title"] for entry in logs if entry["event"] == "notify.given_up"] == ["old"]
        await outbox.aclose(1.0)

    on_virtual_time(story())


def test_a_full_queue_drops_what_is_oldest_and_not_urgent() -> None:
    """The alarm is never pushed out by the talk after it; the loss is counted and logged once."""
    async def story() -> None:
        outlet = Scripted(SteadyClock(epoch=0.0), works_from_s=1000.0)
        outbox = _outbox(outlet, queue_bound=3)
        with capture_logs() as logs:
            outbox.tell("first", "b")
            await asyncio.sleep(1.0)  # it is being tried
            outbox.tell("ALARM", "b", urgent=True)
            for title in "abcd":
                outbox.tell(title, "b")
            await asyncio.sleep(2000.0)
        assert outlet.delivered == ["first", "ALARM", "c", "d"]
        assert len([entry for entry in logs if entry["event"] == "notify.dropped"]) == 1
        assert [entry["dropped"] for entry in logs if entry["event"] == "notify.recovered"] == [2]
        await outbox.aclose(1.0)

    on_virtual_time(story())


def test_an_urgent_message_does_not_sit_out_a_pause() -> None:
    """An alarm tries the outlet at once, though it failed a moment ago; order is kept."""
    async def story() -> None:
        outlet = Scripted(SteadyClock(epoch=0.0), works_from_s=700.0)
        outbox = _outbox(outlet)
        outbox.tell("talk", "b")
        await asyncio.sleep(701.0)
        outbox.tell("ALARM", "b", urgent=True)
        await asyncio.sleep(1.0)
        assert outlet.delivered == ["talk", "ALARM"]
        await outbox.aclose(1.0)

    on_virtual_time(story())


def test_closing_tries_what_is_left_at_once() -> None:
    """The last word is sent though the pause before the next try has minutes to go."""
    async def story() -> None:
        outlet = Scripted(SteadyClock(epoch=0.0), works_from_s=700.0)
        outbox = _outbox(outlet)
        outbox.tell("talk", "b")
        await asyncio.sleep(698.0)
        outbox.tell("stopped", "b")
        await outbox.aclose(8.0)
        assert outlet.delivered == ["talk", "stopped"]
        outbox.tell("too late", "b")

    on_virtual_time(story())


def test_what_is_told_before_the_loop_runs_is_not_lost() -> None:
    """`run` with bad settings tells once and ends."""
    with asyncio.Runner() as runner:
        outlet = Scripted(SteadyClock(runner.get_loop(), epoch=0.0))
        outbox = _outbox(outlet)
        outbox.tell("settings", "b")
        runner.run(outbox.aclose(5.0))
    assert outlet.delivered == ["settings"]


@pytest.mark.parametrize("url", ["", "no schema", f"weird{SECRET}!://x"])
async def test_an_address_without_a_schema_is_not_shown_either(url: str) -> None:
    """Whatever was mistyped into NOTIFY_URLS may be the secret itself."""
    tested = await Outbox([url], SteadyClock()).test()
    assert tested[0].outlet == "1 (?://***)"
    assert tested[0].delivery.is_final

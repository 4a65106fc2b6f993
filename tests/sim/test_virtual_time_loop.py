"""The event loop with virtual time: asyncio's own manners, without the waiting."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator

import pytest

from thermo_guard.sim.loop import VirtualTimeLoop, run

DAY_S = 86_400.0


def now() -> float:
    return asyncio.get_running_loop().time()


def test_days_pass_in_milliseconds_and_exactly() -> None:
    """A wait costs no real time, and ends on the very second, however far the line has run from 0."""

    async def a_year_of_minutes() -> list[float]:
        seen = []
        for _ in range(1440):
            await asyncio.sleep(60)
            seen.append(now())
        await asyncio.sleep(365 * DAY_S)
        return [*seen, now()]

    began = time.monotonic()
    seen = run(a_year_of_minutes(), start=1_700_000_000.0)
    assert time.monotonic() - began < 5
    assert seen[:-1] == [1_700_000_000.0 + 60 * n for n in range(1, 1441)]
    assert seen[-1] == 1_700_000_000.0 + 366 * DAY_S


def test_time_stands_while_something_is_ready() -> None:
    """Work takes no virtual time: a busy task is not outrun by the timers of others."""

    async def busy() -> tuple[float, int]:
        fired: list[float] = []
        asyncio.get_running_loop().call_later(0.001, lambda: fired.append(now()))
        for _ in range(5000):
            await asyncio.sleep(0)
        return now(), len(fired)

    assert run(busy()) == (0.0, 0)


def test_timers_fire_in_their_order() -> None:
    """Sleepers wake by their times and, at the same time, in the order in which they lay down."""

    async def sleepers() -> list[tuple[float, str]]:
        woken: list[tuple[float, str]] = []

        async def sleeper(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append((now(), name))

        await asyncio.gather(*(sleeper(name, s) for name, s in (("c", 3600), ("a", 1), ("b", 1), ("d", 3600.5))))
        return woken

    first = run(sleepers())
    assert first == [(1.0, "a"), (1.0, "b"), (3600.0, "c"), (3600.5, "d")]
    assert run(sleepers()) == first


def test_timeouts_end_what_takes_too_long_and_nothing_else() -> None:
    """wait_for and timeout measure virtual time."""

    async def bounded() -> tuple[float, str]:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 7200)
        assert now() == 7200
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.sleep(11)
        return now(), await asyncio.wait_for(asyncio.sleep(99, "slept"), 100)

    assert run(bounded()) == (7210.0, "slept")


def test_a_job_in_a_thread_takes_no_virtual_time() -> None:
    """While a thread works the line does not run away: the timers of others wait for it, in real time."""

    async def beside_a_thread() -> tuple[float, float, str]:
        release = threading.Event()
        threading.Timer(0.2, release.set).start()
        ticked: list[float] = []
        asyncio.get_running_loop().call_later(30, lambda: ticked.append(now()))
        assert await asyncio.to_thread(release.wait, 20)
        done_at, ticked_then = now(), len(ticked)
        await asyncio.sleep(60)
        assert (ticked_then, ticked) == (0, [30.0])
        job = asyncio.get_running_loop().run_in_executor(None, lambda: "second")
        return done_at, now(), await job

    assert run(beside_a_thread()) == (0.0, 60.0, "second")


def test_a_timeout_ends_the_wait_for_a_hanging_thread() -> None:
    """A job that waits for the loop, or for ever, does not hang the run: the timer comes after its real time."""

    async def hanging() -> float:
        release = threading.Event()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(release.wait), 0.05)
        release.set()
        before = now()
        await asyncio.sleep(DAY_S)  # jumps again
        assert before >= 0.05
        return now() - before

    assert run(hanging()) == DAY_S


def test_a_failing_job_is_told_and_counted_off() -> None:
    """An error in a thread arrives as itself, and time jumps again after it."""

    async def failing() -> float:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        await asyncio.sleep(DAY_S)
        return now()

    began = time.monotonic()
    assert run(failing()) == DAY_S
    assert time.monotonic() - began < 5


def test_it_cleans_up_as_asyncio_does() -> None:
    """What is left running is cancelled, generators are closed, threads are joined, and errors come out."""
    told: list[str] = []

    async def generator() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            told.append("generator closed")

    async def left_behind() -> None:
        try:
            await asyncio.sleep(DAY_S)
        except asyncio.CancelledError:
            await asyncio.sleep(5)
            told.append(f"cancelled at {now():g}")
            raise

    async def main(kept: list[object]) -> None:
        kept.append(asyncio.create_task(left_behind()))
        left = generator()
        kept.append(left)
        await anext(left)
        kept.append(asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.05))
        await asyncio.sleep(10)
        raise LookupError("out of main")

    kept: list[object] = []
    threads = set(threading.enumerate())
    with pytest.raises(LookupError, match="out of main"):
        run(main(kept))
    assert told == ["cancelled at 15", "generator closed"]
    assert {thread for thread in threading.enumerate() if thread.is_alive()} <= threads


def test_at_a_speed_time_follows_the_wall_clock() -> None:
    """N times faster: an hour at 20,000 takes 0.18 s for real, and time runs also while work is done."""

    async def an_hour() -> tuple[float, float]:
        began = now()
        await asyncio.sleep(3600)
        slept = now() - began
        real = time.monotonic()
        while time.monotonic() - real < 0.01:
            pass
        return slept, now() - began - slept

    began = time.monotonic()
    slept, worked = run(an_hour(), speed=20_000, start=5.0)
    real_s = time.monotonic() - began
    assert real_s >= 0.18
    assert 3600 <= slept <= 20_000 * real_s
    assert worked >= 200


def test_the_speed_can_change_on_the_way() -> None:
    """The line goes on from where it is: no time is lost or lived twice when the speed changes."""

    async def gear_change() -> tuple[float, float, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        await asyncio.sleep(100)
        loop.speed = 10_000
        at_change = loop.time()
        await asyncio.sleep(50)
        loop.speed = None
        stopped = loop.time()
        await asyncio.sleep(DAY_S)
        return at_change, stopped, loop.time() - stopped

    at_change, stopped, jumped = run(gear_change())
    assert 100 <= at_change < 150
    assert stopped >= 150
    assert jumped == DAY_S


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    """A line that stands or runs backwards would hang whatever waits on it."""
    with pytest.raises(ValueError, match="a finite number above 0"):
        VirtualTimeLoop(speed)


def test_sockets_work_at_a_speed() -> None:
    """With a speed the loop is an ordinary one for the network: answers come before timeouts."""

    async def echo() -> bytes:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hot\n")
            line = await asyncio.wait_for(reader.readline(), 600)
            writer.close()
            await writer.wait_closed()
            return line

    assert run(echo(), speed=60) == b"hot\n"


def test_a_real_peer_answers_before_time_jumps() -> None:
    """With `settle_s`, an answer that takes moments of real time is not jumped over to its timeout."""

    async def asked(port: int) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"?")
        async with asyncio.timeout(10):
            assert await reader.read(1) == b"!"
        writer.close()
        await asyncio.sleep(DAY_S)
        return now()

    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1)
                threading.Event().wait(0.05)
                peer.sendall(b"!")

        thread = threading.Thread(target=answer)
        thread.start()
        with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(settle_s=0.5)) as runner:
            assert runner.run(asked(server.getsockname()[1])) == DAY_S
        thread.join()


def test_a_thread_of_its_own_is_waited_for_where_it_is_told_of() -> None:
    """With `is_awaited`, a thread that asyncio has not started takes no virtual time either, nor does its end."""

    async def beside(thread: threading.Thread, answer: asyncio.Future[None]) -> float:
        running = asyncio.get_running_loop()
        threading.Timer(0.05, running.call_soon_threadsafe, [answer.set_result, None]).start()
        thread.start()
        async with asyncio.timeout(10):
            await answer
        answered_at = now()
        await asyncio.sleep(DAY_S)
        assert now() == answered_at + DAY_S
        return answered_at

    thread = threading.Thread(target=threading.Event().wait, args=[0.2])
    loop = VirtualTimeLoop(is_awaited=thread.is_alive)
    began = time.monotonic()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(beside(thread, loop.create_future())) == 0
    assert time.monotonic() - began < 5

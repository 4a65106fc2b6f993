"""A disk that takes no writes: the reserve goes first, then a shutdown goes on from memory, and a way back waits.

People are told each edge once, of alarm and blindness too although they are not on record.
"""

from pathlib import Path

import pytest

from engine.days import FAST, HOUR_S, POWER_ONS, as_it_began, cool, heat, in_phase
from engine.full_disk import FullDisk, on_a_disk
from engine.rig import Guarded
from thermo_guard.adapters.journal import SqlJournal
from thermo_guard.core import events as ev
from thermo_guard.core.events import Event, Phase
from thermo_guard.core.wishes import Order
from thermo_guard.sim.loop import run
from thermo_guard.sim.site import SENSORS

GIVEN_BACK = "its reserve has been given back"
CANNOT = "The journal cannot be written"
CAN = "The journal can be written again"


def told(guarded: Guarded, words: str) -> int:
    return sum(words in title for title in guarded.outbox.titles)


def on_record(guarded: Guarded) -> list[tuple[float, Event]]:
    """What the journal holds, read beside the guard."""
    journal = SqlJournal.read_only(guarded.folder)
    try:
        return [(entry.at, entry.event) for entry in journal.entries()]
    finally:
        journal.close()


async def shut_down_from_memory(folder: Path) -> tuple[Guarded, list[FullDisk]]:
    """All is off after an alarm of which nothing is on record, and the disk is still full."""
    guarded, disks = on_a_disk(folder, settings=FAST)
    await guarded.clock.sleep(900)
    disks[-1].is_full = True
    heat(guarded)
    await guarded.until(guarded.all_off, 2 * HOUR_S)
    return guarded, disks


@pytest.mark.parametrize("takes_readings", [False, True])
@pytest.mark.parametrize("reserve", [None, 8])
def test_an_alarm_on_a_full_disk_shuts_down_from_memory(
    tmp_path: Path, *, takes_readings: bool, reserve: int | None
) -> None:
    """The reserve is given back first, then the trip and the shutdown go on to the end; each is told once."""

    async def scenario() -> None:
        guarded, disks = on_a_disk(tmp_path, takes_readings=takes_readings, reserve=reserve)
        await guarded.clock.sleep(900)
        disks[-1].is_full = True
        guarded.world.fail_cooling(3 * HOUR_S)
        guarded.make_room(38.5)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        assert told(guarded, GIVEN_BACK) == (0 if reserve is None else 1)
        assert told(guarded, CANNOT) in ({1} if reserve is None else {1, 2})
        assert told(guarded, "the cluster is being shut down") == 1
        assert told(guarded, "NOTHING is being done") == 0
        assert told(guarded, CAN) == told(guarded, CANNOT) - 1
        assert "full" in str(guarded.board.last["journal_fault"])
        assert len(on_record(guarded)) < len(guarded.events)
        if reserve is not None:
            assert any(isinstance(event, ev.AlarmTripped) for _, event in on_record(guarded)), "by the reserve"
        await guarded.kill()

    run(scenario())


def test_what_was_done_from_memory_gets_on_record_in_its_order(tmp_path: Path) -> None:
    """As soon as the disk takes it, without waiting for another event; with the times at which it happened."""

    async def scenario() -> None:
        guarded, disks = await shut_down_from_memory(tmp_path)
        await guarded.clock.sleep(600)
        heard = [(at, event) for at, event in guarded.events if not isinstance(event, ev.GuardArmed)]
        disks[-1].is_full = False
        await guarded.until(lambda: told(guarded, CAN), 60)
        written = [(at, event) for at, event in on_record(guarded) if not isinstance(event, ev.GuardArmed)]
        assert written[:len(heard)] == heard
        assert [at for at, _ in written] == sorted(at for at, _ in written)
        assert guarded.board.last["journal_fault"] is None
        cool(guarded)
        await guarded.until(guarded.is_closed, 4 * HOUR_S)
        await guarded.kill()
        assert told(guarded, CAN) == 1
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())


def test_a_crash_after_the_memory_was_written_loses_nothing(tmp_path: Path) -> None:
    """The next life folds the same record, and brings back all that ran."""

    async def scenario() -> None:
        guarded, disks = await shut_down_from_memory(tmp_path)
        disks[-1].is_full = False
        await guarded.until(lambda: told(guarded, CAN), 60)
        await guarded.kill()
        guarded.start()
        cool(guarded)
        await as_it_began(guarded, 4 * HOUR_S)

    run(scenario())


@pytest.mark.parametrize("phase", [Phase.GUESTS, Phase.HOSTS, Phase.VCENTER, Phase.ALL_OFF])
def test_a_crash_in_memory_mode_loses_no_vm(tmp_path: Path, phase: Phase) -> None:
    """Nothing of the incident is on record: the room is still hot, it trips again, and all that ran comes back."""

    async def scenario() -> None:
        guarded, disks = on_a_disk(tmp_path, settings=FAST)
        await guarded.clock.sleep(900)
        disks[-1].is_full = True
        heat(guarded)
        await guarded.until(lambda: in_phase(guarded, phase), 2 * HOUR_S)
        await guarded.kill()
        guarded.make_room(38.0)
        await guarded.clock.sleep(60)
        guarded.world.advance(guarded.clock.now())
        guarded.start()
        assert guarded.record.incident is None
        until = guarded.clock.now() + 900
        while guarded.clock.now() < until and guarded.record.incident is None:
            guarded.make_room(38.0)
            await guarded.clock.sleep(15)
            guarded.world.advance(guarded.clock.now())
        assert guarded.record.incident is not None
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        cool(guarded)
        await as_it_began(guarded, 4 * HOUR_S)

    run(scenario())


def test_a_way_back_waits_for_the_disk(tmp_path: Path) -> None:
    """The room has recovered and the disk is full: nothing is powered on until the journal takes the turn."""

    async def scenario() -> None:
        guarded, disks = await shut_down_from_memory(tmp_path)
        cool(guarded)
        await guarded.clock.sleep(2 * HOUR_S)
        assert not [h for h in guarded.world.log if h.kind in POWER_ONS]
        assert guarded.record.incident is not None
        assert guarded.record.incident.goal is ev.Goal.OFF
        disks[-1].is_full = False
        await as_it_began(guarded, 4 * HOUR_S)

    run(scenario())


@pytest.mark.parametrize("phase", [Phase.FIRST_HOST, Phase.OTHER_HOSTS, Phase.RESTORE, Phase.START_GUESTS])
def test_a_disk_that_fills_on_the_way_back_holds_it(tmp_path: Path, phase: Phase) -> None:
    """No command without a durable intent there; heat still turns it, from memory, and all goes off again."""

    async def scenario() -> None:
        guarded, disks = on_a_disk(tmp_path, settings=FAST)
        await guarded.clock.sleep(900)
        heat(guarded)
        await guarded.until(guarded.all_off, 2 * HOUR_S)
        cool(guarded)
        await guarded.until(lambda: in_phase(guarded, phase), 4 * HOUR_S)
        disks[-1].is_full = True
        await guarded.clock.sleep(30)
        before = len([h for h in guarded.world.log if h.kind in POWER_ONS])
        await guarded.clock.sleep(HOUR_S)
        assert len([h for h in guarded.world.log if h.kind in POWER_ONS]) == before
        heat(guarded)
        await guarded.until(guarded.all_off, HOUR_S)
        disks[-1].is_full = False
        cool(guarded)
        await as_it_began(guarded, 6 * HOUR_S)

    run(scenario())


@pytest.mark.parametrize("then", [Order.ABORT, Order.PAUSE])
def test_a_person_s_orders_need_no_disk_to_stop_or_to_shut_down(tmp_path: Path, then: Order) -> None:
    """Shutdown, abort and pause are taken up from memory, and get on record when the disk takes them."""

    async def scenario() -> None:
        guarded, disks = on_a_disk(tmp_path)
        await guarded.clock.sleep(900)
        disks[-1].is_full = True
        guarded.order(Order.ACKNOWLEDGE)
        guarded.order(Order.SHUT_DOWN)
        await guarded.until(lambda: in_phase(guarded, Phase.GUESTS), 120)
        number = guarded.order(then)
        await guarded.until(lambda: guarded.answer_to(number), 60)
        await guarded.clock.sleep(30)
        calls = len([h for h in guarded.world.log if h.kind.startswith("call.")])
        await guarded.clock.sleep(HOUR_S)
        assert len([h for h in guarded.world.log if h.kind.startswith("call.")]) == calls
        disks[-1].is_full = False
        await guarded.clock.sleep(120)
        await guarded.kill()
        assert [e.wish.number for _, e in on_record(guarded) if isinstance(e, ev.WishTaken)] == [1, 2, 3]

    run(scenario())


def test_an_order_that_waits_for_the_disk_is_not_lost_and_holds_up_no_other(tmp_path: Path) -> None:
    """Power-on waits in the inbox until the disk is back; where another order comes after it, it is declined."""

    async def scenario() -> None:
        guarded, disks = on_a_disk(tmp_path)
        await guarded.clock.sleep(900)
        guarded.order(Order.SHUT_DOWN)
        await guarded.until(guarded.all_off, HOUR_S)
        disks[-1].is_full = True
        first = guarded.order(Order.POWER_ON)
        await guarded.clock.sleep(240)
        assert guarded.answer_to(first) is None
        second = guarded.order(Order.ACKNOWLEDGE)
        await guarded.until(lambda: guarded.answer_to(second), 60)
        answer = guarded.answer_to(first)
        assert answer is not None
        assert "journal cannot be written" in answer.declined
        third = guarded.order(Order.POWER_ON)
        await guarded.clock.sleep(240)
        assert guarded.all_off()
        disks[-1].is_full = False
        await guarded.until(lambda: guarded.answer_to(third), 120)
        await as_it_began(guarded, 3 * HOUR_S)

    run(scenario())


def test_blindness_on_a_full_disk_is_told_each_time_it_begins_and_ends(tmp_path: Path) -> None:
    """Edges that are not on record are kept in memory: blind, sighted, blind again, and not at each tick."""

    async def scenario() -> None:
        guarded, disks = on_a_disk(tmp_path)
        await guarded.clock.sleep(900)
        disks[-1].is_full = True
        for times in (1, 2):
            guarded.site.faults.silence(SENSORS)
            await guarded.clock.sleep(HOUR_S)
            assert told(guarded, "BLIND") == times
            guarded.site.faults.mend(SENSORS)
            await guarded.clock.sleep(600)
            assert told(guarded, "Sighted again") == times
        assert not guarded.of(ev.AlarmTripped)
        guarded.site.faults.silence(SENSORS)
        await guarded.clock.sleep(HOUR_S)
        disks[-1].is_full = False
        await guarded.until(lambda: guarded.record.level == "blind", 600)
        await guarded.kill()
        assert told(guarded, "BLIND") == 3, "what was told is not told again when it gets on record"
        assert (told(guarded, CANNOT), told(guarded, CAN)) == (1, 1)

    run(scenario())


def test_the_end_of_a_full_disk_is_seen_without_an_event(tmp_path: Path) -> None:
    """In a quiet room there is nothing to write but readings: their being taken tells that the disk has room again."""

    async def scenario() -> None:
        guarded, disks = on_a_disk(tmp_path)
        await guarded.clock.sleep(900)
        disks[-1].is_full = True
        await guarded.until(lambda: told(guarded, CANNOT), 600)
        disks[-1].is_full = False
        await guarded.until(lambda: told(guarded, CAN), 600)
        await guarded.kill()
        assert told(guarded, CANNOT) == 1

    run(scenario())

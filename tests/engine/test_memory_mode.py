"""What may be taken up without a disk that takes it, and what never is."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.days import HOUR_S, commands, cool, declined, heat, in_phase
from engine.full_disk import FullDisk, on_a_disk
from engine.rig import Guarded, quick
from thermo_guard.core import events as ev
from thermo_guard.core.events import Phase
from thermo_guard.core.wishes import Order
from thermo_guard.ports import Fault, Journal, Refused, Transient
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import office


class Failing(FullDisk):
    """As a full disk, but it fails in another way."""

    fault: Fault = Transient("The journal is locked by another program for more than 2 s.")

    def _write(self) -> None:
        if self.is_full:
            raise type(self.fault)(str(self.fault))


class Damaged(Failing):
    fault = Refused("The journal is damaged (database disk image is malformed).")


def on(folder: Path, kind: type[FullDisk], *, is_new: bool = False) -> tuple[Guarded, list[FullDisk]]:
    guarded = Guarded(folder, office(), replace(quick(), arm_after_s=900.0))
    if is_new:
        guarded.new_folder()
    disks: list[FullDisk] = []

    def double(journal: Journal) -> Journal:
        disks.append(kind(journal, takes_readings=False, reserve=8))
        return disks[-1]

    guarded.journal_double = double
    guarded.start()
    return guarded, disks


def test_a_shelved_alarm_trips_again_although_the_disk_is_full(tmp_path: Path) -> None:
    """That the room has been cool since the abort is known without the disk."""

    async def scenario() -> None:
        guarded, disks = on_a_disk(tmp_path)
        await guarded.clock.sleep(900)
        heat(guarded)
        await guarded.until(lambda: in_phase(guarded, Phase.GUESTS), HOUR_S)
        assert await declined(guarded, Order.ABORT) == ""
        disks[-1].is_full = True
        cool(guarded)
        await guarded.until(lambda: guarded.board.last["level"] == "low", HOUR_S)
        heat(guarded)
        await guarded.until(lambda: len(guarded.of(ev.AlarmTripped)) == 2, HOUR_S)
        await guarded.kill()

    run(scenario())


@pytest.mark.parametrize("is_ordered", [True, False])
def test_nothing_arms_from_memory(tmp_path: Path, *, is_ordered: bool) -> None:
    """A crash would take it back: neither by order nor by proof, also in the middle of a person's shutdown."""

    async def scenario() -> None:
        guarded, disks = on(tmp_path, FullDisk, is_new=True)
        await guarded.clock.sleep(700)
        assert await declined(guarded, Order.SHUT_DOWN) == ""
        await guarded.until(lambda: in_phase(guarded, Phase.GUESTS), HOUR_S)
        disks[-1].is_full = True
        disks[-1].reserve = None
        if is_ordered:
            guarded.order(Order.ARM)
        await guarded.clock.sleep(800)
        assert guarded.record.armed is None
        await guarded.kill()

    run(scenario())


def test_an_abort_from_memory_outlives_the_guard(tmp_path: Path) -> None:
    """The inbox still knows it, however old it is by then: who wanted this incident ended still does."""

    async def scenario() -> None:
        guarded, disks = on_a_disk(tmp_path)
        await guarded.clock.sleep(900)
        heat(guarded)
        await guarded.until(lambda: in_phase(guarded, Phase.GUESTS), HOUR_S)
        disks[-1].is_full = True
        guarded.order(Order.ABORT)
        await guarded.until(lambda: guarded.record.incident is None, 60)
        before = len(commands(guarded))
        await guarded.kill()
        await guarded.clock.sleep(11 * 60)
        guarded.start()
        await guarded.clock.sleep(300)
        assert guarded.record.incident is None
        assert len(commands(guarded)) == before
        await guarded.kill()

    run(scenario())


def test_a_lock_costs_no_reserve(tmp_path: Path) -> None:
    """Only a full disk is given it back."""

    async def scenario() -> None:
        guarded, disks = on(tmp_path, Failing)
        await guarded.clock.sleep(900)
        heat(guarded)
        await guarded.until(lambda: in_phase(guarded, Phase.GUESTS), HOUR_S)
        disks[-1].is_full = True
        await guarded.clock.sleep(30)
        assert disks[-1].reserve == 8
        disks[-1].is_full = False
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.kill()

    run(scenario())


def test_a_journal_that_breaks_on_the_way_down_ends_no_shutdown(tmp_path: Path) -> None:
    """It goes on from memory; in quiet time the guard ends, so that its next start sets the journal aside."""

    async def scenario() -> None:
        guarded, disks = on(tmp_path, Damaged)
        await guarded.clock.sleep(900)
        heat(guarded)
        await guarded.until(lambda: in_phase(guarded, Phase.GUESTS), HOUR_S)
        disks[-1].is_full = True
        await guarded.until(guarded.all_off, HOUR_S)
        await guarded.kill()

    run(scenario())

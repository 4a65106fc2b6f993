"""A goal that turns while commands wait for their turn at a slow vCenter: what has not been sent is never sent."""

from pathlib import Path

from engine.days import FAST, HOUR_S, is_as_before
from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.commands import VCENTER, Outcome, Verb
from thermo_guard.core.wishes import Order
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import big

SLOW_S = 8.0


def calls(guarded: Guarded, verb: Verb, since: float = 0.0) -> int:
    return sum(h.kind == f"call.{verb}" and h.at > since for h in guarded.world.log)


def unsent(guarded: Guarded, verb: Verb) -> set[str]:
    """Targets of which the record says that the command never left the guard."""
    return {answer.target for event in guarded.of(ev.Answered) for answer in event.answers
            if (answer.verb, answer.outcome) == (verb, Outcome.UNSENT)}


def test_what_waits_is_called_back_when_the_goal_turns(tmp_path: Path) -> None:
    """By a person's order half-way down; in the end all runs that ran."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, big(4, 150), FAST)
        guarded.start()
        await guarded.clock.sleep(900)
        guarded.order(Order.SHUT_DOWN)
        guarded.site.faults.slow(VCENTER, SLOW_S)
        await guarded.until(lambda: calls(guarded, Verb.SHUT_DOWN_GUEST), HOUR_S)
        number = guarded.order(Order.POWER_ON)
        await guarded.until(lambda: guarded.answer_to(number), 60)
        turned_at = guarded.clock.now()
        assert unsent(guarded, Verb.SHUT_DOWN_GUEST)
        await guarded.clock.sleep(120)
        assert calls(guarded, Verb.SHUT_DOWN_GUEST, turned_at + SLOW_S) == 0
        guarded.site.faults.mend(VCENTER)
        await guarded.until(guarded.is_closed, 6 * HOUR_S)
        assert is_as_before(guarded)
        await guarded.kill()

    run(scenario())

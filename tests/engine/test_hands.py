"""Commands on their way: one that breaks, an edge that hangs, what has become wrong while it waited."""

from pathlib import Path

import pytest

from engine.rig import Guarded
from thermo_guard.core import events as ev
from thermo_guard.core.commands import Command, Outcome, Verb
from thermo_guard.sim.loop import run
from thermo_guard.sim.plans import day_of_failing_cooling, office
from thermo_guard.sim.site import SiteHypervisor

HOUR_S = 3600.0


class Breaks(SiteHypervisor):
    """The virtual hypervisor with a bug that the first command of one verb runs into."""

    def __init__(self, hypervisor: SiteHypervisor, verb: Verb) -> None:
        self.__dict__.update(hypervisor.__dict__)
        self.verb: Verb | None = verb

    async def execute(self, command: Command, address: str | None = None) -> None:
        if command.verb is self.verb:
            self.verb = None
            raise AttributeError("'NoneType' object has no attribute 'info'")
        await super().execute(command, address)


@pytest.mark.parametrize("verb", [Verb.DISARM_HA, Verb.SHUT_DOWN_GUEST, Verb.SHUT_DOWN_HOST, Verb.POWER_ON_VM])
def test_a_command_that_breaks_does_not_end_the_guard(tmp_path: Path, verb: Verb) -> None:
    """What no adapter foresaw may have been done: it is looked at, asked again, and the day ends as it began."""

    async def scenario() -> None:
        guarded = Guarded(tmp_path, day_of_failing_cooling(office()))
        guarded.hypervisor = Breaks(guarded.site.hypervisor, verb)
        guarded.start()
        await guarded.until(guarded.is_closed, 8 * HOUR_S)
        await guarded.kill()
        broken = [a for event in guarded.of(ev.Answered) for a in event.answers if "AttributeError" in a.text]
        assert [(a.verb, a.outcome) for a in broken] == [(verb, Outcome.AMBIGUOUS)]
        assert guarded.before.differences(guarded.world.running()) == ()

    run(scenario())

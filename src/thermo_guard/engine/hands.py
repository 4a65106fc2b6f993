"""Carries commands out beside the loop, many at once and bounded, and collects how each was answered.

The caller has journaled the intents before they come here. An answer is only what the call returned; whether the deed
was done is for a later look.
"""

import asyncio
from collections.abc import Iterable, Mapping

import structlog

from thermo_guard.core.commands import VCENTER, Command, Outcome, Verb
from thermo_guard.core.events import Answer
from thermo_guard.ports import Ambiguous, Fault, Hypervisor, PowerController, Refused, Transient, Unauthorized

log = structlog.get_logger()

AT_ONCE = 32
"""Commands under way at one time; the adapters bound each endpoint further."""

_OUTCOMES = {
    Transient: Outcome.TRANSIENT, Refused: Outcome.REFUSED,
    Unauthorized: Outcome.UNAUTHORIZED, Ambiguous: Outcome.AMBIGUOUS,
}


class Hands:
    def __init__(self, hypervisor: Hypervisor, bmcs: Mapping[str, PowerController]) -> None:
        self._hypervisor = hypervisor
        self._bmcs = bmcs
        self._free = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[tuple[Verb, str], asyncio.Task[Answer]] = {}

    def idle(self, commands: Iterable[Command]) -> tuple[Command, ...]:
        """Those of the commands that are not under way already."""
        return tuple(command for command in commands if command.key not in self._under_way)

    def start(self, commands: Iterable[Command], addresses: Mapping[str, str]) -> None:
        """Send the commands; `addresses` gives host:port of each host that is asked directly."""
        for command in commands:
            self._under_way[command.key] = asyncio.ensure_future(self._carry_out(command, addresses.get(command.via)))

    async def _carry_out(self, command: Command, address: str | None) -> Answer:
        async with self._free:
            try:
                if command.verb is Verb.POWER_ON_HOST:
                    await self._bmcs[command.via].power_on()
                else:
                    await self._hypervisor.execute(command, None if command.via == VCENTER else address)
            except Fault as fault:
                outcome = next(o for kind, o in _OUTCOMES.items() if isinstance(fault, kind))
                log.warning("command.failed", verb=str(command.verb), target=command.name, via=command.via,
                            outcome=str(outcome), reason=str(fault))
                return Answer(command.verb, command.target, outcome, str(fault))
            except Exception as error:
                log.exception("command.broken", verb=str(command.verb), target=command.name, via=command.via)
                text = f"unforeseen {type(error).__name__}, see the log; it may have been done"
                return Answer(command.verb, command.target, Outcome.AMBIGUOUS, text)
            return Answer(command.verb, command.target, Outcome.ACCEPTED)

    def answers(self) -> tuple[Answer, ...]:
        """What has been answered since it was last asked."""
        done = [(key, task) for key, task in self._under_way.items() if task.done()]
        for key, _ in done:
            del self._under_way[key]
        return tuple(task.result() for _, task in done)

    @property
    def tasks(self) -> list[asyncio.Task[Answer]]:
        return list(self._under_way.values())

    async def aclose(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

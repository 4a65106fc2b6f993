"""Carries commands out beside the loop, many at once and bounded, and collects how each was answered.

The caller has journaled the intents before they come here. An answer is only what the call returned; whether the deed
was done is for a later look. A command that waits for its turn too long, or is no longer wanted when its turn comes, is
answered as unsent, so that the planner can take another way: no queue outlives the goal that filled it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import structlog

from thermo_guard.core.commands import VCENTER, Command, Outcome, Verb
from thermo_guard.core.events import Answer
from thermo_guard.ports import Ambiguous, Fault, Hypervisor, PowerController, Refused, Transient, Unauthorized

log = structlog.get_logger()

AT_VCENTER = 16
"""As many as the adapter has connections to vCenter: a longer queue there could not be called back."""
AT_HOST = 4
AT_BMC = 1
TURN_S = 10.0
"""A command whose turn has not come within this time is answered as unsent."""

_BY_BMC = {Verb.POWER_ON_HOST, Verb.FORCE_OFF_HOST}

WhyNot = Callable[[Command], str | None]
"""Why a command must not be sent now, in words; None where it may."""

_OUTCOMES = {
    Transient: Outcome.TRANSIENT, Refused: Outcome.REFUSED,
    Unauthorized: Outcome.UNAUTHORIZED, Ambiguous: Outcome.AMBIGUOUS,
}


class Hands:
    def __init__(self, hypervisor: Hypervisor, bmcs: Mapping[str, PowerController]) -> None:
        self._hypervisor = hypervisor
        self._bmcs = bmcs
        self._slots = {
            VCENTER: defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(AT_VCENTER)),
            "host": defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(AT_HOST)),
            "bmc": defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(AT_BMC)),
        }
        """Of each endpoint its own, so that one that hangs holds up no other."""
        self._under_way: dict[tuple[Verb, str], asyncio.Task[Answer]] = {}
        self._queued: set[tuple[Verb, str]] = set()
        """Those under way that have not been sent yet."""
        self._recalled: set[asyncio.Task[Answer]] = set()

    def idle(self, commands: Iterable[Command]) -> tuple[Command, ...]:
        """Those of the commands that are not under way already."""
        return tuple(command for command in commands if command.key not in self._under_way)

    def is_under_way(self, key: tuple[Verb, str]) -> bool:
        return key in self._under_way

    def start(
        self, commands: Iterable[Command], addresses: Mapping[str, str], why_not: WhyNot = lambda _: None
    ) -> None:
        """Send the commands, each as its turn comes.

        :param addresses: host:port of each host that is asked directly.
        :param why_not: asked of each just before it is sent.
        """
        for command in commands:
            self._queued.add(command.key)
            self._under_way[command.key] = asyncio.ensure_future(
                self._in_turn(command, addresses.get(command.via), why_not)
            )

    def recall(self) -> tuple[Answer, ...]:
        """Take back what has not been sent yet; its answers. For a goal that turns."""
        answers = []
        for key in self._queued:
            task = self._under_way.pop(key)
            self._recalled.add(task)
            task.add_done_callback(self._recalled.discard)
            task.cancel()
            answers.append(Answer(*key, Outcome.UNSENT, "not sent: the goal has turned"))
        self._queued.clear()
        return tuple(answers)

    def _slot(self, command: Command) -> asyncio.Semaphore:
        is_bmc = command.verb in _BY_BMC
        return self._slots["bmc" if is_bmc else VCENTER if command.via == VCENTER else "host"][command.via]

    async def _in_turn(self, command: Command, address: str | None, why_not: WhyNot) -> Answer:
        slot = self._slot(command)
        try:
            async with asyncio.timeout(TURN_S):
                await slot.acquire()
        except TimeoutError:
            self._queued.discard(command.key)
            return _unsent(command, f"its turn did not come within {TURN_S:g} s")
        try:
            self._queued.discard(command.key)
            if (reason := why_not(command)) is not None:
                return _unsent(command, reason)
            return await self._carry_out(command, address)
        finally:
            slot.release()

    async def _carry_out(self, command: Command, address: str | None) -> Answer:
        try:
            if command.verb is Verb.POWER_ON_HOST:
                await self._bmcs[command.via].power_on()
            elif command.verb is Verb.FORCE_OFF_HOST:
                await self._bmcs[command.via].force_off()
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
        await asyncio.gather(*self.tasks, *self._recalled, return_exceptions=True)


def _unsent(command: Command, reason: str) -> Answer:
    log.debug("command.not_sent", verb=str(command.verb), target=command.name, via=command.via, reason=reason)
    return Answer(command.verb, command.target, Outcome.UNSENT, f"not sent: {reason}")

"""What was asked of one server and is not yet known to have ended: running tasks, VMs that may ask a question.

A task that fails after it was accepted is reported once, with the next look.
"""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from pyVmomi import vim, vmodl

from thermo_guard.core.commands import Command, Verb
from thermo_guard.core.plant import CommandFailure, Vm

from . import collector
from .page import NS, TYPE, Value, text
from .questions import moved
from .session import Session

_KEPT = 20_000
"""Tasks at most: two for each VM of the largest cluster. A server forgets a task ten minutes after it ended."""


@dataclass(frozen=True, slots=True)
class _Asked:
    verb: Verb
    target: str


class Acts:
    """One server's; `check` blocks and runs in a thread, everything else on the loop."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Asked] = {}
        self._failed: list[CommandFailure] = []
        self._starting: set[str] = set()

    def sent(self, command: Command, task: str | None) -> None:
        """Remember an accepted command and its task, where it has one."""
        if command.verb is Verb.POWER_ON_VM:
            self._starting.add(command.target)
        elif command.verb is not Verb.ANSWER_VM:
            self._starting.discard(command.target)
        if task is not None:
            while len(self._tasks) >= _KEPT:
                del self._tasks[next(iter(self._tasks))]
            self._tasks[task] = _Asked(command.verb, command.target)

    def check(self, session: Session) -> None:
        """Read all open tasks in one call; forget those that ended, keep what failed for `failures`."""
        if not self._tasks:
            return
        objects = [vim.Task(key, session.wire) for key in list(self._tasks)]
        try:
            seen = collector.of(session, objects, vim.Task, ("info.state", "info.error"))
        except vmodl.fault.ManagedObjectNotFound as gone:
            if gone.obj is None or self._tasks.pop(collector.ref(gone.obj), None) is None:
                self._tasks.clear()  # the server has restarted and knows none of them
            return
        for key, properties in seen.items():
            state = str(properties.get("info.state"))
            if state not in {"success", "error"}:
                continue
            asked = self._tasks.pop(key)
            error = properties.get("info.error")
            if state == "error" and not is_as_wanted(asked.verb, TaskError.read(error).existing):
                self._failed.append(CommandFailure(asked.verb, asked.target, TaskError.read(error).text))

    def failures(self) -> tuple[CommandFailure, ...]:
        """Give what failed since this was last asked."""
        failed, self._failed = tuple(self._failed), []
        return failed

    def moved_answer(self, vm: Vm, pending: Value | None) -> tuple[str, str] | None:
        """Give (question id, choice) where a VM that the guard starts asks whether it was moved or copied.

        It was moved: its host is dead. 'Copied' would give it new identities.
        """
        if vm.question is None or vm.id not in self._starting:
            return None
        choice = moved(pending)
        return None if choice is None else (vm.question.id, choice)


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a task failed, as its info tells."""

    kind: str
    """The fault's class."""
    text: str
    existing: str | None
    """An InvalidPowerState's power state."""

    @staticmethod
    def read(error: Value | None) -> "TaskError":
        if not isinstance(error, Element):
            return TaskError("", "the task failed without a reason", None)
        fault = error.find(f"{NS}fault")
        kind = "" if fault is None else fault.get(TYPE, "").rpartition(":")[2]
        told = ": ".join(part for part in (kind, (text(error, "localizedMessage") or "").strip()) if part)
        return TaskError(kind, told or "the task failed without a reason", text(fault, "existingState"))


def is_as_wanted(verb: Verb, existing: str | None) -> bool:
    """Tell whether an InvalidPowerState only says that the VM is already as it was asked to be."""
    if existing is None:
        return False
    if verb is Verb.POWER_ON_VM:
        return existing == "poweredOn"
    return verb in {Verb.SHUT_DOWN_GUEST, Verb.POWER_OFF_VM, Verb.TERMINATE_VM} and existing != "poweredOn"

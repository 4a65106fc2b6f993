"""Questions that stand a VM still until somebody answers them: as values, and told once when they are first seen.

Source: VirtualMachineQuestionInfo of the vSphere Web Services API.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from xml.etree.ElementTree import Element

import structlog

from thermo_guard.core.plant import Question, Vm

from .page import NS, Value, each, text

_log = structlog.get_logger(__name__)

_MOVED_OR_COPIED = "msg.uuid.altered"


def question_of(pending: Value | None) -> Question | None:
    """Read what a VM asks; None where it asks nothing.

    Whether it was moved or copied has 'moved' as its default, whatever the server proposes: 'copied' would give it new
    identities, and in a hot room nobody has copied one.
    """
    if not isinstance(pending, Element):
        return None
    choices = tuple((key, label) for key, label, _ in _choices(pending))
    proposed = text(pending, "choice/defaultIndex") or ""
    default = choices[int(proposed)][0] if proposed.isdecimal() and int(proposed) < len(choices) else None
    return Question(text(pending, "id") or "", _said(pending), moved(pending) or default, choices)


def moved(pending: Value | None) -> str | None:
    """Give the choice that says the VM was moved, where it asks whether it was moved or copied."""
    if not isinstance(pending, Element):
        return None
    named = [_said(pending), *(text(message, "id") or "" for message in each(pending, "message"))]
    if not any(_MOVED_OR_COPIED in name for name in named):
        return None
    told = ((key, f"{key} {label} {summary}".replace("_", "").lower()) for key, label, summary in _choices(pending))
    return next((key for key, words in told if "moved" in words), None)


class Questions:
    """Those that have been told, of all servers together, as vCenter and a host show the same one."""

    def __init__(self) -> None:
        self._told: dict[str, Question] = {}
        """By VM."""

    def tell(self, vms: Iterable[Vm]) -> None:
        """Log each question once; one that comes again after it was gone is told again."""
        for vm in vms:
            if vm.question is None:
                self._told.pop(vm.id, None)
                continue
            question = replace(vm.question, id="")  # each server has numbers of its own
            if question != self._told.get(vm.id):
                self._told[vm.id] = question
                _log.warning("vm.question_pending", vm=vm.name, question=question.text,
                             choices=dict(question.choices), default=question.default)


def _said(pending: Element) -> str:
    """Its text; where the server fills only its messages, theirs."""
    said = (text(pending, "text") or "").strip()
    return said or " ".join(told for m in each(pending, "message") if (told := (text(m, "text") or "").strip()))


def _choices(pending: Element) -> Iterator[tuple[str, str, str]]:
    """Key, label and summary of each."""
    for choice in pending.iterfind(f"{NS}choice/{NS}choiceInfo"):
        key, label, summary = (text(choice, part) or "" for part in ("key", "label", "summary"))
        yield key, label or summary, summary

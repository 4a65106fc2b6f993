"""What the guard's own crashes say: whether it ended three times in a row over the same command.

A life that does not end with `guard.stopped` was a crash: a kill, a loss of power, a tick that hung. One says nothing;
three in a row, each with the same command sent in that life and not answered, say that this command is what it cannot
survive, or where it hangs. What was sent in an earlier life says nothing: it may be done, and its answer lost.
"""

from collections.abc import Iterable

from . import events as ev
from .commands import Command, Verb

CRASHES = 3

Key = tuple[Verb, str]


_HOSTS = {Verb.ENTER_MAINTENANCE, Verb.EXIT_MAINTENANCE, Verb.SHUT_DOWN_HOST, Verb.FORCE_OFF_HOST, Verb.POWER_ON_HOST,
          Verb.RECONNECT_HOST}
_VMS = {Verb.SHUT_DOWN_GUEST, Verb.ANSWER_VM, Verb.POWER_OFF_VM, Verb.TERMINATE_VM, Verb.POWER_ON_VM, Verb.ADOPT_VM}


def set_aside(entries: Iterable[ev.Entry], phase: ev.Phase) -> tuple[ev.Abandoned, ...]:
    """The targets that are not touched any more in this leg, since the guard ended three times in a row over them.

    :param entries: up to the end of the last life; the new one has not written yet.
    :param phase: in which the incident is.
    """
    return tuple(
        ev.Abandoned(
            "host" if command.verb in _HOSTS else "vm" if command.verb in _VMS else "cluster",
            command.target, command.name, phase,
            f"Thermo-Guard itself ended {CRASHES} times in a row while it waited for the answer to {command.verb}: "
            "it is left as it is, and the rest goes on", is_set_aside=True,
        )
        for command in fatal_commands(entries)
    )


def fatal_commands(entries: Iterable[ev.Entry]) -> tuple[Command, ...]:
    """Commands that each of the last three lives, all ended by crashes, has sent without an answer; mostly none.

    :param entries: up to the end of the last life; the new one has not written yet.
    """
    return _in_common(_ends(entries), CRASHES)


def suspects(entries: Iterable[ev.Entry]) -> frozenset[Key]:
    """What may be fatal after one crash less: sent one by one, so that the third crash shows which of them it is.

    :param entries: as of `fatal_commands`.
    """
    return frozenset(command.key for command in _in_common(_ends(entries), CRASHES - 1))


def _in_common(ends: list[dict[Key, Command]], count: int) -> tuple[Command, ...]:
    if len(ends) < count:
        return ()
    *before, last = ends[-count:]
    return tuple(command for key, command in last.items() if all(key in end for end in before))


def _ends(entries: Iterable[ev.Entry]) -> list[dict[Key, Command]]:
    """What each of the lives that crashed, since one last ended in order, had sent and not heard of."""
    ends: list[dict[Key, Command]] = []
    unanswered: dict[Key, Command] = {}
    is_alive = False
    for entry in entries:
        match entry.event:
            case ev.GuardStarted():
                if is_alive:
                    ends.append(unanswered)
                unanswered, is_alive = {}, True
            case ev.GuardStopped():
                is_alive = False
                ends.clear()
            case ev.Intended(commands=commands):
                unanswered.update((command.key, command) for command in commands)
            case ev.Answered(answers=answers):
                for answer in answers:
                    unanswered.pop((answer.verb, answer.target), None)
            case (ev.RoomRecovered() | ev.HeatReturned() | ev.GoalWished() | ev.IncidentClosed() | ev.ShedEnded()
                  | ev.ShedResumed()):
                unanswered.clear()
            case _:
                pass
    return [*ends, unanswered] if is_alive else ends

"""What would have been decided, on a terminal and as data."""

import math
import textwrap
from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from thermo_guard.core.decisions import Decision, What
from thermo_guard.core.readings import Kind
from thermo_guard.screens import many

from .options import Asked
from .recording import Recording, moment, span
from .rerun import Outcome, Trip

_STYLES = {
    What.TRIPPED: "bold red", What.CRITICAL: "bold red", What.BLIND: "bold magenta", What.SHED: "yellow",
    What.WARNED: "yellow", What.PERMISSIVE: "bold green", What.SENSOR_SUSPECT: "cyan",
}
_COLUMNS = (("time", 21), ("event", 17), ("level", 10), ("degC", 7))
_BEFORE_REASON = sum(width for _, width in _COLUMNS)
_LEAST_REASON = 30
RESTORED = "cooling restored"


def as_data(decision: Decision) -> Mapping[str, object]:
    """One decision for programs."""
    data: dict[str, object] = {
        "time": moment(decision.at), "event": str(decision.what), "level": decision.level,
        "celsius": None if decision.celsius is None else round(decision.celsius, 2), "reason": decision.reason,
    }
    if decision.sensor:
        data["sensor"] = decision.sensor
    if decision.facts:
        data["facts"] = _plain(decision.facts)
    return data


def _plain(value: object) -> object:
    """As JSON has it: a number that is none is null."""
    match value:
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case float():
            return value if math.isfinite(value) else None
        case str() | int() | None:
            return value
        case list() | tuple() | set() | frozenset():
            return [_plain(one) for one in value]
        case _:
            return str(value)


class Screen:
    """The table, as it comes, and the closing summary."""

    def __init__(self, console: Console, asked: Asked, *, is_silent: bool) -> None:
        """:param is_silent: the events are printed as data elsewhere; only notes and the summary are shown."""
        self._console = console
        self._asked = asked
        self._is_silent = is_silent
        self._restored_at = asked.cooling_restored_at
        self._said_again = 0

    def begin(self, recording: Recording) -> None:
        for note in (*self._asked.notes, *recording.notes):
            self._line(f"Note: {note}.".replace("..", "."))
        absent = set(self._asked.policy.sensors or ()) - set(recording.habits[Kind.ROOM].sensors)
        if absent:
            self._line(f"Note: nothing is recorded of {', '.join(sorted(absent))}.")
        votes, count = self._asked.policy.votes, len(recording.habits[Kind.ROOM].sensors)
        if votes is not None and votes > count:
            wanted = f"{many(votes, 'vote')} wanted of {many(count, 'room sensor')}"
            self._line(f"Note: {wanted}: HIGH can never be voted.")
        if not self._is_silent:
            self._line("".join(name.ljust(width) for name, width in _COLUMNS) + "reason", "bold")

    def show(self, decision: Decision) -> None:
        if self._is_silent:
            return
        if self._restored_at is not None and decision.at >= self._restored_at:
            self._mark_restored()
        if decision.what is What.STILL_BLIND:
            self._said_again += 1
            return
        reason = f"{decision.sensor}: {decision.reason}" if decision.sensor else decision.reason
        if self._said_again:
            reason += f" (told {many(self._said_again, 'more time')} meanwhile)"
            self._said_again = 0
        celsius = "" if decision.celsius is None else _degrees(decision.celsius)
        self._row(decision.at, str(decision.what), decision.level, celsius, reason, _STYLES.get(decision.what, ""))

    def end(self, recording: Recording, outcome: Outcome) -> None:
        if not self._is_silent:
            ended_at = outcome.ended_at
            if self._restored_at is not None and ended_at is not None and self._restored_at <= ended_at:
                self._mark_restored()
            if self._said_again:
                self._line(f"(blindness told {many(self._said_again, 'more time')})")
            self._line("")
        for name, text in _summary(recording, outcome, self._asked):
            self._line(f"{name:<12}{text}")

    def _mark_restored(self) -> None:
        at, self._restored_at = self._restored_at, None
        if at is not None:
            self._row(at, RESTORED, "", "", "--cooling-restored-at", "bold blue")

    def _row(self, at: float, event: str, level: str, celsius: str, reason: str, style: str) -> None:
        texts = (moment(math.floor(at)).replace("T", " ").rstrip("Z"), event, level, celsius)
        before = "".join(text.ljust(width) for text, (_, width) in zip(texts, _COLUMNS, strict=True))
        width = self._console.width - _BEFORE_REASON
        lines = [reason]
        if self._console.is_terminal and width >= _LEAST_REASON:
            lines = textwrap.wrap(reason, width) or [""]
        self._line(before + ("\n" + " " * _BEFORE_REASON).join(lines), style)

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)


def _degrees(celsius: float) -> str:
    """As sensors write them; what no sensor means stays short too."""
    return f"{celsius:.1f}" if abs(celsius) < 10_000 else f"{celsius:.0e}"


def _summary(recording: Recording, outcome: Outcome, asked: Asked) -> list[tuple[str, str]]:
    policy = asked.policy
    votes = "a majority votes" if policy.votes is None else f"{policy.votes} votes"
    limits = f"HIGH {policy.high_c:g}, LOW {policy.low_c:g}, CRITICAL {policy.critical_c:g} degC"
    lines = [("with", f"{limits}, {votes}, {span(policy.stop_s or 0)} to stop everything")]
    if outcome.began_at is None or outcome.ended_at is None:
        return [*lines, ("recorded", "nothing that can be replayed"), *_not_taken(recording)]
    room, inlets = recording.habits[Kind.ROOM].sensors, recording.habits[Kind.BMC].sensors
    when = f"{moment(outcome.began_at)} to {moment(outcome.ended_at)} ({span(outcome.ended_at - outcome.began_at)})"
    whose = f"{many(len(room), 'room sensor')} and {many(len(inlets), 'inlet')}"
    lines.append(("recorded", f"{when}: {len(recording):,} row{'s' * (len(recording) != 1)} of {whose}"))
    lines += _not_taken(recording)
    if outcome.hottest_c is not None and outcome.hottest_at is not None:
        lines.append(("hottest", f"{outcome.hottest_c:.1f} degC at {moment(outcome.hottest_at)}, of what counted"))
    if outcome.blind_s:
        lines.append(("blind", f"for {span(outcome.blind_s)} in all: of that time nothing is known"))
    if not outcome.trips:
        seen = " by what was seen" if outcome.blind_s else ""
        lines.append(("trips", f"none: it would have stopped nothing{seen}"))
    for trip in outcome.trips:
        lines += _of_trip(trip, asked)
    if (at := asked.cooling_restored_at) is not None and not outcome.began_at <= at <= outcome.ended_at:
        lines.append(("note", f"--cooling-restored-at {moment(at)} is outside of what was recorded"))
    return lines


def _not_taken(recording: Recording) -> list[tuple[str, str]]:
    counts = recording.tally.counts
    if not counts:
        return []
    told = "; ".join(f"{reason} ({count:,})" for reason, count in counts.most_common())
    examples = [("", f"e.g. {example}") for example in recording.tally.examples]
    return [("odd rows", f"{counts.total():,}: {told}"), *examples]


def _of_trip(trip: Trip, asked: Asked) -> list[tuple[str, str]]:
    restored_at = asked.cooling_restored_at
    if trip.high_at is None:
        when = "before any sensor stood at HIGH"
    else:
        when = f"{span(trip.at - trip.high_at)} after the hottest came to HIGH"
    lines = [("tripped", f"{moment(trip.at)}, {when}")]
    margin_s = trip.margin_s
    if margin_s is None or trip.critical_at is None:
        lines.append(("margin", "the recorded room never became CRITICAL after it" if trip.blind_at is None else
                      f"not known: from {moment(trip.blind_at)} on nothing was seen that counts"))
    else:
        verdict = f"{span(margin_s)} left" if margin_s >= 0 else f"TOO LATE by {span(-margin_s)}"
        off_at = moment(trip.at + trip.stop_s)
        lines.append(("margin", f"{verdict}: everything off at {off_at}, CRITICAL at {moment(trip.critical_at)}"))
    if trip.permissive_at is None:
        lines.append(("permissive", "not before the end of the recording"))
        return lines
    when = f"{span(trip.permissive_at - trip.at)} after the trip"
    if restored_at is not None:
        apart_s = trip.permissive_at - restored_at
        when += (f", {span(apart_s)} after the cooling was restored" if apart_s >= 0 else
                 f", {span(-apart_s)} BEFORE the cooling was restored: a PREMATURE restart")
    lines.append(("permissive", f"{moment(trip.permissive_at)}, {when}"))
    return lines

"""The public traces: temperatures of real rooms in which nothing was to be stopped."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from score import noise
from score.policies import Maker
from score.sensing import EPOCH
from thermo_guard.core.decisions import What
from thermo_guard.core.policy_settings import PolicySettings
from thermo_guard.core.readings import Kind, Poll, Reading

Polls = Iterator[tuple[float, list[Poll]]]


@dataclass(frozen=True, slots=True)
class Trace:
    name: str
    what: str
    trips: Mapping[str, str]
    """By policy, the reasons of its trips; empty where it did not."""
    suspects: tuple[str, ...]
    """What our policy found wrong with its sensors."""


def played(makers: Mapping[str, Maker], settings: PolicySettings, folder: Path = noise.TRACES) -> list[Trace]:
    """Every trace under every policy; none where they are not beside the project."""
    if not folder.exists():
        return []
    return [
        _played("motes", "two neighbours indoors; one is heated to 56.6 degC for ten minutes", _motes, folder, makers,
                settings),
        _played("nab ambient", "an office for ten months, hourly, with a week's gap", _ambient, folder, makers,
                settings),
        _played("bmc_fleet", "inlets of 200 servers that are off, for two hours", _fleet, folder, makers, settings),
    ]


def _played(name: str, what: str, polls: Callable[[Path], Polls], folder: Path, makers: Mapping[str, Maker],
            settings: PolicySettings) -> Trace:
    trips: dict[str, str] = {}
    suspects: set[str] = set()
    for policy_name, make in makers.items():
        policy = make(settings, EPOCH)
        for now, answers in polls(folder):
            for poll in answers:
                policy.take(poll)
            for decision in policy.decide(now):
                if decision.what is What.TRIPPED:
                    trips.setdefault(policy_name, decision.reason)
                if decision.what is What.SENSOR_SUSPECT:
                    suspects.add(f"{decision.sensor}: {decision.reason}")
    return Trace(name, what, trips, tuple(sorted(suspects)))


def _motes(folder: Path) -> Polls:
    """Every 5 s, as over MQTT."""
    for n, pair in enumerate(zip(*noise.motes(folder), strict=False)):
        now = EPOCH + 5.0 * n
        readings = tuple(Reading(f"mote-{m}", celsius, now, now, 0.0) for m, celsius in enumerate(pair, 1))
        yield now, [Poll(now, readings)]


def _ambient(folder: Path) -> Polls:
    """Polled every ten minutes, measured every hour."""
    rows = [(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp(), c) for at, c in noise.nab_ambient(folder)]
    begin = rows[0][0]
    for n, (at, celsius) in enumerate(rows):
        until = rows[n + 1][0] if n + 1 < len(rows) else at + 3600
        now = at
        while now < until:
            line = EPOCH + now - begin
            yield line, [Poll(line, (Reading("office", celsius, EPOCH + at - begin, line, now - at),))]
            now += 240.0


def _fleet(folder: Path) -> Polls:
    """Every minute; the room has no sensors of its own."""
    fleet = noise.bmc_fleet(folder)
    for minute in range(max(len(values) for values in fleet.values())):
        now = EPOCH + 60.0 * minute
        yield now, [
            Poll(now, (Reading(node, values[minute], now, now, 0.0, Kind.BMC, is_running=False),), (), Kind.BMC,
                 lists_all=False)
            for node, values in fleet.items() if minute < len(values)
        ]

"""One draw as it goes under our policy: what the air does, what the sensors say, what is decided."""

import sys
from dataclasses import replace

from score import benign, noise
from score.draw import Draw, truth_of
from score.policies import OURS, POLICIES
from score.rows import ROWS
from score.run import Life
from score.sensing import EPOCH
from score.work import GROUPS, SETTINGS
from thermo_guard.core.decisions import Decision
from thermo_guard.core.readings import Kind, Poll

EVERY_S = 60.0


def one(name: str) -> int:
    """Print a draw; `name` is ROW:NUMBER, the row by its name or its beginning."""
    wanted, _, number = name.rpartition(":")
    for row in ROWS:
        if row.name.lower().startswith(wanted.lower()):
            _lived(row.draw(int(number)))
            return 0
    for group in GROUPS:
        if group.name.lower().startswith(wanted.lower()):
            _spent(group.draw(int(number)))
            return 0
    print(f"no row {wanted!r}; there are: " + ", ".join(r.name for r in (*ROWS, *GROUPS)), file=sys.stderr)
    return 2


class Wiretap:
    """Our policy, with what it was told last."""

    def __init__(self, stop_s: float) -> None:
        self._policy = POLICIES[OURS](replace(SETTINGS, stop_s=stop_s), EPOCH)
        self.last: dict[str, str] = {}

    def take(self, poll: Poll) -> None:
        for reading in poll.readings:
            unit = "" if reading.kind is Kind.ROOM else "i"
            self.last[reading.sensor] = f"{reading.celsius:g}{unit}"
        self._policy.take(poll)

    def decide(self, now: float) -> tuple[Decision, ...]:
        return self._policy.decide(now)

    def is_clear(self, since: float, now: float) -> bool:
        return self._policy.is_clear(since, now)


def _lived(draw: Draw) -> None:
    site, truth = draw.site, truth_of(draw)
    print(f"{draw.key}: {site}\ncooling {draw.courses}, fails at {draw.fails_s:.0f}, back {draw.back_s}")
    print(f"unstopped: {truth}; an oracle's margin {truth.oracle_margin_s(site.stop_s):.0f} s")
    for sensor in draw.sensors:
        print(f"  {sensor}")
    tap = Wiretap(site.stop_s)
    life = Life(draw, tap, noise.pools())
    for at_s, air_c, decided in life.through():
        if at_s % EVERY_S == 0 and at_s > draw.fails_s - 300:
            print(f"{at_s:7.0f} s  air {air_c:6.2f}  " + " ".join(tap.last.values()))
        _tell(at_s, decided)
        if life.stops and at_s > max(life.stops[0], truth.critical_s if truth.critical_s < 1e9 else 0) + 60 and (
            draw.back_s is None
        ):
            break


def _spent(quiet: benign.Quiet) -> None:
    print(quiet)
    tap = Wiretap(quiet.site.stop_s)
    for at_s, polls in benign.minutes(quiet, noise.pools()):
        for poll in polls:
            tap.take(poll)
        decided = tap.decide(EPOCH + at_s)
        if decided:
            print(f"{at_s:7.0f} s  " + " ".join(tap.last.values()))
        _tell(at_s, decided)


def _tell(at_s: float, decided: tuple[Decision, ...]) -> None:
    for decision in decided:
        print(f"{at_s:7.0f} s  {decision.what.upper()} {decision.level} {decision.celsius} {decision.sensor} "
              f"{decision.reason} {dict(decision.facts)}")

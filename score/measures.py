"""The figures of a row, with their bounds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from score.benign import Spell
from score.run import Outcome

YEAR_D = 365.25
CONFIDENCE = 0.95


def quantile(values: Sequence[float], share: float) -> float | None:
    """The nearest rank, which interpolates nothing and knows infinity; None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))] if ordered else None


def poisson_upper(events: int) -> float:
    """The mean that this many events or fewer would come from in only one of twenty cases."""
    low, high = 0.0, 10.0 + 3 * events
    for _ in range(100):
        middle = (low + high) / 2
        term, total = math.exp(-middle), 0.0
        for k in range(events + 1):
            total += term
            term *= middle / (k + 1)
        low, high = (middle, high) if total > 1 - CONFIDENCE else (low, middle)
    return high


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The share's bounds at 95 %."""
    if of == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / of
    middle = share + z * z / (2 * of)
    wide = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, (middle - wide) / (1 + z * z / of)), min(1.0, (middle + wide) / (1 + z * z / of))


@dataclass(frozen=True, slots=True)
class Burn:
    """A row of rooms under one policy; margins in seconds, of the draws that an oracle could have saved."""

    draws: int
    saveable: int
    saved: int
    least_s: float | None
    """The first percentile of the margin."""
    median_s: float | None
    false: int
    needless: int
    cool: int
    """Draws in which unstopped the air never reaches HIGH."""

    @property
    def share(self) -> float | None:
        return self.saved / self.saveable if self.saveable else None


def burn_of(outcomes: Sequence[Outcome], cool: int) -> Burn:
    margins = [o.margin_s for o in outcomes if o.is_saveable and o.margin_s is not None]
    return Burn(
        len(outcomes), len(margins), sum(margin >= 0 for margin in margins), quantile(margins, 0.01),
        quantile(margins, 0.5), sum(o.is_false for o in outcomes), sum(o.is_needless for o in outcomes), cool)


@dataclass(frozen=True, slots=True)
class Return:
    """How the hosts came back; seconds from true recovery."""

    draws: int
    tripped: int
    median_s: float | None
    p90_s: float | None
    early: int
    """First hosts ordered on while the cooling was gone."""
    early_untold: int
    """Of these, in rooms in which no thermometer tells."""
    early_rest: int
    """Restarts in which further hosts followed while it was gone."""
    flaps: int
    not_back: int
    hot: int
    """Draws with a host on at CRITICAL, of those that an oracle could have saved."""


def return_of(outcomes: Sequence[Outcome]) -> Return:
    waits = [o.restart_s for o in outcomes if o.restart_s is not None and o.restart_s >= 0]
    return Return(
        len(outcomes), sum(o.stops > 0 for o in outcomes), quantile(waits, 0.5), quantile(waits, 0.9),
        sum(o.early for o in outcomes), sum(o.early for o in outcomes if o.is_untold),
        sum(o.early_rest for o in outcomes), sum(o.flaps for o in outcomes),
        sum(o.is_left_off for o in outcomes), sum(o.was_hot and o.is_saveable for o in outcomes))


@dataclass(frozen=True, slots=True)
class Calm:
    """Benign time under one policy."""

    years: float
    """Of room sensors."""
    weeks: float
    """Of rooms."""
    trips: int
    warnings_a_week: float
    """Of a room."""

    @property
    def upper(self) -> float:
        """Trips a sensor-year, with 95 % confidence no more."""
        return poisson_upper(self.trips) / self.years if self.years else math.inf


def calm_of(spells: Sequence[Spell], days: float, warning: str) -> Calm:
    """Over spells of so many days each."""
    weeks = len(spells) * days / 7
    return Calm(sum(s.sensor_days for s in spells) / YEAR_D, weeks, sum(s.trips for s in spells),
                sum(s.told.get(warning, 0) for s in spells) / weeks if weeks else 0.0)

"""Whether ours beats both baselines in a row, and if not, what the baseline pays for it: all of it computed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from score.measures import Burn, Calm, Return
from score.policies import ANY, OURS, TWO

Figures = TypeVar("Figures")
BASELINES = (ANY, TWO)


class Price(StrEnum):
    """What a baseline may pay for being better in a figure."""

    FALSE_TRIPS = "false trips"
    """It is sooner, since it believes a single sensor."""
    ROOMS_LOST = "rooms lost"
    """It trips less, since it waits for longer."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Column(Generic[Figures]):
    """One figure in which a policy can be better."""

    name: str
    of: Callable[[Figures], float | None]
    is_more_better: bool
    shown: Callable[[float], str]
    price: Price = Price.NONE


def minutes(seconds: float) -> str:
    """Minutes with a sign that is a minus."""
    if seconds in {float("inf"), float("-inf")}:
        return "never stopped"
    return f"{seconds / 60:.1f} min".replace("-", "−")  # noqa: RUF001 - as it is to be read


def count(number: float) -> str:
    return f"{number:.0f}"


BURN: Sequence[Column[Burn]] = (
    Column("saved", lambda b: b.saved if b.saveable else None, is_more_better=True, shown=count,
           price=Price.FALSE_TRIPS),
    Column("margin p1", lambda b: b.least_s, is_more_better=True, shown=minutes, price=Price.FALSE_TRIPS),
    Column("margin median", lambda b: b.median_s, is_more_better=True, shown=minutes, price=Price.FALSE_TRIPS),
    Column("false", lambda b: b.false, is_more_better=False, shown=count, price=Price.ROOMS_LOST),
    Column("needless", lambda b: b.needless, is_more_better=False, shown=count, price=Price.ROOMS_LOST),
)
RETURN: Sequence[Column[Return]] = (
    Column("a host on at 40 degC", lambda r: r.hot, is_more_better=False, shown=count),
    Column("first host too early", lambda r: r.early, is_more_better=False, shown=count),
    Column("more of them too early", lambda r: r.early_rest, is_more_better=False, shown=count),
    Column("flaps", lambda r: r.flaps, is_more_better=False, shown=count),
)
CALM: Sequence[Column[Calm]] = (Column("trips", lambda c: c.trips, is_more_better=False, shown=count),)


@dataclass(frozen=True, slots=True)
class Worse:
    """A figure in which a baseline is better."""

    than: str
    column: str
    ours: str
    theirs: str
    price: Price


def worse(columns: Sequence[Column[Figures]], figures: Mapping[str, Figures]) -> list[Worse]:
    """Where a baseline's figure is better than ours, at all."""
    found = []
    for baseline in BASELINES:
        for column in columns:
            mine, theirs = column.of(figures[OURS]), column.of(figures[baseline])
            if mine is None or theirs is None:
                continue
            if theirs > mine if column.is_more_better else theirs < mine:
                found.append(Worse(baseline, column.name, column.shown(mine), column.shown(theirs), column.price))
    return found


Prices = Mapping[str, Mapping[Price, str]]
"""By baseline: what it pays elsewhere in this run, in words; absent where it pays nothing."""


def verdict(columns: Sequence[Column[Figures]], figures: Mapping[str, Figures], prices: Prices) -> str:
    """A sentence for a row."""
    losses = worse(columns, figures)
    if not losses:
        return "not worse than either baseline in any figure"
    told = []
    for baseline in BASELINES:
        for price in Price:
            mine = [loss for loss in losses if loss.than == baseline and loss.price is price]
            if mine:
                said = ", ".join(f"{loss.column} {loss.ours} against {loss.theirs}" for loss in mine)
                paid = prices.get(baseline, {}).get(price, "**which nothing excuses**")
                told.append(f'worse than "{baseline}": {said}, {paid}')
    return "; ".join(told)

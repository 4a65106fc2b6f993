"""Whether ours beats both baselines in a row, and if not, what the baseline pays for it: all of it computed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from score.measures import Burn, Calm, Return
from score.policies import ANY, OURS, TWO

Figures = TypeVar("Figures")
BASELINES = (ANY, TWO)


@dataclass(frozen=True, slots=True)
class Column(Generic[Figures]):
    """One figure in which a policy can be better."""

    name: str
    of: Callable[[Figures], float | None]
    is_more_better: bool
    shown: Callable[[float], str]


def minutes(seconds: float) -> str:
    """Minutes with a sign that is a minus."""
    if seconds in {float("inf"), float("-inf")}:
        return "never stopped"
    return f"{seconds / 60:.1f} min".replace("-", "−")  # noqa: RUF001 - as it is to be read


def count(number: float) -> str:
    return f"{number:.0f}"


BURN: Sequence[Column[Burn]] = (
    Column("saved", lambda b: b.saved if b.saveable else None, is_more_better=True, shown=count),
    Column("margin p1", lambda b: b.least_s, is_more_better=True, shown=minutes),
    Column("margin median", lambda b: b.median_s, is_more_better=True, shown=minutes),
    Column("false", lambda b: b.false, is_more_better=False, shown=count),
)
RETURN: Sequence[Column[Return]] = (
    Column("a host on at 40 degC", lambda r: r.hot, is_more_better=False, shown=count),
    Column("first host too early", lambda r: r.early, is_more_better=False, shown=count),
    Column("the rest too early", lambda r: r.early_rest, is_more_better=False, shown=count),
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


def worse(columns: Sequence[Column[Figures]], figures: Mapping[str, Figures]) -> list[Worse]:
    """Where a baseline's figure is better than ours, at all."""
    found = []
    for baseline in BASELINES:
        for column in columns:
            mine, theirs = column.of(figures[OURS]), column.of(figures[baseline])
            if mine is None or theirs is None:
                continue
            if theirs > mine if column.is_more_better else theirs < mine:
                found.append(Worse(baseline, column.name, column.shown(mine), column.shown(theirs)))
    return found


def verdict(columns: Sequence[Column[Figures]], figures: Mapping[str, Figures], price: Mapping[str, str]) -> str:
    """A sentence for a row.

    :param price: what each baseline pays elsewhere, as this run has found; empty where it pays nothing.
    """
    losses = worse(columns, figures)
    if not losses:
        return "not worse than either baseline in any figure"
    told = []
    for baseline in BASELINES:
        mine = [loss for loss in losses if loss.than == baseline]
        if mine:
            said = ", ".join(f"{loss.column} {loss.ours} against {loss.theirs}" for loss in mine)
            paid = price.get(baseline) or "it pays for that in no row: **a weakness of ours**"
            told.append(f'worse than "{baseline}": {said}; {paid}')
    return "; ".join(told)

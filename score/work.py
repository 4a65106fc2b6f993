"""All draws of all rows over the machine's cores; the results are the same on any number of them."""

import gc
import multiprocessing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from score import benign, noise
from score.benign import Spell
from score.draw import NEVER, truth_of, without_faults
from score.policies import POLICIES, SEEN, Maker, Seen
from score.rows import ROWS, Row
from score.run import Outcome, lived, unstopped
from thermo_guard.core.policy_settings import PolicySettings

SETTINGS = PolicySettings()
"""As the program ships."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One draw of a row under every policy."""

    number: int
    label: str
    """The fault, where a row has kinds of them."""
    is_cool: bool
    """Unstopped the air never comes to HIGH."""
    outcomes: Mapping[str, Outcome]
    twins: Mapping[str, Outcome] = field(default_factory=dict)
    """The same draw with every sensor well."""


@dataclass(frozen=True, slots=True)
class Group:
    """Benign rooms of one kind."""

    name: str
    what: str
    draw: Callable[[int], benign.Quiet]
    days: float


CALM = Group("Benign", "weeks in which nothing is wrong; 1 to 4 room sensors, 0 to 4 inlets", benign.week, 7.0)
GROUPS = (
    CALM,
    Group("Benign, one of three bad", "days with one room sensor wrong in one of 15 ways", benign.one_bad, 1.0),
    Group("Benign, two of three bad", "days with two room sensors wrong, alike or not", benign.two_bad, 1.0),
)


def score_draw(row: Row, number: int, makers: Mapping[str, Maker]) -> Scored:
    pools = noise.pools()
    draw = row.draw(number)
    label = next((sensor.fault.wrong.value for sensor in draw.sensors if sensor.fault is not None), "")
    if row.is_lived:
        truth = truth_of(draw)
        outcomes = {name: lived(draw, make, SETTINGS, pools, truth) for name, make in makers.items()}
        return Scored(number, label, truth.high_s == NEVER, outcomes)
    well = frozenset(sensor.name for sensor in draw.sensors if sensor.fault is None)
    all_makers = {**makers, SEEN: lambda settings, _started_at: Seen(settings, well)}
    truth, outcomes = unstopped(draw, all_makers, SETTINGS, pools)
    twins: Mapping[str, Outcome] = {}
    if row.has_clean_twin:
        clean = replace(draw, sensors=without_faults(draw.sensors))
        twins = unstopped(clean, makers, SETTINGS, pools)[1]
    return Scored(number, label, truth.high_s == NEVER, outcomes, twins)


def _score(job: tuple[int, int]) -> Scored:
    row, number = job
    return score_draw(ROWS[row], number, POLICIES)


def _spend(job: tuple[int, int]) -> dict[str, Spell]:
    group, number = job
    return benign.spent(number, GROUPS[group].draw(number), POLICIES, SETTINGS, noise.pools())


def _begin() -> None:
    """A worker makes no rings of objects, and looking for them takes a tenth of its time."""
    gc.disable()


def rows_scored(rows: Sequence[Row], draws: int, jobs: int, told: Callable[[str], None]) -> dict[str, list[Scored]]:
    """By the row's name, in the order of their numbers."""
    scored = {}
    with multiprocessing.Pool(jobs, _begin) as pool:
        for row in rows:
            index = ROWS.index(row)
            scored[row.name] = pool.map(_score, [(index, number) for number in range(draws)], chunksize=5)
            told(row.name)
    return scored


def groups_spent(groups: Iterable[Group], counts: Mapping[str, int], jobs: int, told: Callable[[str], None]
                 ) -> dict[str, list[dict[str, Spell]]]:
    spent = {}
    with multiprocessing.Pool(jobs, _begin) as pool:
        for group in groups:
            index = GROUPS.index(group)
            spent[group.name] = pool.map(_spend, [(index, n) for n in range(counts[group.name])], chunksize=2)
            told(group.name)
    return spent



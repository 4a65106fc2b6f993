"""A failing scenario made small: fewer troubles, a smaller plant, plainer settings, as long as it still fails alike."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from .run import run
from .scenario import HALL, Scenario, Trouble

Fails = Callable[[Scenario], bool]


def minimise(scenario: Scenario, tried: Callable[[Scenario], object] = lambda _: None) -> Scenario:
    """The smallest that was found in which one of the same promises is broken; itself where it breaks none.

    :param tried: hears of each scenario that is run.
    """
    promises = {violation.promise for violation in run(scenario).violations}

    def fails(candidate: Scenario) -> bool:
        tried(candidate)
        return any(violation.promise in promises for violation in run(candidate).violations)

    if not promises:
        return scenario
    while (smaller := _smaller(scenario, fails)) is not None:
        scenario = smaller
    return scenario


def _smaller(scenario: Scenario, fails: Fails) -> Scenario | None:
    """A smaller one that fails as well; None where none of those that are tried does."""
    fewer = _fewer_troubles(scenario, fails)
    if len(fewer.troubles) < len(scenario.troubles):
        return fewer
    return next((candidate for candidate in _plainer(scenario) if fails(candidate)), None)


def _fewer_troubles(scenario: Scenario, fails: Fails) -> Scenario:
    """Leave out ever smaller parts of the list (Zeller's delta debugging)."""
    size = max(1, len(scenario.troubles) // 2)
    while True:
        kept, at = scenario.troubles, 0
        while at < len(kept):
            rest = kept[:at] + kept[at + size:]
            if fails(replace(scenario, troubles=rest)):
                kept, scenario = rest, replace(scenario, troubles=rest)
            else:
                at += size
        if size == 1:
            return scenario
        size = max(1, size // 2)


def _plainer(scenario: Scenario) -> Iterator[Scenario]:
    for name in scenario.tuning:
        yield replace(scenario, tuning={key: value for key, value in scenario.tuning.items() if key != name})
    if scenario.plant.startswith(HALL):
        for hosts in {1, scenario.hosts // 2, scenario.hosts - 1} - {0, scenario.hosts}:
            if all(_is_there(trouble, hosts) for trouble in scenario.troubles):
                yield replace(scenario, hosts=hosts)
        for vms in {1, scenario.vms // 2, scenario.vms - 1} - {0, scenario.vms}:
            yield replace(scenario, vms=vms)
    for place, trouble in enumerate(scenario.troubles):
        for plainer in _plainer_troubles(trouble):
            yield replace(scenario, troubles=(*scenario.troubles[:place], plainer, *scenario.troubles[place + 1:]))


def _is_there(trouble: Trouble, hosts: int) -> bool:
    """What it befalls is among so many hosts of a hall."""
    names = {f"esx{number:03d}" for number in range(1, hosts + 1)}
    return not any(name.startswith("esx") and name not in names for name in (trouble.target, trouble.how))


def _plainer_troubles(trouble: Trouble) -> Iterator[Trouble]:
    if trouble.for_s > 20.0:
        yield replace(trouble, for_s=round(trouble.for_s / 2, 1))
    if trouble.amount > 1 and trouble.amount.is_integer():
        yield replace(trouble, amount=float(int(trouble.amount) // 2))

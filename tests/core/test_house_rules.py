"""When a recovered room's hosts may come back by themselves."""

from dataclasses import replace

import pytest

from core.plants import NOW, incident
from thermo_guard.core import events as ev
from thermo_guard.core.goal import is_acknowledged
from thermo_guard.core.record import Record, fold
from thermo_guard.core.restart_rules import RestartRules, restart_waits_for

HOURS, ACK = RestartRules(hours=(360, 1320)), RestartRules(needs_ack=True)
BOTH = RestartRules((360, 1320), needs_ack=True, max_wait_s=3600.0)


@pytest.mark.parametrize(("rules", "minute", "is_known", "waited_s", "words"), [
    (RestartRules(), 0, False, 0.0, ()),
    (HOURS, 360, False, 0.0, ()), (HOURS, 1319, False, 0.0, ()),
    (HOURS, 359, False, 1e9, ("06:00 to 22:00",)), (HOURS, 1320, True, 0.0, ("RESTART_HOURS",)),
    (ACK, 0, False, 1e9, ("thermo-guard ack",)), (ACK, 0, True, 0.0, ()),
    (BOTH, 0, False, 3599.0, ("RESTART_HOURS", "RESTART_NEEDS_ACK")), (BOTH, 0, False, 3600.0, ()),
])
def test_each_rule_holds_the_way_back_until_it_is_met_or_the_longest_wait_is_over(
    rules: RestartRules, minute: int, is_known: bool, waited_s: float, words: tuple[str, ...]
) -> None:
    """And says in words what is waited for."""
    said = restart_waits_for(rules, minute, is_acknowledged=is_known, waited_s=waited_s)
    assert bool(said) is bool(words)
    assert all(word in said for word in words)


def test_only_a_word_after_the_alarm_acknowledges_it() -> None:
    """Nor one from before the heat came back."""
    down = incident(ev.Goal.OFF)
    assert not is_acknowledged(Record(acknowledged=(down.goal_since - 1.0, "ada"), incident=down))
    assert is_acknowledged(Record(acknowledged=(down.goal_since + 1.0, "ada"), incident=down))
    again = replace(down, goal_since=down.goal_since + 2.0)
    assert not is_acknowledged(Record(acknowledged=(down.goal_since + 1.0, "ada"), incident=again))


def test_the_wait_counts_from_its_first_word_and_ends_with_heat() -> None:
    """A second reason does not begin it anew; a room that is hot again has not recovered."""
    record = Record(incident=incident(ev.Goal.OFF))
    events: tuple[ev.Event, ...] = (
        ev.RestartHeld("1", "hours"), ev.RestartHeld("1", "ack"), ev.LevelChanged("blind", "low", ()),
    )
    record = fold(record, [ev.Entry(number, NOW + number, event) for number, event in enumerate(events, 1)])
    assert record.incident is not None
    assert (record.incident.waits_since, record.incident.waits_for) == (NOW + 1, "ack")
    record = fold(record, [ev.Entry(4, NOW + 4, ev.LevelChanged("high", "blind", ()))])
    assert record.incident is not None
    assert record.incident.waits_since is None

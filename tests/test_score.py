"""The score is honest: what comes out depends on the policy alone, and on the draws that are named."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from score import noise
from score.draw import truth_of, without_faults
from score.measures import poisson_upper, quantile
from score.page import Findings, page, wishes
from score.policies import OURS, POLICIES, Maker, TripsAt
from score.rows import ROWS, burning_one_bad, recovery, total_loss
from score.run import Senses, lived
from score.sensing import EPOCH
from score.work import SETTINGS, Scored, score_draw

from thermo_guard.core.readings import Poll
from thermo_guard.sim.physics import STEP_S

BURNING = ROWS[0]
DRAWS = range(6)


def with_ours(maker: Maker) -> Mapping[str, Maker]:
    return {**POLICIES, OURS: maker}


def oracle(number: int) -> Scored:
    felt = EPOCH + truth_of(BURNING.draw(number)).felt_s
    return score_draw(BURNING, number, with_ours(lambda _settings, _started_at: TripsAt(felt)))


def never(number: int) -> Scored:
    return score_draw(BURNING, number, with_ours(lambda _settings, _started_at: TripsAt()))


def found(rows: list[Scored]) -> Findings:
    return Findings({BURNING.name: rows}, {}, (), is_noise_real=False, draws=len(rows), date="2026-01-01")


def test_the_page_says_of_an_oracle_that_it_saves_every_room_and_of_who_never_trips_that_it_saves_none() -> None:
    """Figures and verdicts come from the run: another policy in our place has another page."""
    pages = {}
    for name, scored in (("oracle", [oracle(n) for n in DRAWS]), ("never", [never(n) for n in DRAWS])):
        margins = [s.outcomes[OURS].margin_s for s in scored if s.outcomes[OURS].is_saveable]
        assert len(margins) > 1
        assert all(m is not None and (m >= 0) == (name == "oracle") for m in margins)
        pages[name] = page(found(scored))
        assert wishes(found(scored))[0].is_met == (name == "oracle")
    assert "= 100.0 %" in pages["oracle"]
    assert "not worse than either baseline in any figure" in pages["oracle"].lower()
    assert "0 = 0.0 %" in pages["never"]
    assert "which nothing excuses" in pages["never"]


def test_a_margin_is_what_is_left_when_the_last_host_is_off() -> None:
    """The time to stop counts against it, and so does the time until something is measured: here a minute at most."""
    for number in DRAWS:
        draw, truth = BURNING.draw(number), truth_of(BURNING.draw(number))
        margin_s = oracle(number).outcomes[OURS].margin_s
        if margin_s is not None:
            assert -60 <= margin_s - truth.oracle_margin_s(draw.site.stop_s) <= 0


def test_a_draw_repeats_to_the_byte() -> None:
    """A number that is told of a weak draw shows the same draw to whoever looks into it."""
    first, again = (page(found([score_draw(BURNING, n, POLICIES) for n in DRAWS[:2]])) for _ in range(2))
    assert first == again


def test_a_fault_changes_nothing_but_its_sensor() -> None:
    """What a bad sensor costs is told by the same draw with it well, whose dice must not have shifted."""
    draw = burning_one_bad(2)
    bad = next(sensor.name for sensor in draw.sensors if sensor.fault is not None)
    twin = replace(draw, sensors=without_faults(draw.sensors))
    assert heard(Senses(draw, noise.fitted()), without=bad) == heard(Senses(twin, noise.fitted()), without=bad)
    assert heard(Senses(draw, noise.fitted())) != heard(Senses(twin, noise.fitted()))


def heard(senses: Senses, *, without: str = "") -> list[tuple[str, float, float]]:
    polls: list[Poll] = []
    for step in range(720):
        polls += senses.polls(step * STEP_S, 30.0, 5.0, frozenset({0}))
    return [(r.sensor, r.stamp, r.celsius) for poll in polls for r in poll.readings if r.sensor != without]


def test_a_room_that_is_stopped_cools_and_one_that_is_not_burns() -> None:
    """Hosts that stop take their heat with them, or no policy could be told from another."""
    draw = next(recovery(n) for n in range(50) if truth_of(recovery(n)).is_saveable(recovery(n).site.stop_s))
    truth = truth_of(draw)
    stopped = lived(draw, lambda _s, _at: TripsAt(EPOCH + truth.felt_s), SETTINGS, noise.fitted(), truth)
    left = lived(draw, lambda _s, _at: TripsAt(), SETTINGS, noise.fitted(), truth)
    assert (stopped.was_hot, left.was_hot) == (False, True)
    assert (stopped.stops, stopped.is_left_off, left.stops) == (1, True, 0)


def test_draws_lie_within_what_is_published_for_small_rooms() -> None:
    """A room that no one has would prove nothing; ranges of the facts: 3 to 20 kW, lags of 60 to 300 s."""
    for draw in map(total_loss, range(200)):
        assert 3 <= draw.site.power_kw <= 20
        assert 300 <= draw.site.stop_s <= 900
        assert 0.05 <= draw.site.room.leak_kw_per_k <= 0.3
        assert all(60 <= sensor.probe.tau_s <= 300 and abs(sensor.probe.bias_c) <= 1 for sensor in draw.sensors)


@pytest.mark.parametrize(("events", "upper"), [(0, 2.996), (1, 4.744), (3, 7.754)])
def test_nothing_seen_is_not_nothing_there(events: int, upper: float) -> None:
    """The upper bound of a rate, as in the tables of the Poisson distribution, one-sided, 95 %."""
    assert poisson_upper(events) == pytest.approx(upper, abs=0.001)


def test_a_percentile_is_one_of_the_values() -> None:
    """A draw that nothing has stopped has no margin to interpolate with."""
    assert quantile([3.0, 1.0, float("-inf"), 2.0], 0.01) == float("-inf")
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([], 0.5) is None

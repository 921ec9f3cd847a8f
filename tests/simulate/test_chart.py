"""What a chart is drawn of."""

from __future__ import annotations

import pytest

from pimgr.simulate.chart import LONG_DAYS, daily_means, draw, paper
from pimgr.simulate.rivals import Nothing
from pimgr.simulate.scenario import Scenario
from pimgr.simulate.year import set_up
from tests.simulate.houses import small

HOUR_S = 3600.0


@pytest.mark.parametrize("days", [1, LONG_DAYS + 1])
def test_a_day_and_a_season_are_drawn(tmp_path, days):
    pytest.importorskip("matplotlib")
    setup = set_up(small(), Scenario(days=days, often=20.0))
    run = setup.run(Nothing())
    run.until(setup.scenario.span_s)
    figure = paper()
    draw(setup, run, figure, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    loads = [line for line in figure.axes[1].lines if "load" in str(line.get_label())]
    assert len(loads) == 1
    assert len(loads[0].get_ydata()) == (days if days > LONG_DAYS else len(run.trace.rows))


def test_the_mean_of_a_day_counts_what_was_so_for_long_more_than_what_was_so_often():
    rows = [(0.0, 1000.0), (23 * HOUR_S, 4000.0), *[(23 * HOUR_S + s, 4000.0) for s in range(1, 60)]]
    means = daily_means([*rows, (24 * HOUR_S, 9000.0), (24 * HOUR_S, 0.0)])
    assert means == {0: pytest.approx((23 * 1000.0 + 4000.0) / 24)}


def test_what_is_so_at_midnight_counts_for_both_days_and_a_day_that_is_not_over_as_far_as_it_went():
    means = daily_means([(12 * HOUR_S, 600.0), (36 * HOUR_S, 1200.0), (42 * HOUR_S, 0.0)])
    assert means == {0: pytest.approx(600.0), 1: pytest.approx((12 * 600.0 + 6 * 1200.0) / 18)}

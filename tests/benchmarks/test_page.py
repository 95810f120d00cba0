"""Tables of the backtest, expected values worked out by hand."""

import pandas as pd

from benchmarks.backtest_page import demand_table


def test_expected_demand_is_judged_over_all_periods_and_over_the_newest_sixteen() -> None:
    # Four odd weeks, then sixteen: misses of 0, 5, 10 and 20 percent in turn.
    ratio = pd.Series([2.0] * 4 + [1.0, 1.05, 0.9, 0.8] * 4)
    table = demand_table(ratio)
    assert table.loc["all periods"].to_dict() == {
        "periods": 20, "median_miss": 10.0, "within_7": 8, "within_15": 12
    }  # fmt: skip
    assert table.loc["last 16"].to_dict() == {
        "periods": 16, "median_miss": 7.5, "within_7": 8, "within_15": 12
    }  # fmt: skip

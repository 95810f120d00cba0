"""Figures of lists, sets and probabilities, expected values worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import scoring


def ranked(**lists: list[int]) -> pd.DataFrame:
    rows = [
        (int(name[1:]), product, rank)
        for name, own in lists.items()
        for rank, product in enumerate(own, start=1)
    ]
    return pd.DataFrame(rows, columns=["customer_id", "product_id", "rank"])


def pairs(*rows: tuple[int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["customer_id", "product_id"])


def test_repeats_and_new_products_are_counted_apart() -> None:
    lists = ranked(c1=[10, 20], c2=[10, 30])
    truth = pairs((1, 10), (1, 99), (2, 30))

    figures = scoring.list_figures(lists, truth, seen=pairs((1, 10)))

    assert figures["repeat_recall_at_10"] == 1.0
    assert figures["new_recall_at_10"] == pytest.approx((0 + 1) / 2)
    assert figures["recall_at_10"] == pytest.approx((1 / 2 + 1) / 2)


def test_personalisation_is_one_minus_the_mean_overlap() -> None:
    assert scoring.personalisation(ranked(c1=[10, 20], c2=[10, 20])) == 0.0
    assert scoring.personalisation(ranked(c1=[10, 20], c2=[10, 30])) == 0.5
    assert scoring.personalisation(ranked(c1=[10, 20], c2=[30, 40])) == 1.0


def test_change_of_lists_is_the_share_that_is_new() -> None:
    assert scoring.change_of_lists(ranked(c1=[10, 20], c2=[10, 20]), ranked(c1=[10, 30], c2=[10, 20])) == 0.25


def test_the_full_grid_counts_missed_and_empty_pairs() -> None:
    # Four pairs in all: one candidate bought, one not, one purchase missed, one empty pair.
    predictions = pairs((1, 10), (1, 20)).assign(probability=[0.8, 0.4])

    figures = scoring.probability_figures(predictions, pairs((1, 10), (2, 10)), n_customers=2, n_products=2)

    assert figures["roc_auc"] == 1.0
    # Of the four (bought, not bought) comparisons: two won by the candidate, one lost, one tied.
    assert figures["grid_roc_auc"] == pytest.approx((2 + 0 + 0.5) / 4)
    assert figures["expected_pairs"] == pytest.approx(1.2)


def test_a_difference_common_to_all_customers_has_an_interval_of_zero_width() -> None:
    ours = pd.DataFrame({"recall_at_10": [0.6, 0.8, 0.5]}, index=[1, 2, 3])
    period = {"ours": ours, "theirs": ours - 0.1}

    assert scoring.paired_bootstrap([period, period], "ours", "theirs", "recall_at_10") == pytest.approx(
        (0.1, 0.1, 0.1)
    )


def test_the_interval_of_noise_contains_zero_and_a_customer_may_miss_a_period() -> None:
    rng = np.random.default_rng(0)
    base = pd.DataFrame({"recall_at_10": rng.random(200)}, index=range(200))
    noise = base + rng.normal(0, 0.1, (200, 1))
    periods = [{"ours": noise, "theirs": base}, {"ours": noise.iloc[:150], "theirs": base.iloc[:150]}]

    _, low, high = scoring.paired_bootstrap(periods, "ours", "theirs", "recall_at_10")

    assert low < 0 < high

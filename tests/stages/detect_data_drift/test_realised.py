"""Published predictions and baselines: metrics worked out by hand, and the margin with its interval."""

import numpy as np
import pandas as pd
import pytest

from detect_data_drift.core_realised import RealisedMetrics
from detect_data_drift.core_rules import Margin
from sodai.data.catalog import PAIR
from sodai.evaluation.baselines import Baseline
from sodai.evaluation.bootstrap import SMALLEST_GROUP
from sodai.evaluation.metrics import ranking_metrics, set_metrics

N = 40


def lists(*products: list[int]) -> Baseline:
    """Return lists of these products for the customers 0, 1, ..., and the same pairs as the set."""
    rows = [
        (customer, product, rank)
        for customer, own in enumerate(products)
        for rank, product in enumerate(own, start=1)
    ]
    ranked = pd.DataFrame(rows, columns=[*PAIR, "rank"]).astype("int64")
    return Baseline(ranked, ranked[PAIR])


def bought(*products: list[int]) -> pd.DataFrame:
    return lists(*products).selected


def margin(metric: str, published: Baseline, truth: pd.DataFrame, **baselines: Baseline) -> Margin:
    metrics = RealisedMetrics.compute(published, baselines, truth)
    return metrics.margin(metric, np.random.default_rng(0))


def test_the_means_over_customers_are_the_metrics_of_all() -> None:
    # Customer 2 buys nothing, customer 3 has no list; one of the baseline's three pairs is bought.
    truth = bought([7, 8], [7], [], [9])
    published, baseline = lists([7, 8, 9], [7, 8], [7]), lists([8], [9], [8])
    metrics = RealisedMetrics.compute(published, {"baseline": baseline}, truth)
    assert metrics.published == {
        "set_f1": pytest.approx(set_metrics(published.selected, truth)["set_f1"]),
        "ndcg": pytest.approx(ranking_metrics(published.ranked, truth)["ndcg_at_10"]),
    }
    assert metrics.published["set_f1"] == pytest.approx(2 * 3 / (6 + 4))
    assert metrics.of_baselines("set_f1") == {"baseline": pytest.approx(2 * 1 / (3 + 4))}
    assert metrics.n_buyers == 3


def test_the_margin_is_over_the_best_baseline() -> None:
    truth = bought(*[[1, 2]] * N)
    no_hits, half = lists(*[[3]] * N), lists(*[[1]] * N)
    over_best = margin("set_f1", lists(*[[1, 2]] * N), truth, none=no_hits, half=half)
    assert over_best.mean == pytest.approx(1 - 2 * N / (3 * N))


def test_a_difference_that_all_customers_share_has_no_chance() -> None:
    truth = bought(*[[1]] * N)
    for metric in ("set_f1", "ndcg"):
        shared = margin(metric, lists(*[[2]] * N), truth, baseline=lists(*[[1]] * N))
        assert (shared.mean, shared.chance) == (pytest.approx(-1.0), pytest.approx(0.0, abs=1e-12))


def test_a_difference_that_few_customers_make_is_partly_chance() -> None:
    # One list in ten has no hit, all others agree with the baseline: -.1 with an error of .047.
    truth = bought(*[[1]] * N)
    published = lists(*[[2] if customer % 10 == 0 else [1] for customer in range(N)])
    partly = margin("ndcg", published, truth, baseline=lists(*[[1]] * N))
    assert partly.mean == pytest.approx(-0.1)
    assert partly.chance == pytest.approx(1.96 * np.sqrt(0.1 * 0.9 / N), abs=0.02)


def test_the_chance_of_a_set_is_that_of_resampled_customers() -> None:
    rng = np.random.default_rng(5)
    truth, published, baseline = (
        lists(*[np.flatnonzero(rng.random(9) < 0.4).tolist() for _ in range(200)]) for _ in range(3)
    )
    linearised = margin("set_f1", published, truth.selected, baseline=baseline)
    drawn = rng.integers(200, size=(1000, 200))

    def resampled_f1(predicted: Baseline) -> np.ndarray:
        hits = predicted.selected.merge(truth.selected, on=PAIR)
        n_hits, n_predicted, n_bought = (
            np.bincount(pairs["customer_id"], minlength=200)[drawn].sum(axis=1)
            for pairs in (hits, predicted.selected, truth.selected)
        )
        return 2 * n_hits / (n_predicted + n_bought)

    resampled = resampled_f1(published) - resampled_f1(baseline)
    assert linearised.chance == pytest.approx(1.96 * np.std(resampled), rel=0.15)


@pytest.mark.parametrize(("n", "known"), [(SMALLEST_GROUP - 1, False), (SMALLEST_GROUP, True)])
def test_few_buyers_have_a_margin_and_no_chance(n: int, known: bool) -> None:
    # Customers with a list and no purchase are not counted as buyers.
    truth = bought(*[[1]] * n)
    of_buyers = margin("set_f1", lists(*[[1]] * N), truth, baseline=lists(*[[2]] * N))
    assert of_buyers.mean == pytest.approx(2 * n / (N + n))
    assert (of_buyers.chance is not None) is known


def test_the_same_seed_gives_the_same_margin() -> None:
    truth = bought(*[[1]] * N)
    published, baseline = lists(*[[customer % 3] for customer in range(N)]), lists(*[[2]] * N)
    assert margin("set_f1", published, truth, baseline=baseline) == margin(
        "set_f1", published, truth, baseline=baseline
    )

"""What was published beside the rules: figures worked out by hand, and what chance may make of a lead."""

import numpy as np
import pandas as pd
import pytest

from detect_data_drift.core_worth import Worth
from sodai.data.catalog import PAIR
from sodai.evaluation.baselines import Baseline
from sodai.evaluation.bootstrap import SMALLEST_GROUP
from sodai.evaluation.metrics import ranking_metrics, set_metrics

N = 40


def answer(*products: list[int]) -> Baseline:
    """A list of these products for the customers 0, 1, ..., and the same as their set."""
    rows = [
        (customer, product, rank)
        for customer, own in enumerate(products)
        for rank, product in enumerate(own, start=1)
    ]
    ranked = pd.DataFrame(rows, columns=[*PAIR, "rank"]).astype("int64")
    return Baseline(ranked, ranked[PAIR])


def bought(*products: list[int]) -> pd.DataFrame:
    return answer(*products).selected


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_means_over_customers_are_the_figures_of_all() -> None:
    # Customer 2 buys nothing, customer 3 is on no list; of the rule's set one pair of three comes true.
    truth = bought([7, 8], [7], [], [9])
    published, rule = answer([7, 8, 9], [7, 8], [7]), answer([8], [9], [8])
    worth = Worth.of(published, {"rule": rule}, truth)
    assert worth.figures == {
        "set_f1": pytest.approx(set_metrics(published.selected, truth)["set_f1"]),
        "ndcg": pytest.approx(ranking_metrics(published.ranked, truth)["ndcg_at_10"]),
    }
    assert worth.figures["set_f1"] == pytest.approx(2 * 3 / (6 + 4))
    assert worth.of_rules("set_f1") == {"rule": pytest.approx(2 * 1 / (3 + 4))}
    assert worth.n_buyers == 3


def test_a_lead_is_held_against_the_best_rule() -> None:
    truth = bought(*[[1, 2]] * N)
    rules = {"none": answer(*[[3]] * N), "half": answer(*[[1]] * N)}
    lead = Worth.of(answer(*[[1, 2]] * N), rules, truth).lead("set_f1", rng())
    assert lead.mean == pytest.approx(1 - 2 * N / (3 * N))


def test_a_difference_that_every_customer_shares_is_no_chance() -> None:
    truth = bought(*[[1]] * N)
    for metric in ("set_f1", "ndcg"):
        lead = Worth.of(answer(*[[2]] * N), {"rule": answer(*[[1]] * N)}, truth).lead(metric, rng())
        assert (lead.mean, lead.chance) == (pytest.approx(-1.0), pytest.approx(0.0, abs=1e-12))


def test_of_a_difference_that_few_customers_make_chance_is_a_part() -> None:
    # One customer in ten gets nothing right, all others the same from both: -.1 with an error of .047.
    truth = bought(*[[1]] * N)
    published = answer(*[[2] if customer % 10 == 0 else [1] for customer in range(N)])
    lead = Worth.of(published, {"rule": answer(*[[1]] * N)}, truth).lead("ndcg", rng())
    assert lead.mean == pytest.approx(-0.1)
    assert lead.chance == pytest.approx(1.96 * np.sqrt(0.1 * 0.9 / N), abs=0.02)


def test_what_chance_makes_of_the_lead_of_a_set_is_what_resampled_customers_show() -> None:
    made = np.random.default_rng(5)
    truth, published, rule = (
        answer(*[np.flatnonzero(made.random(9) < 0.4).tolist() for _ in range(200)]) for _ in range(3)
    )
    lead = Worth.of(published, {"rule": rule}, truth.selected).lead("set_f1", rng())
    resampled = []
    for _ in range(300):
        drawn = pd.DataFrame({"customer_id": made.integers(200, size=200), "copy": range(200)})
        own, other, true = (
            each.selected.merge(drawn, on="customer_id").assign(customer_id=lambda rows: rows["copy"])
            for each in (published, rule, truth)
        )
        resampled.append(set_metrics(own, true)["set_f1"] - set_metrics(other, true)["set_f1"])
    assert lead.chance == pytest.approx(1.96 * np.std(resampled), rel=0.15)


@pytest.mark.parametrize(("n", "known"), [(SMALLEST_GROUP - 1, False), (SMALLEST_GROUP, True)])
def test_few_buyers_have_a_lead_and_no_chance(n: int, known: bool) -> None:
    # Who is told something and buys nothing does not count.
    truth = bought(*[[1]] * n)
    lead = Worth.of(answer(*[[1]] * N), {"rule": answer(*[[2]] * N)}, truth).lead("set_f1", rng())
    assert lead.mean == pytest.approx(2 * n / (N + n))
    assert (lead.chance is not None) is known


def test_the_same_seed_gives_the_same_lead() -> None:
    truth = bought(*[[1]] * N)
    worth = Worth.of(answer(*[[customer % 3] for customer in range(N)]), {"rule": answer(*[[2]] * N)}, truth)
    assert worth.lead("set_f1", rng()) == worth.lead("set_f1", rng())

"""One row per customer and one per product, whatever the number of their pairs."""

import numpy as np
import pandas as pd

from sodai.evaluation.drift_sample import CUSTOMER, PRODUCT, sample_one_per_entity

CANDIDATES = pd.DataFrame(
    {
        "customer_id": [1, 1, 1, 2, 2, 3],
        "product_id": [7, 8, 9, 7, 8, 7],
        "recency_days": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
    }
)


def test_every_customer_and_every_product_has_one_row_customers_first() -> None:
    sample = sample_one_per_entity(CANDIDATES, seed=0)

    assert sample["grain"].tolist() == [CUSTOMER] * 3 + [PRODUCT] * 3
    assert sample.loc[sample["grain"] == CUSTOMER, "customer_id"].tolist() == [1, 2, 3]
    assert sample.loc[sample["grain"] == PRODUCT, "product_id"].tolist() == [7, 8, 9]


def test_every_row_is_a_candidate_unchanged() -> None:
    sample = sample_one_per_entity(CANDIDATES, seed=0)
    assert list(sample) == [*CANDIDATES, "grain"]
    matches = sample.drop(columns="grain").merge(CANDIDATES, on=list(CANDIDATES))
    assert len(matches) == len(sample) == 6


def test_the_order_of_the_candidates_changes_nothing() -> None:
    shuffled = CANDIDATES.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(
        sample_one_per_entity(shuffled, seed=5), sample_one_per_entity(CANDIDATES, seed=5)
    )


def test_every_candidate_of_a_customer_is_drawn_as_often_as_the_others() -> None:
    draws = [sample_one_per_entity(CANDIDATES, seed).iloc[0]["product_id"] for seed in range(150)]
    counts = np.unique(draws, return_counts=True)[1]
    # 50 expected of each of the three, standard deviation 5.8.
    assert len(counts) == 3
    assert abs(counts - 50).max() < 5 * 5.8


def test_without_candidates_there_is_no_row() -> None:
    assert sample_one_per_entity(CANDIDATES[:0], seed=0).empty

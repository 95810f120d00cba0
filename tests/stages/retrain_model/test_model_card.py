"""What a model card is made from."""

from datetime import date

import pandas as pd
import pytest

from retrain_model.core import build_model_card, missing_share, pairs_by_period, study_key
from sodai.data.feature_catalog import FEATURE_NAMES

MONDAYS = [date(2024, 4, 1), date(2024, 4, 8)]


def test_pairs_are_counted_once_a_period_and_only_inside_it() -> None:
    rows = [
        (1, 11, "2024-04-01"),
        (1, 11, "2024-04-05"),  # the same pair in the same period
        (1, 11, "2024-04-08"),
        (1, 12, "2024-04-07"),
        (2, 11, "2024-04-14"),
        (2, 12, "2024-03-31"),  # the day before the first period
        (2, 13, "2024-04-15"),  # the day after the second
    ]
    purchases = pd.DataFrame(rows, columns=["customer_id", "product_id", "purchase_date"])
    assert pairs_by_period(purchases, MONDAYS, 7) == 4
    assert pairs_by_period(purchases, MONDAYS, 5) == 2
    assert pairs_by_period(purchases, MONDAYS[:1], 7) == 2


def test_the_missing_share_is_what_candidates_left_out() -> None:
    assert missing_share(80, 76) == pytest.approx(0.05)
    assert missing_share(80, 80) == 0.0
    assert missing_share(0, 0) == 0.0


def test_a_model_card_names_periods_features_data_and_whatever_training_adds() -> None:
    cutoff = pd.Series(pd.to_datetime(["2024-04-08", "2024-04-01", "2024-04-08"]))
    assert build_model_card(
        date(2024, 4, 22), 7, cutoff, "abc", seed=3, blend={"weights": {"ranker": 1.0}}
    ) == {
        "as_of": "2024-04-22",
        "horizon_days": 7,
        "cutoffs": ["2024-04-01", "2024-04-08"],
        "features": FEATURE_NAMES,
        "n_training_rows": 3,
        "training_sha256": "abc",
        "seed": 3,
        "blend": {"weights": {"ranker": 1.0}},
    }


def test_a_study_has_a_name_of_its_own_for_each_data_and_setting() -> None:
    key = study_key("abc", seed=0, folds=3)
    assert key == study_key("abc", folds=3, seed=0)
    others = {study_key("abd", seed=0, folds=3), study_key("abc", seed=1, folds=3), study_key("abc", seed=0)}
    assert len(others | {key}) == 4

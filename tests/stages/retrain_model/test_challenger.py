"""The model card of a challenger and its missing share."""

from datetime import date

import pandas as pd
import pytest

from retrain_model.core_challenger import build_model_card, missing_share
from sodai.data.feature_catalog import FEATURE_NAMES
from sodai.data.periods import Period


def test_the_missing_share_is_that_of_bought_pairs_that_were_no_candidates() -> None:
    assert missing_share(80, 76) == pytest.approx(0.05)
    assert missing_share(80, 80) == 0.0
    assert missing_share(0, 0) == 0.0


def test_a_model_card_has_periods_features_data_and_more_fields_of_the_training() -> None:
    cutoff = pd.Series(pd.to_datetime(["2024-04-08", "2024-04-01", "2024-04-08"]))
    period = Period(date(2024, 4, 22), 7)
    assert build_model_card(period, cutoff, "abc", seed=3, blend={"weights": {"ranker": 1.0}}) == {
        "as_of": "2024-04-22",
        "horizon_days": 7,
        "cutoffs": ["2024-04-01", "2024-04-08"],
        "features": FEATURE_NAMES,
        "n_training_rows": 3,
        "training_sha256": "abc",
        "seed": 3,
        "blend": {"weights": {"ranker": 1.0}},
    }

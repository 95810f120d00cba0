"""What a model card is made from."""

from datetime import date

import pandas as pd
import pytest

from retrain_model.core import build_model_card, missing_share, study_key
from sodai.data.feature_catalog import FEATURE_NAMES


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

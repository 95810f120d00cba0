"""Features and models of another horizon than the period's are refused in one line."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sodai.data.catalog import FORECASTS
from sodai.data.periods import Period
from sodai.errors import ContractError, InputError, VolumeError
from sodai.model.compatibility import require_features_horizon, require_model_horizon
from sodai.volume.volume import Volume

AS_OF = date(2024, 4, 22)


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """Return a volume with features for five days from `AS_OF`."""
    volume = Volume(tmp_path)
    row = {"horizon_days": 5, "level": 9.0, "calendar": 1.0, "expected_pairs": 9.0, "realised_pairs": None}
    rows = [{"cutoff": day, **row} for day in (date(2024, 4, 15), AS_OF)]
    with volume.attempt("create_features", AS_OF) as attempt:
        attempt.write(FORECASTS, pa.Table.from_pylist(rows, FORECASTS.contract.schema))
    return volume


def test_features_of_the_same_horizon_are_accepted(volume: Volume) -> None:
    require_features_horizon(volume, Period(AS_OF, 5))


def test_features_of_another_horizon_are_one_line_with_both_remedies(volume: Volume) -> None:
    message = (
        "create_features: made for periods of 5 days, found --horizon-days 7; give --horizon-days 5, or "
        "rerun create_features$"
    )
    with pytest.raises(InputError, match=message):
        require_features_horizon(volume, Period(AS_OF, 7))


def test_missing_features_are_one_line_that_names_their_stage(volume: Volume) -> None:
    with pytest.raises(VolumeError, match="run create_features for this period first"):
        require_features_horizon(volume, Period(date(2024, 4, 29), 5))


def test_features_without_their_horizon_are_refused(volume: Volume) -> None:
    file = volume.path(FORECASTS, AS_OF)
    pq.write_table(pq.read_table(file).drop_columns(["horizon_days"]), file)
    with pytest.raises(ContractError, match="column horizon_days is missing"):
        require_features_horizon(volume, Period(AS_OF, 5))


def test_a_model_of_another_horizon_is_one_line_that_names_the_stage_to_rerun() -> None:
    require_model_horizon({"horizon_days": 5}, Period(AS_OF, 5), Path("model"), "retrain_model")
    message = "^model: trained for periods of 5 days, found --horizon-days 7; rerun retrain_model for"
    with pytest.raises(InputError, match=message):
        require_model_horizon({"horizon_days": 5}, Period(AS_OF, 7), Path("model"), "retrain_model")

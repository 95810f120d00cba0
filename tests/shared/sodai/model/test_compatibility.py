"""The length of a period is that of the features and models that a stage reads, or one line says so."""

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
    """A volume with features for five days from `AS_OF`."""
    volume = Volume(tmp_path)
    row = {"horizon_days": 5, "level": 9.0, "calendar": 1.0, "expected_pairs": 9.0, "realised_pairs": None}
    rows = [{"cutoff": day, **row} for day in (date(2024, 4, 15), AS_OF)]
    with volume.attempt("create_features", AS_OF) as attempt:
        attempt.write(FORECASTS, pa.Table.from_pylist(rows, FORECASTS.contract.schema))
    return volume


def test_features_of_the_same_length_are_taken(volume: Volume) -> None:
    require_features_horizon(volume, Period(AS_OF, 5))


def test_features_of_another_length_are_one_line_that_says_both_ways_out(volume: Volume) -> None:
    message = (
        "create_features: made for periods of 5 days, found --horizon-days 7; give --horizon-days 5, or run "
        "create_features again$"
    )
    with pytest.raises(InputError, match=message):
        require_features_horizon(volume, Period(AS_OF, 7))


def test_without_features_the_stage_that_makes_them_is_named(volume: Volume) -> None:
    with pytest.raises(VolumeError, match="run create_features for this period first"):
        require_features_horizon(volume, Period(date(2024, 4, 29), 5))


def test_features_that_do_not_say_are_refused(volume: Volume) -> None:
    file = volume.path(FORECASTS, AS_OF)
    pq.write_table(pq.read_table(file).drop_columns(["horizon_days"]), file)
    with pytest.raises(ContractError, match="column horizon_days is missing"):
        require_features_horizon(volume, Period(AS_OF, 5))


def test_a_model_of_another_length_is_one_line_that_names_the_stage_to_run() -> None:
    require_model_horizon({"horizon_days": 5}, Period(AS_OF, 5), Path("model"), "retrain_model")
    message = "^model: trained for periods of 5 days, found --horizon-days 7; run retrain_model for"
    with pytest.raises(InputError, match=message):
        require_model_horizon({"horizon_days": 5}, Period(AS_OF, 7), Path("model"), "retrain_model")

"""The expected demand of a period: its sum over the candidates, and faults of its table."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sodai.data.catalog import FORECASTS
from sodai.errors import ContractError, InputError, VolumeError
from sodai.evaluation.expected_demand import ExpectedDemand, read_expected_demand
from sodai.volume.volume import Volume

AS_OF = date(2024, 4, 22)
CLOSED = date(2024, 4, 15)


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """Return a volume with the forecasts of a closed period and of the one to predict."""
    volume = Volume(tmp_path)
    with volume.attempt("create_features", AS_OF) as attempt:
        attempt.write(FORECASTS, forecasts([CLOSED, AS_OF], [120.0, 90.0], [110, None]))
    return volume


def forecasts(cutoffs: list[date], expected: list[float], realised: list[int | None]) -> pa.Table:
    columns = {
        "cutoff": cutoffs,
        "horizon_days": [7] * len(cutoffs),
        "level": expected,
        "calendar": [1.0] * len(cutoffs),
        "expected_pairs": expected,
        "realised_pairs": realised,
    }
    return pa.table(columns, schema=FORECASTS.contract.schema)


def test_pairs_that_are_no_candidates_are_a_share_of_all() -> None:
    demand = ExpectedDemand(100.0, 0.07)
    assert demand.missing_pairs == pytest.approx(7.0)
    # The other 93 are spread over the candidates.
    assert demand.probabilities(np.linspace(-3, 3, 200)).sum() == pytest.approx(93.0, abs=1e-6)


@given(
    st.lists(st.floats(-20, 20), min_size=1, max_size=40).map(np.array),
    st.floats(0.01, 0.99),
    st.floats(0, 0.9),
)
def test_candidates_and_missing_pairs_add_up_to_the_forecast(
    log_odds: np.ndarray, share: float, missing_share: float
) -> None:
    demand = ExpectedDemand(share * len(log_odds), missing_share)
    total = demand.probabilities(log_odds).sum() + demand.missing_pairs
    assert total == pytest.approx(demand.pairs, abs=1e-6)


def test_without_candidates_there_are_no_probabilities() -> None:
    assert ExpectedDemand(100.0, 0.07).probabilities(np.array([])).tolist() == []


@pytest.mark.parametrize(("cutoff", "pairs"), [(CLOSED, 120.0), (AS_OF, 90.0)])
def test_each_period_has_its_own_forecast(volume: Volume, cutoff: date, pairs: float) -> None:
    assert read_expected_demand(volume, AS_OF, cutoff, 0.05) == ExpectedDemand(pairs, 0.05)


def test_a_period_without_a_forecast_is_named_with_the_stage_to_run(volume: Volume) -> None:
    with pytest.raises(InputError, match=r"found no forecast for 2024-04-08, .*; run create_features for 2"):
        read_expected_demand(volume, AS_OF, date(2024, 4, 8), 0.05)


def test_a_week_without_forecasts_names_the_stage_to_run(volume: Volume) -> None:
    with pytest.raises(VolumeError, match=r"forecasts\.parquet is missing; run create_features for this"):
        read_expected_demand(volume, date(2024, 4, 29), date(2024, 4, 29), 0.05)


def test_a_damaged_table_is_an_error_of_one_line(volume: Volume) -> None:
    file = volume.path(FORECASTS, AS_OF)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(VolumeError, match="not readable as parquet") as error:
        read_expected_demand(volume, AS_OF, AS_OF, 0.05)
    assert "\n" not in str(error.value)


def test_a_table_without_the_demand_is_refused(volume: Volume) -> None:
    table = forecasts([AS_OF], [90.0], [None]).drop_columns(["expected_pairs"])
    pq.write_table(table, volume.path(FORECASTS, AS_OF))
    with pytest.raises(ContractError, match="column expected_pairs is missing"):
        read_expected_demand(volume, AS_OF, AS_OF, 0.05)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (forecasts([AS_OF, AS_OF], [90.0, 80.0], [None, None]), r"1 rows repeat the key \(cutoff\)"),
        (forecasts([AS_OF], [-1.0], [None]), "column expected_pairs has the value -1.0, expected 0 or more"),
    ],
    ids=["duplicate", "negative"],
)
def test_a_duplicate_or_negative_forecast_is_never_written(
    volume: Volume, table: pa.Table, message: str
) -> None:
    before = volume.path(FORECASTS, AS_OF).read_bytes()
    with (
        pytest.raises(ContractError, match=message),
        volume.attempt("create_features", AS_OF) as attempt,
    ):
        attempt.write(FORECASTS, table)
    assert volume.path(FORECASTS, AS_OF).read_bytes() == before


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ([90.0, 80.0], r"1 rows repeat the key \(cutoff\), expected none"),
        ([-1.0], "column expected_pairs has the value -1.0, expected 0 or more"),
        ([None], "column expected_pairs has 1 nulls, expected none"),
    ],
    ids=["duplicate", "negative", "null"],
)
def test_a_table_that_breaks_its_contract_is_refused(
    volume: Volume, expected: list[float], message: str
) -> None:
    table = forecasts([AS_OF] * len(expected), expected, [None] * len(expected))
    pq.write_table(table, volume.path(FORECASTS, AS_OF))
    with pytest.raises(ContractError, match=message):
        read_expected_demand(volume, AS_OF, AS_OF, 0.05)


def test_a_forecast_that_is_no_number_names_the_stage_to_run(volume: Volume) -> None:
    pq.write_table(forecasts([AS_OF], [float("nan")], [None]), volume.path(FORECASTS, AS_OF))
    with pytest.raises(InputError, match=r"found expected_pairs nan for 2024-04-22, .*; run create_features"):
        read_expected_demand(volume, AS_OF, AS_OF, 0.05)

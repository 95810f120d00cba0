"""The evaluation period: its candidates, its purchases and its expected demand, read from the volume."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from evaluate_model.core_promotion import customer_groups
from sodai.data.catalog import CUSTOMERS, FORECASTS, PAIR, TRAINING
from sodai.data.periods import Period
from sodai.errors import InputError
from sodai.evaluation.baselines import baseline_start
from sodai.evaluation.closed_period import ClosedPeriod
from sodai.evaluation.expected_demand import read_expected_demand
from sodai.evaluation.realised_demand import realised_demand
from sodai.model.trained_model import features_frame
from sodai.volume.volume import Volume


@dataclass(frozen=True)
class EvaluationPeriod(ClosedPeriod):
    """The period that models are compared on: its purchases, and the candidates that models score.

    Attributes:
        X: features of the candidates.
        pairs: customer_id, product_id, target of the candidates, in the order of `X`.
        groups: customer_type and demand of each customer, indexed by customer_id.
        expected_pairs: demand that was expected on the first day of the period.
    """

    X: pd.DataFrame
    pairs: pd.DataFrame
    groups: pd.DataFrame
    expected_pairs: float


def read_evaluation_period(volume: Volume, period: Period) -> EvaluationPeriod:
    """Read the evaluation period of the run that predicts `period`.

    Raises:
        InputError: the training table has no candidates of it.
    """
    held_out = period.evaluation_period
    rows = volume.read(TRAINING, period.as_of, where=pc.field("cutoff") == pa.scalar(held_out.as_of))
    if not rows.num_rows:
        raise InputError(
            f"{volume.path(TRAINING, period.as_of)}: found no candidates of {held_out.as_of}, the newest "
            "closed period, expected some; rerun create_features for this period"
        )
    # A large training table has a sample of the customers; only these are evaluated.
    sampled = pc.unique(rows["customer_id"])
    forecasts = volume.read(FORECASTS, period.as_of).to_pandas()
    since = min(baseline_start(held_out.as_of), forecasts["cutoff"].min())
    closed = ClosedPeriod.read(volume, held_out, sampled, since)
    customers = volume.read(CUSTOMERS, period.as_of).filter(pc.field("customer_id").isin(sampled)).to_pandas()
    expected = read_expected_demand(volume, period.as_of, held_out.as_of, missing_share=0.0)
    return EvaluationPeriod(
        closed.period,
        closed.truth,
        closed.purchases_before,
        features_frame(rows),
        rows.select([*PAIR, "target"]).to_pandas(),
        customer_groups(customers, closed.purchases_before, held_out.as_of),
        expected.pairs * _demand_share(forecasts, closed),
    )


def _demand_share(forecasts: pd.DataFrame, closed: ClosedPeriod) -> float:
    """Return the sampled customers' share of the demand of the periods before a closed one; 1 without any."""
    earlier = forecasts[forecasts["cutoff"] < closed.period.as_of]
    n_all = earlier["realised_pairs"].sum()
    n_own = realised_demand(closed.purchases_before, earlier["cutoff"], closed.period.horizon_days)
    return float(sum(n_own.values()) / n_all) if n_all else 1.0

"""The inputs of detect_data_drift on the volume: candidates, demand, returns and published predictions."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from detect_data_drift.core_realised import RealisedMetrics
from sodai.data.catalog import PAIR, PREDICTION_SUMMARY, PREDICTIONS, QUALITY, SCORING
from sodai.data.periods import Period, week_of
from sodai.errors import TRAIN_AGAIN, InputError
from sodai.evaluation.baselines import Baseline, baseline_start, baselines
from sodai.evaluation.closed_period import ClosedPeriod
from sodai.evaluation.drift_sample import draw_entities
from sodai.evaluation.past_predictions import read_past_predictions
from sodai.volume.sorted_tables import read_sorted
from sodai.volume.volume import Volume

# The purchases of so many customers fit in memory, and determine the NDCG of their lists to a thousandth.
MAX_CUSTOMERS = 100_000


def read_entities(volume: Volume, period: Period, seed: int) -> pd.DataFrame:
    """Return a random candidate of every customer and of every product, see `sample_one_per_entity`.

    Customers without a purchase so far are left out, because the reference has none of them either.

    Raises:
        InputError: there is no customer with a purchase.
        ContractError: the table breaks its contract.
    """
    path = volume.path(SCORING, period.as_of)
    keys = volume.read(SCORING, period.as_of, columns=[*PAIR, "customer_tenure_days"])
    has_bought = pc.is_valid(keys["customer_tenure_days"]).to_numpy()
    if not has_bought.any():
        raise InputError(
            f"{path}: found no candidate of a customer with purchases, expected some to compare with the "
            f"champion's reference; check the input of this week, or {TRAIN_AGAIN}"
        )
    pairs = pd.DataFrame({name: keys[name].to_numpy()[has_bought] for name in PAIR})
    drawn = draw_entities(pairs.set_index(np.flatnonzero(has_bought)), seed)
    wanted = np.unique(drawn["row"])
    # One row group at a time: the features of all candidates may not fit in memory.
    samples, begin = [], 0
    for rows in read_sorted([path], SCORING.contract, SCORING.producer):
        samples.append(rows.take(wanted[(wanted >= begin) & (wanted < begin + rows.num_rows)] - begin))
        begin += rows.num_rows
    sample = pa.concat_tables(samples).to_pandas().set_index(wanted)
    return sample.loc[drawn["row"]].reset_index(drop=True).assign(grain=drawn["grain"])


def read_demand(volume: Volume, period: Period, reference: pa.Table) -> tuple[float, list[float]]:
    """Return the pairs bought in the seven days before `period`, and before each period of the reference."""
    newest = volume.read(SCORING, period.as_of, columns=["market_pairs_1w"])
    periods = reference.select(["cutoff", "market_pairs_1w"]).to_pandas()
    known = periods.drop_duplicates().sort_values("cutoff")["market_pairs_1w"]
    return float(newest["market_pairs_1w"][0].as_py()), known.astype(float).tolist()


def read_realised_metrics(volume: Volume, period: Period) -> RealisedMetrics | None:
    """Return the metrics of the predictions published for the newest closed period.

    None without predictions for a period of this length, or without purchases in it.

    Raises:
        VolumeError: the warehouse or the predictions cannot be read.
    """
    closed_period = period.evaluation_period
    day = closed_period.as_of
    if not volume.exists(PREDICTIONS, day):
        return None
    summary = volume.read_json(PREDICTION_SUMMARY, day) if volume.exists(PREDICTION_SUMMARY, day) else {}
    if summary.get("horizon_days", period.horizon_days) != period.horizon_days:
        return None
    customers = _sample_customers(volume, day)
    predictions = read_past_predictions(volume, day, customers)
    closed = ClosedPeriod.read(volume, closed_period, customers, baseline_start(day))
    # Baselines have no list for customers without earlier purchases, so that only the others are comparable.
    known = closed.purchases_before["customer_id"].unique()
    predictions = predictions[predictions["customer_id"].isin(known)]
    truth = closed.truth[closed.truth["customer_id"].isin(known)]
    if truth.empty:
        return None
    published = Baseline(predictions, predictions.loc[predictions["selected"], PAIR])
    return RealisedMetrics.compute(published, baselines(closed.purchases_before, day), truth)


def read_weekly_sales(volume: Volume, period: Period) -> list[dict[str, int]]:
    """Return purchases, cancelled and returned sales of every week before `period`, oldest first.

    If `period` starts within a week, the days of that week before it count with the week before, so that
    the newest week has seven days or more.
    """
    weeks = volume.read_json(QUALITY, period.as_of)["weeks"]
    sales = [{name: week[name] for name in ("purchases", "cancelled", "returned")} for week in weeks]
    if len(weeks) > 1 and date.fromisoformat(weeks[-1]["week"]) == week_of(period.as_of):
        first_days = sales.pop()
        sales[-1] = {name: count + first_days[name] for name, count in sales[-1].items()}
    return sales


def _sample_customers(volume: Volume, day: date) -> pa.Array | None:
    """Return a sample of the customers with predictions; None for all, if there are few enough."""
    best = pc.field("rank") == 1
    listed = volume.read(PREDICTIONS, day, columns=["customer_id"], where=best)["customer_id"]
    if len(listed) <= MAX_CUSTOMERS:
        return None
    return pa.array(np.random.default_rng(0).choice(listed.to_numpy(), MAX_CUSTOMERS, replace=False))

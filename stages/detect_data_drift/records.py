"""What the decision is made from: the champion, volumes, returns, and what was published last."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detect_data_drift.core_worth import Worth
from sodai.data.catalog import DRIFT_TABLE, PAIR, PREDICTION_SUMMARY, PREDICTIONS, QUALITY, REFERENCE, SCORING
from sodai.data.periods import DAYS_PER_WEEK, Period, week_of
from sodai.errors import TRAIN_AGAIN, ContractError, InputError, ModelError, first_line
from sodai.evaluation.baselines import Baseline, baseline_start, baselines
from sodai.evaluation.closed_period import ClosedPeriod
from sodai.evaluation.drift_sample import draw_entities
from sodai.evaluation.past_predictions import read_past_predictions
from sodai.model.registry import Registry
from sodai.model.trained_model import TrainedModel, load_model
from sodai.report.pages import page
from sodai.volume.sorted_tables import read_sorted
from sodai.volume.volume import Volume

# So many customers tell the NDCG of their lists to a thousandth.
MOST_CUSTOMERS = 100_000


@dataclass(frozen=True)
class Champion:
    """The champion as it stands in the registry: its model and its drift reference.

    `newest_training` is the first day of the newest period before this run's that a version was trained
    for, promoted or not; None without one.
    """

    model: TrainedModel
    reference: pa.Table
    newest_training: date | None = None

    @property
    def as_of(self) -> date:
        """First day of the period that it was trained for."""
        return date.fromisoformat(self.model.card["as_of"])

    def age_weeks(self, period: Period) -> float:
        """Weeks from the period that it was trained for to `period`."""
        return _weeks_between(self.as_of, period)

    def since_training_weeks(self, period: Period) -> float:
        """Weeks to `period` from the newest training: its own, or a later one that was not promoted."""
        return _weeks_between(max(self.as_of, self.newest_training or self.as_of), period)


def _weeks_between(first: date, period: Period) -> float:
    return (period.as_of - first).days / DAYS_PER_WEEK


@dataclass(frozen=True)
class Found:
    """The champion's version, and the champion; None where only a forced run gets past its files."""

    version: str
    champion: Champion | None


def champion_of(registry: Registry, scratch: Path, period: Period, lenient: bool) -> Found | None:
    """The champion with its reference as `period` finds it; None if there is none.

    Raises:
        ModelError: it was trained on other features than today's, is damaged or gone, unless `lenient`.
        ContractError: its reference has other columns than expected, unless `lenient`.
    """
    found = registry.champion()
    if found is None:
        return None
    try:
        registry.download(found.version, scratch)
        model = load_model(scratch, "champion")
        reference = _reference(scratch / "reference.parquet", found.version)
    except (ModelError, ContractError):
        if lenient:
            return Found(found.version, None)
        raise
    return Found(found.version, Champion(model, reference, registry.snapshot().newest_training(period.as_of)))


def _reference(file: Path, version: str) -> pa.Table:
    try:
        reference = REFERENCE.contract.rename_former(pq.read_table(file))
    except (ValueError, OSError) as error:
        raise ModelError(
            f"{file.name} of version {version}: not readable ({first_line(error)}); {TRAIN_AGAIN}"
        ) from error
    REFERENCE.contract.check(reference, f"reference of version {version}")
    return reference


def current_units(volume: Volume, period: Period, seed: int) -> pd.DataFrame:
    """A random candidate of every customer and of every product of this week, see `one_row_a_unit`.

    Customers without a purchase so far are left out: the reference holds none, because closed periods
    hold none. Of the others' features only the rows that are drawn are held, a row group at a time.

    Raises:
        InputError: no customer has bought anything.
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
    held, begin = [], 0
    for piece in read_sorted([path], SCORING.contract, SCORING.producer):
        inside = wanted[(wanted >= begin) & (wanted < begin + piece.num_rows)] - begin
        held.append(piece.take(inside))
        begin += piece.num_rows
    rows = pa.concat_tables(held).to_pandas().set_index(wanted)
    return rows.loc[drawn["row"]].reset_index(drop=True).assign(grain=drawn["grain"])


def volumes(volume: Volume, period: Period, reference: pa.Table) -> tuple[float, list[float]]:
    """Pairs bought in the last seven days before `period`, and before each period of the reference."""
    newest = volume.read(SCORING, period.as_of, columns=["market_pairs_1w"])
    known = (
        reference.select(["cutoff", "market_pairs_1w"]).to_pandas().drop_duplicates().sort_values("cutoff")
    )
    return float(newest["market_pairs_1w"][0].as_py()), known["market_pairs_1w"].astype(float).tolist()


def last_published(volume: Volume, period: Period) -> Worth | None:
    """What was published for the period before, held against its purchases; None without either.

    What was published for a period of another length is of other days, and says nothing of this one's.

    Raises:
        VolumeError: the warehouse or the predictions cannot be read.
    """
    before = period.back(1)
    if not volume.exists(PREDICTIONS, before.as_of):
        return None
    if volume.exists(PREDICTION_SUMMARY, before.as_of):
        summary = volume.read_json(PREDICTION_SUMMARY, before.as_of)
        if summary["horizon_days"] != before.horizon_days:
            return None
    customers = _sample_of_customers(volume, before)
    predictions = read_past_predictions(volume, before.as_of, customers)
    closed = ClosedPeriod.read(volume, before, customers, baseline_start(before.as_of))
    # A rule has no list for customers without earlier purchases, so only the others can be compared.
    known = closed.purchases_before["customer_id"].unique()
    predictions = predictions[predictions["customer_id"].isin(known)]
    truth = closed.truth[closed.truth["customer_id"].isin(known)]
    if truth.empty:
        return None
    published = Baseline(predictions, predictions.loc[predictions["selected"], PAIR])
    return Worth.of(published, baselines(closed.purchases_before, before.as_of), truth)


def _sample_of_customers(volume: Volume, before: Period) -> pa.Array | None:
    """As many of the customers with predictions as memory holds the purchases of; None for all."""
    best = pc.field("rank") == 1
    listed = volume.read(PREDICTIONS, before.as_of, columns=["customer_id"], where=best)["customer_id"]
    if len(listed) <= MOST_CUSTOMERS:
        return None
    return pa.array(np.random.default_rng(0).choice(listed.to_numpy(), MOST_CUSTOMERS, replace=False))


def weekly_sales(volume: Volume, period: Period) -> list[dict[str, int]]:
    """Purchases, and what was cancelled and returned, of every week before `period`, oldest first.

    Where `period` begins in the middle of a week, that week's days before it count with the week before:
    the newest week has seven days or more.
    """
    weeks = volume.read_json(QUALITY, period.as_of)["weeks"]
    sales = [{name: week[name] for name in ("purchases", "cancelled", "returned")} for week in weeks]
    if len(weeks) > 1 and date.fromisoformat(weeks[-1]["week"]) == week_of(period.as_of):
        cut = sales.pop()
        sales[-1] = {name: count + cut[name] for name, count in sales[-1].items()}
    return sales


def empty_table() -> pd.DataFrame:
    """The drift table of a run that had nothing to compare with."""
    return DRIFT_TABLE.contract.schema.empty_table().to_pandas()


def page_without_report(reason: str) -> str:
    """The drift page of such a run."""
    text = f"<section><p>No drift report was made: {reason}.</p></section>"
    return page("Drift report", text, "Evidently compares this week with the champion's reference")

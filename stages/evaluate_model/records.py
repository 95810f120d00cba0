"""The closed period that models are held against, and what MLflow keeps of the result."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from evaluate_model import core, core_promotion
from sodai.data.catalog import (
    CUSTOMERS,
    DECISION,
    EVALUATE,
    EVALUATION,
    FORECASTS,
    LIST_LENGTH,
    PAIR,
    TRAINING,
)
from sodai.data.periods import Period
from sodai.errors import InputError, ModelError, RegistryError
from sodai.evaluation.baselines import baseline_start, baselines
from sodai.evaluation.closed_period import ClosedPeriod
from sodai.evaluation.expected_demand import ExpectedDemand, read_expected_demand
from sodai.evaluation.realised_demand import realised_demand
from sodai.model.registry import Registry
from sodai.model.trained_model import TrainedModel, features_frame, load_model
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

KS = (5, 10)


@dataclass(frozen=True)
class EvaluationPeriod(ClosedPeriod):
    """The period that models are compared on: its purchases, and the candidates that models score.

    Attributes:
        X: features of the candidates.
        pairs: customer_id, product_id, target of the candidates, in the order of `X`.
        groups: customer_type and volume of each customer, indexed by customer_id.
        expected_pairs: demand that was expected on the first day of the period.
    """

    X: pd.DataFrame
    pairs: pd.DataFrame
    groups: pd.DataFrame
    expected_pairs: float


@dataclass(frozen=True)
class Figures:
    """What one model was worth: its metrics, its calibration table, NDCG of each buying customer."""

    metrics: dict[str, float]
    calibration: list[dict[str, float]]
    ndcg: pd.Series


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
            "closed period, expected some; run create_features for this period again"
        )
    # A large training table has a sample of the customers: they are the market that models are compared on.
    sampled = pc.unique(rows["customer_id"])
    forecasts = volume.read(FORECASTS, period.as_of).to_pandas()
    since = min(baseline_start(held_out.as_of), forecasts["cutoff"].min())
    closed = ClosedPeriod.read(volume, held_out, sampled, since)
    customers = volume.read(CUSTOMERS, period.as_of).filter(pc.field("customer_id").isin(sampled)).to_pandas()
    return EvaluationPeriod(
        closed.period,
        closed.truth,
        closed.purchases_before,
        features_frame(rows),
        rows.select([*PAIR, "target"]).to_pandas(),
        core_promotion.customer_groups(customers, closed.purchases_before, held_out.as_of),
        read_expected_demand(volume, period.as_of, held_out.as_of, missing_share=0.0).pairs
        * _share_of_market(forecasts, closed),
    )


def _share_of_market(forecasts: pd.DataFrame, closed: ClosedPeriod) -> float:
    """Return the customers' share of the demand of the periods before a closed one, 1 without demand.

    Args:
        forecasts: the columns of FORECASTS.
        closed: with the purchases of these customers since the first period of the forecasts.
    """
    earlier = forecasts[forecasts["cutoff"] < closed.period.as_of]
    n_all = earlier["realised_pairs"].sum()
    n_own = realised_demand(closed.purchases_before, earlier["cutoff"], closed.period.horizon_days)
    return float(sum(n_own.values()) / n_all) if n_all else 1.0


def has_seen(model: TrainedModel, closed: Period) -> bool:
    """Whether a model learnt from a day of the closed period or from a later one."""
    newest = max(map(date.fromisoformat, model.card["cutoffs"]))
    return newest + timedelta(days=model.card["horizon_days"]) > closed.as_of


def figures_of(model: TrainedModel, closed: EvaluationPeriod, k: int) -> Figures:
    """The figures of a model on the closed period."""
    expected = ExpectedDemand(closed.expected_pairs, model.card["missing_share"])
    scored = core.score_frame(closed.pairs, expected.probabilities(model.log_odds(closed.X)))
    metrics = core.model_figures(scored, closed.truth, expected.missing_pairs, _ks(k))
    return Figures(metrics, core.calibration_rows(scored), core.by_customer(scored, closed.truth, k))


def last_retraining(
    volume: Volume, registry: Registry, closed: EvaluationPeriod, scratch: Path, seed: int
) -> dict[str, Any] | None:
    """What the training of the period before was worth: its challenger against its champion.

    The closed period is the first that neither of them was chosen on. None where that period's run
    trained nothing or had no champion, or where one of them has seen the period since or was trained for
    periods of another length.
    """
    as_of = closed.period.as_of
    if not volume.exists(EVALUATION, as_of):
        return None
    evaluation = volume.read_json(EVALUATION, as_of)
    versions = evaluation["versions"]
    if set(versions) != {"challenger", "champion"} or versions["challenger"] == versions["champion"]:
        return None
    record = {
        "as_of": as_of,
        "rule": volume.read_json(DECISION, as_of)["rule"],
        "promoted": evaluation["promoted"],
        "versions": versions,
    }
    ndcg = {}
    try:
        for role, version in versions.items():
            registry.download(version, scratch / role)
            model = load_model(scratch / role, f"version {version}")
            if has_seen(model, closed.period):
                return None
            if model.card["horizon_days"] != closed.period.horizon_days:
                return None
            scored = core.score_frame(closed.pairs, model.log_odds(closed.X))
            ndcg[role] = core.by_customer(scored, closed.truth, LIST_LENGTH)
    except (ModelError, RegistryError) as error:
        log.warning("what the training of %s was worth stays unknown: %s", as_of, error)
        return {**record, "difference": None, "reason": str(error)}
    return {**record, **core_promotion.outcome(ndcg["challenger"] - ndcg["champion"], seed)}


def baselines_of(closed: EvaluationPeriod, k: int) -> dict[str, dict[str, float]]:
    """The figures of every rule on the closed period."""
    rules = baselines(closed.purchases_before, closed.period.as_of)
    return {
        name: core.baseline_figures(rule.ranked, rule.selected, closed.truth, _ks(k))
        for name, rule in rules.items()
    }


def log_run(registry: Registry, record: Mapping[str, Any], scratch: Path) -> None:
    """Log an evaluation to MLflow: the figures of each model and rule, and the calibration plot."""
    name = f"evaluate {record['as_of']}"
    metrics = {
        f"{who}.{metric}": value
        for group in ("models", "baselines")
        for who, figures in record[group].items()
        for metric, value in figures.items()
    }
    with registry.run(name, {"stage": EVALUATE, "as_of": str(record["as_of"])}) as run_id:
        registry.log(
            run_id,
            params={"promoted": record["promoted"], "reason": record["reason"], **record["published"]},
            metrics=metrics,
            files={"plots": [_calibration_plot(record["calibration"], scratch / "calibration.png")]},
        )


def _calibration_plot(rows: list[dict[str, float]], file: Path) -> Path:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    table = pd.DataFrame(rows)
    figure, axes = plt.subplots(figsize=(5, 5))
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot(table["mean_probability"], table["realised_share"], marker="o")
    axes.set(xlabel="mean probability", ylabel="share bought", title="Calibration on the closed period")
    figure.savefig(file, dpi=90, bbox_inches="tight")
    plt.close(figure)
    return file


def _ks(k: int) -> tuple[int, ...]:
    return tuple(sorted({*KS, k}))

"""What the decision is made from: the champion, volumes, returns, and what was published last."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sodai.baselines import baselines, looked_back
from sodai.datasets import DRIFT_TABLE, PREDICTIONS, QUALITY, REFERENCE, SCORING
from sodai.errors import ContractError, ModelError
from sodai.metrics import PAIR, ranking_metrics, set_metrics
from sodai.model import TrainedModel, load_model
from sodai.pages import page
from sodai.periods import DAYS_PER_WEEK, Period
from sodai.registry import Registry
from sodai.volume import Volume
from sodai.warehouse import read_transactions

LIST_LENGTH = 10


@dataclass(frozen=True)
class Champion:
    """The champion as it stands in the registry: its model and its drift reference."""

    model: TrainedModel
    reference: pa.Table

    def age_weeks(self, period: Period) -> float:
        """Weeks from the period that it was trained for to `period`."""
        return (period.as_of - date.fromisoformat(self.model.manifest["as_of"])).days / DAYS_PER_WEEK


@dataclass(frozen=True)
class Found:
    """The champion's version, and the champion; None where only a forced run gets past its files."""

    version: str
    champion: Champion | None


@dataclass(frozen=True)
class Published:
    """What the predictions published last came to, and what the rules would have come to."""

    figures: dict[str, float]
    baselines: dict[str, dict[str, float]]

    def of_rules(self, metric: str) -> dict[str, float]:
        """One metric of every rule."""
        return {name: figures[metric] for name, figures in self.baselines.items()}


def champion_of(registry: Registry, scratch: Path, lenient: bool) -> Found | None:
    """The champion with its reference; None if there is none.

    Raises:
        ModelError: it was trained on other features than today's or is damaged, unless `lenient`.
        ContractError: its reference has other columns than expected, unless `lenient`.
    """
    found = registry.champion()
    if found is None:
        return None
    registry.download(found.version, scratch)
    try:
        model = load_model(scratch, "champion")
        reference = _reference(scratch / "reference.parquet", found.version)
    except (ModelError, ContractError):
        if lenient:
            return Found(found.version, None)
        raise
    return Found(found.version, Champion(model, reference))


def _reference(file: Path, version: str) -> pa.Table:
    try:
        reference = pq.read_table(file)
    except (ValueError, OSError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{file.name} of version {version}: not readable ({first_line}); "
            "run the pipeline with force_retrain"
        ) from error
    REFERENCE.contract.check(reference, f"reference of version {version}")
    return reference


def volumes(volume: Volume, period: Period, reference: pa.Table) -> tuple[float, list[float]]:
    """Pairs bought in the last seven days before `period`, and before each period of the reference."""
    newest = volume.read(SCORING, period.as_of, columns=["market_pairs_1w"])
    known = (
        reference.select(["cutoff", "market_pairs_1w"]).to_pandas().drop_duplicates().sort_values("cutoff")
    )
    return float(newest["market_pairs_1w"][0].as_py()), known["market_pairs_1w"].astype(float).tolist()


def last_published(volume: Volume, period: Period) -> Published | None:
    """What was published for the period before, held against its purchases; None without it.

    Raises:
        VolumeError: the warehouse or the predictions cannot be read.
    """
    before = period.back(1)
    if not volume.exists(PREDICTIONS, before.as_of):
        return None
    names = [*PAIR, "rank", "selected"]
    predictions = volume.read(PREDICTIONS, before.as_of, columns=names).to_pandas()
    purchases = read_transactions(
        volume, before.end, looked_back(before.as_of), columns=[*PAIR, "purchase_date"]
    ).to_pandas()
    inside = pd.to_datetime(purchases["purchase_date"]) >= pd.Timestamp(before.as_of)
    truth = purchases.loc[inside, PAIR].drop_duplicates()
    return Published(
        _realised(predictions, predictions.loc[predictions["selected"], PAIR], truth),
        {
            name: _realised(rule.ranked, rule.selected, truth)
            for name, rule in baselines(purchases[~inside], before.as_of).items()
        },
    )


def _realised(ranked: pd.DataFrame, selected: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    ndcg = ranking_metrics(ranked, truth, (LIST_LENGTH,))[f"ndcg_at_{LIST_LENGTH}"]
    return {"set_f1": set_metrics(selected, truth)["set_f1"], "ndcg": ndcg}


def weekly_quality(volume: Volume, period: Period) -> list[dict[str, Any]]:
    """The figures of every week before `period`, oldest first, from the quality record."""
    weeks: list[dict[str, Any]] = volume.read_json(QUALITY, period.as_of)["weeks"]
    return weeks


def empty_table() -> pd.DataFrame:
    """The drift table of a run that had nothing to compare with."""
    return DRIFT_TABLE.contract.schema.empty_table().to_pandas()


def page_without_report(reason: str) -> str:
    """The drift page of such a run."""
    text = f"<section><p>No drift report was made: {reason}.</p></section>"
    return page("Drift report", text, "Evidently compares this week with the champion's reference")

"""What the decision is made from: the champion's reference, volumes, and the last published set."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sodai.datasets import DRIFT_TABLE, PREDICTION_SUMMARY, PREDICTIONS, REFERENCE, SCORING
from sodai.errors import ContractError, ModelError
from sodai.metrics import PAIR, set_metrics
from sodai.model import MANIFEST_FILE, check_features
from sodai.pages import page
from sodai.periods import DAYS_PER_WEEK, Period
from sodai.registry import Registry
from sodai.volume import Volume
from sodai.warehouse import read_transactions


@dataclass(frozen=True)
class Champion:
    """The champion's version, its manifest and its drift reference.

    `reference` is None where its features are not today's or its files are damaged, which only a
    forced run gets past.
    """

    version: str
    manifest: dict[str, Any]
    reference: pa.Table | None

    def age_weeks(self, period: Period) -> float:
        """Weeks from the period that it was trained for to `period`."""
        return (period.as_of - date.fromisoformat(self.manifest["as_of"])).days / DAYS_PER_WEEK


def champion_of(registry: Registry, scratch: Path, lenient: bool) -> Champion | None:
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
        manifest = _read(_json, scratch / MANIFEST_FILE, found.version)
        check_features(manifest, "champion")
        reference = _read(pq.read_table, scratch / "reference.parquet", found.version)
        REFERENCE.contract.check(reference, f"reference of version {found.version}")
    except (ModelError, ContractError):
        if lenient:
            return Champion(found.version, {}, None)
        raise
    return Champion(found.version, manifest, reference)


def _read(reader: Callable[[Path], Any], file: Path, version: str) -> Any:
    try:
        return reader(file)
    except (ValueError, OSError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{file.name} of version {version}: not readable ({first_line}); "
            "run the pipeline with force_retrain"
        ) from error


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def volumes(volume: Volume, period: Period, reference: pa.Table) -> tuple[float, list[float]]:
    """Pairs bought in the last seven days before `period`, and before each period of the reference."""
    newest = volume.read(SCORING, period.as_of, columns=["market_pairs_1w"])
    known = (
        reference.select(["cutoff", "market_pairs_1w"]).to_pandas().drop_duplicates().sort_values("cutoff")
    )
    return float(newest["market_pairs_1w"][0].as_py()), known["market_pairs_1w"].astype(float).tolist()


def last_published(volume: Volume, period: Period) -> tuple[float | None, float | None]:
    """Expected and realised F1 of the set published for the period before; None without one."""
    before = period.back(1)
    if not volume.exists(PREDICTIONS, before.as_of) or not volume.exists(PREDICTION_SUMMARY, before.as_of):
        return None, None
    predictions = volume.read(PREDICTIONS, before.as_of, columns=[*PAIR, "selected"]).to_pandas()
    truth = read_transactions(volume, before.end, before.as_of).select(PAIR).to_pandas().drop_duplicates()
    realised = set_metrics(predictions.loc[predictions["selected"], PAIR], truth)["set_f1"]
    return float(volume.read_json(PREDICTION_SUMMARY, before.as_of)["expected_f1"]), realised


def empty_table() -> pd.DataFrame:
    """The drift table of a run that had nothing to compare with."""
    return DRIFT_TABLE.contract.schema.empty_table().to_pandas()


def page_without_report(reason: str) -> str:
    """The drift page of such a run."""
    text = f"<section><p>No drift report was made: {reason}.</p></section>"
    return page("Drift report", text, "Evidently compares this week with the champion's reference")

"""The champion of the registry: its model and the sample of features that it was trained on."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sodai.data.catalog import REFERENCE
from sodai.data.periods import DAYS_PER_WEEK, Period
from sodai.errors import TRAIN_AGAIN, ContractError, ModelError, first_line
from sodai.model.registry import Registry
from sodai.model.trained_model import TrainedModel, load_model


@dataclass(frozen=True)
class Champion:
    """The champion as a period finds it.

    Attributes:
        model: its model.
        reference: REFERENCE of its training.
        newest_training: first day of the newest period before this one that a version was trained for,
            promoted or not; None if there is none.
    """

    model: TrainedModel
    reference: pa.Table
    newest_training: date | None = None

    @property
    def as_of(self) -> date:
        """Return the first day of the period that it was trained for."""
        return date.fromisoformat(self.model.card["as_of"])

    def age_weeks(self, period: Period) -> float:
        """Return the weeks from the period that it was trained for to `period`."""
        return _weeks_between(self.as_of, period)

    def since_training_weeks(self, period: Period) -> float:
        """Return the weeks to `period` from the newest training: its own, or a later one."""
        return _weeks_between(max(self.as_of, self.newest_training or self.as_of), period)


def read_champion(
    registry: Registry, scratch: Path, period: Period, lenient: bool
) -> tuple[str | None, Champion | None]:
    """Return the version of the champion, and the champion; None for each if there is none.

    Args:
        registry: of the run.
        scratch: a private folder for its files.
        period: to predict.
        lenient: return no champion if its files cannot be used.

    Raises:
        ModelError: it was trained on other features than today's, is damaged or lost.
        ContractError: its reference has other columns than expected.
    """
    version = registry.champion()
    if version is None:
        return None, None
    try:
        registry.download(version.version, scratch)
        model = load_model(scratch, "champion")
        reference = _read_reference(scratch / "reference.parquet", version.version)
    except (ModelError, ContractError):
        if lenient:
            return version.version, None
        raise
    newest_training = registry.snapshot().newest_training(period.as_of)
    return version.version, Champion(model, reference, newest_training)


def _read_reference(file: Path, version: str) -> pa.Table:
    try:
        reference = REFERENCE.contract.rename_former(pq.read_table(file))
    except (ValueError, OSError) as error:
        raise ModelError(
            f"{file.name} of version {version}: not readable ({first_line(error)}); {TRAIN_AGAIN}"
        ) from error
    REFERENCE.contract.check(reference, f"reference of version {version}")
    return reference


def _weeks_between(first: date, period: Period) -> float:
    return (period.as_of - first).days / DAYS_PER_WEEK

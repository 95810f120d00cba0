"""The catalogue of model features: the one table that stages, documentation and tests hold themselves to."""

from dataclasses import dataclass

import pyarrow as pa

from sodai.contracts import Column


@dataclass(frozen=True)
class Feature:
    """One model feature, known strictly before the cutoff of its row.

    `group` is customer, product, pair or time; `null_means` is empty where the feature is never null.
    Categorical features are text, all others 32-bit floats.
    """

    name: str
    group: str
    unit: str
    meaning: str
    null_means: str = ""
    categorical: bool = False

    @property
    def column(self) -> Column:
        """The contract of the feature as a table column."""
        kind = pa.string() if self.categorical else pa.float32()
        return Column(self.name, kind, self.meaning, self.unit, nullable=bool(self.null_means))


FEATURES: tuple[Feature, ...] = ()

FEATURE_NAMES: list[str] = [feature.name for feature in FEATURES]
CATEGORICAL_NAMES: list[str] = [feature.name for feature in FEATURES if feature.categorical]

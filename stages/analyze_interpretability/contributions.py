"""SHAP contributions of candidates: computed for those that are recommended or sampled."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from analyze_interpretability.core_importance import check_additivity
from sodai.data.catalog import PAIR
from sodai.model.scoring import ScoredCandidates
from sodai.model.trained_model import TrainedModel, features_frame

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Contributions:
    """Candidates in key order, each with the contributions of its features.

    Attributes:
        pairs: (n) customer_id, product_id.
        X: (n, n_features) from `features_frame`.
        values: (n, n_features + 1) contributions in log-odds, the base value last.
        gap: largest difference between the sum of a row and its raw score, in log-odds.
    """

    pairs: pd.DataFrame
    X: pd.DataFrame
    values: Floats
    gap: float

    @classmethod
    def compute(cls, model: TrainedModel, candidates: pa.Table) -> Self:
        """Explain rows of SCORING.

        Raises:
            ModelError: the contributions do not add up to the score.
        """
        values = model.contributions(candidates)
        gap = check_additivity(values, model.raw_score(candidates))
        return cls(candidates.select(PAIR).to_pandas(), features_frame(candidates), values, gap)

    @classmethod
    def concatenate(cls, several: Sequence["Contributions"]) -> Self:
        """Return the rows of several in one."""
        return cls(
            pd.concat([each.pairs for each in several], ignore_index=True),
            pd.concat([each.X for each in several], ignore_index=True),
            np.concatenate([each.values for each in several]),
            max(each.gap for each in several),
        )

    @property
    def of_features(self) -> Floats:
        """Return the contributions without the base value: (n, n_features)."""
        return self.values[:, :-1]

    def filter(self, mask: npt.NDArray[np.bool_]) -> "Contributions":
        """Return the rows of a (n,) mask."""
        return Contributions(self.pairs[mask], self.X[mask], self.values[mask], self.gap)


def explain(
    model: TrainedModel,
    batches: Iterable[ScoredCandidates],
    k: int,
    sample: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]],
) -> Iterator[tuple[Contributions, Contributions]]:
    """Yield the recommended and the sampled candidates of each batch.

    Args:
        model: that scored them.
        batches: all candidates, whole customers at a time.
        k: recommendations per customer.
        sample: customer_id of candidates -> mask of the sampled ones.

    Raises:
        ModelError: see `Contributions.compute`.
    """
    for batch in batches:
        sampled, recommended = sample(batch.candidates["customer_id"].to_numpy()), batch.rank <= k
        wanted = sampled | recommended
        rows = Contributions.compute(model, batch.candidates.filter(pa.array(wanted)))
        yield rows.filter(recommended[wanted]), rows.filter(sampled[wanted])

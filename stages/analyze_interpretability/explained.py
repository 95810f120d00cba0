"""Candidates with what moved the model to its score of each."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from analyze_interpretability.core import check_additivity
from sodai.model.scoring import ScoredCandidates
from sodai.model.trained_model import TrainedModel, features_frame

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Explained:
    """Candidates in key order.

    `pairs` (n) customer_id and product_id, `X` (n, 72) as from `features_frame`, `contributions`
    (n, 72 + 1) with the base value last, `gap` their largest distance from the raw score, in log-odds.
    """

    pairs: pd.DataFrame
    X: pd.DataFrame
    contributions: Floats
    gap: float

    @classmethod
    def of(cls, model: TrainedModel, candidates: pa.Table) -> Self:
        """Explain the rows of SCORING.

        Raises:
            ModelError: the contributions do not add up to the score.
        """
        contributions = model.contributions(candidates)
        gap = check_additivity(contributions, model.raw_score(candidates))
        pairs = candidates.select(["customer_id", "product_id"]).to_pandas()
        return cls(pairs, features_frame(candidates), contributions, gap)

    @classmethod
    def together(cls, parts: Iterable["Explained"]) -> Self:
        """All of several."""
        every = list(parts)
        return cls(
            pd.concat([part.pairs for part in every], ignore_index=True),
            pd.concat([part.X for part in every], ignore_index=True),
            np.concatenate([part.contributions for part in every]),
            max(part.gap for part in every),
        )

    def only(self, wanted: npt.NDArray[np.bool_]) -> "Explained":
        """Those that a (n,) mask wants."""
        return Explained(self.pairs[wanted], self.X[wanted], self.contributions[wanted], self.gap)


def explain(
    model: TrainedModel,
    pieces: Iterable[ScoredCandidates],
    k: int,
    sample: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]],
) -> Iterator[tuple[Explained, Explained]]:
    """The recommended candidates, and those drawn for the global figures, some customers at a time.

    Args:
        model: what scored them.
        pieces: all candidates.
        k: recommendations of a customer.
        sample: the mask of the candidates that are drawn, by their customer_id.

    Raises:
        ModelError: see `Explained.of`.
    """
    for piece in pieces:
        drawn, listed = sample(piece.candidates["customer_id"].to_numpy()), piece.rank <= k
        wanted = drawn | listed
        rows = Explained.of(model, piece.candidates.filter(pa.array(wanted)))
        yield rows.only(listed[wanted]), rows.only(drawn[wanted])

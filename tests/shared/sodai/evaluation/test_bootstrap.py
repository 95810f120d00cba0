"""The interval of a difference over customers."""

import numpy as np
import pandas as pd
import pytest

from sodai.evaluation.bootstrap import paired_interval


def test_an_interval_repeats_for_a_seed_and_covers_the_mean() -> None:
    difference = pd.Series(np.random.default_rng(1).normal(0.02, 0.1, 200))
    first, again, other = (paired_interval(difference, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first == again != other
    assert first["mean"] == pytest.approx(difference.mean())
    half = 1.96 * difference.std(ddof=0) / np.sqrt(200)
    assert first["low"] == pytest.approx(first["mean"] - half, abs=0.002)
    assert first["high"] == pytest.approx(first["mean"] + half, abs=0.002)

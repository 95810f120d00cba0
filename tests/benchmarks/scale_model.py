"""A model of the usual size for the benchmark of sizes, and the time that LightGBM alone needs to score."""

import time
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sodai.data.catalog import PUBLISHED_MODEL, SCORING, TRAINING
from sodai.data.feature_catalog import FEATURE_NAMES
from sodai.model.trained_model import (
    TrainedModel,
    build_pipeline,
    features_frame,
    fit_pipeline,
    load_model,
)
from sodai.runtime.limits import available_cpus
from sodai.volume.volume import Volume

# Number and size of trees as searches choose them; scoring costs the same whatever the trees learnt.
PARAMS = {"n_estimators": 100, "num_leaves": 31, "learning_rate": 0.08, "subsample_freq": 1}
_ROWS = 200_000


def publish_model(volume: Volume, as_of: date) -> None:
    """Write a model trained on some training rows to the path of the model of evaluate_model."""
    first = min(volume.path(TRAINING, as_of).glob("*.parquet"))
    rows = pa.Table.from_batches([next(pq.ParquetFile(first).iter_batches(_ROWS))])
    X, y = features_frame(rows), rows["target"].to_numpy()
    card = {
        "version": "1",
        "features": FEATURE_NAMES,
        "as_of": as_of.isoformat(),
        "horizon_days": 7,
        "calibration": {"slope": 1.0, "intercept": 0.0},
        "missing_share": 0.0,
    }
    model = TrainedModel(fit_pipeline(build_pipeline(PARAMS, seed=0), X, y, np.ones(len(y))), card)
    model.save(volume.path(PUBLISHED_MODEL, as_of))


def bare_prediction(volume: Volume, as_of: date) -> tuple[int, float, float]:
    """Return the number of candidates and the seconds and CPU seconds of scoring them with LightGBM alone.

    The features are already encoded in memory, which is not measured.
    """
    model = load_model(volume.path(PUBLISHED_MODEL, as_of))
    booster = model.blend.estimators_["classifier"].booster_
    n_rows, seconds, cpu_seconds = 0, 0.0, 0.0
    for batch in pq.ParquetFile(volume.path(SCORING, as_of)).iter_batches(_ROWS):
        encoded = model.encode(pa.Table.from_batches([batch])).to_numpy()
        started, cpu = time.perf_counter(), time.process_time()
        booster.predict(encoded, raw_score=True, num_threads=available_cpus())
        seconds += time.perf_counter() - started
        cpu_seconds += time.process_time() - cpu
        n_rows += len(encoded)
    return n_rows, seconds, cpu_seconds

"""A small model on synthetic features with a known target: a pair buys if its product is of `Brand 0`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pyarrow as pa

from sodai.data.feature_catalog import FEATURE_NAMES, FEATURES
from sodai.model.trained_model import TrainedModel, build_pipeline, features_frame, fit_pipeline

N_ROWS = 400
PARAMS = {"n_estimators": 12, "num_leaves": 4, "min_child_samples": 5, "learning_rate": 0.3}


def synthetic_table(n_rows: int = N_ROWS, seed: int = 0) -> pa.Table:
    """Return rows of every feature: three categories each, a tenth of the nullable values is null."""
    rng = np.random.default_rng(seed)
    columns = {}
    for feature in FEATURES:
        if feature.categorical:
            word = feature.name.removeprefix("product_").capitalize()
            values = np.array([f"{word} {number}" for number in rng.integers(0, 3, n_rows)], dtype=object)
        else:
            values = rng.normal(size=n_rows)
        missing = rng.random(n_rows) < 0.1 if feature.null_means else np.zeros(n_rows, bool)
        columns[feature.name] = pa.array(values, feature.column.arrow_type, mask=missing)
    return pa.table(columns)


def synthetic_features(n_rows: int = N_ROWS, seed: int = 0) -> pd.DataFrame:
    """Return the rows of `synthetic_table` as the frame that a model is fitted on."""
    return features_frame(synthetic_table(n_rows, seed))


def synthetic_model(version: str = "1", **card: Any) -> TrainedModel:
    """Return a fitted model with a calibration of slope 0.5 and intercept -1; `card` changes its card."""
    X = synthetic_features()
    y = (X["product_brand"] == "Brand 0").to_numpy(np.int8)
    pipeline = fit_pipeline(build_pipeline(PARAMS, seed=0), X, y, np.ones(len(y)))
    return TrainedModel(pipeline, {**synthetic_model_card(version), **card})


def synthetic_model_card(version: str = "1") -> Mapping[str, Any]:
    """Return the model card of `synthetic_model`."""
    return {
        "version": version,
        "features": FEATURE_NAMES,
        "as_of": "2024-01-08",
        "horizon_days": 7,
        "training_sha256": "0" * 64,
        "calibration": {"slope": 0.5, "intercept": -1.0},
    }


def rename_class_module(estimator: Path, new: str) -> None:
    """Store the blend of a saved estimator under another module, as code with other modules stored it."""
    with ZipFile(estimator) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    schema = contents["schema.json"].decode()
    assert schema.count('"sodai.model.blended_classifier"') == 1
    contents["schema.json"] = schema.replace("sodai.model.blended_classifier", new).encode()
    with ZipFile(estimator, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)

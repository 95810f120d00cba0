"""A trained model as a folder: the estimator in skops' format, without pickle, and its model card."""

import io
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from sodai.data.feature_catalog import CATEGORICAL_NAMES, FEATURE_NAMES
from sodai.errors import TRAIN_AGAIN, ModelError, first_line
from sodai.model.blended_classifier import BlendedClassifier

Floats = npt.NDArray[np.float64]

ESTIMATOR_FILE = "model.skops"
MODEL_CARD_FILE = "model.json"
# Everything in the estimator that skops does not know to be harmless; nothing else is loaded.
TRUSTED_TYPES = [
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRanker",
    "sodai.blend.BlendedClassifier",  # its place in models that were registered before it moved
    "sodai.model.blended_classifier.BlendedClassifier",
]
# The encoder puts the categories first.
_ENCODED_ORDER = [*CATEGORICAL_NAMES, *(name for name in FEATURE_NAMES if name not in CATEGORICAL_NAMES)]
_TO_CATALOGUE = [_ENCODED_ORDER.index(name) for name in FEATURE_NAMES]
_LARGEST_ODDS = 30.0
# Where skops writes the memory address of an object: as its number, and in the name of its array's file.
_ADDRESS = re.compile(r'(?<="__id__": )\d+|\d+(?=\.npy)')


def purchase_pipeline(
    params: Mapping[str, Any], seed: int, weights: Mapping[str, float] | None = None
) -> Pipeline:
    """An unfitted pipeline of category codes and a blend, the same result for any number of threads.

    Args:
        params: of LightGBM.
        seed: of its sampling of rows and columns.
        weights: of the members of the blend; the classifier alone if left out.
    """
    encoder = ColumnTransformer(
        [
            (
                "codes",
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32),
                CATEGORICAL_NAMES,
            )
        ],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    blend = BlendedClassifier(dict(params), seed, weights)
    return Pipeline([("encode", encoder.set_output(transform="pandas")), ("classify", blend)])


def fit_pipeline(
    pipeline: Pipeline,
    X: pd.DataFrame,
    y: npt.NDArray[Any],
    weight: Floats,
    group: npt.NDArray[np.int64] | None = None,
) -> Pipeline:
    """Fit with weights and with the category codes treated as categories.

    Args:
        pipeline: of `purchase_pipeline`.
        X: (n, features) as from `features_frame`.
        y: (n,) 1 if bought in the period.
        weight: (n,) of each row.
        group: (n,) list of each row, as `BlendedClassifier.fit` takes it.
    """
    return pipeline.fit(X, y, classify__sample_weight=weight, classify__group=group)


def features_frame(table: pa.Table) -> pd.DataFrame:
    """The model's features of a training or scoring table: (n rows, 72), catalogue order.

    A category that the business does not give is a category of its own, the empty text.
    """
    return features_of(table.select(FEATURE_NAMES).to_pandas())


def features_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The same of rows that are a frame already, other columns left out."""
    X = rows[FEATURE_NAMES].copy()
    for name in CATEGORICAL_NAMES:
        X[name] = X[name].fillna("").astype(object)
    return X


@dataclass(frozen=True)
class TrainedModel:
    """A fitted pipeline, its calibration and its model card (version, features, cutoffs, params, ...)."""

    pipeline: Pipeline
    card: dict[str, Any]

    def raw_score(self, X: pd.DataFrame | pa.Table, threads: int | None = None) -> Floats:
        """The blended score before calibration: (n,), log-odds where the classifier stands alone."""
        return np.asarray(self.blend.decision_function(self.encoded(X), threads), dtype=np.float64)

    def log_odds(self, X: pd.DataFrame | pa.Table, threads: int | None = None) -> Floats:
        """Calibrated log-odds of at least one purchase in a period of usual volume: (n,).

        The calibration is a line through the log-odds (Platt, 1999).

        Args:
            X: as `encoded` takes it.
            threads: of LightGBM; one for each core if left out.
        """
        calibration = self.card["calibration"]
        odds = calibration["slope"] * self.raw_score(X, threads) + calibration["intercept"]
        return np.asarray(np.clip(odds, -_LARGEST_ODDS, _LARGEST_ODDS), dtype=np.float64)

    def contributions(self, X: pd.DataFrame | pa.Table) -> Floats:
        """SHAP values before calibration: (n, 72 + 1), the last column is the base value.

        A row adds up to `raw_score`.
        """
        parts = self.blend.contributions(self.encoded(X))
        return np.asarray(parts)[:, [*_TO_CATALOGUE, len(FEATURE_NAMES)]]

    def save(self, folder: Path) -> None:
        """Write the two files of a model folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_estimator(folder / ESTIMATOR_FILE, self.pipeline)
        write_model_card(folder, self.card)

    def encoded(self, X: pd.DataFrame | pa.Table) -> pd.DataFrame:
        """The features as the blend takes them: (n, 72), categories as codes and first.

        Args:
            X: (n, features) as from `features_frame`, or the table that it takes, which spares the
                detour by a frame: six tenths of the time that scoring took went there.
        """
        if isinstance(X, pd.DataFrame):
            return self.pipeline["encode"].transform(X)
        categories = self.pipeline["encode"].named_transformers_["codes"].categories_
        codes = dict(zip(CATEGORICAL_NAMES, categories, strict=True))
        columns = np.empty((X.num_rows, len(_ENCODED_ORDER)), np.float32, order="F")
        for place, name in enumerate(_ENCODED_ORDER):
            values = _codes(X[name], codes[name]) if name in codes else X[name]
            columns[:, place] = values.to_numpy()
        return pd.DataFrame(columns, columns=_ENCODED_ORDER, copy=False)

    @property
    def blend(self) -> BlendedClassifier:
        """The second step of the pipeline."""
        return self.pipeline["classify"]


def _codes(column: pa.ChunkedArray, categories: npt.NDArray[np.object_]) -> pa.ChunkedArray:
    """The place of each value among the categories that a model knows, -1 for the others."""
    places = pc.index_in(pc.fill_null(column, ""), pa.array(categories, pa.string()))
    return pc.fill_null(places, -1)


def write_estimator(file: Path, pipeline: Pipeline) -> None:
    """Write a pipeline in skops' format, the same bytes for the same pipeline.

    skops numbers objects by their memory addresses and stamps the time; here they are numbered in the
    order of their appearance, and the time is that of no archive.
    """
    numbers: dict[str, str] = {}

    def renumbered(text: str) -> str:
        return _ADDRESS.sub(lambda found: numbers.setdefault(found[0], str(len(numbers))), text)

    with ZipFile(io.BytesIO(skops.io.dumps(pipeline))) as written, ZipFile(file, "w") as archive:
        schema = renumbered(written.read("schema.json").decode())
        parts = {renumbered(name): written.read(name) for name in written.namelist() if name != "schema.json"}
        for name, content in [*sorted(parts.items()), ("schema.json", schema.encode())]:
            archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)


def write_model_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write the model card of a model folder."""
    text = json.dumps(card, indent=2, allow_nan=False, sort_keys=True)
    (folder / MODEL_CARD_FILE).write_text(text + "\n", encoding="utf-8")


def load_model(folder: Path, called: str | None = None) -> TrainedModel:
    """The model of a model folder.

    Args:
        folder: with the two files.
        called: what errors call it; the folder's path if left out.

    Raises:
        ModelError: it is missing, unreadable, holds a type that is not trusted, or was trained on
            other features than today's.
    """
    name = called or str(folder)
    estimator, card_file = folder / ESTIMATOR_FILE, folder / MODEL_CARD_FILE
    for file in (estimator, card_file):
        if not file.exists():
            raise ModelError(f"{file}: missing, expected a model folder; run the stage that makes it again")
    try:
        card = json.loads(card_file.read_text(encoding="utf-8"))
        pipeline = skops.io.load(estimator, trusted=TRUSTED_TYPES)
    except (
        ValueError,
        OSError,
        KeyError,
        TypeError,
        RuntimeError,  # of zipfile: an encryption or compression that it does not know
        BadZipFile,
        zlib.error,
        skops.io.exceptions.UntrustedTypesFoundException,
    ) as error:
        raise ModelError(f"{name}: not readable as a model ({first_line(error)}); {TRAIN_AGAIN}") from error
    require_same_features(card, name)
    return TrainedModel(pipeline, card)


def require_same_features(card: Mapping[str, Any], where: str) -> None:
    """Compare the feature list of a model card with today's.

    Raises:
        ModelError: they differ; the message names the differences.
    """
    trained = list(card.get("features", []))
    if trained == FEATURE_NAMES:
        return
    gone = [name for name in trained if name not in FEATURE_NAMES]
    new = [name for name in FEATURE_NAMES if name not in trained]
    what = f"no longer made: {_named(gone)}; new: {_named(new)}" if gone or new else "their order changed"
    raise ModelError(
        f"{where}: version {card.get('version')} was trained on other features ({what}); {TRAIN_AGAIN}"
    )


def _named(names: list[str]) -> str:
    return (
        ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "none"
    )

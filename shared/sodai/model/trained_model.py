"""A trained model as a folder: the estimator in skops' format, without pickle, and the model card."""

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
# The types of an estimator that skops does not trust by itself; a file with any other type is refused.
TRUSTED_TYPES = [
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRanker",
    "sodai.blend.BlendedClassifier",  # models registered before the class moved
    "sodai.model.blended_classifier.BlendedClassifier",
]
# The encoder's output has the categorical features first.
_ENCODED_ORDER = [*CATEGORICAL_NAMES, *(name for name in FEATURE_NAMES if name not in CATEGORICAL_NAMES)]
_TO_CATALOGUE = [_ENCODED_ORDER.index(name) for name in FEATURE_NAMES]
_LARGEST_LOG_ODDS = 30.0
# skops writes the memory address of an object as its id and as the name of its array's file.
_ADDRESS = re.compile(r'(?<="__id__": )\d+|\d+(?=\.npy)')


def build_pipeline(
    params: Mapping[str, Any], seed: int, weights: Mapping[str, float] | None = None
) -> Pipeline:
    """Return an unfitted pipeline of category codes and a blend, deterministic for any number of threads.

    Args:
        params: of LightGBM.
        seed: of LightGBM's sampling of rows and columns.
        weights: member of the blend -> weight; the classifier alone by default.
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
    """Fit a pipeline of `build_pipeline` with weighted rows, category codes as categories.

    Args:
        pipeline: unfitted.
        X: (n, features) as from `features_frame`.
        y: (n,) 1 if bought in the period.
        weight: (n,) weight of each row.
        group: (n,) list of each row, see `BlendedClassifier.fit`.
    """
    return pipeline.fit(X, y, classify__sample_weight=weight, classify__group=group)


def features_frame(table: pa.Table) -> pd.DataFrame:
    """Return the features of a training or scoring table: (n rows, 72), catalogue order.

    A missing category becomes the empty text, a category of its own.
    """
    return select_features(table.select(FEATURE_NAMES).to_pandas())


def select_features(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the features of `rows` like `features_frame`, without other columns."""
    X = rows[FEATURE_NAMES].copy()
    for name in CATEGORICAL_NAMES:
        X[name] = X[name].fillna("").astype(object)
    return X


@dataclass(frozen=True)
class TrainedModel:
    """A fitted pipeline and its model card: version, features, cutoffs, params, calibration and more."""

    pipeline: Pipeline
    card: dict[str, Any]

    def raw_score(self, X: pd.DataFrame | pa.Table, threads: int | None = None) -> Floats:
        """Return the blended score before calibration: (n,), log-odds if the classifier is alone."""
        return np.asarray(self.blend.decision_function(self.encode(X), threads), dtype=np.float64)

    def log_odds(self, X: pd.DataFrame | pa.Table, threads: int | None = None) -> Floats:
        """Return the calibrated log-odds of at least one purchase in a period of usual demand: (n,).

        Args:
            X: see `encode`.
            threads: of LightGBM; one for each core by default.
        """
        # Platt scaling (1999): a line through the log-odds.
        calibration = self.card["calibration"]
        log_odds = calibration["slope"] * self.raw_score(X, threads) + calibration["intercept"]
        return np.asarray(np.clip(log_odds, -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS), dtype=np.float64)

    def contributions(self, X: pd.DataFrame | pa.Table) -> Floats:
        """Return SHAP values before calibration: (n, 72 + 1), catalogue order, the last the base value.

        A row adds up to `raw_score`.
        """
        encoded_order = self.blend.contributions(self.encode(X))
        return np.asarray(encoded_order)[:, [*_TO_CATALOGUE, len(FEATURE_NAMES)]]

    def save(self, folder: Path) -> None:
        """Write the two files of a model folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_estimator(folder / ESTIMATOR_FILE, self.pipeline)
        write_model_card(folder, self.card)

    def encode(self, X: pd.DataFrame | pa.Table) -> pd.DataFrame:
        """Return the features as the blend takes them: (n, 72), categories as codes and first.

        Args:
            X: (n, features) from `features_frame`, or the Arrow table itself.
        """
        if isinstance(X, pd.DataFrame):
            return self.pipeline["encode"].transform(X)
        # Without a detour through a text frame, which took six tenths of the time of scoring.
        categories = self.pipeline["encode"].named_transformers_["codes"].categories_
        codes = dict(zip(CATEGORICAL_NAMES, categories, strict=True))
        columns = np.empty((X.num_rows, len(_ENCODED_ORDER)), np.float32, order="F")
        for position, name in enumerate(_ENCODED_ORDER):
            values = _category_codes(X[name], codes[name]) if name in codes else X[name]
            columns[:, position] = values.to_numpy()
        return pd.DataFrame(columns, columns=_ENCODED_ORDER, copy=False)

    @property
    def blend(self) -> BlendedClassifier:
        """Return the blend, the second step of the pipeline."""
        return self.pipeline["classify"]


def _category_codes(column: pa.ChunkedArray, categories: npt.NDArray[np.object_]) -> pa.ChunkedArray:
    """Return the position of each value among the categories seen in training, -1 for others."""
    codes = pc.index_in(pc.fill_null(column, ""), pa.array(categories, pa.string()))
    return pc.fill_null(codes, -1)


def write_estimator(file: Path, pipeline: Pipeline) -> None:
    """Write a pipeline in skops' format, the same bytes for the same pipeline."""
    # skops writes memory addresses and the time of day into the archive. Objects are numbered in the order
    # of their appearance instead, and the time is constant.
    numbers: dict[str, str] = {}

    def renumber(text: str) -> str:
        return _ADDRESS.sub(lambda match: numbers.setdefault(match[0], str(len(numbers))), text)

    with ZipFile(io.BytesIO(skops.io.dumps(pipeline))) as dump, ZipFile(file, "w") as archive:
        # The schema first: it fixes the numbers of the arrays.
        schema = renumber(dump.read("schema.json").decode())
        arrays = {renumber(name): dump.read(name) for name in dump.namelist() if name != "schema.json"}
        for name, content in [*sorted(arrays.items()), ("schema.json", schema.encode())]:
            archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)


def write_model_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write the model card into a model folder."""
    text = json.dumps(card, indent=2, allow_nan=False, sort_keys=True)
    (folder / MODEL_CARD_FILE).write_text(text + "\n", encoding="utf-8")


def load_model(folder: Path, called: str | None = None) -> TrainedModel:
    """Load the model of a model folder.

    Args:
        folder: with the two files.
        called: the name of the model in errors; the folder's path by default.

    Raises:
        ModelError: a file is missing or unreadable, has a type that is not trusted, or the model was
            trained on other features than today's.
    """
    name = called or str(folder)
    estimator, card_file = folder / ESTIMATOR_FILE, folder / MODEL_CARD_FILE
    for file in (estimator, card_file):
        if not file.exists():
            raise ModelError(f"{file}: missing, expected a model folder; rerun the stage that writes it")
    try:
        card = json.loads(card_file.read_text(encoding="utf-8"))
        pipeline = skops.io.load(estimator, trusted=TRUSTED_TYPES)
    except (
        ValueError,
        OSError,
        KeyError,
        TypeError,
        RuntimeError,  # zipfile, for an unknown encryption or compression
        BadZipFile,
        zlib.error,
        skops.io.exceptions.UntrustedTypesFoundException,
    ) as error:
        raise ModelError(f"{name}: not readable as a model ({first_line(error)}); {TRAIN_AGAIN}") from error
    require_same_features(card, name)
    return TrainedModel(pipeline, card)


def require_same_features(card: Mapping[str, Any], where: str) -> None:
    """Check that a model was trained on today's features.

    Args:
        card: of the model.
        where: the model's name in the error.

    Raises:
        ModelError: they differ; the message names the differences.
    """
    trained = list(card.get("features", []))
    if trained == FEATURE_NAMES:
        return
    removed = [name for name in trained if name not in FEATURE_NAMES]
    added = [name for name in FEATURE_NAMES if name not in trained]
    difference = (
        f"removed: {_first_names(removed)}; added: {_first_names(added)}"
        if removed or added
        else "their order changed"
    )
    raise ModelError(
        f"{where}: version {card.get('version')} was trained on other features ({difference}); {TRAIN_AGAIN}"
    )


def _first_names(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "none"

"""A model folder: saving and loading, refused files, and scores."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.lib.format as npy
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sodai.data.feature_catalog import CATEGORICAL_NAMES, FEATURE_NAMES, FEATURES
from sodai.errors import TRAIN_AGAIN, ModelError
from sodai.model.trained_model import TrainedModel, features_frame, load_model, require_same_features
from support.small_model import (
    rename_class_module,
    synthetic_features,
    synthetic_model,
    synthetic_model_card,
    synthetic_table,
)


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return synthetic_model()


@pytest.fixture
def folder(model: TrainedModel, tmp_path: Path) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(scope="module", name="X")
def unseen_rows() -> pd.DataFrame:
    """Return rows that the model has not seen."""
    return synthetic_features(seed=1)


def test_the_model_has_learned_which_brand_buys(model: TrainedModel, X: pd.DataFrame) -> None:
    bought = (X["product_brand"] == "Brand 0").to_numpy()
    log_odds = model.log_odds(X)
    assert log_odds[bought].min() > log_odds[~bought].max()


def test_a_loaded_model_gives_the_same_scores(model: TrainedModel, folder: Path, X: pd.DataFrame) -> None:
    loaded = load_model(folder)
    np.testing.assert_array_equal(loaded.log_odds(X), model.log_odds(X))
    np.testing.assert_array_equal(loaded.contributions(X), model.contributions(X))
    assert loaded.card == model.card


def test_a_second_training_saves_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    synthetic_model().save(tmp_path / "second")
    for name in ("model.skops", "model.json"):
        assert (tmp_path / "second" / name).read_bytes() == (folder / name).read_bytes(), name


def test_the_files_of_a_model_contain_no_pickle(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.skops"]
    with zipfile.ZipFile(folder / "model.skops") as archive:
        names = archive.namelist()
        assert "schema.json" in names
        for name in names:
            with archive.open(name) as member:
                if name.endswith(".npy"):
                    npy.read_array(member, allow_pickle=False)
                else:
                    # A pickle is not UTF-8 text: its protocol byte is 0x80.
                    json.loads(member.read().decode("utf-8"))


def test_a_model_saved_before_its_class_moved_gives_the_same_scores(
    model: TrainedModel, folder: Path, X: pd.DataFrame
) -> None:
    rename_class_module(folder / "model.skops", "sodai.blend")
    loaded = load_model(folder)
    np.testing.assert_array_equal(loaded.log_odds(X), model.log_odds(X))
    np.testing.assert_array_equal(loaded.contributions(X), model.contributions(X))
    # Saved now, it is in today's format.
    today, resaved = folder.with_name("today"), folder.with_name("resaved")
    model.save(today)
    loaded.save(resaved)
    for name in ("model.skops", "model.json"):
        assert (resaved / name).read_bytes() == (today / name).read_bytes(), name


def test_a_model_of_a_format_that_is_no_longer_known_is_one_line(folder: Path) -> None:
    rename_class_module(folder / "model.skops", "sodai.first_blend")
    line = r"model: not readable as a model \(.*sodai\.first_blend\.BlendedClassifier.*; train again: "
    with pytest.raises(ModelError, match=line) as error:
        load_model(folder)
    assert "\n" not in str(error.value)


def test_a_type_that_is_not_trusted_is_refused(model: TrainedModel, folder: Path) -> None:
    untrusted = FunctionTransformer(Path.unlink)
    skops.io.dump(Pipeline([("first", untrusted), *model.pipeline.steps]), folder / "model.skops")

    with pytest.raises(ModelError, match=r"not readable as a model \(.*pathlib.*; train again: make"):
        load_model(folder)


@pytest.mark.parametrize("file", ["model.skops", "model.json"])
def test_a_missing_file_is_one_line(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(ModelError, match=rf"{file}: missing, expected a model folder"):
        load_model(folder)


@pytest.mark.parametrize("file", ["model.skops", "model.json"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:100] + b"\xff" * 100 + content[200:],
        lambda content: content[:-400] + b"\xff" * 378 + content[-22:],
    ],
)
def test_a_damaged_file_is_one_line(folder: Path, file: str, damage: Callable[[bytes], bytes]) -> None:
    (folder / file).write_bytes(damage((folder / file).read_bytes()))
    with pytest.raises(ModelError, match=r"model: not readable as a model \(.+\); train again: ") as error:
        load_model(folder)
    assert "\n" not in str(error.value)


def test_features_that_differ_are_named() -> None:
    trained = ["old_feature", *FEATURE_NAMES[2:]]
    with pytest.raises(ModelError, match=r"^here: version 1 was trained on other features") as error:
        require_same_features({**synthetic_model_card(), "features": trained}, "here")
    new = f"{FEATURE_NAMES[0]}, {FEATURE_NAMES[1]}"
    assert f"(removed: old_feature; added: {new}); {TRAIN_AGAIN}" in str(error.value)


def test_only_the_first_five_of_many_differences_are_named() -> None:
    with pytest.raises(ModelError, match=r"removed: none; added: (\w+, ){4}\w+ and 67 more\)"):
        require_same_features({"version": "1"}, "here")


def test_features_in_another_order_are_refused() -> None:
    with pytest.raises(ModelError, match=r"other features \(their order changed\)"):
        require_same_features({**synthetic_model_card(), "features": FEATURE_NAMES[::-1]}, "here")


def test_the_same_features_are_accepted() -> None:
    require_same_features(synthetic_model_card(), "here")


def test_a_model_of_other_features_is_refused(folder: Path) -> None:
    card = {**synthetic_model_card(), "features": [*FEATURE_NAMES, "weather"]}
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"removed: weather; added: none"):
        load_model(folder)


def test_one_thread_gives_the_same_scores_as_all(model: TrainedModel, X: pd.DataFrame) -> None:
    np.testing.assert_array_equal(model.log_odds(X, threads=1), model.log_odds(X))


def test_calibration_is_a_line_through_the_raw_score(model: TrainedModel, X: pd.DataFrame) -> None:
    # The model card says slope .5, intercept -1.
    raw = model.raw_score(X)
    np.testing.assert_allclose(model.log_odds(X), 0.5 * raw - 1.0, rtol=1e-12)
    # The probability of the pipeline itself is before calibration.
    np.testing.assert_allclose(1 / (1 + np.exp(-raw)), model.pipeline.predict_proba(X)[:, 1], rtol=1e-12)


@pytest.mark.parametrize(("slope", "bound"), [(1e6, 30.0), (-1e6, 30.0)])
def test_log_odds_are_bounded(model: TrainedModel, X: pd.DataFrame, slope: float, bound: float) -> None:
    steep = TrainedModel(model.pipeline, {"calibration": {"slope": slope, "intercept": 0.0}})
    assert set(np.abs(steep.log_odds(X))) == {bound}


def test_contributions_add_up_to_the_raw_score_and_name_the_feature(
    model: TrainedModel, X: pd.DataFrame
) -> None:
    values = model.contributions(X)
    assert values.shape == (len(X), len(FEATURE_NAMES) + 1)
    np.testing.assert_allclose(values.sum(axis=1), model.raw_score(X), atol=1e-9)
    strongest = np.abs(values[:, :-1]).mean(axis=0).argmax()
    assert FEATURE_NAMES[strongest] == "product_brand"


def test_a_category_unseen_in_training_is_scored(model: TrainedModel, X: pd.DataFrame) -> None:
    unknown = X.assign(product_brand="Brand from tomorrow", customer_type="Kind from tomorrow")
    log_odds = model.log_odds(unknown)
    assert np.isfinite(log_odds).all()
    # It is not `Brand 0`, the only brand that is bought.
    assert log_odds.max() < model.log_odds(X).max()


def test_rows_with_nulls_in_every_nullable_feature_are_scored(model: TrainedModel) -> None:
    table = synthetic_table(n_rows=3)
    for position, feature in enumerate(FEATURES):
        if feature.null_means:
            nulls = pa.nulls(3, feature.column.arrow_type)
            table = table.set_column(position, feature.name, nulls)
    X = features_frame(table)
    assert (X[CATEGORICAL_NAMES] == "").all(axis=None)
    assert np.isfinite(model.log_odds(X)).all()


def test_the_score_of_a_row_does_not_depend_on_the_other_rows(model: TrainedModel, X: pd.DataFrame) -> None:
    of_all = model.log_odds(X)
    np.testing.assert_array_equal(model.log_odds(X[::-1])[::-1], of_all)
    # The first brand of these rows is not the first in training, from which the codes come.
    later = X[X["product_brand"] == "Brand 2"]
    np.testing.assert_array_equal(model.log_odds(later), of_all[(X["product_brand"] == "Brand 2").to_numpy()])


def test_a_table_with_new_and_missing_categories_is_scored_like_its_frame() -> None:
    model, table = synthetic_model(), synthetic_table(seed=5)
    brands = [
        "Brand 9" if row % 7 == 0 else value for row, value in enumerate(table["product_brand"].to_pylist())
    ]
    position = table.column_names.index("product_brand")
    table = table.set_column(position, table.field(position), pa.array(brands))
    X = features_frame(table)
    pd.testing.assert_frame_equal(model.encode(table), model.encode(X))
    np.testing.assert_array_equal(model.log_odds(table), model.log_odds(X))
    np.testing.assert_array_equal(model.contributions(table), model.contributions(X))


def test_the_dtype_of_categories_and_the_order_of_columns_change_nothing(
    model: TrainedModel, X: pd.DataFrame
) -> None:
    reversed_categories = X.astype(dict.fromkeys(CATEGORICAL_NAMES, "category"))
    for name in CATEGORICAL_NAMES:
        column = reversed_categories[name].cat
        reversed_categories[name] = column.reorder_categories(column.categories[::-1])
    np.testing.assert_array_equal(model.log_odds(reversed_categories), model.log_odds(X))
    np.testing.assert_array_equal(model.log_odds(X[X.columns[::-1]]), model.log_odds(X))


def test_a_second_training_gives_the_same_model(model: TrainedModel, X: pd.DataFrame) -> None:
    np.testing.assert_array_equal(synthetic_model().log_odds(X), model.log_odds(X))


def test_a_frame_has_the_features_in_catalogue_order_and_no_other_column() -> None:
    table = synthetic_table(n_rows=2).append_column("target", pa.array([0, 1], pa.int8()))
    assert list(features_frame(table.select(table.column_names[::-1]))) == FEATURE_NAMES

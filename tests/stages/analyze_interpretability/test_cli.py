"""The stage on a real volume: it explains what is published, and refuses candidates that it cannot read."""

import re
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sodai.data.catalog import IMPORTANCE, PREDICTIONS, REASONS, RECOMMENDATIONS, SCORING, SHAP_PAGE
from sodai.data.feature_catalog import FEATURE_NAMES
from sodai.volume.volume import Volume
from support.week import WeekWithModel, files_of, run_stage

STAGE = "analyze_interpretability"
# SHAP causes it when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:The set_(bad|over|under) function:PendingDeprecationWarning")

OPTIONS = ("--k", "3", "--max-rows", "100")


@pytest.fixture(scope="module")
def explained_week(week_with_model: WeekWithModel, tmp_path_factory: pytest.TempPathFactory) -> Volume:
    """Return a volume after a run of the stage, read-only."""
    root = shutil.copytree(week_with_model.root, tmp_path_factory.mktemp("explained") / "volume")
    outcome = run_stage(STAGE, root, str(week_with_model.as_of), *OPTIONS)
    assert outcome.code == 0, outcome.log
    return Volume(root)


@pytest.fixture
def explained(explained_week: Volume, tmp_path: Path) -> Volume:
    """Return a copy of `explained_week` that a test may write to."""
    return Volume(shutil.copytree(explained_week.root, tmp_path / "volume"))


def test_exactly_the_published_products_have_reasons(explained: Volume, as_of: date) -> None:
    volume = explained
    run_stage("generate_predictions", volume.root, str(as_of), "--k", "3")

    reasons = volume.read(REASONS, as_of).to_pandas()
    published = volume.read(PREDICTIONS, as_of).to_pandas().query("rank <= 3")
    pairs = ["customer_id", "product_id"]
    assert set(map(tuple, reasons[pairs].values)) == set(map(tuple, published[pairs].values))
    assert (reasons.groupby(pairs).size() == 3).all()
    lists = volume.read_json(RECOMMENDATIONS, as_of)["customers"].values()
    assert {len(product["reasons"]) for products in lists for product in products} == {3}


def test_importance_covers_the_catalogue_and_adds_up_to_one(explained_week: Volume, as_of: date) -> None:
    importance = explained_week.read(IMPORTANCE, as_of).to_pandas()
    assert sorted(importance["feature"]) == sorted(FEATURE_NAMES)
    assert importance["share"].sum() == pytest.approx(1.0)
    assert importance["mean_abs_contribution"].is_monotonic_decreasing


def test_the_page_has_its_plots_and_needs_no_network(explained_week: Volume, as_of: date) -> None:
    page = explained_week.path(SHAP_PAGE, as_of).read_text()
    assert page.count("<svg") == 11
    assert len(page) < 3_000_000
    assert set(re.findall(r'href="(?!#|data:)([^"]+)"', page)) == {"index.html", "drift.html", "quality.html"}
    assert "src=" not in page


def test_the_row_groups_and_a_second_run_change_nothing(explained: Volume, as_of: date) -> None:
    volume, outputs = explained, (REASONS, IMPORTANCE, SHAP_PAGE)
    before = [volume.path(dataset, as_of).read_bytes() for dataset in outputs]
    pq.write_table(pq.read_table(volume.path(SCORING, as_of)), volume.path(SCORING, as_of), row_group_size=7)

    run_stage(STAGE, volume.root, str(as_of), *OPTIONS)

    assert [volume.path(dataset, as_of).read_bytes() for dataset in outputs] == before


def test_the_order_of_the_rows_is_part_of_the_contract(volume: Volume, as_of: date) -> None:
    rows = pq.read_table(volume.path(SCORING, as_of))
    order = np.random.default_rng(1).permutation(rows.num_rows)
    pq.write_table(rows.take(order), volume.path(SCORING, as_of))
    before = files_of(volume.root)

    outcome = run_stage(STAGE, volume.root, str(as_of), *OPTIONS)

    assert outcome.code == 1
    assert "does not come after the row before it" in outcome.result["error"]
    assert files_of(volume.root) == before


def test_a_candidate_with_a_broken_column_is_one_line_and_leaves_no_output(
    volume: Volume, as_of: date
) -> None:
    rows = pq.read_table(volume.path(SCORING, as_of))
    pq.write_table(rows.drop_columns([FEATURE_NAMES[0], FEATURE_NAMES[5]]), volume.path(SCORING, as_of))
    before = files_of(volume.root)

    outcome = run_stage(STAGE, volume.root, str(as_of), *OPTIONS)

    assert outcome.code == 1
    for name in (FEATURE_NAMES[0], FEATURE_NAMES[5]):
        assert f"column {name} is missing" in outcome.result["error"]
    assert files_of(volume.root) == before


def test_a_negative_seed_is_a_usage_error(volume: Volume, as_of: date) -> None:
    assert run_stage(STAGE, volume.root, str(as_of), "--seed", "-1").code == 2

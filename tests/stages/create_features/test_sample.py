"""The sample of customers to learn from: whole customers, and always the same."""

import hashlib
from datetime import date

import pytest

from create_features.core_candidates import Bounds
from create_features.core_history import History
from create_features.core_sample import count_candidates, count_halvings, sample_customers
from sodai.data.catalog import EXTRACT, FEATURES_STAGE, SCORING, TRAINING
from sodai.volume.volume import Volume
from stages.create_features.conftest import MakeTable
from support.sales_data import make_raw
from support.week import run_stage

IDS = [*range(1, 400), 7_000_000_001]


def _kept(table: MakeTable, halved: int) -> set[int]:
    customers = table(["customer_id", "customer_type"], [(number, None) for number in IDS])
    return set(sample_customers(customers, halved).customer_id.to_pyarrow().to_pylist())


@pytest.mark.parametrize(
    ("n_rows", "halved"), [(0, 0), (1000, 0), (1000.5, 1), (2000, 1), (2001, 2), (64_000, 6)]
)
def test_rows_are_halved_until_they_are_at_most_the_maximum(n_rows: float, halved: int) -> None:
    assert count_halvings(n_rows, max_rows=1000) == halved


def test_without_halving_all_customers_stay(table: MakeTable) -> None:
    assert _kept(table, 0) == set(IDS)


def test_each_halving_keeps_about_half_of_the_previous_sample(table: MakeTable) -> None:
    kept = [_kept(table, halved) for halved in range(4)]
    for fewer, more in zip(kept[1:], kept, strict=False):
        assert fewer < more
        assert 0.35 < len(fewer) / len(more) < 0.65


def test_the_md5_of_the_number_decides_which_customers_stay(table: MakeTable) -> None:
    expected = {n for n in IDS if hashlib.md5(str(n).encode()).hexdigest() < "4"}
    assert _kept(table, 2) == expected


def test_candidates_are_counted_as_pairs_bought_and_products_offered(table: MakeTable) -> None:
    days = table(
        ["customer_id", "product_id", "gap_days"], [(1, 1, None), (1, 1, 4), (1, 2, None), (2, 1, None)]
    )
    customers = table(["customer_id", "customer_type"], [(1, "A"), (2, "A"), (3, "B")])
    count = count_candidates(History(days), customers, Bounds(n_popular=10))
    assert count.to_pyarrow()["n"].to_pylist() == [3 + 3 * 10]


def test_training_keeps_whole_customers_the_same_in_every_period_and_scoring_keeps_all(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    raw = make_raw(tmp_path_factory.mktemp("sample") / "raw", n_customers=40, n_products=10, n_weeks=14)
    volume, as_of = Volume(raw.folder.parent), raw.as_of
    assert run_stage(EXTRACT, volume.root, str(as_of)).code == 0

    def lists(*options: str) -> dict[tuple[date, int], int]:
        outcome = run_stage(FEATURES_STAGE, volume.root, str(as_of), "--training-periods", "4", *options)
        assert outcome.code == 0, outcome.log
        rows = volume.read(TRAINING, as_of).to_pandas()
        assert len(rows) == outcome.result["training_rows"]
        assert len(set(volume.read(SCORING, as_of)["customer_id"].to_pylist())) == 40
        return rows.groupby(["cutoff", "customer_id"]).size().to_dict()

    all_customers, some = lists(), lists("--training-rows", "1000")
    by_cutoff = [{c for day, c in some if day == cutoff} for cutoff in {day for day, _ in some}]
    assert len(by_cutoff) == 4
    assert all(customers == by_cutoff[0] for customers in by_cutoff)
    assert 5 < len(by_cutoff[0]) < 35
    assert some == {key: n for key, n in all_customers.items() if key[1] in by_cutoff[0]}

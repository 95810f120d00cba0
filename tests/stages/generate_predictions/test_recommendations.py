"""The file of recommendations, written some customers at a time."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from generate_predictions.core_recommendations import format_customers
from generate_predictions.merge_cursor import MergeCursor
from generate_predictions.outputs import list_writer
from sodai.data.catalog import PREDICTIONS, REASONS

HEADER = {"week": "2025-01-06", "k": 2}


def best(*rows: tuple[int, int, float, int, bool]) -> pa.Table:
    """Return the columns of PREDICTIONS, in key order."""
    names = ["customer_id", "product_id", "probability", "rank", "selected"]
    columns: dict[str, Any] = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    columns |= {"week": [date(2025, 1, 6)] * len(rows), "model_version": ["3"] * len(rows)}
    return pa.table(columns).select(PREDICTIONS.contract.names).cast(PREDICTIONS.contract.schema)


def reasons(*rows: tuple[int, int, int, str, str]) -> pa.Table:
    rows_by_column = [
        {"customer_id": c, "product_id": p, "position": n, "feature": "f", "value": None, "contribution": 1.0,
         "direction": direction, "phrase": phrase}
        for c, p, n, direction, phrase in rows
    ]  # fmt: skip
    return pa.Table.from_pylist(rows_by_column, REASONS.contract.schema)


FIRST = best((1, 10, 0.05, 2, False), (1, 20, 0.9, 1, True))
SECOND = best((4, 10, 0.123449, 1, True), (5, 20, 1e-9, 1, False))
REASON_ROWS = reasons(
    (1, 10, 1, "lowers", "not recently"),
    (1, 20, 1, "raises", 'the "best" à la carte'),
    (1, 20, 2, "lowers", "b"),
    (4, 30, 1, "raises", "of a product that is not listed"),
    (5, 20, 1, "raises", "c"),
)


def write_lists(
    folder: Path, customers: list[int], reason_rows: pa.Table = REASON_ROWS, *tables: pa.Table
) -> str:
    with list_writer(
        folder / "recommendations.json",
        np.array(customers),
        MergeCursor([reason_rows], REASONS.contract.schema),
        HEADER,
    ) as append:
        for best_rows in tables or (FIRST, SECOND):
            append(best_rows)
    return (folder / "recommendations.json").read_text(encoding="utf-8")


def test_the_file_has_every_customer_with_products_by_rank_and_reasons_by_position(tmp_path: Path) -> None:
    record = json.loads(write_lists(tmp_path, [1, 2, 4, 5, 9]))
    assert list(record) == ["week", "k", "customers"]
    lists = record["customers"]
    assert list(lists) == ["1", "2", "4", "5", "9"]
    assert lists["1"] == [
        {
            "product_id": 20,
            "probability": 0.9,
            "rank": 1,
            "selected": True,
            "reasons": [
                {"direction": "raises", "text": 'the "best" à la carte'},
                {"direction": "lowers", "text": "b"},
            ],
        },
        {
            "product_id": 10,
            "probability": 0.05,
            "rank": 2,
            "selected": False,
            "reasons": [{"direction": "lowers", "text": "not recently"}],
        },
    ]
    assert lists["2"] == lists["9"] == []
    assert lists["4"] == [
        {"product_id": 10, "probability": 0.1234, "rank": 1, "selected": True, "reasons": []}
    ]
    assert lists["5"][0]["probability"] == 0.0
    assert lists["5"][0]["reasons"] == [{"direction": "raises", "text": "c"}]


def test_the_file_has_one_line_per_customer(tmp_path: Path) -> None:
    text = write_lists(tmp_path, [1, 2, 4, 5, 9])
    opening, *lines, closing = text.splitlines()
    assert (json.loads(opening + "}}"), closing) == ({**HEADER, "customers": {}}, "}}")
    assert [line.split(":")[0] for line in lines] == ['"1"', '"2"', '"4"', '"5"', '"9"']


def test_the_number_of_customers_at_a_time_changes_nothing(tmp_path: Path) -> None:
    all_rows = pa.concat_tables([FIRST, SECOND])
    assert write_lists(tmp_path, [1, 2, 4, 5, 9], REASON_ROWS, all_rows) == write_lists(
        tmp_path, [1, 2, 4, 5, 9]
    )


def test_without_reasons_lists_have_none(tmp_path: Path) -> None:
    record = json.loads(write_lists(tmp_path, [1, 4, 5], REASON_ROWS.slice(0, 0)))
    assert {len(product["reasons"]) for own in record["customers"].values() for product in own} == {0}


def test_a_customer_missing_from_the_table_is_in_the_file(tmp_path: Path) -> None:
    assert list(json.loads(write_lists(tmp_path, [2]))["customers"]) == ["1", "2", "4", "5"]


def test_without_candidates_and_customers_there_are_no_lists(tmp_path: Path) -> None:
    with list_writer(
        tmp_path / "recommendations.json", np.array([]), MergeCursor([], REASONS.contract.schema), HEADER
    ):
        pass
    assert json.loads((tmp_path / "recommendations.json").read_text()) == {**HEADER, "customers": {}}


@pytest.mark.parametrize("probability", [0.0, 1.0, 0.5, 0.00004, 0.99996])
def test_probabilities_are_numbers_with_a_point_and_at_most_four_digits(probability: float) -> None:
    line = format_customers(best((1, 10, probability, 1, True)), reasons(), np.array([1])).to_pybytes()
    (product,) = json.loads(b"{" + line + b"}")["1"]
    assert isinstance(product["probability"], float)
    assert product["probability"] == round(probability, 4)

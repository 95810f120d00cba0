"""Typical customers and the names of their products, worked out by hand."""

import pandas as pd

from log_pipeline_metrics.core_examples import TypicalCustomer, example_of, product_name, typical_customers


def test_the_typical_customer_of_a_type_has_the_median_expected_purchases() -> None:
    customers = pd.DataFrame(
        {
            "customer_id": [1, 3, 2, 4],
            "customer_type": ["KIOSCO", "KIOSCO", "KIOSCO", None],
            "expected": [0.1, 0.3, 0.2, 0.4],
        }
    )
    assert typical_customers(customers) == [
        TypicalCustomer("KIOSCO", 3, 2),
        TypicalCustomer("type not known", 1, 4),
    ]
    assert typical_customers(customers[:0]) == []


def test_an_example_has_the_first_products_of_a_list_with_their_names() -> None:
    products = [{"product_id": number, "probability": 0.5} for number in range(10, 20)]
    shown = example_of(TypicalCustomer("KIOSCO", 3, 2), products, {10: "B, LATA, 0.33 l"}).products
    assert [item["product_id"] for item in shown] == [10, 11, 12, 13, 14]
    assert [item["name"] for item in shown[:2]] == ["B, LATA, 0.33 l", ""]


def test_a_product_without_attributes_has_no_name() -> None:
    product = {"brand": None, "sub_category": None, "package": None, "size": None}
    assert product_name(product) == ""

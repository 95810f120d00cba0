"""Which features are tested for drift, on which grain, by which distance and beyond which threshold."""

import math
from dataclasses import dataclass

import pandas as pd

from sodai.data.feature_catalog import FEATURES
from sodai.errors import TRAIN_AGAIN, InputError
from sodai.evaluation.drift_sample import CUSTOMER, PREDICTION, PRODUCT

# Distances, not p-values: with a thousand customers a p-value finds differences that matter to nobody,
# and 72 tests would each need a correction. Wasserstein is in standard deviations of the reference.
NUMERIC_METHOD, NUMERIC_THRESHOLD = "wasserstein", 0.2
CATEGORICAL_METHOD, CATEGORICAL_THRESHOLD = "jensenshannon", 0.15

# Two samples of one distribution lie apart by chance, the farther the fewer they are: at 24 customers a
# fixed threshold called half of the columns drifted. Above 200 of them this changes nothing.
_CHANCE = 2.0

# With so many values expected on a side, none at all is no chance: of independent ones once in 150 weeks.
_EXPECTED_VALUES = 5.0

# Null says that nothing of a kind was bought in some weeks: where this column of the same rows is zero
# throughout, the business was closed in them, and the null is what it ought to be.
_NULL_WITHOUT = {
    "product_share_1w": "product_buyers_1w",
    "product_family_share_1w": "product_buyers_1w",
    "product_brand_size_share_1w": "product_buyers_1w",
    "product_repeat_rate": "product_buyers_2nd_week",
    "product_type_lift_4w": "product_buyers_4w",
    "customer_new_share_8w": "customer_units_8w",
}

_GROWS = "grows with every week by construction"
_STANDS_STILL = "an attribute: changes only when the business changes its tables, which extraction reports"
NOT_TESTED = {
    "customer_tenure_days": _GROWS,
    "customer_order_days": _GROWS,
    "customer_products": _GROWS,
    "product_age_days": _GROWS,
    "product_customers": _GROWS,
    "product_weeks_sold_13w": "follows the age of the range, which grows",
    "pair_weeks": _GROWS,
    "pair_tenure_days": _GROWS,
    "pair_weight_97": "a mean over half a year grows until half a year has passed",
    "pair_share_since_first": "falls with the age of a pair, which grows",
    "customer_latitude": _STANDS_STILL,
    "customer_longitude": _STANDS_STILL,
}


@dataclass(frozen=True)
class TestedColumn:
    """One tested feature: what a row of its sample is, the distance, and what counts as drift."""

    name: str
    grain: str
    method: str
    threshold: float
    categorical: bool


def beyond_chance(threshold: float, n_current: int, n_reference: int) -> float:
    """The threshold for samples of these sizes: no distance counts that chance alone often gives.

    Args:
        threshold: for large samples.
        n_current, n_reference: rows with a value, at least one each.
    """
    return max(threshold, _CHANCE * math.sqrt(1 / n_current + 1 / n_reference))


def values_of(current: pd.DataFrame, reference: pd.DataFrame, column: TestedColumn) -> tuple[int, int]:
    """How many values a column has on each side, on the rows of its grain."""
    n_current, n_reference = (
        int(side.loc[side["grain"] == column.grain, column.name].count()) for side in (current, reference)
    )
    return n_current, n_reference


def why_not_testable(current: pd.DataFrame, reference: pd.DataFrame, column: TestedColumn) -> str:
    """Why a column without values cannot be tested though nothing is wrong; empty where it can be.

    Args:
        current, reference: grain and the tested columns.
        column: of them.

    Raises:
        InputError: it has values on one side alone, and neither chance nor what its null means explains
            that; a gate that cannot see must not decide.
    """
    n_current, n_reference = values_of(current, reference, column)
    if n_current and n_reference:
        return ""
    if not n_current and not n_reference:
        return "no value on either side"
    sides = (current, "this week"), (reference, "in the reference")
    (empty, where), (other, _) = sides[::-1] if n_current else sides
    empty, other = (side[side["grain"] == column.grain] for side in (empty, other))
    witness = _NULL_WITHOUT.get(column.name)
    if witness is not None and not empty[witness].any():
        return f"no value {where}, where {witness} is 0 throughout"
    expected = len(empty) * max(n_current, n_reference) / len(other)
    if expected < _EXPECTED_VALUES:
        return f"no value {where}, of {expected:.1f} to be expected"
    raise InputError(
        f"drift of {column.name}: found {n_current} current and {n_reference} reference values, expected "
        f"some on both sides; check the input of this week, or {TRAIN_AGAIN}"
    )


def tested_columns() -> list[TestedColumn]:
    """The champion's log-odds and every feature that is tested, in catalogue order.

    Product features are tested on one row a product, customer and pair features on one row a
    customer. Time features have one value a period, which no distance can be taken of; the volume
    signal reads them.
    """
    return [
        TestedColumn(PREDICTION, CUSTOMER, NUMERIC_METHOD, NUMERIC_THRESHOLD, False),
        *_tested_features(),
    ]


def _tested_features() -> list[TestedColumn]:
    return [
        TestedColumn(
            feature.name,
            PRODUCT if feature.group == "product" else CUSTOMER,
            CATEGORICAL_METHOD if feature.categorical else NUMERIC_METHOD,
            CATEGORICAL_THRESHOLD if feature.categorical else NUMERIC_THRESHOLD,
            feature.categorical,
        )
        for feature in FEATURES
        if feature.group != "time" and feature.name not in NOT_TESTED
    ]

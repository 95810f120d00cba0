"""The drift tests: which columns, on which grain, by which distance and with which threshold."""

import math
from dataclasses import dataclass

import pandas as pd

from sodai.data.feature_catalog import FEATURES
from sodai.errors import TRAIN_AGAIN, InputError
from sodai.evaluation.drift_sample import CUSTOMER, PREDICTION, PRODUCT

# Distances, not p-values: with a thousand customers a p-value finds differences that do not matter, and 72
# tests would each need a correction. Wasserstein is in standard deviations of the reference.
NUMERIC_METHOD, NUMERIC_THRESHOLD = "wasserstein", 0.2
CATEGORICAL_METHOD, CATEGORICAL_THRESHOLD = "jensenshannon", 0.15

# Two samples of one distribution differ by chance, the more the fewer rows they have: with 24 customers a
# fixed threshold found drift in half of the columns. With more than 200 customers this changes nothing.
_CHANCE = 2.0

# If so many values are expected on a side, chance does not explain that there is none: with independent
# values that happens once in 150 weeks.
_EXPECTED_VALUES = 5.0

# Feature -> a column that is 0 on all rows if the business was closed in the weeks that the feature looks
# at. Its values are then null for a good reason.
_NULL_WITHOUT = {
    "product_share_1w": "product_buyers_1w",
    "product_family_share_1w": "product_buyers_1w",
    "product_brand_size_share_1w": "product_buyers_1w",
    "product_repeat_rate": "product_buyers_2nd_week",
    "product_type_lift_4w": "product_buyers_4w",
    "customer_new_share_8w": "customer_units_8w",
}

_GROWS = "grows with every week by construction"
_CONSTANT = "an attribute: changes only when the business changes its tables, which extraction reports"
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
    "customer_latitude": _CONSTANT,
    "customer_longitude": _CONSTANT,
}


@dataclass(frozen=True)
class DriftTest:
    """The test of one column: the grain of its rows, the distance, and the least distance that is drift."""

    column: str
    grain: str
    method: str
    threshold: float
    categorical: bool


def list_drift_tests() -> list[DriftTest]:
    """Return the tests of the champion's log-odds and of the features, in the order of the catalogue.

    Product features are tested on one row per product, customer and pair features on one row per customer.
    """
    # Time features have one value per period, which has no distribution; the demand signal reads them.
    features = [feature for feature in FEATURES if feature.group != "time" and feature.name not in NOT_TESTED]
    return [
        DriftTest(PREDICTION, CUSTOMER, NUMERIC_METHOD, NUMERIC_THRESHOLD, False),
        *(
            DriftTest(
                feature.name,
                PRODUCT if feature.group == "product" else CUSTOMER,
                CATEGORICAL_METHOD if feature.categorical else NUMERIC_METHOD,
                CATEGORICAL_THRESHOLD if feature.categorical else NUMERIC_THRESHOLD,
                feature.categorical,
            )
            for feature in features
        ),
    ]


def adjust_threshold(threshold: float, n_current: int, n_reference: int) -> float:
    """Return the threshold for samples of these sizes, large enough that chance alone rarely reaches it.

    Args:
        threshold: for large samples.
        n_current, n_reference: rows with a value, at least one each.
    """
    return max(threshold, _CHANCE * math.sqrt(1 / n_current + 1 / n_reference))


def count_values(current: pd.DataFrame, reference: pd.DataFrame, test: DriftTest) -> tuple[int, int]:
    """Return the number of values of a column in each sample, on the rows of its grain."""
    n_current, n_reference = (
        int(sample.loc[sample["grain"] == test.grain, test.column].count()) for sample in (current, reference)
    )
    return n_current, n_reference


def explain_empty(current: pd.DataFrame, reference: pd.DataFrame, test: DriftTest) -> str:
    """Return the harmless reason why a column has no values to compare; empty if it has values.

    Args:
        current, reference: grain and the tested columns.
        test: of one of them.

    Raises:
        InputError: only one sample has values, and neither chance nor a closed business explains that.
    """
    n_current, n_reference = count_values(current, reference, test)
    if n_current and n_reference:
        return ""
    if not n_current and not n_reference:
        return "no value on either side"
    samples = (current, "this week"), (reference, "in the reference")
    (empty, where), (other, _) = samples[::-1] if n_current else samples
    empty, other = (sample[sample["grain"] == test.grain] for sample in (empty, other))
    witness = _NULL_WITHOUT.get(test.column)
    if witness is not None and not empty[witness].any():
        return f"no value {where}, where {witness} is 0 throughout"
    expected = len(empty) * max(n_current, n_reference) / len(other)
    if expected < _EXPECTED_VALUES:
        return f"no value {where}, of {expected:.1f} to be expected"
    raise InputError(
        f"drift of {test.column}: found {n_current} current and {n_reference} reference values, expected "
        f"some on both sides; check the input of this week, or {TRAIN_AGAIN}"
    )

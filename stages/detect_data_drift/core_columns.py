"""Which features are tested for drift, on which unit, by which distance and beyond which threshold."""

import math
from dataclasses import dataclass

from sodai.features import FEATURES
from sodai.units import CUSTOMER, PREDICTION, PRODUCT

# Distances, not p-values: with a thousand customers a p-value finds differences that matter to nobody,
# and 72 tests would each need a correction. Wasserstein is in standard deviations of the reference.
NUMERIC_METHOD, NUMERIC_THRESHOLD = "wasserstein", 0.2
CATEGORICAL_METHOD, CATEGORICAL_THRESHOLD = "jensenshannon", 0.15

# Two samples of one distribution lie apart by chance, the farther the fewer they are: at 24 customers a
# fixed threshold called half of the columns drifted. Above 200 of them this changes nothing.
_CHANCE = 2.0

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
    unit: str
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

"""Pair features: a customer's own purchases of one product."""

import ibis
from ibis import _
from ibis.expr.types import Table

from create_features.core_history import (
    QUANTITY_SCALE,
    History,
    add_gap_features,
    decayed_sum,
    gap_aggregates,
)
from sodai.data.catalog import PAIR
from sodai.data.periods import DAYS_PER_WEEK


def compute_pair_features(history: History) -> Table:
    """Return the pair features that need only the pair's own purchases, of every pair bought so far.

    Returns:
        customer_id, product_id and the features of the group pair without those of `add_family_affinity`
        and of `add_ratios`.
    """
    opens = _.opens_week
    sums = history.days.group_by(PAIR).agg(
        pair_weeks=opens.sum(),
        pair_weight_97=decayed_sum(_.week, 0.97, opens),
        pair_weight_90=decayed_sum(_.week, 0.9, opens),
        pair_weight_75=decayed_sum(_.week, 0.75, opens),
        pair_weight_50=decayed_sum(_.week, 0.5, opens),
        pair_weeks_8w=opens.sum(where=_.week < 8).coalesce(0),
        pair_weeks_13w=opens.sum(where=_.week < 13).coalesce(0),
        pair_recency_days=_.age_days.min(),
        pair_tenure_days=_.age_days.max(),
        pair_units_mean=_.milli_units.sum() / (_.count() * QUANTITY_SCALE),
        pair_units_last=_.milli_units.argmin(_.age_days) / QUANTITY_SCALE,
        **gap_aggregates(_.age_days, _.gap_days),
    )
    own_list = ibis.window(group_by="customer_id", order_by=[ibis.desc("pair_weight_90"), "product_id"])
    return add_gap_features(sums, "pair").mutate(pair_position=ibis.row_number().over(own_list) + 1)


def add_ratios(joined: Table) -> Table:
    """Add the pair features that compare a pair with its customer and its product.

    Args:
        joined: candidates with the features of their customer, product and pair.
    """
    filled = {
        name: _[name].coalesce(0) for name in joined.columns if name.startswith(("pair_weeks", "pair_weight"))
    }
    weeks_since_first = (_.pair_tenure_days + DAYS_PER_WEEK - 1) // DAYS_PER_WEEK
    return joined.mutate(
        **filled,
        pair_due_ratio=_.pair_recency_days / _.pair_gap_median_days.nullif(0),
        pair_overdue_days=_.pair_recency_days - _.pair_gap_median_days,
        pair_momentum_score=filled["pair_weight_90"] * _.product_momentum
        + 5 * _.product_share_1w.coalesce(0),
        pair_share_of_weeks=filled["pair_weeks"] / _.customer_weeks,
        pair_share_of_activity=filled["pair_weight_90"] / _.customer_activity.nullif(0),
        pair_share_since_first=_.pair_weeks / weeks_since_first,
    )

"""Pair features: what a customer's own purchases say about one product."""

import ibis
from ibis import _
from ibis.expr.types import Table

from create_features.core_history import QUANTITY_UNIT, History, decayed, gap_sums, with_gaps
from sodai.data.catalog import PAIR
from sodai.data.periods import DAYS_PER_WEEK


def pair_features(history: History) -> Table:
    """The pair features of every pair bought so far that need nothing but its own purchases.

    Returns:
        customer_id, product_id and the features of the group pair but those of `with_wishes`
        and of `with_ratios`.
    """
    opens = _.opens_week
    sums = history.days.group_by(PAIR).agg(
        pair_weeks=opens.sum(),
        pair_weight_97=decayed(_.week, 0.97, opens),
        pair_weight_90=decayed(_.week, 0.9, opens),
        pair_weight_75=decayed(_.week, 0.75, opens),
        pair_weight_50=decayed(_.week, 0.5, opens),
        pair_weeks_8w=opens.sum(where=_.week < 8).coalesce(0),
        pair_weeks_13w=opens.sum(where=_.week < 13).coalesce(0),
        pair_recency_days=_.age_days.min(),
        pair_tenure_days=_.age_days.max(),
        pair_units_mean=_.milli_units.sum() / (_.count() * QUANTITY_UNIT),
        pair_units_last=_.milli_units.argmin(_.age_days) / QUANTITY_UNIT,
        **gap_sums(_.age_days, _.gap_days),
    )
    own_list = ibis.window(group_by="customer_id", order_by=[ibis.desc("pair_weight_90"), "product_id"])
    return with_gaps(sums, "pair").mutate(pair_position=ibis.row_number().over(own_list) + 1)


def with_ratios(joined: Table) -> Table:
    """Add the pair features that set a pair beside its customer and its product.

    Args:
        joined: candidates with the features of their customer, product and pair.
    """
    known = {
        name: _[name].coalesce(0) for name in joined.columns if name.startswith(("pair_weeks", "pair_weight"))
    }
    weeks_since_first = (_.pair_tenure_days + DAYS_PER_WEEK - 1) // DAYS_PER_WEEK
    return joined.mutate(
        **known,
        pair_due_ratio=_.pair_recency_days / _.pair_gap_median_days.nullif(0),
        pair_overdue_days=_.pair_recency_days - _.pair_gap_median_days,
        pair_momentum_score=known["pair_weight_90"] * _.product_momentum + 5 * _.product_share_1w.coalesce(0),
        pair_share_of_weeks=known["pair_weeks"] / _.customer_weeks,
        pair_share_of_activity=known["pair_weight_90"] / _.customer_activity.nullif(0),
        pair_share_since_first=_.pair_weeks / weeks_since_first,
    )

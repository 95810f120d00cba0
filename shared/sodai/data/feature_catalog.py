"""The catalog of model features, from which contracts, documentation and tests are made."""

from dataclasses import dataclass

from sodai.data.contracts import Column


@dataclass(frozen=True)
class Feature:
    """One model feature, computed from purchases strictly before the cutoff of its row.

    Attributes:
        name: column name.
        unit: unit of measure; empty for categorical features.
        meaning: description for people; reasons quote it.
        null_means: meaning of a null; empty if the feature is never null.
        categorical: whether the column is text; all others are 32-bit floats.
    """

    name: str
    unit: str
    meaning: str
    null_means: str = ""
    categorical: bool = False

    @property
    def group(self) -> str:
        """Return what it describes, which is the first word of its name: customer, product, pair or time."""
        prefix = self.name.partition("_")[0]
        return prefix if prefix in ("customer", "product", "pair") else "time"

    @property
    def column(self) -> Column:
        """Return the contract of the feature as a table column."""
        kind = "string" if self.categorical else "float32"
        return Column(self.name, kind, self.meaning, self.unit, nullable=bool(self.null_means))


FEATURES: tuple[Feature, ...] = (
    Feature(
        "customer_type",
        "",
        "kind of shop, as the business names it",
        "the business does not say",
        categorical=True,
    ),
    Feature("customer_latitude", "degrees", "latitude of the shop", "not known"),
    Feature("customer_longitude", "degrees", "longitude of the shop", "not known"),
    Feature("customer_deliveries_per_week", "1/week", "deliveries planned for the shop", "not known"),
    Feature("customer_recency_days", "days", "days since the customer's newest order", "never ordered"),
    Feature("customer_tenure_days", "days", "days since the customer's first order", "never ordered"),
    Feature("customer_order_days", "days", "days with an order so far"),
    Feature("customer_activity", "weeks", "weeks with an order, each worth .9 of the week after it"),
    Feature(
        "customer_gap_mean_days",
        "days",
        "mean number of days between two order days",
        "fewer than two order days",
    ),
    Feature(
        "customer_gap_median_days",
        "days",
        "median number of days between two order days",
        "fewer than two order days",
    ),
    Feature(
        "customer_gap_std_days",
        "days",
        "standard deviation of the days between two order days",
        "fewer than two order days",
    ),
    Feature(
        "customer_due_ratio",
        "ratio",
        "days since the newest order over the median gap",
        "fewer than two order days",
    ),
    Feature("customer_products", "products", "different products bought so far"),
    Feature("customer_products_4w", "products", "different products bought in the last four weeks"),
    Feature("customer_products_1w", "products", "different products bought in the last week"),
    Feature(
        "customer_products_per_week_8w", "1/week", "products bought a week, mean of the last eight weeks"
    ),
    Feature(
        "customer_basket",
        "products",
        "products bought in weeks with an order, newer weeks worth more (.9 a week)",
        "no order in 218 weeks",
    ),
    Feature("customer_units_8w", "units", "units bought in the last eight weeks"),
    Feature(
        "customer_new_share_8w",
        "ratio",
        "share of the products of the last eight weeks that were first bought in them",
        "nothing bought in eight weeks",
    ),
    Feature("product_brand", "", "brand", "the business does not say", categorical=True),
    Feature("product_sub_category", "", "sub-category", "the business does not say", categorical=True),
    Feature("product_segment", "", "price segment", "the business does not say", categorical=True),
    Feature("product_package", "", "package", "the business does not say", categorical=True),
    Feature("product_size_litres", "litres", "content of one unit", "not known"),
    Feature("product_buyers_1w", "customers", "customers who bought it in the last week"),
    Feature("product_buyers_2nd_week", "customers", "customers who bought it in the week before the last"),
    Feature("product_buyers_4w", "1/week", "customers who bought it a week, mean of the last four weeks"),
    Feature("product_buyers_8w", "1/week", "customers who bought it a week, mean of the last eight weeks"),
    Feature("product_buyers_26w", "1/week", "customers who bought it a week, mean of the last 26 weeks"),
    Feature(
        "product_momentum",
        "ratio",
        "((buyers of the last week + 1) / (weekly mean of eight weeks + 1)) to the power .6",
    ),
    Feature(
        "product_share_1w",
        "ratio",
        "the share of the product in all pairs bought in the last week",
        "nothing was bought in the last week",
    ),
    Feature("product_change_1w", "ratio", "(buyers of the last week + 1) / (buyers of the week before + 1)"),
    Feature("product_age_days", "days", "days since it was first sold"),
    Feature("product_recency_days", "days", "days since it was last sold"),
    Feature("product_weeks_sold_13w", "weeks", "weeks with a sale among the last 13"),
    Feature("product_peak_ratio", "ratio", "buyers of the last week over those of its best week"),
    Feature("product_customers", "customers", "different customers so far"),
    Feature(
        "product_repeat_rate",
        "ratio",
        "share of the buyers of the week before the last who bought it again in the last",
        "no customer bought it in the week before the last",
    ),
    Feature(
        "product_type_share_1w",
        "ratio",
        "share of the customers of the same type with any purchase so far who bought it in the last week",
    ),
    Feature(
        "product_type_share_4w",
        "ratio",
        "share of such customers who bought it in a week, mean of the last four weeks",
    ),
    Feature(
        "product_type_lift_4w",
        "ratio",
        "share of its buyers among such customers of the same type over that among all such, four weeks",
        "no customer bought it in the last four weeks",
    ),
    Feature(
        "product_family_share_1w",
        "ratio",
        "its buyers over all who bought of its brand, sub-category, segment, package and size, last week",
        "nothing of the kind was bought in the last week",
    ),
    Feature(
        "product_brand_size_share_1w",
        "ratio",
        "its buyers over all who bought of its brand and size, last week",
        "nothing of the kind was bought in the last week",
    ),
    Feature("pair_weeks", "weeks", "weeks in which the customer bought the product"),
    Feature("pair_weight_97", "weeks", "weeks with the product, each worth .97 of the week after it"),
    Feature("pair_weight_90", "weeks", "weeks with the product, each worth .9 of the week after it"),
    Feature("pair_weight_75", "weeks", "weeks with the product, each worth .75 of the week after it"),
    Feature("pair_weight_50", "weeks", "weeks with the product, each worth half of the week after it"),
    Feature("pair_weeks_8w", "weeks", "weeks with the product among the last eight"),
    Feature("pair_weeks_13w", "weeks", "weeks with the product among the last 13"),
    Feature(
        "pair_recency_days", "days", "days since the customer last bought the product", "never bought it"
    ),
    Feature(
        "pair_tenure_days", "days", "days since the customer first bought the product", "never bought it"
    ),
    Feature(
        "pair_gap_mean_days",
        "days",
        "mean number of days between two purchases of the product",
        "bought on fewer than two days",
    ),
    Feature(
        "pair_gap_median_days",
        "days",
        "median number of days between two purchases of the product",
        "bought on fewer than two days",
    ),
    Feature(
        "pair_gap_std_days",
        "days",
        "standard deviation of the days between two purchases of the product",
        "bought on fewer than two days",
    ),
    Feature(
        "pair_due_ratio",
        "ratio",
        "days since the last purchase of the product over its median gap",
        "bought on fewer than two days",
    ),
    Feature(
        "pair_overdue_days",
        "days",
        "days since the last purchase of the product beyond its median gap",
        "bought on fewer than two days",
    ),
    Feature("pair_units_mean", "units", "mean units on a day with the product", "never bought it"),
    Feature("pair_units_last", "units", "units on the newest day with the product", "never bought it"),
    Feature(
        "pair_momentum_score",
        "score",
        "momentum score: purchases, newer ones worth more, lifted by what sells now",
    ),
    Feature(
        "pair_share_of_weeks",
        "ratio",
        "weeks with the product over the customer's weeks with an order",
        "never ordered",
    ),
    Feature(
        "pair_share_of_activity", "ratio", "pair_weight_90 over customer_activity", "no order in 218 weeks"
    ),
    Feature(
        "pair_share_since_first",
        "ratio",
        "weeks with the product over the weeks since its first purchase",
        "never bought it",
    ),
    Feature(
        "pair_position",
        "rank",
        "place of the product in the customer's own list by pair_weight_90, 1 = first",
        "never bought it",
    ),
    Feature(
        "pair_brand_weight",
        "weeks",
        "weeks with products of the same brand, each worth .9 of the week after it",
    ),
    Feature(
        "pair_family_weight",
        "weeks",
        "weeks with products of the same brand, sub-category, segment, package and size, each worth .9 "
        "of the week after it",
    ),
    Feature(
        "pair_family_score",
        "score",
        "how much the customer buys of products of this kind (brand, sub-category, segment, package, size), "
        "for the part of them that this one sells now",
    ),
    Feature(
        "pair_brand_size_weight",
        "weeks",
        "weeks with products of the same brand and size, each worth .9 of the week after it",
    ),
    Feature(
        "pair_brand_size_score",
        "score",
        "how much the customer buys of this brand and size, for the part that this product sells of them now",
    ),
    Feature(
        "period_calendar",
        "ratio",
        "demand expected in the period over that of an ordinary one, for holidays and time of the month",
    ),
    Feature("market_pairs_1w", "pairs", "customer-product pairs bought in the last week"),
    Feature(
        "market_trend_8w",
        "ratio",
        "customer-product pairs of the last week over their mean of eight weeks",
        "nothing was bought in eight weeks",
    ),
)

FEATURE_NAMES: list[str] = [feature.name for feature in FEATURES]
CATEGORICAL_NAMES: list[str] = [feature.name for feature in FEATURES if feature.categorical]

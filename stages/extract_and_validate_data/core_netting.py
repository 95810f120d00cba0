"""From valid lines to purchases: duplicates dropped, cancellations subtracted."""

import ibis
import ibis.expr.types as ir

from sodai.data.catalog import LINES, TRANSACTIONS

LINE_KEY = list(LINES.contract.key)
PURCHASE_KEY = list(TRANSACTIONS.contract.key)

# Units are summed as whole millionths, because sums of fractions depend on their order.
_MILLION = 1_000_000


def week_of_lines(lines: ir.Table) -> ir.Column:
    """Return the Monday of each line's week, which names its partition."""
    # DuckDB truncates a date to a timestamp, which Ibis takes for a date: cast there and back.
    return lines.purchase_date.truncate("W").cast("timestamp").cast("date")


def drop_duplicate_lines(lines: ir.Table) -> ir.Table:
    """Drop exact duplicates of lines, within and across files.

    A line that occurs in several files is attributed to the one with the smallest key, so that the result
    does not depend on the order in which files are loaded. Args and return: the columns of LINES.
    """
    return lines.group_by(LINE_KEY).agg(
        n_units=lines.n_units.argmin(lines.file_key), file_key=lines.file_key.min()
    )


def net_order_products(lines: ir.Table) -> ir.Table:
    """Sum the lines of each order and product, so that cancellations are subtracted from sales.

    Returns:
        the key of TRANSACTIONS, n_units (net, may be zero or less), file_key (the smallest), is_sold and
        is_returned (whether any line has more, or less, than zero units).
    """
    millionths = (lines.n_units * _MILLION).round().cast("int64")
    return lines.group_by(PURCHASE_KEY).agg(
        n_units=millionths.sum().cast("float64") / _MILLION,
        file_key=lines.file_key.min(),
        is_sold=(lines.n_units > 0).any(),
        is_returned=(lines.n_units < 0).any(),
    )


def select_purchases(nets: ir.Table) -> ir.Table:
    """Return the rows of `net_order_products` with more than zero units."""
    return nets.filter(nets.n_units > 0)


def count_by_week_and_file(rows: ir.Table) -> ir.Table:
    """Count the rows of each week and file: week, file_key, n."""
    return rows.group_by(week=week_of_lines(rows), file_key=rows.file_key).agg(n=rows.count())


def summarise_weeks(nets: ir.Table) -> ir.Table:
    """Return the figures of each week, in order of the week.

    Args:
        nets: what `net_order_products` returns.

    Returns:
        week, purchases, customers and pairs (those with a purchase), cancelled (sold and returned whole),
        reduced (returned in part), returned (returned without a sale in the order), first_date and
        last_date of the purchases (null without one).
    """
    bought = nets.n_units > 0
    day = ibis.ifelse(bought, nets.purchase_date, ibis.null("date"))
    customer = ibis.ifelse(bought, nets.customer_id, ibis.null("int64"))
    pair = ibis.ifelse(
        bought,
        ibis.struct({"c": nets.customer_id, "p": nets.product_id}),
        ibis.null("struct<c: int64, p: int64>"),
    )
    return (
        nets.group_by(week=week_of_lines(nets))
        .agg(
            purchases=bought.sum(),
            customers=customer.nunique(),
            pairs=pair.nunique(),
            cancelled=(~bought & nets.is_sold).sum(),
            reduced=(bought & nets.is_returned).sum(),
            returned=(~bought & ~nets.is_sold & nets.is_returned).sum(),
            first_date=day.min(),
            last_date=day.max(),
        )
        .order_by("week")
    )

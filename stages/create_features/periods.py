"""The rows of one period after the other, some customers at a time."""

from collections.abc import Iterator

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr.types import Table

from create_features import core
from create_features.core_history import History
from create_features.core_products import weekly_sales
from create_features.core_volume import Forecast
from create_features.engine import Steps, hold
from sodai.data.catalog import PAIR, SCORING, TRAINING
from sodai.data.periods import DAYS_PER_WEEK, Period
from sodai.engines import Engine
from sodai.runtime.concurrency import prefetch_map

# What one machine computes at once: a customer has 230 candidates at most and 60 as a rule.
SHARD_CUSTOMERS = 5_000
_BATCH_ROWS = 200_000
# The tables that change from one call to the next; all others are computed from them.
_MOMENT, _SHARD = "moment", "shard"


class Builder:
    """The rows of any period of a run, from tables that are defined once and computed for each."""

    def __init__(
        self,
        engine: Engine,
        history: History,
        customers: Table,
        products: Table,
        coming: Period,
        bounds: core.Bounds,
    ) -> None:
        """Args: `coming` is the period before which `history` lies; all else as in `core.Sources`."""
        self._engine = engine
        self._coming = coming
        self._market, self._own = Steps(engine), Steps(engine)
        self._put_moment(Forecast(coming, 0.0, 1.0))
        moment = engine.table(_MOMENT)
        sales = hold(engine, "sales", weekly_sales(history, customers))
        sources = core.Sources(history, sales, customers, products, moment)
        market = core.market_of(sources, bounds, self._market.hold)
        shard = hold(engine, _SHARD, customers.limit(0))
        rows = core.candidates_of(sources, market, shard, bounds, self._own.hold)
        self._query = engine.compile(rows.order_by(PAIR) if engine.distributed else rows)

    def scoring(self, forecast: Forecast, customers: Table) -> Iterator[pa.RecordBatch]:
        """The candidates of `customers`, a held table, in order of the key, some customers at a time."""
        for rows in self._rows(forecast, customers):
            yield rows.select(SCORING.contract.names)

    def training(self, forecast: Forecast, customers: Table) -> Iterator[pa.RecordBatch]:
        """The same with cutoff and target, of a closed period and of those who bought before it.

        Who first bought later was not there to be predicted, as far as anybody can tell now.
        """
        days_back = (self._coming.as_of - forecast.period.as_of).days
        for rows in self._rows(forecast, customers.filter(customers.known_days > days_back)):
            yield rows.select(TRAINING.contract.names)

    def _rows(self, forecast: Forecast, customers: Table) -> Iterator[pa.RecordBatch]:
        self._put_moment(forecast)
        self._market.run()
        if self._engine.distributed:
            self._make_own(customers)
            yield from self._engine.to_pyarrow_batches(self._query, _BATCH_ROWS)
            return

        def rows_of(shard: tuple[int, int]) -> pa.Table:
            self._make_own(customers.filter(customers.customer_id.between(*shard)))
            return self._engine.to_pyarrow(self._query)

        # The next customers are computed while these are put in order and written.
        for rows in prefetch_map(rows_of, self._shards(customers)):
            yield _in_order(rows)

    def _make_own(self, shard: Table) -> None:
        self._engine.create_table(_SHARD, self._engine.compile(shard))
        self._own.run()

    def _shards(self, customers: Table) -> list[tuple[int, int]]:
        """The first and last number of as many customers at a time as one machine computes at once."""
        ids = self._engine.to_pyarrow(self._engine.compile(customers.select("customer_id")))
        ordered = ids["customer_id"].sort().to_pylist()
        shards = (
            ordered[start : start + SHARD_CUSTOMERS] for start in range(0, len(ordered), SHARD_CUSTOMERS)
        )
        return [(shard[0], shard[-1]) for shard in shards]

    def _put_moment(self, forecast: Forecast) -> None:
        period = forecast.period
        moment = ibis.literal(period.as_of).name("cutoff").as_table()
        moment = moment.mutate(
            horizon_days=ibis.literal(period.horizon_days, "int32"),
            weeks_back=ibis.literal((self._coming.as_of - period.as_of).days // DAYS_PER_WEEK, "int32"),
            # As text: some engines read a number with a point as a decimal and keep fewer digits.
            calendar=ibis.literal(repr(forecast.calendar)).cast("float64"),
        )
        self._engine.create_table(_MOMENT, self._engine.compile(moment))


def _in_order(rows: pa.Table) -> pa.RecordBatch:
    """The rows in order of the key: Arrow needs half of what DuckDB takes to order so many columns."""
    rows = rows.combine_chunks()
    order = pc.sort_indices(rows, [(name, "ascending") for name in PAIR])
    return next(iter(rows.take(order).to_batches()), pa.RecordBatch.from_pylist([], rows.schema))

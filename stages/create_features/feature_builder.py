"""The candidates of one period after the other with their features, some customers at a time."""

from collections.abc import Iterator

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr.types import Table

from create_features.core_candidates import Bounds
from create_features.core_demand import DemandForecast
from create_features.core_features import Sources, compute_candidates, compute_market
from create_features.core_products import count_weekly_sales
from create_features.inputs import RunInputs
from create_features.prepared_queries import PreparedQueries, materialize
from sodai.data.catalog import PAIR, SCORING, TRAINING
from sodai.data.periods import DAYS_PER_WEEK, Period
from sodai.engines import Engine
from sodai.runtime.concurrency import prefetch_map

# Customers that DuckDB computes together: each has 230 candidates at most and 60 as a rule.
BATCH_CUSTOMERS = 5_000
_BATCH_ROWS = 200_000
# The tables that change from one call to the next; all others are computed from them.
_CUTOFF_ROW, _BATCH = "cutoff_row", "batch"


class FeatureBuilder:
    """Computes the candidates of any period of a run; the queries are prepared once.

    Args:
        inputs: of the run.
        coming: the period to predict.
        bounds: of candidates a customer.
    """

    def __init__(self, engine: Engine, inputs: RunInputs, coming: Period, bounds: Bounds) -> None:
        self._engine = engine
        self._coming = coming
        self._market_queries, self._customer_queries = PreparedQueries(engine), PreparedQueries(engine)
        self._set_period(DemandForecast(coming, 0.0, 1.0))
        sales = materialize(engine, "sales", count_weekly_sales(inputs.history, inputs.customers))
        sources = Sources(inputs.history, sales, inputs.customers, inputs.products, engine.table(_CUTOFF_ROW))
        market = compute_market(sources, bounds, self._market_queries.materialize)
        batch = materialize(engine, _BATCH, inputs.customers.limit(0))
        rows = compute_candidates(sources, market, batch, bounds, self._customer_queries.materialize)
        self._query = engine.compile(rows.order_by(PAIR) if engine.distributed else rows)

    def scoring_rows(self, forecast: DemandForecast, customers: Table) -> Iterator[pa.RecordBatch]:
        """Yield the candidates of a period, the columns of SCORING in order of the key.

        Args:
            forecast: of the period.
            customers: a materialized table with the columns of CUSTOMERS and known_days.
        """
        for rows in self._rows(forecast, customers):
            yield rows.select(SCORING.contract.names)

    def training_rows(self, forecast: DemandForecast, customers: Table) -> Iterator[pa.RecordBatch]:
        """Yield the candidates of a closed period, the columns of TRAINING, see `scoring_rows`."""
        # Without customers who first bought later: they were not known when the period began.
        days_back = (self._coming.as_of - forecast.period.as_of).days
        for rows in self._rows(forecast, customers.filter(customers.known_days > days_back)):
            yield rows.select(TRAINING.contract.names)

    def _rows(self, forecast: DemandForecast, customers: Table) -> Iterator[pa.RecordBatch]:
        self._set_period(forecast)
        self._market_queries.run()
        if self._engine.distributed:
            self._set_batch(customers)
            yield from self._engine.to_pyarrow_batches(self._query, _BATCH_ROWS)
            return

        def compute(ids: tuple[int, int]) -> pa.Table:
            self._set_batch(customers.filter(customers.customer_id.between(*ids)))
            return self._engine.to_pyarrow(self._query)

        # The next customers are computed while these are sorted and written.
        for rows in prefetch_map(compute, self._id_ranges(customers)):
            yield _sort(rows)

    def _set_period(self, forecast: DemandForecast) -> None:
        period = forecast.period
        row = ibis.literal(period.as_of).name("cutoff").as_table()
        row = row.mutate(
            horizon_days=ibis.literal(period.horizon_days, "int32"),
            weeks_back=ibis.literal((self._coming.as_of - period.as_of).days // DAYS_PER_WEEK, "int32"),
            # As text: some engines read a number with a point as a decimal and keep fewer digits.
            calendar=ibis.literal(repr(forecast.calendar)).cast("float64"),
        )
        self._engine.create_table(_CUTOFF_ROW, self._engine.compile(row))

    def _set_batch(self, customers: Table) -> None:
        self._engine.create_table(_BATCH, self._engine.compile(customers))
        self._customer_queries.run()

    def _id_ranges(self, customers: Table) -> list[tuple[int, int]]:
        """Return the first and last customer_id of each batch of BATCH_CUSTOMERS customers."""
        ids = self._engine.to_pyarrow(self._engine.compile(customers.select("customer_id")))
        ordered = ids["customer_id"].sort().to_pylist()
        batches = (
            ordered[start : start + BATCH_CUSTOMERS] for start in range(0, len(ordered), BATCH_CUSTOMERS)
        )
        return [(batch[0], batch[-1]) for batch in batches]


def _sort(rows: pa.Table) -> pa.RecordBatch:
    # In Arrow, which sorts so many columns with half the CPU time of DuckDB.
    rows = rows.combine_chunks()
    order = pc.sort_indices(rows, [(name, "ascending") for name in PAIR])
    return next(iter(rows.take(order).to_batches()), pa.RecordBatch.from_pylist([], rows.schema))

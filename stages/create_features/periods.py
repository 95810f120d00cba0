"""The rows of one period after the other, some customers at a time."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
from ibis.expr.types import Table

from create_features import core
from create_features.core_history import Purchases
from create_features.core_volume import Forecast
from create_features.engine import Query, Steps, hold, put
from sodai.datasets import SCORING, TRAINING
from sodai.periods import DAYS_PER_WEEK, Period

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

# A customer has 230 candidates at most and 60 as a rule.
SHARD_CUSTOMERS = 5_000
_KEY = ["customer_id", "product_id"]


class Builder:
    """The rows of any period of a run, from tables that are defined once and computed for each."""

    def __init__(
        self,
        engine: "Backend",
        purchases: Purchases,
        customers: Table,
        products: Table,
        coming: Period,
        bounds: core.Bounds,
    ) -> None:
        """Args: `coming` is the period before which `purchases` lie; all else as in `core.Sources`."""
        self._engine = engine
        self._coming = coming
        self._market, self._own = Steps(engine), Steps(engine)
        moment = self._put_moment(Forecast(coming, 0.0, 1.0))
        sources = core.Sources(purchases, customers, products, moment)
        market = core.market_of(sources, bounds, self._market.hold)
        shard = hold(engine, "shard", customers.limit(0))
        features = core.features_of(sources, market, shard, bounds, self._own.hold)
        features = self._own.hold("features", features)
        self._scoring = Query(engine, features.select(SCORING.contract.names).order_by(_KEY))
        training = core.with_target(features, sources).select(TRAINING.contract.names)
        self._training = Query(engine, training.order_by(_KEY))

    def scoring(self, forecast: Forecast, customers: Table) -> Iterator[pa.RecordBatch]:
        """The candidates of `customers`, a held table, in order of the key, some customers at a time."""
        return self._rows(self._scoring, forecast, customers)

    def training(self, forecast: Forecast, customers: Table) -> Iterator[pa.RecordBatch]:
        """The same with cutoff and target, of a closed period."""
        return self._rows(self._training, forecast, customers)

    def _rows(self, query: Query, forecast: Forecast, customers: Table) -> Iterator[pa.RecordBatch]:
        self._put_moment(forecast)
        self._market.run()
        ids = self._engine.to_pyarrow(customers.customer_id).sort().to_pylist()
        for start in range(0, len(ids), SHARD_CUSTOMERS):
            shard = ids[start : start + SHARD_CUSTOMERS]
            within = customers.customer_id.between(shard[0], shard[-1])
            hold(self._engine, "shard", customers.filter(within))
            self._own.run()
            yield query.rows()

    def _put_moment(self, forecast: Forecast) -> Table:
        period = forecast.period
        weeks_back = (self._coming.as_of - period.as_of).days // DAYS_PER_WEEK
        return put(
            self._engine,
            "moment",
            f"SELECT DATE '{period.as_of}' AS cutoff, DATE '{period.end}' AS \"end\", "
            f"{weeks_back}::INTEGER AS weeks_back, '{forecast.calendar!r}'::DOUBLE AS calendar",
        )

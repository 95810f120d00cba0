"""The steps of create_features."""

from typing import Any

from create_features.core_candidates import Bounds
from create_features.core_demand import forecast_table
from create_features.feature_builder import FeatureBuilder
from create_features.inputs import forecast_periods, read_entities, read_inputs, sample_customers
from create_features.training_cache import TrainingCache, cache_key, run_key_fields
from create_features.training_table import write_training
from sodai.data.catalog import FEATURES_STAGE, FORECASTS, SCORING
from sodai.data.periods import Period
from sodai.engines import EngineName
from sodai.engines.opening import open_engine
from sodai.runtime.limits import default_memory_limit_mib
from sodai.volume.transactions import transaction_partitions
from sodai.volume.volume import Volume


def run(
    volume: Volume,
    period: Period,
    *,
    training_periods: int,
    min_history_days: int,
    max_bought: int,
    n_popular: int,
    training_rows: int,
    memory_limit: int | None,
    engine: EngineName,
    spark_remote: str | None,
) -> dict[str, Any]:
    """Select candidate pairs and compute their 72 features, for past periods and the one to predict."""
    partitions = transaction_partitions(volume, period.as_of)
    bounds, cache = Bounds(max_bought, n_popular), TrainingCache(volume, period.horizon_days)
    memory_mib = memory_limit or default_memory_limit_mib()
    with (
        volume.attempt(FEATURES_STAGE, period.as_of) as attempt,
        open_engine(engine, spark_remote, memory_mib, attempt.scratch("engine"), volume.root) as session,
    ):
        inputs = read_inputs(session, volume, partitions, period.as_of)
        forecasts = forecast_periods(session, inputs.history, period, training_periods, min_history_days)
        coming, *closed = forecasts
        attempt.write(FORECASTS, forecast_table(forecasts))
        customers, halvings = sample_customers(session, inputs, bounds, len(closed), training_rows)
        builder = FeatureBuilder(session, inputs, period, bounds)
        run_fields = run_key_fields(bounds, halvings, session.version)
        entities = read_entities(session, inputs, period.as_of)
        keys = {each: cache_key(each, partitions, entities, run_fields) for each in reversed(closed)}
        counts = write_training(attempt, cache, builder, keys, customers)
        n_scoring = attempt.write_batches(SCORING, builder.scoring_rows(coming, inputs.customers))
    cache.prune()
    return {
        "training_rows": counts.rows,
        "training_periods": [closed[-1].period.as_of.isoformat(), closed[0].period.as_of.isoformat()],
        "training_periods_reused": counts.reused_periods,
        "training_customers_share": 0.5**halvings,
        "scoring_rows": n_scoring,
        "expected_pairs": round(coming.expected_pairs, 1),
    }

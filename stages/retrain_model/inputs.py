"""The training set and the share of past demand that its candidates missed, read from the volume."""

import pyarrow as pa
import pyarrow.compute as pc

from retrain_model.core_challenger import missing_share
from retrain_model.core_training_set import TrainingSet
from sodai.data.catalog import PAIR, TRAINING
from sodai.data.periods import Period
from sodai.errors import InputError
from sodai.evaluation.realised_demand import realised_demand
from sodai.volume.transactions import read_transactions
from sodai.volume.volume import Volume


def read_training_set(volume: Volume, period: Period, seed: int) -> tuple[pa.Table, TrainingSet]:
    """Read the training rows of all periods before the evaluation period, as a table and as a training set.

    Raises:
        InputError: no fold can be made of these rows.
    """
    table = volume.read(TRAINING, period.as_of)
    table = table.filter(pc.field("cutoff") < period.evaluation_period.as_of)
    training_set = TrainingSet.from_table(table, period.step_days, seed)
    if not training_set.testable_cutoffs():
        n_periods = len(pc.unique(table["cutoff"]))
        raise InputError(
            f"{volume.path(TRAINING, period.as_of)}: found {n_periods} training periods and none to test on, "
            "expected one with bought and other candidates after another with bought candidates; add older "
            "transactions to raw/ or give a later --as-of"
        )
    return table, training_set


def read_missing_share(volume: Volume, period: Period, table: pa.Table) -> float:
    """Return the share of the pairs bought in the training periods that were no candidates.

    Args:
        volume: with a warehouse.
        period: of the run.
        table: of `read_training_set`.
    """
    cutoffs = pc.unique(table["cutoff"]).to_pylist()
    # A large training table has a sample of the customers.
    customers = pc.unique(table["customer_id"])
    columns, end = [*PAIR, "purchase_date"], period.evaluation_period.as_of
    purchases = read_transactions(volume, end, min(cutoffs), customers, columns).to_pandas()
    demand = realised_demand(purchases, cutoffs, period.horizon_days)
    return missing_share(sum(demand.values()), pc.sum(table["target"]).as_py())

"""The drift reference of a model: a sample of the newest periods that it is trained on."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sodai.data.catalog import REFERENCE
from sodai.evaluation.drift_sample import sample_one_per_entity

N_PERIODS = 8


def sample_reference(table: pa.Table, seed: int) -> pa.Table:
    """Return the columns of REFERENCE, sampled from the newest N_PERIODS training periods.

    Args:
        table: the columns of TRAINING.
        seed: seed of the sample of one row per customer and per product.
    """
    cutoffs = sorted(pc.unique(table["cutoff"]).to_pylist())[-N_PERIODS:]
    samples = []
    for cutoff in cutoffs:
        candidates = table.filter(pc.field("cutoff") == pa.scalar(cutoff)).to_pandas()
        samples.append(sample_one_per_entity(candidates, seed))
    rows = pd.concat(samples, ignore_index=True)
    return pa.Table.from_pandas(
        rows[REFERENCE.contract.names], REFERENCE.contract.schema, preserve_index=False
    )

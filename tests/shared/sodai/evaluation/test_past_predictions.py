"""Past predictions: the listed and selected pairs of a period, and no others."""

from datetime import date

import pandas as pd
import pyarrow as pa

from sodai.data.catalog import PREDICTIONS
from sodai.evaluation.past_predictions import read_past_predictions
from sodai.volume.volume import Volume

AS_OF = date(2024, 1, 8)


def publish(volume: Volume) -> None:
    """Publish twelve products for each of two customers; only the eleventh of the first is selected."""
    rows = pd.DataFrame(
        [
            {
                "customer_id": customer,
                "product_id": rank,
                "rank": rank,
                "selected": (customer, rank) == (1, 11),
            }
            for customer in (1, 2)
            for rank in range(1, 13)
        ]
    ).assign(week=AS_OF, probability=0.5, model_version="1")
    table = pa.Table.from_pandas(
        rows[PREDICTIONS.contract.names], PREDICTIONS.contract.schema, preserve_index=False
    )
    with volume.attempt("test", AS_OF) as attempt:
        attempt.write(PREDICTIONS, table)


def test_pairs_on_a_list_of_ten_and_selected_ones_are_read(volume: Volume) -> None:
    publish(volume)
    predictions = read_past_predictions(volume, AS_OF)
    assert list(predictions) == ["customer_id", "product_id", "rank", "selected"]
    assert predictions.loc[predictions["customer_id"] == 1, "rank"].tolist() == list(range(1, 12))
    assert predictions.loc[predictions["customer_id"] == 2, "rank"].tolist() == list(range(1, 11))
    assert predictions["selected"].sum() == 1


def test_pairs_of_some_customers_only_can_be_read(volume: Volume) -> None:
    publish(volume)
    predictions = read_past_predictions(volume, AS_OF, pa.array([2]))
    assert predictions["customer_id"].unique().tolist() == [2]
    assert len(predictions) == 10

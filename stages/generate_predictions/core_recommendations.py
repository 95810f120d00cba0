"""The recommended products and the text of RECOMMENDATIONS: one JSON object, one line per customer."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Integers = npt.NDArray[np.int64]

# Probabilities have four digits: more are noise and make the file a third larger.
_STEPS = 10_000
_PROBABILITY_TEXTS = pa.array([str(step / _STEPS) for step in range(_STEPS + 1)])
SEPARATOR, CLOSING = b",\n", b"\n}}\n"


def recommend(predictions: pa.Table, k: int) -> pa.Table:
    """Return the `k` best products of every customer, in the order of `predictions`."""
    return predictions.filter(pa.array(predictions["rank"].to_numpy() <= k))


def format_opening(header: Mapping[str, Any]) -> bytes:
    """Return the text before the first customer: the keys of `header`, then the key `customers`."""
    text = json.dumps(dict(header), ensure_ascii=False, allow_nan=False)
    return text[:-1].encode() + b', "customers": {\n'


def format_customers(best: pa.Table, reasons: pa.Table, customers: Integers) -> pa.Buffer:
    """Return the lines of some customers, separated by `SEPARATOR`: customer_id and products, best first.

    Args:
        best: customer_id, product_id, probability, rank, selected, ordered by customer and product.
        reasons: customer_id, product_id, direction, phrase, ordered by customer, product and position;
            those of products that are not in `best` are ignored.
        customers: ordered customer_id of the lines, all those of `best` among them; a customer without
            products gets an empty list.
    """
    # Column by column in Arrow: with Python objects this took as long as scoring the same customers.
    products = pc.binary_join_element_wise(
        '{"product_id": ',
        best["product_id"].cast(pa.string()),
        ', "probability": ',
        _PROBABILITY_TEXTS.take(pa.array(np.rint(best["probability"].to_numpy() * _STEPS).astype(np.int32))),
        ', "rank": ',
        best["rank"].cast(pa.string()),
        ', "selected": ',
        pc.if_else(best["selected"], "true", "false"),
        ', "reasons": [',
        _format_reasons(best, reasons),
        "]}",
        "",
    )
    customer_id = best["customer_id"].to_numpy()
    by_rank = np.lexsort((best["rank"].to_numpy(), customer_id))
    lists = _join_groups(products.take(pa.array(by_rank)), _count_keys(customer_id, customers))
    lines = pc.binary_join_element_wise('"', pa.array(customers).cast(pa.string()), '": [', lists, "]", "")
    return pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), SEPARATOR.decode())[0].as_buffer()


def _format_reasons(best: pa.Table, reasons: pa.Table) -> pa.Array:
    """Return the reasons of each row of `best` as JSON objects in one text, empty if it has none."""
    pairs, reason_pairs = _pair_codes(best, best), _pair_codes(reasons, best)
    objects = pc.binary_join_element_wise(
        '{"direction": ', _to_json(reasons["direction"]), ', "text": ', _to_json(reasons["phrase"]), "}", ""
    )
    listed = np.isin(reason_pairs, pairs)
    return _join_groups(objects.filter(pa.array(listed)), _count_keys(reason_pairs[listed], pairs))


def _pair_codes(rows: pa.Table, best: pa.Table) -> Integers:
    """Return a number per pair that grows in key order; -1 if customer or product is not in `best`."""
    products, customers = (np.unique(best[name].to_numpy()) for name in ("product_id", "customer_id"))
    product_id, customer_id = rows["product_id"].to_numpy(), rows["customer_id"].to_numpy()
    position = np.minimum(np.searchsorted(products, product_id), max(0, len(products) - 1))
    codes = np.searchsorted(customers, customer_id) * len(products) + position
    return np.where(np.isin(product_id, products) & np.isin(customer_id, customers), codes, -1)


def _to_json(texts: pa.ChunkedArray) -> pa.Array:
    # Most texts repeat: each distinct one is encoded once.
    encoded = texts.combine_chunks().dictionary_encode()
    values = [json.dumps(text, ensure_ascii=False) for text in encoded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(encoded.indices)


def _count_keys(ordered: Integers, keys: Integers) -> Integers:
    """Return how often `ordered` contains each of `keys`."""
    return np.searchsorted(ordered, keys, side="right") - np.searchsorted(ordered, keys, side="left")


def _join_groups(texts: pa.Array | pa.ChunkedArray, counts: Integers) -> pa.Array:
    """Join the first `counts[0]` texts, then the next `counts[1]`, and so on, by commas."""
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, array), ", ")

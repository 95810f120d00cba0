"""The text of RECOMMENDATIONS: one JSON object with one line a customer, written some customers at a time."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Integers = npt.NDArray[np.int64]

# The API shows probabilities; more digits than this are noise and make the file a third larger.
_STEPS = 10_000
BETWEEN, CLOSING = b",\n", b"\n}}\n"
_PROBABILITY_TEXTS = pa.array([str(step / _STEPS) for step in range(_STEPS + 1)])


def opening(header: Mapping[str, Any]) -> bytes:
    """What stands before the lines of the customers.

    Args:
        header: the keys before `customers`.
    """
    text = json.dumps(dict(header), ensure_ascii=False, allow_nan=False)
    return text[:-1].encode() + b', "customers": {\n'


def customer_lines(best: pa.Table, reasons: pa.Table, customers: Integers) -> pa.Buffer:
    """The lines of some customers, in order: id and list of products, the best first, `BETWEEN` between.

    Column by column in Arrow: by Python objects this took as long as the scores of the same customers.

    Args:
        best: customer_id, product_id, probability, rank, selected, ordered by customer and product.
        reasons: customer_id, product_id, direction, phrase, ordered by customer, product and position;
            those of products that are not in `best` are left out.
        customers: those to be found, ordered, with an empty list if need be; all of `best` among them.
    """
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
        _reasons_of(best, reasons),
        "]}",
        "",
    )
    customer_id = best["customer_id"].to_numpy()
    by_rank = np.lexsort((best["rank"].to_numpy(), customer_id))
    lists = _joined(products.take(pa.array(by_rank)), _counts(customer_id, customers))
    lines = pc.binary_join_element_wise('"', pa.array(customers).cast(pa.string()), '": [', lists, "]", "")
    return pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), BETWEEN.decode())[0].as_buffer()


def _reasons_of(best: pa.Table, reasons: pa.Table) -> pa.Array:
    """The reasons of each product of `best` as JSON objects, one text a product, empty without any."""
    pairs = _pair_codes(best, best)
    of_reasons = _pair_codes(reasons, best)
    told = pc.binary_join_element_wise(
        '{"direction": ', _as_json(reasons["direction"]), ', "text": ', _as_json(reasons["phrase"]), "}", ""
    )
    listed = np.isin(of_reasons, pairs)
    return _joined(told.filter(pa.array(listed)), _counts(of_reasons[listed], pairs))


def _pair_codes(rows: pa.Table, best: pa.Table) -> Integers:
    """A number for each pair that grows in key order; negative where `best` has not its product."""
    known = np.unique(best["product_id"].to_numpy())
    product_id = rows["product_id"].to_numpy()
    place = np.minimum(np.searchsorted(known, product_id), max(0, len(known) - 1))
    customers = np.unique(best["customer_id"].to_numpy())
    code = np.searchsorted(customers, rows["customer_id"].to_numpy()) * len(known) + place
    there = np.isin(product_id, known) & np.isin(rows["customer_id"].to_numpy(), customers)
    return np.where(there, code, -1)


def _as_json(texts: pa.ChunkedArray) -> pa.Array:
    """Each text as JSON, every different one put into words once."""
    encoded = texts.combine_chunks().dictionary_encode()
    words = [json.dumps(text, ensure_ascii=False) for text in encoded.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(encoded.indices)


def _counts(ordered: Integers, keys: Integers) -> Integers:
    """How often each of `keys` stands in `ordered`."""
    return np.searchsorted(ordered, keys, side="right") - np.searchsorted(ordered, keys, side="left")


def _joined(texts: pa.Array | pa.ChunkedArray, counts: Integers) -> pa.Array:
    """The first `counts[0]` texts as one, the next `counts[1]` as another, and so on."""
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, whole), ", ")

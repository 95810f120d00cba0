"""Writes RECOMMENDATIONS customer by customer, with the reasons that analyze_interpretability left."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from generate_predictions.core_lists import BETWEEN, CLOSING, Integers, customer_lines, opening
from generate_predictions.merge_cursor import MergeCursor
from sodai.data.catalog import INTERPRET, PREDICTIONS, REASONS
from sodai.volume.sorted_tables import read_sorted
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")


@contextmanager
def adding_lists(
    file: Path, customers: Integers, reasons: MergeCursor, header: Mapping[str, Any]
) -> Iterator[Callable[[pa.Table], None]]:
    """A function that adds the lists of some customers, those after the ones added before.

    Args:
        file: a private path, of an attempt.
        customers: everybody who is to be found in the index, in order, with an empty list if need be.
        reasons: of the recommended products.
        header: what stands before the lists.
    """
    waiting, between = customers, b""
    with file.open("wb") as text:

        def write(best: pa.Table, until: int) -> None:
            nonlocal waiting, between
            end = int(np.searchsorted(waiting, until, side="right"))
            ready = np.union1d(waiting[:end], best["customer_id"].to_numpy())
            waiting = waiting[end:]
            if len(ready):
                text.write(between)
                text.write(customer_lines(best, reasons.up_to(until), ready))
                between = BETWEEN

        text.write(opening(header))
        yield lambda best: write(best, best["customer_id"][-1].as_py())
        if len(waiting):
            write(PREDICTIONS.contract.schema.empty_table(), int(waiting[-1]))
        text.write(CLOSING)


def reasons_of(volume: Volume, day: date) -> MergeCursor:
    """The reasons of the week; lists are published without any where none were made."""
    pieces: Iterator[pa.Table] = iter(())
    if volume.exists(REASONS, day):
        pieces = read_sorted([volume.path(REASONS, day)], REASONS.contract, INTERPRET)
    else:
        log.warning("no reasons for %s: run analyze_interpretability before for lists with reasons", day)
    return MergeCursor(pieces, REASONS.contract.schema)

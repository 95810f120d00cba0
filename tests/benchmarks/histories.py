"""Purchase histories as sparse weekly baskets, the input of every rule and peer."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

DAYS_PER_WEEK = 7
_BLOCK = 256

# Maps positions of customers to their scores of every product, a dense or sparse matrix.
Scores = Callable[[slice], Any]


@dataclass(frozen=True, eq=False)
class History:
    """Purchases before `as_of`, one row per customer, product and week with a purchase.

    `purchases` has customer and product (positions in `customers` and `products`) and `age`, whole
    weeks before `as_of`: 0 is the last seven days. `newcomers` are customers without a purchase who get a
    list too. Histories compare by identity.
    """

    as_of: date
    customers: npt.NDArray[np.int64]
    products: npt.NDArray[np.int64]
    purchases: pd.DataFrame
    newcomers: npt.NDArray[np.int64]

    @classmethod
    def of(cls, transactions: pd.DataFrame, as_of: date, listed: Collection[int] = ()) -> "History":
        """Return the history that a recommender of the period starting on `as_of` may use.

        Args:
            transactions: customer_id, product_id, purchase_date; later rows are ignored.
            as_of: exclusive cutoff.
            listed: customers who get a list, with or without purchases.
        """
        day = pd.to_datetime(transactions["purchase_date"])
        seen = transactions[day < pd.Timestamp(as_of)]
        age = (pd.Timestamp(as_of) - day[seen.index]).dt.days.sub(1) // DAYS_PER_WEEK
        customer, customers = pd.factorize(seen["customer_id"], sort=True)
        product, products = pd.factorize(seen["product_id"], sort=True)
        purchases = pd.DataFrame({"customer": customer, "product": product, "age": age.to_numpy()})
        purchases = purchases.drop_duplicates().sort_values(["customer", "age", "product"], ignore_index=True)
        newcomers = np.setdiff1d(np.asarray(list(listed), dtype=np.int64), customers)
        return cls(as_of, customers.to_numpy(), products.to_numpy(), purchases, newcomers)

    def matrix(self, weight: npt.NDArray[np.float64] | pd.Series) -> sparse.csr_array:
        """Return the sum of the weights of purchases by customer and product: (n customers, n products)."""
        position = (self.purchases["customer"].to_numpy(), self.purchases["product"].to_numpy())
        return sparse.csr_array(
            sparse.coo_array((np.asarray(weight, float), position), (len(self.customers), len(self.products)))
        )

    def basket_positions(self) -> npt.NDArray[np.int64]:
        """Return for each purchase how many weekly baskets of its customer are newer; 0 is the newest."""
        baskets = self.purchases[["customer", "age"]].drop_duplicates()
        position = baskets.groupby("customer").cumcount()
        joined = self.purchases.merge(baskets.assign(position=position), on=["customer", "age"], how="left")
        return joined["position"].to_numpy()

    def top(self, scores: Scores, fill: npt.NDArray[np.float64], k: int) -> pd.DataFrame:
        """Return the k best products of each customer, filled with the globally best where scores end.

        Newcomers have no scores and get the globally best products.

        Args:
            scores: called with positions of n customers, returns (n, n products), zero where there is no
                score; called block by block, because the scores of all customers may not fit into memory.
            fill: (n products,), orders the products without a score.
            k: list length.

        Returns:
            customer_id, product_id, rank (1 = best).
        """
        k = min(k, len(self.products))
        # Of 2k products, at least k are left for a customer with fewer than k scores.
        fallback = np.argsort(-fill, kind="stable")[: 2 * k]
        lists = []
        for start in range(0, len(self.customers), _BLOCK):
            block = scores(slice(start, min(start + _BLOCK, len(self.customers))))
            lists.extend(_best(columns, values, fallback, k) for columns, values in _rows(block))
        best = np.vstack([*lists, np.tile(fallback[:k], (len(self.newcomers), 1))])
        return pd.DataFrame(
            {
                "customer_id": np.repeat(np.concatenate([self.customers, self.newcomers]), k),
                "product_id": self.products[best.ravel()],
                "rank": np.tile(np.arange(1, k + 1), len(best)),
            }
        )


def _rows(block: Any) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
    """Yield columns and values of each row, for a sparse matrix only its stored entries."""
    if sparse.issparse(block):
        by_row = block.tocsr()
        for start, end in pairwise(by_row.indptr):
            yield by_row.indices[start:end], by_row.data[start:end]
    else:
        columns = np.arange(block.shape[1])
        yield from ((columns, values) for values in np.asarray(block))


def _best(
    columns: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    fallback: npt.NDArray[np.int64],
    k: int,
) -> npt.NDArray[np.int64]:
    """Return the columns of the k largest positive values, ties by column, then columns of the fallback."""
    candidates = values > 0
    if np.count_nonzero(candidates) > k:
        candidates &= values >= np.partition(values, -k)[-k]
    columns, values = columns[candidates], values[candidates]
    best = columns[np.lexsort((columns, -values))][:k]
    rest = fallback[~np.isin(fallback, best)]
    return np.concatenate([best, rest[: k - len(best)]])

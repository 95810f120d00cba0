"""Rules and peers follow their definitions, expected values worked out by hand."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import peers, rules
from benchmarks.histories import History

AS_OF = date(2024, 3, 4)


def purchases(*rows: tuple[int, int, int]) -> pd.DataFrame:
    """Return transactions from (customer, product, days before AS_OF)."""
    return pd.DataFrame(
        {
            "customer_id": [row[0] for row in rows],
            "product_id": [row[1] for row in rows],
            "purchase_date": [pd.Timestamp(AS_OF) - pd.Timedelta(days=row[2]) for row in rows],
        }
    )


def first_choice(ranked: pd.DataFrame, customer: int) -> list[int]:
    own = ranked[ranked["customer_id"] == customer].sort_values("rank")
    return own["product_id"].tolist()


def test_a_history_ends_before_the_cutoff_and_counts_weeks_from_it() -> None:
    history = History.of(purchases((1, 10, 0), (1, 10, 1), (1, 10, 7), (1, 10, 8)), AS_OF)

    assert history.purchases["age"].tolist() == [0, 1]


def test_decay_prefers_recent_purchases_and_frequency_prefers_frequent_ones() -> None:
    often_but_old = [(1, 10, 7 * week + 1) for week in range(30, 33)]
    history = History.of(purchases((1, 20, 1), (1, 20, 8), *often_but_old), AS_OF)

    assert first_choice(rules.personal_frequency(history, 2), 1) == [10, 20]
    assert first_choice(rules.decayed_frequency(history, 2), 1) == [20, 10]


def test_lists_are_filled_with_the_products_that_sell_most() -> None:
    history = History.of(purchases((1, 10, 1), (2, 20, 1), (3, 20, 1), (3, 30, 1)), AS_OF)

    assert first_choice(rules.personal_frequency(history, 3), 1) == [10, 20, 30]


def test_newcomers_get_the_products_that_sell_most_and_change_no_other_list() -> None:
    bought = purchases((1, 10, 30), (2, 10, 30), (3, 10, 30), (1, 20, 1), (2, 20, 1), (3, 30, 1))
    listed = History.of(bought, AS_OF, [1, 9])

    for rule in (rules.personal_frequency, rules.decayed_frequency):
        assert first_choice(rule(listed, 3), 9) == [10, 20, 30]
    assert first_choice(rules.decayed_frequency_with_momentum(listed, 3), 9) == [20, 30, 10]
    for name, peer in peers.PEERS.items():
        setting = peers.GRIDS[name][0]
        lists = peer(listed, 3, **setting)
        assert first_choice(lists, 9) == [10, 20, 30]
        alone = peer(History.of(bought, AS_OF), 3, **setting)
        pd.testing.assert_frame_equal(lists[lists["customer_id"] != 9], alone)


def test_momentum_lifts_a_product_that_sells_now() -> None:
    own = [(1, 10, 8), (1, 20, 8)]
    rising = [(customer, 20, 1) for customer in range(2, 9)]
    falling = [(customer, 10, 50) for customer in range(2, 9)]
    history = History.of(purchases(*own, *rising, *falling), AS_OF)

    assert first_choice(rules.decayed_frequency_with_momentum(history, 2), 1) == [20, 10]


def test_the_set_of_three_in_eight_weeks_counts_weeks_not_orders() -> None:
    three_weeks = [(1, 10, 1), (1, 10, 8), (1, 10, 15)]
    three_orders_in_one_week = [(1, 20, 1), (1, 20, 2), (1, 20, 3)]
    history = History.of(purchases(*three_weeks, *three_orders_in_one_week), AS_OF)

    chosen = rules.bought_in_weeks(history, at_least=3, of_last=8)

    assert chosen.to_numpy().tolist() == [[1, 10]]


def test_tifu_knn_without_neighbours_is_the_decayed_mean_of_decayed_groups() -> None:
    # Customer 1: newest basket {20}, then {10}; groups of one basket, decay .5 between groups:
    # u(20) = 1 / 2, u(10) = .5 / 2. With alpha 1 the only neighbour, who buys 30, has no weight.
    history = History.of(purchases((1, 20, 1), (1, 10, 8), (2, 30, 1)), AS_OF)

    ranked = peers.tifu_knn(history, 3, group_size=1, within=1.0, between=0.5, alpha=1.0, neighbours=1)

    assert first_choice(ranked, 1)[:2] == [20, 10]


def test_tifu_knn_recommends_products_of_the_nearest_customer() -> None:
    alike = [(1, 10, 1), (2, 10, 1), (2, 40, 1)]
    stranger = [(3, 50, 1), (3, 60, 1), (3, 70, 1)]
    history = History.of(purchases(*alike, *stranger), AS_OF)

    ranked = peers.tifu_knn(history, 2, group_size=3, within=0.9, between=0.7, alpha=0.5, neighbours=1)

    assert first_choice(ranked, 1) == [10, 40]


def test_up_cf_ignores_baskets_beyond_its_recency() -> None:
    history = History.of(purchases((1, 20, 1), (1, 10, 8), (1, 10, 15), (2, 30, 1), (3, 10, 1)), AS_OF)

    ranked = peers.up_cf(history, 2, recency=1, alpha=0.5, locality=1)

    assert first_choice(ranked, 1)[0] == 20


def test_bm25_recommends_products_that_are_bought_together() -> None:
    together = [(customer, product, 1) for customer in (1, 2) for product in (10, 20)]
    others = [(customer, 30, 1) for customer in (3, 4, 5, 6)]
    history = History.of(purchases(*together, (7, 10, 1), *others), AS_OF)

    ranked = peers.bm25_item_item(history, 2, k1=1.2, b=0.75)

    assert set(first_choice(ranked, 7)) == {10, 20}


@pytest.mark.parametrize("name", list(peers.PEERS))
def test_every_peer_ranks_each_customer_once_and_never_sees_the_period(name: str) -> None:
    rng = np.random.default_rng(0)
    rows = [
        (int(c), int(p), int(d))
        for c, p, d in zip(*rng.integers(1, [[9], [12], [90]], (3, 200)), strict=True)
    ]
    later = [(1, 999, 0), (2, 999, -3)]
    setting = peers.GRIDS[name][0]

    alone = peers.PEERS[name](History.of(purchases(*rows), AS_OF), 5, **setting)
    with_later = peers.PEERS[name](History.of(purchases(*rows, *later), AS_OF), 5, **setting)

    pd.testing.assert_frame_equal(alone, with_later)
    assert (
        alone.groupby("customer_id")["rank"].apply(list).map(lambda ranks: ranks == [1, 2, 3, 4, 5])
    ).all()


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_a_list_has_the_order_of_a_stable_sort(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    bought = purchases(*((customer, product, 1) for customer in range(7) for product in range(12)))
    history = History.of(bought, AS_OF)
    scores = rng.integers(0, 4, (7, 12)).astype(float)  # many ties
    fill = rng.integers(1, 4, 12).astype(float)
    ranked = history.top(lambda rows: scores[rows], fill, k)
    filled = np.where(scores > 0, scores, fill / (2 * fill.max()))
    expected = np.argsort(-filled, axis=1, kind="stable")[:, :k]
    assert ranked["product_id"].to_numpy().reshape(7, k).tolist() == expected.tolist()


def test_a_history_of_several_blocks_is_ranked_like_a_small_one() -> None:
    rows = [(customer, product, 1) for customer in range(600) for product in (customer % 5, 5)]
    history = History.of(purchases(*rows), AS_OF)
    ranked = rules.personal_frequency(history, 2)
    assert ranked.groupby("customer_id")["product_id"].agg(sorted).tolist() == [
        sorted({customer % 5, 5}) for customer in range(600)
    ]

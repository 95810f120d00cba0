"""The newest training in a snapshot of the registry."""

from datetime import date

import pytest

from sodai.model.registry_snapshot import RegistrySnapshot


@pytest.mark.parametrize(
    ("before", "newest"),
    [
        (date(2024, 6, 3), date(2024, 5, 20)),
        (date(2024, 6, 4), date(2024, 6, 3)),
        (date(2024, 5, 20), None),
    ],
)
def test_the_newest_training_is_before_the_period_itself(before: date, newest: date | None) -> None:
    trained_for = {"1": "2024-05-20", "2": "2024-06-03"}
    assert RegistrySnapshot("1-1", None, {}, trained_for).newest_training(before) == newest

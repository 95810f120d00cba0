"""Runs of the whole pipeline that several folders of tests look at, made once a session."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from support.object_store_server import ObjectStoreServer, object_store_server
from support.pipeline_runs import History, TwoWeeks, make_history, make_two_weeks

# How long an example takes says what else the machine does: numbers are measured by benchmarks.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what looks at `two_weeks`, so that one of the processes that share the tests makes them."""
    for item in items:
        if "two_weeks" in getattr(item, "fixturenames", ()):
            item.add_marker("two_weeks")


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Raw folders without and with the newest week; not to be written to."""
    return make_history(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="session")
def two_weeks(history: History, tmp_path_factory: pytest.TempPathFactory) -> TwoWeeks:
    """A volume after a first run and one with the next drop; not to be written to."""
    return make_two_weeks(history, tmp_path_factory.mktemp("two_weeks"))


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStoreServer]:
    """An object store on loopback; each test makes a volume of its own there."""
    with object_store_server() as server:
        yield server

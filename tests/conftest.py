"""Runs of the whole pipeline that several folders of tests read, made once a session."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from support.object_store_server import ObjectStoreServer, object_store_server
from support.pipeline_runs import History, TwoWeeks, make_history, make_two_weeks

# The time of an example depends on the load of the machine; benchmarks measure times.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that read `two_weeks`, so that only one of the two test processes makes it."""
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
    """An object store on loopback; each test creates a volume of its own there."""
    with object_store_server() as server:
        yield server

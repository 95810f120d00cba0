"""Runs of the whole pipeline that several folders of tests look at, made once a session."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from made_bucket import ObjectStoreServer, object_store_server
from made_run import History, TwoWeeks, make_history, make_two_weeks

# How long an example takes says what else the machine does: numbers are measured by benchmarks.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# What one process at a time makes use of: the engine, with the stack and the cluster on it.
_ENGINE_MARKS = ("docker", "compose")
# Runs that take long to make, so that all who look at them stand in one process.
_SHARED_RUNS = ("two_weeks", "history", "object_store")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests that one process has to run; the longest group goes first.

    What a module makes for its tests is made once, as where no processes run side by side.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group_of(item)))
    items.sort(key=lambda item: _group_of(item) != "engine")


def _group_of(item: pytest.Item) -> str:
    if any(item.get_closest_marker(name) for name in _ENGINE_MARKS):
        return "engine"
    for name in _SHARED_RUNS:
        if name in getattr(item, "fixturenames", ()):
            return name
    return item.path.name


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

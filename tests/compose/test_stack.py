"""The pipeline in the full stack: both branches, the next drop, and hard kills of running stages."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from support.sales_data import SyntheticRaw, disguise_units, make_raw

from . import stack as stacks
from .stack import Stack

pytestmark = [pytest.mark.docker, pytest.mark.compose]

N_WEEKS = 20
RETRAIN, LOAD = "retrain_model", "load_existing_model"
OTHER_TASKS = {
    "start_pipeline",
    "extract_and_validate_data",
    "create_features",
    "detect_data_drift",
    "join_model_paths",
    "evaluate_model",
    "analyze_interpretability",
    "generate_predictions",
    "log_pipeline_metrics",
    "pipeline_complete",
}


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> SyntheticRaw:
    """Synthetic sales whose newest two weeks come as drops."""
    return make_raw(tmp_path_factory.mktemp("sales"), 30, 16, N_WEEKS, n_drops=2)


@pytest.fixture(scope="module")
def drops(sales: SyntheticRaw) -> list[Path]:
    """The two newest weeks; in the second every customer buys six more products in large quantities."""
    first, second = sorted(sales.folder.glob("transacciones_*.parquet"))
    lines = pd.read_parquet(second)
    others = lines.assign(order_id=lines["order_id"] + 1_000_000, items=disguise_units(40))
    more = [others.assign(product_id=products) for products in others["product_id"].unique()[:6]]
    pd.concat([lines, *more]).drop_duplicates().to_parquet(second, index=False)
    return [first, second]


@pytest.fixture(scope="module")
def stack(
    sales: SyntheticRaw, drops: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack with all files but the drops."""
    raw = tmp_path_factory.mktemp("raw")
    for file in set(sales.folder.iterdir()) - set(drops):
        (raw / file.name).write_bytes(file.read_bytes())
    yield stacks.start(raw)
    stacks.remove()


def load(drop: Path, folder: Path) -> None:
    folder.mkdir()
    (folder / drop.name).write_bytes(drop.read_bytes())
    stacks.start(folder)


def assert_took(states: dict[str, str], branch: str) -> None:
    other = {RETRAIN: LOAD, LOAD: RETRAIN}[branch]
    assert states.pop(other) == "skipped"
    assert states == dict.fromkeys({"", branch, *OTHER_TASKS}, "success")


def decision(stack: Stack, as_of: object) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(stack.read(f"weeks/{as_of}/detect_data_drift/decision.json"))
    return record


def test_airflow_lists_the_twelve_tasks(stack: Stack) -> None:
    tasks = set(stack.airflow("tasks", "list", stacks.DAG).split())
    assert tasks >= {RETRAIN, LOAD, *OTHER_TASKS}


def test_the_first_run_trains_and_the_next_drop_loads(
    stack: Stack, sales: SyntheticRaw, drops: list[Path], tmp_path: Path
) -> None:
    stack.trigger("first", trials=3)
    assert_took(stack.wait_for_end("first"), RETRAIN)

    load(drops[0], tmp_path / "next")
    stack.trigger("next", trials=3)
    states = stack.wait_for_end("next")
    assert decision(stack, sales.as_of - pd.Timedelta(weeks=1))["rule"] == "none"
    assert_took(states, LOAD)


def test_a_drop_that_drifts_retrains_although_the_stage_and_then_the_scheduler_are_killed_hard(
    stack: Stack, sales: SyntheticRaw, drops: list[Path], tmp_path: Path
) -> None:
    load(drops[1], tmp_path / "drifted")
    stack.trigger("killed", trials=60)
    first = stacks.wait_for(lambda: next(iter(stack.containers(RETRAIN)), None), 300, "a training container")
    stacks.run("docker", "kill", first)

    second = stacks.wait_for(lambda: next(iter(stack.containers(RETRAIN)), None), 120, "its second try")
    stacks.compose("kill", "--signal", "KILL", "airflow-scheduler")
    stacks.compose("up", "--detach", "--wait")

    most = 0
    while (state := stack.get(f"dags/{stacks.DAG}/dagRuns/killed")["state"]) not in stacks.ENDED:
        most = max(most, len(stack.containers(RETRAIN)))
        time.sleep(1)
    assert (state, most) == ("success", 1)
    assert second not in stack.containers(RETRAIN)
    assert decision(stack, sales.as_of)["rule"] == "drift"
    assert stack.tries("killed")[RETRAIN] == 3
    assert_took(stack.wait_for_end("killed"), RETRAIN)
    assert stack.inside("find", "/data/.attempts", "-mindepth", "1", "-maxdepth", "1") == ""


def test_the_stack_stops_in_the_middle_of_a_task_and_nothing_of_it_is_left(stack: Stack) -> None:
    stack.trigger("last", trials=1000, force_retrain=True)
    stacks.wait_for(lambda: next(iter(stack.containers(RETRAIN)), None), 300, "a training container")
    stacks.run("make", "down", "VOLUMES=1")
    assert stack.containers(RETRAIN) == []
    own = f"label=com.docker.compose.project={stacks.NAME}"
    for kind in ("volume", "network"):
        assert stacks.run("docker", kind, "ls", "--quiet", "--filter", own) == ""

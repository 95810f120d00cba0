"""A run for which nothing changed skips every stage; a change runs the stages that depend on it."""

import os
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sodai.data.catalog import (
    CHAMPION,
    DECISION,
    DRIFT,
    DRIFT_PAGE,
    EVALUATE,
    EXTRACT,
    FEATURES_STAGE,
    HISTORY,
    INTERPRET,
    LEDGER,
    LOAD,
    METRICS,
    PREDICT,
    PREDICTIONS,
    RETRAIN,
    RETRAINED_MODEL,
    RUN_PAGE,
    STAGES,
    run_record,
)
from sodai.model.registry import MODEL_NAME, Registry
from sodai.runtime.environment import ENV_TRACKING_URI
from sodai.volume.volume import Volume
from sodai_dag.settings import settings_from
from support.pipeline_runs import N_TRIALS, StagedRun, TwoWeeks, aliases, run_without_airflow
from support.staged_run import run_one


@dataclass(frozen=True)
class NewestWeek:
    """A copy of the volume after two weeks, which a test may write to."""

    volume: Volume
    data: Path
    as_of: date

    @property
    def stages(self) -> list[str]:
        """Return the stages of its run."""
        other = {RETRAIN: LOAD, LOAD: RETRAIN}[self.volume.read_json(DECISION, self.as_of)["branch"]]
        return [stage for stage in STAGES if stage != other]

    def run(self, **params: Any) -> StagedRun:
        """Run the newest week again."""
        done = run_without_airflow(self.data, self.volume.root, **params)
        assert done.error == ""
        return done


@pytest.fixture
def week(two_weeks: TwoWeeks, tmp_path: Path) -> NewestWeek:
    assert two_weeks.second.code == 0, two_weeks.second.stderr
    volume = Volume(shutil.copytree(two_weeks.root, tmp_path / "volume"))
    return NewestWeek(volume, two_weeks.history.after, two_weeks.history.next_as_of)


def test_the_run_of_a_week_again_skips_every_stage_and_changes_nothing(two_weeks: TwoWeeks) -> None:
    first, again = two_weeks.first, two_weeks.again
    assert again.code == 0, again.stderr
    assert first.skipped == []
    assert again.tasks == first.tasks
    # The first run trained and promoted: its stages read another champion than the second run.
    assert again.skipped == [stage for stage in STAGES if stage != LOAD]
    assert two_weeks.after_again == two_weeks.after_first
    assert "retrain_model (no_champion)" in again.stdout
    assert "version 1, first version: there was no champion" in again.stdout


def test_a_copy_of_the_volume_skips_too_and_force_runs_every_stage(week: NewestWeek) -> None:
    assert week.run().skipped == week.stages
    assert week.run(force=True).ran == week.stages


def test_a_damaged_output_is_rebuilt_with_the_outputs_that_depend_on_it(week: NewestWeek) -> None:
    predictions = week.volume.path(PREDICTIONS, week.as_of)
    whole = predictions.read_bytes()
    predictions.write_bytes(whole[:-1] + b"?")

    assert week.run().ran == [PREDICT, METRICS]
    assert predictions.read_bytes() == whole
    assert week.run().ran == []


def test_another_parameter_reruns_the_stages_that_take_it(week: NewestWeek) -> None:
    assert week.run(k=4).ran == [EVALUATE, INTERPRET, PREDICT, METRICS]


def test_another_customer_table_reruns_the_stages_that_read_it(week: NewestWeek) -> None:
    data = shutil.copytree(week.data, week.volume.root.parent / "data")
    table = data / "clientes.parquet"
    shutil.copy(table, data / "customers.parquet")
    table.unlink()
    (week.volume.root / "raw/clientes.parquet").unlink()
    moved = NewestWeek(week.volume, data, week.as_of)

    # The same rows under another name: only the quality record, which names the file, changes.
    assert moved.run().ran == [EXTRACT, DRIFT, METRICS]


def test_a_champion_moved_by_hand_reruns_the_stages_that_read_the_champion(week: NewestWeek) -> None:
    number = aliases(week.volume.root)["champion"]
    other = move_champion(week.volume)

    done = week.run()

    assert set(done.skipped) >= {EXTRACT, FEATURES_STAGE}
    assert not set(done.skipped) & {DRIFT, EVALUATE}
    (drift,) = (end for end in done.ends if end.stage == DRIFT)
    assert f"rerunning: the champion was {number}, is {other}" in drift.log
    assert week.run().ran == []


def move_champion(volume: Volume) -> str:
    """Register the champion's model again and move the alias to it; return its version."""
    client = Registry(volume).client
    first = client.get_model_version_by_alias(MODEL_NAME, CHAMPION)
    other = client.create_model_version(MODEL_NAME, first.source, first.run_id, model_id=first.model_id)
    client.set_registered_model_alias(MODEL_NAME, CHAMPION, str(other.version))
    # MLflow leaves the address of the registry there, and the next stage would use it.
    os.environ.pop(ENV_TRACKING_URI, None)
    return str(other.version)


def only_inputs(volume: Volume, stage: str, as_of: date, root: Path) -> None:
    """Copy to `root` the declared inputs of a stage, the registry, and the outputs that it updates in place.

    The ledger is needed too: it names the partitions among the inputs.
    """
    inputs = volume.read_json(run_record(stage), as_of)["fingerprint"]["inputs"]
    in_place = {EXTRACT: "warehouse", METRICS: HISTORY.path_template}.get(stage, LEDGER.path_template)
    for name in {*inputs, "mlflow", in_place, LEDGER.path_template}:
        source, target = volume.root / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy(source, target)


def outputs_of(volume: Volume, stage: str, as_of: date) -> dict[str, str]:
    """Return the hashes of a stage's outputs by path, without outputs that differ between any two runs."""
    outputs = volume.read_json(run_record(stage), as_of)["outputs"]
    card_file = str(RETRAINED_MODEL.relative_path(as_of) / "model.json")
    own = {str(page.relative_path(as_of)) for page in (DRIFT_PAGE, RUN_PAGE)} | {card_file}
    return {path: digest for path, digest in outputs.items() if path not in own}


def test_a_stage_needs_only_its_declared_inputs_for_the_same_outputs(
    week: NewestWeek, two_weeks: TwoWeeks, tmp_path: Path
) -> None:
    """A change outside the fingerprint does not rerun a stage, so nothing else may change its outputs."""
    different = {}
    for stage in STAGES:
        as_of = two_weeks.history.as_of if stage == RETRAIN else week.as_of
        if stage not in (*week.stages, RETRAIN):
            continue
        root = tmp_path / stage
        only_inputs(week.volume, stage, as_of, root)

        options = ["--trials", str(N_TRIALS)] if stage == RETRAIN else []
        # A process of its own: SHAP's plots depend on the libraries that other stages imported.
        settings = settings_from({"SODAI_RUNNER": "process", "SODAI_VOLUME": str(root)})
        end = run_one(settings, stage, ["--as-of", str(as_of), "--force", *options])

        assert end.code == 0, end.log
        actual, expected = (outputs_of(volume, stage, as_of) for volume in (Volume(root), week.volume))
        changed = {path for path in actual.keys() | expected.keys() if actual.get(path) != expected.get(path)}
        if changed:
            different[stage] = sorted(changed)
    assert different == {}

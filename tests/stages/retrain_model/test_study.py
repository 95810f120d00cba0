"""An Optuna study on a file: the same trials however many run in parallel, interrupted or not."""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from time import sleep
from typing import Any

import optuna
import pytest

from retrain_model.study import MAX_PARALLEL_TRIALS, run_study, study_key
from retrain_model.workers import Score

# More than the trials that are drawn at random, or see no other trial because so many run in parallel.
N_TRIALS = 30
N_FOLDS = 2


class ProcessKilledError(Exception):
    """Ends a trial as a kill does: the study gets no result."""


def draw(trial: optuna.Trial) -> dict[str, Any]:
    return {"x": trial.suggest_float("x", 0.0, 1.0), "n": trial.suggest_int("n", 1, 20)}


def bowl(params: dict[str, Any], fold: int) -> float:
    """Return a value that is best at x = .3, n = 10, and a little lower on the second fold."""
    return -((params["x"] - 0.3) ** 2) - abs(params["n"] - 10) / 50 - fold / 100


def late_at_random(params: dict[str, Any], fold: int) -> float:
    """Return the same after a time that does not depend on the order of the trials."""
    sleep(params["x"] * 1000 % 1 / 100)
    return bowl(params, fold)


@contextmanager
def scorer(executor: Executor, value: Any) -> Iterator[Score]:
    with executor:
        yield lambda params, fold: executor.submit(value, params, fold)


def run(file: Path, n_trials: int, seed: int = 0, value: Any = bowl, n_parallel: int = 1) -> optuna.Study:
    with scorer(ThreadPoolExecutor(n_parallel), value) as score:
        return run_study(file, "key", n_trials, seed, N_FOLDS, draw, score)


def outcomes(study: optuna.Study) -> list[tuple[object, ...]]:
    return [(t.number, t.state.name, t.value, t.params, t.intermediate_values) for t in study.trials]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> optuna.Study:
    return run(tmp_path_factory.mktemp("study") / "uninterrupted.journal", N_TRIALS)


def test_a_seed_gives_the_same_trials_and_another_seed_others(
    uninterrupted: optuna.Study, tmp_path: Path
) -> None:
    assert outcomes(run(tmp_path / "same.journal", N_TRIALS)) == outcomes(uninterrupted)
    others = run(tmp_path / "other.journal", N_TRIALS, seed=1)
    assert not {trial.params["x"] for trial in others.trials} & {t.params["x"] for t in uninterrupted.trials}


@pytest.mark.parametrize("n_parallel", [2, 3, MAX_PARALLEL_TRIALS, 2 * MAX_PARALLEL_TRIALS])
def test_trials_are_the_same_however_many_run_in_parallel_and_in_whatever_order_they_end(
    uninterrupted: optuna.Study, tmp_path: Path, n_parallel: int
) -> None:
    study = run(tmp_path / "study.journal", N_TRIALS, value=late_at_random, n_parallel=n_parallel)
    assert outcomes(study) == outcomes(uninterrupted)


def test_as_many_trials_run_in_parallel_as_allowed(tmp_path: Path) -> None:
    all_started = Barrier(MAX_PARALLEL_TRIALS, timeout=60)

    def waits_for_the_others(params: dict[str, Any], fold: int) -> float:
        all_started.wait()
        return bowl(params, fold)

    file = tmp_path / "study.journal"
    run(file, MAX_PARALLEL_TRIALS, value=waits_for_the_others, n_parallel=MAX_PARALLEL_TRIALS)


def test_no_two_trials_draw_the_same_parameters(uninterrupted: optuna.Study) -> None:
    assert len({tuple(trial.params.values()) for trial in uninterrupted.trials}) == N_TRIALS


def test_trials_drawn_from_earlier_ones_are_better_than_random_ones(uninterrupted: optuna.Study) -> None:
    def mean(trials: list[optuna.trial.FrozenTrial]) -> float:
        return sum(bowl(trial.params, 0) for trial in trials) / len(trials)

    assert mean(uninterrupted.trials[-10:]) > mean(uninterrupted.trials[:10])


@pytest.mark.parametrize("done", [3, 13, 25])
def test_a_study_that_resumes_ends_like_an_uninterrupted_one(
    uninterrupted: optuna.Study, tmp_path: Path, done: int
) -> None:
    file = tmp_path / "study.journal"
    first = outcomes(run(file, done, n_parallel=3))
    study = run(file, N_TRIALS, n_parallel=3)
    assert outcomes(study) == outcomes(uninterrupted)
    assert outcomes(study)[:done] == first


def test_a_study_resumes_from_a_journal_with_a_partial_last_line(
    uninterrupted: optuna.Study, tmp_path: Path
) -> None:
    file = tmp_path / "study.journal"
    run(file, 6)
    file.write_bytes(file.read_bytes()[:-20])
    assert outcomes(run(file, N_TRIALS)) == outcomes(uninterrupted)


def test_a_study_that_has_its_trials_runs_none(tmp_path: Path) -> None:
    file = tmp_path / "study.journal"
    run(file, 5)

    def never(params: dict[str, Any], fold: int) -> float:
        raise AssertionError(f"{params} was scored on fold {fold}")

    assert len(run(file, 5, value=never).trials) == 5


def test_a_search_after_a_longer_one_ends_like_a_first_search(
    uninterrupted: optuna.Study, tmp_path: Path
) -> None:
    file = tmp_path / "study.journal"
    run(file, 12)
    shorter = run(file, 7)
    assert outcomes(shorter) == outcomes(uninterrupted)[:7]
    assert outcomes(run(file, N_TRIALS)) == outcomes(uninterrupted)


def test_pruned_trials_count_and_the_best_is_a_completed_one(uninterrupted: optuna.Study) -> None:
    pruned = [trial for trial in uninterrupted.trials if trial.state.name == "PRUNED"]
    completed = [trial for trial in uninterrupted.trials if trial.state.name == "COMPLETE"]
    assert pruned
    assert len(pruned) + len(completed) == N_TRIALS
    assert all(list(trial.intermediate_values) == [0] for trial in pruned)
    assert uninterrupted.best_value == max(trial.value or -1.0 for trial in completed)
    best = uninterrupted.best_trial
    assert best.value == pytest.approx(bowl(best.params, 0) - 0.005)


def test_an_error_inside_a_trial_ends_the_search_and_does_not_count_as_a_trial(
    uninterrupted: optuna.Study, tmp_path: Path
) -> None:
    def broken(params: dict[str, Any], fold: int) -> float:
        raise ProcessKilledError("on its first fold")

    file = tmp_path / "study.journal"
    with pytest.raises(ProcessKilledError, match="on its first fold"):
        run(file, 3, value=broken)
    assert outcomes(run(file, N_TRIALS)) == outcomes(uninterrupted)


def test_a_study_has_another_key_for_other_data_or_settings() -> None:
    key = study_key("abc", seed=0, folds=3)
    assert key == study_key("abc", folds=3, seed=0)
    others = {study_key("abd", seed=0, folds=3), study_key("abc", seed=1, folds=3), study_key("abc", seed=0)}
    assert len(others | {key}) == 4

"""An Optuna study on a file: it resumes as if never interrupted, counts, and gives up in one line."""

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from retrain_model.study import finished, run_study
from sodai.errors import ModelError

# More than the ten trials that are drawn at random before the sampler learns.
N_TRIALS = 16


class ProcessKilledError(Exception):
    """Ends a trial as a kill does: nobody tells the study."""


def bowl(trial: optuna.Trial) -> float:
    """Best at x = .3, n = 10; poor trials are pruned as poor folds are."""
    value = -((trial.suggest_float("x", 0.0, 1.0) - 0.3) ** 2) - abs(trial.suggest_int("n", 1, 20) - 10) / 50
    trial.report(value, 0)
    if trial.should_prune():
        raise optuna.TrialPruned
    return value


def outcomes(study: optuna.Study) -> list[tuple[object, ...]]:
    return [(trial.state.name, trial.value, trial.params) for trial in finished(study)]


def run(file: Path, n_trials: int, seed: int = 0, objective: Callable[..., float] = bowl) -> optuna.Study:
    return run_study(file, "key", n_trials, seed, objective)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> optuna.Study:
    return run(tmp_path_factory.mktemp("study") / "uninterrupted.journal", N_TRIALS)


def test_a_seed_gives_the_same_trials_and_another_seed_others(
    uninterrupted: optuna.Study, tmp_path: Path
) -> None:
    assert outcomes(run(tmp_path / "same.journal", N_TRIALS)) == outcomes(uninterrupted)
    assert outcomes(run(tmp_path / "other.journal", N_TRIALS, seed=1)) != outcomes(uninterrupted)


def test_no_two_trials_draw_the_same_parameters(uninterrupted: optuna.Study) -> None:
    assert len({tuple(trial.params.values()) for trial in finished(uninterrupted)}) == N_TRIALS


@pytest.mark.parametrize("done", [3, 13])
def test_a_study_that_goes_on_in_its_file_ends_like_an_uninterrupted_one(
    uninterrupted: optuna.Study, tmp_path: Path, done: int
) -> None:
    file = tmp_path / "study.journal"
    first = outcomes(run(file, done))
    study = run(file, N_TRIALS)
    assert outcomes(study) == outcomes(uninterrupted)
    assert outcomes(study)[:done] == first


def test_a_trial_that_was_cut_off_is_given_up_and_drawn_again(
    uninterrupted: optuna.Study, tmp_path: Path
) -> None:
    file = tmp_path / "study.journal"
    run(file, 4)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(file)))
    cut_off = optuna.load_study(study_name="key", storage=storage).ask()
    cut_off.suggest_float("x", 0.0, 1.0)

    study = run(file, N_TRIALS)

    assert study.trials[cut_off.number].state.name == "FAIL"
    assert outcomes(study) == outcomes(uninterrupted)


def test_a_journal_that_ends_in_half_a_line_can_be_gone_on_with(
    uninterrupted: optuna.Study, tmp_path: Path
) -> None:
    file = tmp_path / "study.journal"
    run(file, 6)
    file.write_bytes(file.read_bytes()[:-20])
    assert outcomes(run(file, N_TRIALS)) == outcomes(uninterrupted)


def test_a_study_that_has_its_trials_runs_none(tmp_path: Path) -> None:
    file = tmp_path / "study.journal"
    run(file, 5)

    def never(trial: optuna.Trial) -> float:
        raise AssertionError(f"trial {trial.number} was run")

    assert len(run(file, 5, objective=never).trials) == 5
    assert len(run(file, 2, objective=never).trials) == 5


def test_pruned_trials_count_and_the_best_is_a_completed_one(uninterrupted: optuna.Study) -> None:
    states = [trial.state.name for trial in finished(uninterrupted)]
    assert len(states) == N_TRIALS
    assert "PRUNED" in states
    assert uninterrupted.best_trial.state.name == "COMPLETE"
    assert uninterrupted.best_value == max(
        trial.value for trial in finished(uninterrupted) if trial.state.name == "COMPLETE"
    )


def test_an_error_inside_a_trial_ends_the_search_and_never_counts_as_a_trial(tmp_path: Path) -> None:
    def broken(trial: optuna.Trial) -> float:
        raise ProcessKilledError

    with pytest.raises(ProcessKilledError):
        run(tmp_path / "study.journal", 3, objective=broken)
    assert len(outcomes(run(tmp_path / "study.journal", 3))) == 3


def test_a_study_without_a_completed_trial_is_an_error_that_says_so(tmp_path: Path) -> None:
    def pruned(trial: optuna.Trial) -> float:
        raise optuna.TrialPruned

    with pytest.raises(ModelError, match="no trial of 2 was completed"):
        run(tmp_path / "study.journal", 2, objective=pruned)

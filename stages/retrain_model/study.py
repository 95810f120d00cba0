"""The Optuna study: one file in the volume, so that an interrupted search goes on where it was."""

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from sodai.errors import ModelError

log = logging.getLogger("sodai")

_STARTUP_TRIALS = 10


def run_study(
    file: Path, key: str, n_trials: int, seed: int, objective: Callable[[optuna.Trial], float]
) -> optuna.Study:
    """Run a study to `n_trials` finished trials, counting those that an earlier try left in `file`.

    Args:
        file: journal of the study.
        key: of data and settings; another key is another study.
        n_trials: completed or pruned trials wanted.
        seed: of the sampler; a resumed study draws on from the trials there are.
        objective: to maximise.

    Raises:
        ModelError: no trial was completed.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file.parent.mkdir(parents=True, exist_ok=True)
    _drop_half_line(file)
    study = optuna.create_study(
        study_name=key,
        storage=JournalStorage(JournalFileBackend(str(file))),
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
    )
    _give_up_interrupted(study)
    while (done := len(finished(study))) < n_trials:
        # One seed a trial: a resumed study then draws what an uninterrupted one would have drawn.
        study.sampler = optuna.samplers.TPESampler(seed=seed + done, n_startup_trials=_STARTUP_TRIALS)
        started = time.perf_counter()
        study.optimize(objective, n_trials=1)
        _tell(study, n_trials, time.perf_counter() - started)
    if not any(trial.state == TrialState.COMPLETE for trial in study.trials):
        raise ModelError(f"{file}: no trial of {n_trials} was completed; give --trials of at least 1")
    return study


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that ended, completed or pruned."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _drop_half_line(file: Path) -> None:
    """Cut off what a full volume or a machine that went down left of a line: Optuna reads no such file."""
    written = file.read_bytes() if file.exists() else b""
    whole = written.rfind(b"\n") + 1
    if whole < len(written):
        os.truncate(file, whole)


def _give_up_interrupted(study: optuna.Study) -> None:
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        log.info("trial %d was interrupted and is run again", trial.number)


def _tell(study: optuna.Study, n_trials: int, seconds: float) -> None:
    done, newest = len(finished(study)), study.trials[-1]
    value = "pruned" if newest.value is None or newest.state == TrialState.PRUNED else f"{newest.value:.5f}"
    completed = [trial.value for trial in study.trials if trial.state == TrialState.COMPLETE and trial.value]
    best = f"{max(completed):.5f}" if completed else "none"
    if sys.stderr.isatty():
        filled = "#" * (30 * done // n_trials)
        print(f"\r[{filled:<30}] {done}/{n_trials} best {best} ", end="", file=sys.stderr, flush=True)
        return
    log.info(
        "trial %d of %d: %s, best %s, %.1f s, %d left", done, n_trials, value, best, seconds, n_trials - done
    )

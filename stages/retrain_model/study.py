"""The Optuna study: the same trials for any number of worker processes and after any interruption."""

import hashlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from retrain_model.workers import Score

log = logging.getLogger("sodai")

Suggest = Callable[[optuna.Trial], dict[str, Any]]

# Number of trials that may run in parallel. A trial is drawn, and pruned, from the trials whose numbers are
# at least this much smaller, even if fewer run: otherwise the search would depend on the machine.
MAX_PARALLEL_TRIALS = 8
_STARTUP_TRIALS = 10
_UNPRUNED_TRIALS = 5


def study_key(training_sha256: str, **settings: Any) -> str:
    """Return the name of a study, which is the same only for the same training table and settings."""
    text = "|".join([training_sha256, *(f"{name}={value}" for name, value in sorted(settings.items()))])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_study(
    journal: Path, key: str, n_trials: int, seed: int, n_folds: int, suggest: Suggest, score: Score
) -> optuna.Study:
    """Return the first `n_trials` trials of a study, and run those that the journal does not have yet.

    The value of a trial is its mean score over the folds; a poor trial is pruned after a fold.

    Args:
        journal: file of the study.
        key: name of the study in the file.
        n_trials: number of completed or pruned trials.
        seed: of the sampler.
        n_folds: folds of a trial.
        suggest: draws the parameters of a trial.
        score: starts to score parameters on a fold; larger is better.
    """
    study = _open_study(journal, key)
    started: dict[int, DeterministicTrial] = {}
    pending: dict[Future[float], DeterministicTrial] = {}
    while (n_ended := len(ended := study.get_trials(deepcopy=False))) < n_trials:
        for number in range(n_ended, min(n_trials, n_ended + MAX_PARALLEL_TRIALS)):
            if number not in started:
                visible = ended[: max(0, number - MAX_PARALLEL_TRIALS + 1)]
                trial = DeterministicTrial(visible, suggest, n_folds, np.random.SeedSequence([seed, number]))
                started[number] = trial
                pending[score(trial.params, 0)] = trial
        for future in wait(pending, return_when=FIRST_COMPLETED).done:
            trial = pending.pop(future)
            trial.report(future.result())
            if trial.result is None:
                pending[score(trial.params, len(trial.scores))] = trial
        # Trials enter the journal in their order and after their end, so that an interrupted search resumes.
        while (oldest := started.get(n_ended)) and oldest.result:
            study.add_trial(oldest.result)
            n_ended += 1
            _log_progress(study, n_trials)
    # The journal may have more trials, of an earlier and longer search.
    first_trials = optuna.create_study(study_name=key, direction="maximize")
    first_trials.add_trials(study.trials[:n_trials])
    return first_trials


class DeterministicTrial:
    """A trial whose parameters and pruning depend only on the ended trials that it may see, and on its seed.

    Attributes:
        params: the parameters.
        scores: the scores of the folds so far.
        result: the ended trial; None while it runs.
    """

    def __init__(
        self, visible: Sequence[FrozenTrial], suggest: Suggest, n_folds: int, seed: np.random.SeedSequence
    ) -> None:
        # A study of its own, because the common one may have more trials by now.
        self._study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(
                seed=int(seed.generate_state(1)[0]), n_startup_trials=_STARTUP_TRIALS
            ),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED_TRIALS),
        )
        self._study.add_trials(visible)
        self._trial = self._study.ask()
        self._n_folds = n_folds
        self.params = suggest(self._trial)
        self.scores: list[float] = []
        self.result: FrozenTrial | None = None

    def report(self, score: float) -> None:
        """Add the score of the next fold; `result` is set after the last one or when the trial is pruned."""
        self.scores.append(score)
        mean = float(np.mean(self.scores))
        self._trial.report(mean, len(self.scores) - 1)
        if len(self.scores) == self._n_folds:
            self.result = self._study.tell(self._trial, mean)
        elif self._trial.should_prune():
            self.result = self._study.tell(self._trial, state=TrialState.PRUNED)


def _open_study(journal: Path, key: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal.parent.mkdir(parents=True, exist_ok=True)
    _drop_partial_line(journal)
    storage = JournalStorage(JournalFileBackend(str(journal)))
    return optuna.create_study(study_name=key, storage=storage, load_if_exists=True, direction="maximize")


def _drop_partial_line(journal: Path) -> None:
    """Cut off an incomplete last line, after a crash or on a full volume: Optuna cannot read it."""
    content = journal.read_bytes() if journal.exists() else b""
    complete = content.rfind(b"\n") + 1
    if complete < len(content):
        os.truncate(journal, complete)


def _log_progress(study: optuna.Study, n_trials: int) -> None:
    trials = study.get_trials(deepcopy=False)
    n_ended, newest = len(trials), trials[-1]
    value = "pruned" if newest.value is None or newest.state == TrialState.PRUNED else f"{newest.value:.5f}"
    best = max(
        trial.value for trial in trials if trial.state == TrialState.COMPLETE and trial.value is not None
    )
    if sys.stderr.isatty():
        bar = "#" * (30 * n_ended // n_trials)
        print(f"\r[{bar:<30}] {n_ended}/{n_trials} best {best:.5f} ", end="", file=sys.stderr, flush=True)
        return
    log.info("trial %d of %d: %s, best %.5f, %d left", n_ended, n_trials, value, best, n_trials - n_ended)

"""The Optuna study: trials side by side, the same ones whatever the number of processes and interruptions."""

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

# How many trials may run side by side. A trial is drawn, and pruned, from what was known so many
# trials before it, also where fewer run: else a faster machine would search something else.
SIDE_BY_SIDE = 8
_STARTUP_TRIALS = 10
_UNPRUNED_TRIALS = 5


def run_study(
    file: Path, key: str, n_trials: int, seed: int, n_folds: int, suggest: Suggest, score: Score
) -> optuna.Study:
    """The first `n_trials` trials of a study, with those of them that an earlier try left in `file`.

    The value of a trial is the mean over its folds, told fold by fold so that a poor one stops early.
    Trials enter the file in their order and ended, so an interrupted study goes on where it was.

    Args:
        file: journal of the study.
        key: of data and settings; another key is another study.
        n_trials: completed or pruned trials wanted.
        seed: of the sampler.
        n_folds: folds of a trial.
        suggest: draws the parameters.
        score: starts the scoring of parameters on a fold; larger is better.
    """
    study = _opened(file, key)
    drafts: dict[int, _Draft] = {}
    asked: dict[Future[float], _Draft] = {}
    while (done := len(known := study.get_trials(deepcopy=False))) < n_trials:
        for number in range(done, min(n_trials, done + SIDE_BY_SIDE)):
            if number not in drafts:
                before = known[: max(0, number - SIDE_BY_SIDE + 1)]
                drafts[number] = _Draft(before, suggest, n_folds, np.random.SeedSequence([seed, number]))
                asked[score(drafts[number].params, 0)] = drafts[number]
        for future in wait(asked, return_when=FIRST_COMPLETED).done:
            draft = asked.pop(future)
            draft.take(future.result())
            if draft.ended is None:
                asked[score(draft.params, len(draft.scores))] = draft
        while (first := drafts.get(done)) and first.ended:
            study.add_trial(first.ended)
            done += 1
            _tell(study, n_trials)
    # A longer search may have gone before: its first trials are those of a shorter one.
    found = optuna.create_study(study_name=key, direction="maximize")
    found.add_trials(study.trials[:n_trials])
    return found


class _Draft:
    """A trial on its way, drawn from the trials before it and told fold by fold what it is worth."""

    def __init__(
        self, before: Sequence[FrozenTrial], suggest: Suggest, n_folds: int, seed: np.random.SeedSequence
    ) -> None:
        # A study of its own: it sees the trials that it may see, and no others that have ended by now.
        self._study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(
                seed=int(seed.generate_state(1)[0]), n_startup_trials=_STARTUP_TRIALS
            ),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED_TRIALS),
        )
        self._study.add_trials(before)
        self._trial = self._study.ask()
        self._n_folds = n_folds
        self.params = suggest(self._trial)
        self.scores: list[float] = []
        self.ended: FrozenTrial | None = None

    def take(self, score: float) -> None:
        """Add the value on the next fold; `ended` is set after the last, or where it is pruned."""
        self.scores.append(score)
        mean = float(np.mean(self.scores))
        self._trial.report(mean, len(self.scores) - 1)
        if len(self.scores) == self._n_folds:
            self.ended = self._study.tell(self._trial, mean)
        elif self._trial.should_prune():
            self.ended = self._study.tell(self._trial, state=TrialState.PRUNED)


def _opened(file: Path, key: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file.parent.mkdir(parents=True, exist_ok=True)
    _drop_half_line(file)
    storage = JournalStorage(JournalFileBackend(str(file)))
    return optuna.create_study(study_name=key, storage=storage, load_if_exists=True, direction="maximize")


def _drop_half_line(file: Path) -> None:
    """Cut off what a full volume or a machine that went down left of a line: Optuna reads no such file."""
    written = file.read_bytes() if file.exists() else b""
    whole = written.rfind(b"\n") + 1
    if whole < len(written):
        os.truncate(file, whole)


def _tell(study: optuna.Study, n_trials: int) -> None:
    trials = study.get_trials(deepcopy=False)
    done, newest = len(trials), trials[-1]
    value = "pruned" if newest.value is None or newest.state == TrialState.PRUNED else f"{newest.value:.5f}"
    best = max(
        trial.value for trial in trials if trial.state == TrialState.COMPLETE and trial.value is not None
    )
    if sys.stderr.isatty():
        filled = "#" * (30 * done // n_trials)
        print(f"\r[{filled:<30}] {done}/{n_trials} best {best:.5f} ", end="", file=sys.stderr, flush=True)
        return
    log.info("trial %d of %d: %s, best %.5f, %d left", done, n_trials, value, best, n_trials - done)

"""The steps of retrain_model."""

import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning

import sodai
from retrain_model.core_blend import choose_blend, score_folds
from retrain_model.core_challenger import build_model_card, fit_final
from retrain_model.core_lightgbm_fold import encode_fold
from retrain_model.core_search import Finalist, fit_encoder, rank_finalists, slow_down, suggest_params
from retrain_model.core_training_set import TrainingSet
from retrain_model.inputs import read_missing_share, read_training_set
from retrain_model.outputs import plot_study, write_outputs
from retrain_model.study import MAX_PARALLEL_TRIALS, run_study, study_key
from retrain_model.workers import fold_workers
from sodai.data.catalog import RETRAIN, STUDIES, TRAINING
from sodai.data.periods import Period
from sodai.errors import InputError
from sodai.model.blended_classifier import MEMBERS
from sodai.model.compatibility import require_features_horizon
from sodai.model.registry import Registry
from sodai.model.trained_model import TrainedModel
from sodai.runtime.limits import available_cpus
from sodai.stage.fingerprint import code_digest
from sodai.volume.file_hashes import sha256_of
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

MAX_FINAL_FOLDS = 2


def run(
    volume: Volume,
    period: Period,
    *,
    trials: int,
    folds: int,
    search_rows: int,
    final_rows: int,
    fit_rows: int,
    blend_rows: int,
    members: str,
    seed: int,
    tracking_uri: str | None,
) -> dict[str, Any]:
    """Search parameters with Optuna, fit, calibrate and register a challenger."""
    member_names = _parse_members(members)
    require_features_horizon(volume, period)
    registry, cpus = Registry(volume, tracking_uri), available_cpus()
    # The search is inside the attempt, which locks: two searches of one study would take each other's trials.
    with volume.attempt(RETRAIN, period.as_of) as attempt:
        with fold_workers(min(cpus, MAX_PARALLEL_TRIALS), attempt.scratch("folds")) as score_on:
            table, training_set = read_training_set(volume, period, seed)
            training_sha256 = sha256_of(volume.existing(TRAINING, period.as_of))
            encoder = fit_encoder(training_set)
            small_folds = [
                encode_fold(fold, encoder, search_rows // 2)
                for fold in training_set.folds(folds, search_rows)
            ]
            key = study_key(training_sha256, code=_code_digest(), seed=seed, folds=folds, rows=search_rows)
            journal = volume.path(STUDIES, period.as_of) / f"{key}.journal"
            score = score_on(small_folds, seed)
            study = run_study(journal, key, trials, seed, len(small_folds), suggest_params, score)
        finalists = _finalists(study, training_set, encoder, min(folds, MAX_FINAL_FOLDS), final_rows)
        best = finalists[0]
        blend = choose_blend(
            score_folds(training_set.folds(folds, blend_rows), best.params, seed, member_names)
        )
        log.info("blend %s of %s", blend.weights, blend.figures)
        params = slow_down(best.params)
        with warnings.catch_warnings(), ThreadPoolExecutor(1) as plotter:
            # Here and not in the thread: warning filters belong to the whole process.
            warnings.simplefilter("ignore", ExperimentalWarning)
            plots = plotter.submit(plot_study, study, attempt.scratch("plots"))
            pipeline = fit_final(training_set, params, blend.weights, fit_rows)
        card = build_model_card(
            period,
            training_set.cutoff,
            training_sha256,
            params=params,
            seed=seed,
            blend={"weights": blend.weights, "figures": blend.figures},
            calibration=blend.calibration,
            missing_share=read_missing_share(volume, period, table),
            average_precision=best.average_precision,
        )
        model = TrainedModel(pipeline, card)
        model = write_outputs(attempt, registry, model, study, finalists, plots.result(), table)
    return _result(model, study)


def _parse_members(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in MEMBERS]:
        raise InputError(f"--members: found {', '.join(unknown)!r}, expected some of {', '.join(MEMBERS)}")
    return [name for name in MEMBERS if name in names]


def _code_digest() -> str:
    """Return the digest of this stage and the shared code: after a change of either, a new study starts."""
    return code_digest(*(Path(file).parent for file in (sodai.__file__, __file__)))


def _finalists(
    study: optuna.Study, training_set: TrainingSet, encoder: Any, n_folds: int, max_rows: int
) -> list[Finalist]:
    large_folds = [encode_fold(fold, encoder) for fold in training_set.folds(n_folds, max_rows)]
    finalists = rank_finalists(study.trials, large_folds, training_set.seed, available_cpus())
    for each in finalists:
        log.info("trial %d on many rows: %.5f, %s", each.number, each.average_precision, each.params)
    return finalists


def _result(model: TrainedModel, study: optuna.Study) -> dict[str, Any]:
    card = model.card
    return {
        "version": card["version"],
        "trials": len(study.trials),
        "average_precision": round(card["average_precision"], 6),
        "params": card["params"],
        "blend": card["blend"]["weights"],
        "calibration": card["calibration"],
    }

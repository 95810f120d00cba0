"""The steps of retrain_model."""

import logging
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from optuna.exceptions import ExperimentalWarning

import sodai
from retrain_model import core, core_blend, core_search, records, study
from retrain_model.core import missing_share
from retrain_model.core_folds import encode
from retrain_model.core_rows import Lessons, Rows, lists_of
from retrain_model.core_search import Finalist
from retrain_model.registration import register
from retrain_model.trial_runs import log_trials
from retrain_model.workers import fold_workers
from sodai.data.catalog import (
    PAIR,
    REFERENCE,
    RETRAIN,
    RETRAINED_MODEL,
    STUDIES,
    TRAINING,
    TRIALS,
)
from sodai.data.periods import Period
from sodai.errors import InputError
from sodai.evaluation.realised_demand import realised_demand
from sodai.model.blended_classifier import MEMBERS
from sodai.model.compatibility import require_features_horizon
from sodai.model.registry import Registry
from sodai.model.trained_model import TrainedModel, features_frame
from sodai.runtime.limits import available_cpus
from sodai.stage.fingerprint import code_digest
from sodai.volume.attempt import Attempt
from sodai.volume.file_hashes import sha256_of
from sodai.volume.transactions import read_transactions
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

FINAL_FOLDS = 2


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
    wanted = _members(members)
    require_features_horizon(volume, period)
    registry, cpus = Registry(volume, tracking_uri), available_cpus()
    # One at a time, because two searches of one study would take each other's trials.
    with volume.attempt(RETRAIN, period.as_of) as attempt:
        with fold_workers(min(cpus, study.SIDE_BY_SIDE), attempt.scratch("folds")) as score_on:
            table = _rows_to_learn_from(volume, period)
            training_sha256 = sha256_of(volume.existing(TRAINING, period.as_of))
            lessons = _lessons(table, period, seed)
            encoder = core_search.encoder_of(lessons)
            small = [encode(fold, encoder, search_rows // 2) for fold in lessons.folds(folds, search_rows)]
            key = core.study_key(training_sha256, code=_code(), seed=seed, folds=folds, rows=search_rows)
            found = study.run_study(
                volume.path(STUDIES, period.as_of) / f"{key}.journal",
                key,
                trials,
                seed,
                len(small),
                core_search.suggest,
                score_on(small, seed),
            )
        large = lessons.folds(min(folds, FINAL_FOLDS), final_rows)
        finalists = core_search.finalists(found.trials, [encode(each, encoder) for each in large], seed, cpus)
        del large
        for each in finalists:
            log.info("trial %d on many rows: %.5f, %s", each.number, each.average_precision, each.params)
        tested = core_blend.tested_periods(
            lessons.folds(folds, blend_rows), finalists[0].params, seed, wanted
        )
        blend = core_blend.choose(tested)
        log.info("blend %s of %s", blend.weights, blend.figures)
        params = core_search.slowed(finalists[0].params)
        with warnings.catch_warnings(), ThreadPoolExecutor(1) as beside:
            warnings.simplefilter("ignore", ExperimentalWarning)
            # A second thread would give the fit next to nothing.
            plots = beside.submit(records.study_plots, found, attempt.scratch("plots"))
            pipeline = core.fit_final(lessons, params, blend.weights, fit_rows)
        model = TrainedModel(
            pipeline,
            core.build_model_card(
                period.as_of,
                period.horizon_days,
                lessons.cutoff,
                training_sha256,
                params=params,
                seed=seed,
                blend={"weights": blend.weights, "figures": blend.figures},
                calibration=blend.calibration,
                missing_share=_missing_share(volume, period, table),
                average_precision=finalists[0].average_precision,
            ),
        )
        return _publish(attempt, period, registry, model, found, finalists, plots.result(), table)


def _code() -> str:
    """Of this stage and what it shares: trials of other code are trials of another search."""
    return code_digest(*(Path(file).parent for file in (sodai.__file__, __file__)))


def _members(text: str) -> list[str]:

    named = [name.strip() for name in text.split(",")]
    if unknown := [name for name in named if name not in MEMBERS]:
        raise InputError(f"--members: found {', '.join(unknown)!r}, expected some of {', '.join(MEMBERS)}")
    return [name for name in MEMBERS if name in named]


def _rows_to_learn_from(volume: Volume, period: Period) -> pa.Table:
    """The training rows but those of the newest closed period, which evaluate_model keeps for itself."""
    table = volume.read(TRAINING, period.as_of)
    table = table.filter(pc.field("cutoff") < period.evaluation_period.as_of)
    counted = table.group_by("cutoff").aggregate([("target", "sum"), ("target", "count")])
    n_of = {row["cutoff"]: (row["target_sum"], row["target_count"]) for row in counted.to_pylist()}
    # As `rolling_folds` needs it: what is tested on holds pairs that were bought and others.
    newest = max((cutoff for cutoff, (n, n_rows) in n_of.items() if 0 < n < n_rows), default=date.min)
    n_before = sum(n for cutoff, (n, _) in n_of.items() if cutoff < newest)
    if not n_before:
        raise InputError(
            f"{volume.path(TRAINING, period.as_of)}: found {len(n_of)} periods to learn from and {n_before} "
            "purchases before the newest with any, expected at least 2 and 1; load older transactions or "
            "give a later --as-of"
        )
    return table


def _lessons(table: pa.Table, period: Period, seed: int) -> Lessons:

    cutoff = pd.to_datetime(table["cutoff"].to_pandas())
    group = lists_of(cutoff, table["customer_id"].to_numpy())
    rows = Rows(features_frame(table), table["target"].to_numpy(), np.ones(table.num_rows), group)
    return Lessons(rows, cutoff, period.step_days, seed)


def _missing_share(volume: Volume, period: Period, table: pa.Table) -> float:

    cutoffs, customers = pc.unique(table["cutoff"]).to_pylist(), pc.unique(table["customer_id"])
    # A large training table holds some customers alone.
    columns, end = [*PAIR, "purchase_date"], period.evaluation_period.as_of
    purchases = read_transactions(volume, end, min(cutoffs), customers, columns).to_pandas()
    n_bought = realised_demand(purchases, cutoffs, period.horizon_days)
    return missing_share(sum(n_bought.values()), pc.sum(table["target"]).as_py())


def _publish(
    attempt: Attempt,
    period: Period,
    registry: Registry,
    model: TrainedModel,
    found: optuna.Study,
    finalists: Sequence[Finalist],
    plots: list[Path],
    table: pa.Table,
) -> dict[str, Any]:

    attempt.write(REFERENCE, records.reference(table, model.card["seed"]))
    attempt.write_json(TRIALS, records.study_record(found, finalists))
    with registry.run(f"retrain {period.as_of}", {"stage": RETRAIN, "as_of": str(period.as_of)}) as run_id:
        registry.log(
            run_id,
            params={**model.card["params"], "n_training_rows": model.card["n_training_rows"]},
            metrics={"average_precision": model.card["average_precision"]},
            files={"study": plots},
        )
        log_trials(registry, run_id, records.trials(found), "average_precision")
        example = features_frame(table.slice(0, 100))
        model = register(registry, run_id, model, example, [attempt.path(REFERENCE)])
    model.save(attempt.path(RETRAINED_MODEL))
    return {
        "version": model.card["version"],
        "trials": len(found.trials),
        "average_precision": round(model.card["average_precision"], 6),
        "params": model.card["params"],
        "blend": model.card["blend"]["weights"],
        "calibration": model.card["calibration"],
    }

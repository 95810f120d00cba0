"""The command of retrain_model: training table in, registered challenger out."""

import logging
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sodai.cli import (
    DEFAULT_DATA,
    DEFAULT_HORIZON_DAYS,
    AsOf,
    DataRoot,
    HorizonDays,
    Seed,
    TrackingUri,
    stage_command,
)
from sodai.datasets import REFERENCE, RETRAIN, RETRAINED_MODEL, STUDIES, TRAINING, TRIALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna
    import pyarrow as pa

    from retrain_model.core_search import Finalist
    from sodai.model import TrainedModel
    from sodai.periods import Period
    from sodai.registry import Registry
    from sodai.volume import Volume

log = logging.getLogger("sodai")

FINAL_FOLDS = 2


@stage_command(RETRAIN)
def retrain_model(
    as_of: AsOf,
    data: DataRoot = DEFAULT_DATA,
    horizon_days: HorizonDays = DEFAULT_HORIZON_DAYS,
    trials: Annotated[int, typer.Option(min=1, max=1000, help="Optuna trials.")] = 50,
    folds: Annotated[
        int, typer.Option(min=1, max=12, help="Closed periods that each trial is tested on.")
    ] = 3,
    search_rows: Annotated[
        int, typer.Option(min=1000, help="Rows that a trial learns from, about.")
    ] = 60_000,
    fit_rows: Annotated[
        int, typer.Option(min=1000, help="Rows that the final fit learns from, about.")
    ] = 1_000_000,
    blend_rows: Annotated[
        int, typer.Option(min=1000, help="Rows that a fold of the blend learns from, about.")
    ] = 250_000,
    members: Annotated[
        str, typer.Option(help="What may be blended: of classifier, ranker, momentum, with commas.")
    ] = "classifier,ranker,momentum",
    seed: Seed = 0,
    tracking_uri: TrackingUri = None,
) -> dict[str, Any]:
    """Search parameters with Optuna, fit, calibrate and register a challenger."""
    import numpy as np
    import pandas as pd

    from retrain_model import core, core_blend, core_rows, core_search, study
    from sodai.model import TrainedModel, features_frame, purchase_pipeline
    from sodai.periods import Period, parse_date
    from sodai.registry import Registry
    from sodai.resources import available_cpus
    from sodai.volume import Volume, sha256_of

    wanted = _members(members)
    volume, period = Volume(data), Period(parse_date(as_of), horizon_days)
    registry = Registry(volume, tracking_uri)
    table = _rows_to_learn_from(volume, period)
    X, y = features_frame(table), table["target"].to_numpy()
    cutoff = pd.to_datetime(table["cutoff"].to_pandas())
    group = core_rows.lists_of(cutoff, table["customer_id"].to_numpy())
    training_sha256 = sha256_of(volume.existing(TRAINING, period.as_of))

    def rolling(n_rows: int, n_folds: int = folds) -> list[core_rows.Fold]:
        rng = np.random.default_rng(seed)
        return core_rows.rolling_folds(X, y, cutoff, group, n_folds, period.step_days, n_rows, rng)

    encoder = purchase_pipeline({}, seed)["encode"].fit(X)

    def prepared(rolled: list[core_rows.Fold]) -> list[core_search.PreparedFold]:
        return [core_search.prepare(fold, lambda rows: encoder.transform(rows.X)) for fold in rolled]

    key = core.study_key(training_sha256, seed=seed, folds=folds, rows=search_rows)
    found = study.run_study(
        volume.path(STUDIES, period.as_of) / f"{key}.journal",
        key,
        trials,
        seed,
        core_search.objective(prepared(rolling(search_rows)), seed, available_cpus()),
    )
    final = prepared(rolling(fit_rows // 2, min(folds, FINAL_FOLDS)))
    finalists = core_search.finalists(found.trials, final, seed, available_cpus())
    del final
    params = finalists[0].params
    for each in finalists:
        log.info("trial %d on many rows: %.5f, %s", each.number, each.average_precision, each.params)

    blend = core_blend.choose(core_blend.tested_periods(rolling(blend_rows), params, seed, wanted))
    log.info("blend %s of %s", blend.weights, blend.figures)
    rows = core_rows.Rows(X, y, np.ones(len(y)), group)
    pipeline = core.fit_final(rows, cutoff, period.step_days, params, blend.weights, fit_rows, seed)
    model = TrainedModel(
        pipeline,
        core.manifest_of(
            period.as_of,
            horizon_days,
            cutoff,
            training_sha256,
            params=params,
            seed=seed,
            blend={"weights": blend.weights, "figures": blend.figures},
            calibration=blend.calibration,
            missing_share=_missing_share(volume, period, table),
            average_precision=finalists[0].average_precision,
        ),
    )
    return _publish(volume, period, registry, model, found, finalists, table)


def _members(text: str) -> list[str]:
    from sodai.blend import MEMBERS
    from sodai.errors import InputError

    named = [name.strip() for name in text.split(",")]
    if unknown := [name for name in named if name not in MEMBERS]:
        raise InputError(f"--members: found {', '.join(unknown)!r}, expected some of {', '.join(MEMBERS)}")
    return [name for name in MEMBERS if name in named]


def _rows_to_learn_from(volume: "Volume", period: "Period") -> "pa.Table":
    """The training rows but those of the newest closed period, which evaluate_model keeps for itself."""
    import pyarrow.compute as pc

    from sodai.errors import InputError

    table = volume.read(TRAINING, period.as_of)
    table = table.filter(pc.field("cutoff") < period.back(1).as_of)
    n_periods, newest = len(pc.unique(table["cutoff"])), pc.max(table["cutoff"])
    n_bought = pc.sum(table.filter(pc.field("cutoff") < newest)["target"]).as_py() or 0
    if n_periods < 2 or not n_bought:
        raise InputError(
            f"{volume.path(TRAINING, period.as_of)}: found {n_periods} periods to learn from and {n_bought} "
            "purchases before the newest of them, expected at least 2 and 1; load older transactions or "
            "give a later --as-of"
        )
    return table


def _missing_share(volume: "Volume", period: "Period", table: "pa.Table") -> float:
    import pyarrow.compute as pc

    from retrain_model.core import missing_share, pairs_by_period
    from sodai.warehouse import read_transactions

    cutoffs = pc.unique(table["cutoff"]).to_pylist()
    purchases = read_transactions(volume, period.back(1).as_of, min(cutoffs)).to_pandas()
    n_bought = pairs_by_period(purchases, cutoffs, period.horizon_days)
    return missing_share(n_bought, pc.sum(table["target"]).as_py())


def _publish(
    volume: "Volume",
    period: "Period",
    registry: "Registry",
    model: "TrainedModel",
    found: "optuna.Study",
    finalists: "Sequence[Finalist]",
    table: "pa.Table",
) -> dict[str, Any]:
    from retrain_model import records
    from retrain_model.registration import register
    from retrain_model.study import finished
    from sodai.model import features_frame

    with volume.attempt(RETRAIN, period.as_of) as attempt:
        attempt.write(REFERENCE, records.reference(table, model.manifest["seed"]))
        attempt.write_json(TRIALS, records.study_record(found, finalists))
        plots = records.study_plots(found, attempt.scratch("plots"))
        with registry.run(
            f"retrain {period.as_of}", {"stage": RETRAIN, "as_of": str(period.as_of)}
        ) as run_id:
            registry.log(
                run_id,
                params={**model.manifest["params"], "n_training_rows": model.manifest["n_training_rows"]},
                metrics={"average_precision": model.manifest["average_precision"]},
                files={"study": plots},
            )
            registry.log_trials(run_id, records.trials(found), "average_precision")
            example = features_frame(table.slice(0, 100))
            model = register(registry, run_id, model, example, [attempt.path(REFERENCE)])
        model.save(attempt.path(RETRAINED_MODEL))
    return {
        "version": model.manifest["version"],
        "trials": len(finished(found)),
        "average_precision": round(model.manifest["average_precision"], 6),
        "params": model.manifest["params"],
        "blend": model.manifest["blend"]["weights"],
        "calibration": model.manifest["calibration"],
    }

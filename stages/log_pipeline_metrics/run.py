"""The steps of log_pipeline_metrics: add the run to the history, write its page, log it to MLflow."""

import logging
from typing import Any

import pyarrow as pa

from log_pipeline_metrics import core_history as rows
from log_pipeline_metrics.core_page import run_page
from log_pipeline_metrics.core_week import run_metrics, run_tags
from log_pipeline_metrics.inputs import read_examples, read_history, read_outcomes, read_week
from sodai.data.catalog import DRIFT_PAGE, HISTORY, METRICS, QUALITY_PAGE, RUN_PAGE, SHAP_PAGE
from sodai.data.periods import Period
from sodai.model.registry import Registry
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

_PAGES = ((QUALITY_PAGE, "Quality of the input"), (DRIFT_PAGE, "Drift"), (SHAP_PAGE, "What moves the model"))


def run(volume: Volume, period: Period, *, tracking_uri: str | None) -> dict[str, Any]:
    """Report on the run: its page, its row of the history, its run in MLflow."""
    day = period.as_of
    week = read_week(volume, day)
    registry = Registry(volume, tracking_uri)
    # The lock lasts from reading to committing: the run of another period adds a row of its own.
    busy = f"{volume.path(HISTORY)}: another run is adding to it"
    with volume.lock(HISTORY.name, busy), volume.attempt(METRICS, day) as attempt:
        history = rows.replace_row(read_history(volume), rows.history_row(week))
        history = rows.update_rows(history, read_outcomes(volume, history, day))
        history = rows.update_rows(history, rows.challenger_leads(week.evaluation))
        pages = [(dataset, title) for dataset, title in _PAGES if volume.exists(dataset, day)]
        links = [{"file": volume.path(dataset, day).name, "title": title} for dataset, title in pages]
        shown = rows.history_until(history, day)
        attempt.write(HISTORY, pa.Table.from_pylist(history, HISTORY.contract.schema))
        attempt.write_text(RUN_PAGE, run_page(week, shown, read_examples(volume, day), links))
        files = [attempt.path(RUN_PAGE), *(volume.path(dataset, day) for dataset, _ in pages)]
        # Before the commit: without its MLflow run the week must be run again.
        with registry.run(f"week {day}", run_tags(week)) as run_id:
            registry.log(run_id, metrics=run_metrics(week), files={"reports": files})
    log.info("page of the run: %s", volume.path(RUN_PAGE, day))
    return {"n_weeks": len(shown), "page": str(RUN_PAGE.relative_path(day)), "mlflow_run": run_id}

"""The steps of log_pipeline_metrics."""

import logging
from datetime import date
from typing import Any

import pyarrow as pa

from log_pipeline_metrics import core, records
from log_pipeline_metrics.core_examples import Example, example_of, ordinary_customers, product_name
from log_pipeline_metrics.core_page import run_page
from sodai.data.catalog import (
    DRIFT_PAGE,
    HISTORY,
    METRICS,
    PRODUCTS,
    QUALITY_PAGE,
    RUN_PAGE,
    SHAP_PAGE,
)
from sodai.data.periods import Period
from sodai.model.registry import Registry
from sodai.volume.volume import Volume

log = logging.getLogger("sodai")

_PAGES = ((QUALITY_PAGE, "Quality of the input"), (DRIFT_PAGE, "Drift"), (SHAP_PAGE, "What moves the model"))


def run(volume: Volume, period: Period, *, tracking_uri: str | None) -> dict[str, Any]:
    """Report on the run: its page, its row of the history, its run in MLflow."""
    day = period.as_of
    week = records.read_week(volume, day)
    registry = Registry(volume, tracking_uri)
    # From before it is read until it is published: the run of another period adds a row of its own.
    busy = f"{volume.path(HISTORY)}: another run is adding to it"
    with volume.lock(HISTORY.name, busy), volume.attempt(METRICS, day) as attempt:
        history = core.with_row(records.read_history(volume), core.history_row(week))
        history = core.with_realised(history, records.read_outcomes(volume, history, day))
        history = core.with_realised(history, core.challenger_lead(week.evaluation))
        pages = [(dataset, title) for dataset, title in _PAGES if volume.exists(dataset, day)]
        links = [{"file": volume.path(dataset, day).name, "title": title} for dataset, title in pages]
        shown = core.known_on(history, day)
        attempt.write(HISTORY, pa.Table.from_pylist(history, HISTORY.contract.schema))
        attempt.write_text(RUN_PAGE, run_page(week, shown, _examples(volume, day), links))
        files = [attempt.path(RUN_PAGE), *(volume.path(dataset, day) for dataset, _ in pages)]
        # Before anything is published: a week that MLflow does not know is a week to run again.
        with registry.run(f"week {day}", core.run_tags(week)) as run_id:
            registry.log(run_id, metrics=core.flat_metrics(week), files={"reports": files})
    log.info("the page of the run: %s", volume.path(RUN_PAGE, day))
    return {"n_weeks": len(shown), "page": str(RUN_PAGE.relative_path(day)), "mlflow_run": run_id}


def _examples(volume: Volume, day: date) -> list[Example]:

    chosen = ordinary_customers(records.customers_with_lists(volume, day))
    lists = records.lists_of(volume, day, [each.customer_id for each in chosen])
    listed = {item["product_id"] for products in lists.values() for item in products}
    named = {
        product["product_id"]: product_name(product)
        for product in volume.read(PRODUCTS, day).to_pylist()
        if product["product_id"] in listed
    }
    return [example_of(each, lists[each.customer_id], named) for each in chosen]

"""Tables and plots of the backtest, for the terminal and for one self-contained page."""

import pandas as pd

from benchmarks.replay import SIGNALS
from sodai.report.pages import load_template, page
from sodai.report.svg import inline_svg

QUALITY = ["recall_at_5", "ndcg_at_5", "recall_at_10", "ndcg_at_10", "precision_at_10", "hit_rate_at_10"]
_NEWEST = 16
SET = ["set_f1", "set_precision", "set_recall", "set_f1_as_dropped", "n_predicted", "n_bought"]


def mean_table(metrics: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the mean over periods of some metrics, one row per model, best first by the first metric.

    Args:
        metrics: as_of, model, metric, value.
        names: metrics to return; those that no model has are left out.
    """
    means = metrics.pivot_table(index="model", columns="metric", values="value", aggfunc="mean")
    shown = means[[name for name in names if name in means]].dropna(how="all")
    return shown.sort_values(shown.columns[0], ascending=False)


def tables(
    metrics: pd.DataFrame, differences: pd.DataFrame, decisions: pd.DataFrame, reliability: pd.DataFrame
) -> list[tuple[str, str, pd.DataFrame]]:
    """Return title, note and table of every section of the page, ready to print.

    Args:
        metrics: as_of, model, metric, value.
        differences: model, metric, difference, low, high, relative of the pipeline against each other
            model.
        decisions: one row per period, see `replay.decisions`.
        reliability: mean_probability, realised_share, n_rows by decile of probability over all periods.
    """
    ours = metrics[metrics["model"] == "pipeline"].pivot(index="as_of", columns="metric", values="value")
    ours["demand_ratio"] = ours["expected_pairs_in_all"] / ours["n_bought"]
    by_period = [
        "branch_retrained",
        "set_f1",
        "set_f1_expected",
        "expected_pairs_in_all",
        "demand_ratio",
        *QUALITY[2:4],
    ]
    rest = ["roc_auc", "average_precision", "grid_roc_auc", "grid_average_precision", "calibration_error"]
    lists = ["repeat_recall_at_10", "new_recall_at_10", "coverage", "personalisation", "change_of_lists"]
    return [
        ("Lists", "Mean over periods, per customer who bought.", mean_table(metrics, QUALITY).round(4)),
        ("Predicted set", "Mean over periods, over all pairs.", mean_table(metrics, SET).round(4)),
        ("Properties of the lists", "Mean over periods.", mean_table(metrics, lists).round(4)),
        (
            "Pipeline minus the others",
            "95 % interval by paired bootstrap over customers; relative is in percent of the other model.",
            _by_model_and_metric(differences),
        ),
        ("By period", "The pipeline only: expected and realised pairs.", ours[[
            *by_period, *SET[4:]]].round(4)),
        ("Demand", "Expected pairs compared with realised pairs.", demand_table(ours["demand_ratio"])),
        (
            "Reliability",
            "By decile of probability, over all periods; error is probability minus share.",
            _with_error(reliability),
        ),
        ("Decisions", "Retraining and promotion in each period, with every signal.", _decisions(decisions)),
        ("Probabilities", "The pipeline only.", ours[[name for name in rest if name in ours]].round(4)),
    ]  # fmt: skip


def render(
    metrics: pd.DataFrame,
    differences: pd.DataFrame,
    decisions: pd.DataFrame,
    reliability: pd.DataFrame,
    subtitle: str,
) -> str:
    """Return the page as HTML.

    Args:
        metrics, differences, decisions: as in `tables`.
        reliability: mean_probability, realised_share, n_rows by bin over all periods.
        subtitle: the command and the data.
    """
    plots = [
        ("NDCG@10 by period", _lines(metrics, "ndcg_at_10")),
        ("Set F1 by period", _lines(metrics, "set_f1")),
        ("Reliability", _reliability(reliability)),
    ]
    shown = tables(metrics, differences, decisions, reliability)
    body = load_template(__package__, "backtest.html.jinja").render(tables=shown, plots=plots)
    return page("Backtest of the SodAI weekly pipeline", body, subtitle)


def _by_model_and_metric(differences: pd.DataFrame) -> pd.DataFrame:
    labels = differences["model"] + ", " + differences["metric"]
    shown = differences[["difference", "low", "high", "relative"]].round({"relative": 1}).round(4)
    return shown.set_axis(labels.to_list())


def demand_table(ratio: pd.Series) -> pd.DataFrame:
    """Return how far the expected demand of periods was from their realised demand.

    Args:
        ratio: expected over realised pairs of each period, oldest first.

    Returns:
        One row for all periods and one for the last sixteen: periods, median_miss (percent), within_7
        and within_15 (number of periods that miss by at most 7 and 15 percent).
    """
    rows = {}
    for label, ratios in (("all periods", ratio), (f"last {_NEWEST}", ratio.tail(_NEWEST))):
        miss = 100 * (ratios - 1).abs()
        rows[label] = {
            "periods": len(ratios),
            "median_miss": round(float(miss.median()), 1),
            "within_7": int((miss <= 7).sum()),
            "within_15": int((miss <= 15).sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _with_error(reliability: pd.DataFrame) -> pd.DataFrame:
    error = reliability["mean_probability"] - reliability["realised_share"]
    return reliability.assign(error=error).round(4)


def _decisions(decisions: pd.DataFrame) -> pd.DataFrame:
    shown = ["rule", "promoted", *SIGNALS, "challenger_lead"]
    return decisions.set_index("as_of")[shown].round(3)


def _lines(metrics: pd.DataFrame, name: str) -> str:
    from matplotlib import pyplot as plt

    chosen = metrics[metrics["metric"] == name].pivot(index="as_of", columns="model", values="value")
    figure, axes = plt.subplots(figsize=(9, 4))
    for model in chosen:
        bold = model == "pipeline"
        axes.plot(
            chosen.index.astype(str),
            chosen[model],
            label=model,
            lw=3 if bold else 1,
            marker="o" if bold else "",
        )
    axes.tick_params(axis="x", rotation=45)
    axes.set_ylabel(name)
    axes.legend(fontsize=8, ncol=2)
    return inline_svg(figure, f"{name} of every model by period")


def _reliability(reliability: pd.DataFrame) -> str:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(4.5, 4.5))
    axes.plot([0, 1], [0, 1], color="grey", lw=1)
    axes.plot(reliability["mean_probability"], reliability["realised_share"], marker="o")
    axes.set(xlabel="mean probability", ylabel="realised share", xscale="symlog", yscale="symlog")
    return inline_svg(figure, "reliability by decile of probability")

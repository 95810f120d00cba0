"""The backtest as tables: on the terminal and as one self-contained page with plots."""

import pandas as pd

from benchmarks.replay import SIGNALS
from sodai.report.charts import inline_svg
from sodai.report.pages import load_template, page

QUALITY = ["recall_at_5", "ndcg_at_5", "recall_at_10", "ndcg_at_10", "precision_at_10", "hit_rate_at_10"]
_NEWEST = 16
SET = ["set_f1", "set_precision", "set_recall", "set_f1_as_dropped", "n_predicted", "n_bought"]


def mean_table(metrics: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Mean over periods of some metrics, one row a model, best first by the first metric.

    Args:
        metrics: as_of, model, metric, value.
        names: metrics wanted; those that no model has are left out.
    """
    means = metrics.pivot_table(index="model", columns="metric", values="value", aggfunc="mean")
    shown = means[[name for name in names if name in means]].dropna(how="all")
    return shown.sort_values(shown.columns[0], ascending=False)


def tables(
    metrics: pd.DataFrame, differences: pd.DataFrame, decisions: pd.DataFrame, reliability: pd.DataFrame
) -> list[tuple[str, str, pd.DataFrame]]:
    """Title, note and table of everything the backtest says, ready to print.

    Args:
        metrics: as_of, model, metric, value.
        differences: model, metric, difference, low, high, relative of the pipeline against each other
            model.
        decisions: a row a period, see `replay.decisions`.
        reliability: mean_probability, realised_share, n_rows by decile of probability over all periods.
    """
    ours = metrics[metrics["model"] == "pipeline"].pivot(index="as_of", columns="metric", values="value")
    ours["volume_ratio"] = ours["expected_pairs_in_all"] / ours["n_bought"]
    by_period = [
        "branch_retrained",
        "set_f1",
        "set_f1_expected",
        "expected_pairs_in_all",
        "volume_ratio",
        *QUALITY[2:4],
    ]
    rest = ["roc_auc", "average_precision", "grid_roc_auc", "grid_average_precision", "calibration_error"]
    lists = ["repeat_recall_at_10", "new_recall_at_10", "coverage", "personalisation", "change_of_lists"]
    return [
        ("Lists", "Mean over periods, per customer who bought.", mean_table(metrics, QUALITY).round(4)),
        ("Predicted set", "Mean over periods, over all pairs.", mean_table(metrics, SET).round(4)),
        ("What the lists are like", "Mean over periods.", mean_table(metrics, lists).round(4)),
        (
            "Pipeline minus the others",
            "95 % interval by paired bootstrap over customers; relative in percent of the other.",
            _by_model_and_metric(differences),
        ),
        ("By period", "The pipeline alone; expected pairs beside those that came true.", ours[[
            *by_period, *SET[4:]]].round(4)),
        ("Volume", "Expected pairs against those that came true.", volume_table(ours["volume_ratio"])),
        (
            "Reliability",
            "By decile of probability, all periods together; error is probability minus share.",
            _with_error(reliability),
        ),
        ("Decisions", "What the gate and the promotion said, with every signal.", _decisions(decisions)),
        ("Probabilities", "The pipeline alone.", ours[[name for name in rest if name in ours]].round(4)),
    ]  # fmt: skip


def render(
    metrics: pd.DataFrame,
    differences: pd.DataFrame,
    decisions: pd.DataFrame,
    reliability: pd.DataFrame,
    subtitle: str,
) -> str:
    """The whole page.

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


def volume_table(ratio: pd.Series) -> pd.DataFrame:
    """How far the expected volume was from the one that came true.

    Args:
        ratio: expected over realised pairs, by period in order.

    Returns:
        a row for all periods and one for the last sixteen: periods, median_miss (percent), within_7
        and within_15 (periods that miss by at most so many percent).
    """
    rows = {}
    for label, part in (("all periods", ratio), (f"last {_NEWEST}", ratio.tail(_NEWEST))):
        miss = 100 * (part - 1).abs()
        rows[label] = {
            "periods": len(part),
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

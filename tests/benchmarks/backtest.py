"""`make backtest`: replay the pipeline period by period and compare it with every rule and peer."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.dataset as ds

from benchmarks import backtest_page, contenders, scoring
from benchmarks.histories import History
from benchmarks.replay import ReplayError, Settings, decisions, periods_of, replay
from make_commands.input_volume import FolderVolume, add_input
from sodai.data.catalog import CUSTOMERS, LEDGER, LINES, PAIR, PREDICTIONS
from sodai.data.periods import Period
from sodai.errors import SodaiError
from sodai.evaluation.metrics import calibration_table
from sodai.volume.transactions import read_transactions
from sodai.volume.volume import Volume

OURS = "pipeline"
COMPARED = ("recall_at_10", "ndcg_at_10", "recall_at_5", "ndcg_at_5")


def main(arguments: Sequence[str]) -> int:
    """Replay, measure, write and print the figures; return the exit code."""
    options = _parse(arguments)
    folder = options.out.resolve() / "backtest"
    try:
        periods = periods_of(options.weeks)
        settings = Settings.of(options.data, options.trials)
        volume = Volume(folder / "volume")
        add_input(FolderVolume(volume.root), options.data)
        measured = [period for period in periods if period.as_of >= (options.since or date.min)]
        if not measured:
            raise ReplayError(f"SINCE: found {options.since}, expected a day up to {periods[-1].as_of}")
        replay(volume, periods, settings)
        figures = measure(volume, measured)
        figures.decisions = decisions(volume, periods)
    except (ReplayError, SodaiError, OSError) as error:
        print(f"backtest: {error}", file=sys.stderr)
        return 1
    since = f" SINCE={options.since}" if options.since else ""
    command = f'make backtest DATA={options.data} WEEKS="{options.weeks}"{since} TRIALS={options.trials}'
    write(folder, figures, command)
    return 0


class Figures:
    """Measured figures as long tables, ready to be written."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.by_customer: list[dict[str, pd.DataFrame]] = []
        self.predictions: list[pd.DataFrame] = []
        self.outcomes: list[pd.DataFrame] = []
        self.decisions = pd.DataFrame()

    def add(self, as_of: date, model: str, values: Mapping[str, float]) -> None:
        """Add the figures of a model in a period."""
        self.rows += [
            {"as_of": as_of, "model": model, "metric": name, "value": float(value)}
            for name, value in values.items()
        ]

    def metrics(self) -> pd.DataFrame:
        """Return as_of, model, metric and value."""
        return pd.DataFrame(self.rows)

    def reliability(self) -> pd.DataFrame:
        """Return mean probability and realised share by decile of probability, over all closed periods."""
        scored = pd.concat(self.outcomes)
        return calibration_table(scored["bought"].to_numpy(), scored["probability"].to_numpy())

    def differences(self) -> pd.DataFrame:
        """Return the pipeline minus each other model.

        Columns: model, metric, difference, low, high, relative (percent).
        """
        means = self.metrics().groupby(["model", "metric"])["value"].mean()
        others = sorted(set.intersection(*(set(period) for period in self.by_customer)) - {OURS})
        rows = []
        for model in others:
            for metric in COMPARED:
                difference, low, high = scoring.paired_bootstrap(self.by_customer, OURS, model, metric)
                relative = 100 * difference / means[model, metric]
                interval = {"difference": difference, "low": low, "high": high, "relative": relative}
                rows.append({"model": model, "metric": metric, **interval})
        return pd.DataFrame(rows)


def measure(volume: Volume, periods: list[Period]) -> Figures:
    """Compare the published predictions of each closed period with its purchases, like rules and peers."""
    last = date.fromisoformat(volume.read_json(LEDGER)["last_date"])
    closed = [period for period in periods if period.end <= last + timedelta(days=1)]
    if not closed:
        raise ReplayError(f"WEEKS: no period ends by {last}, the newest purchase; give earlier ones")
    transactions = read_transactions(volume, closed[-1].end).to_pandas()
    figures = Figures()
    tuned = contenders.tune(transactions, closed[0])
    print(f"backtest: tuned on the periods before {closed[0].as_of}: {tuned.as_json()}")
    before: dict[str, pd.DataFrame] = {}
    for period in periods:
        figures.predictions.append(volume.read(PREDICTIONS, period.as_of).to_pandas())
        if period not in closed:
            continue
        before = _measure_period(volume, period, transactions, tuned, figures, before)
    return figures


def _measure_period(
    volume: Volume,
    period: Period,
    transactions: pd.DataFrame,
    tuned: contenders.Tuned,
    figures: Figures,
    before: dict[str, pd.DataFrame],
) -> dict[str, pd.DataFrame]:
    truth, dropped = contenders.truth_of(transactions, period), _dropped(volume, period)
    predictions = figures.predictions[-1]
    # Every customer with a list from the pipeline gets one from each rule and peer.
    history = History.of(transactions, period.as_of, predictions["customer_id"].unique())
    bought = history.purchases[["customer", "product"]].drop_duplicates()
    seen = pd.DataFrame(
        {
            "customer_id": history.customers[bought["customer"]],
            "product_id": history.products[bought["product"]],
        }
    )
    lists = {OURS: predictions[[*PAIR, "rank"]], **contenders.rankings(history, tuned)}
    for model, ranked in lists.items():
        figures.add(period.as_of, model, scoring.list_figures(ranked, truth, seen))
        if model in before:
            change = scoring.change_of_lists(before[model], ranked)
            figures.add(period.as_of, model, {"change_of_lists": change})
    figures.by_customer.append(
        {model: scoring.per_customer(ranked, truth) for model, ranked in lists.items()}
    )
    chosen = {OURS: predictions.loc[predictions["selected"], PAIR], **contenders.sets(history, tuned)}
    for model, selected in chosen.items():
        figures.add(period.as_of, model, scoring.set_figures(selected, truth, dropped))
    outcome = predictions.merge(truth.assign(bought=1.0), on=PAIR, how="left").fillna({"bought": 0.0})
    figures.outcomes.append(outcome[["probability", "bought"]])
    n_customers = volume.read(CUSTOMERS, period.as_of).num_rows
    probabilities = scoring.probability_figures(predictions, truth, n_customers, len(history.products))
    figures.add(period.as_of, OURS, probabilities)
    (row,) = decisions(volume, [period]).to_dict("records")
    figures.add(
        period.as_of,
        OURS,
        {
            "set_f1_expected": row["expected_f1"],
            "expected_pairs_in_all": row["expected_pairs"],
            "branch_retrained": row["retrained"],
        },
    )
    return lists


def _dropped(volume: Volume, period: Period) -> pd.DataFrame:
    """Return the distinct pairs with any line in the period, cancelled lines included."""
    partitions = volume.read_json(LEDGER)["partitions"]["lines"].values()
    lines = ds.dataset([str(volume.path(LINES) / name) for name in partitions])
    inside = (ds.field("purchase_date") >= period.as_of) & (ds.field("purchase_date") < period.end)
    return lines.to_table(columns=PAIR, filter=inside).to_pandas().drop_duplicates(ignore_index=True)


def write(folder: Path, figures: Figures, command: str) -> None:
    """Write the tables and the page, and print the tables of the page."""
    metrics, differences = figures.metrics(), figures.differences()
    predictions = pd.concat(figures.predictions, ignore_index=True)
    predictions.to_parquet(folder / "predictions.parquet", index=False)
    metrics.to_parquet(folder / "metrics.parquet", index=False)
    differences.to_parquet(folder / "differences.parquet", index=False)
    figures.decisions.to_parquet(folder / "decisions.parquet", index=False)
    reliability = figures.reliability()
    page = backtest_page.render(metrics, differences, figures.decisions, reliability, command)
    (folder / "index.html").write_text(page, encoding="utf-8")
    with pd.option_context("display.width", 220, "display.max_columns", 40, "display.max_rows", 200):
        for title, note, table in backtest_page.tables(metrics, differences, figures.decisions, reliability):
            print(f"\n{title} ({note})\n{table}")
    print(f"\nbacktest: {command}\nbacktest: tables and index.html in {folder}")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="backtest", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder laid out like raw/")
    parser.add_argument("--weeks", required=True, help='first days, such as "2025-01-01:5 2025-01-06"')
    parser.add_argument(
        "--since", type=date.fromisoformat, help="figures of the periods from here on, decisions of all"
    )
    parser.add_argument("--out", type=Path, default=Path("data"), help="results go to its folder backtest/")
    parser.add_argument("--trials", type=int, default=50, help="Optuna trials of each training")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

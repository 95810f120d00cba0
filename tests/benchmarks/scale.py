"""`make bench SCALE="1_000_000 10_000_000"`: measure the cost of stages by number of sales lines.

Each size is loaded without its newest week, then that week is added, and its candidates are scored. For
comparison, DuckDB scans the same raw files and counts each pair, and LightGBM scores the same candidates.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import cycle
from pathlib import Path

import duckdb
import pandas as pd
from markupsafe import Markup

from benchmarks.scale_model import bare_prediction, publish_model
from benchmarks.synthetic_sales import AS_OF, write_sales
from sodai.data.catalog import EXTRACT, FEATURES_STAGE, PREDICT, RAW, run_record
from sodai.report.charts import PALETTE, drawing
from sodai.report.svg import inline_svg
from sodai.runtime.limits import available_cpus
from sodai.volume.volume import Volume

FOLDER = Path(__file__).parents[2] / ".cache" / "bench" / "scale"
PLAIN, BARE = "plain scan and group", "bare model"
_ALL, _DROP = AS_OF - timedelta(weeks=1), AS_OF
_COLUMNS = ["seconds", "cpu_seconds", "peak_memory_mib", "mib_read"]


def measure(root: Path, n_rows: int, memory_mib: int) -> pd.DataFrame:
    """Write synthetic sales to the volume `root` and run the stages, from nothing and with a week added.

    Returns:
        size (lines requested), step, lines (lines written, or candidates of the scoring steps), seconds,
        cpu_seconds, peak_memory_mib, mib_read.
    """
    shutil.rmtree(root, ignore_errors=True)
    raw = Volume(root).path(RAW)
    n_lines = write_sales(raw, n_rows)
    newest = raw / f"transacciones_{_ALL}.parquet"
    held_back = newest.rename(root / newest.name)
    memory = ["--memory-limit", str(memory_mib)]
    measurements = {}
    for name, as_of in (("all", _ALL), ("drop", _DROP)):
        if as_of == _DROP:
            held_back.rename(newest)
        for stage in (EXTRACT, FEATURES_STAGE):
            measurements[f"{stage}, {name}"] = [n_lines, *_run(root, stage, as_of, memory)]
    publish_model(Volume(root), _DROP)
    scored, *bare = bare_prediction(Volume(root), _DROP)
    measurements[PREDICT] = [scored, *_run(root, PREDICT, _DROP, [])]
    measurements[BARE] = [scored, *bare, math.nan, math.nan]
    measurements[PLAIN] = [n_lines, *_plain(raw, memory_mib)]
    rows = [[n_rows, step, *values] for step, values in measurements.items()]
    return pd.DataFrame(rows, columns=["size", "step", "lines", *_COLUMNS])


def with_growth(measured: pd.DataFrame) -> pd.DataFrame:
    """Add lines_per_second, times_least and the growth from the next smaller size.

    exponent and cpu_exponent are powers of the lines; the smallest size has none. times_least divides the CPU
    seconds by those of the reference at the same size: the bare model for scoring steps, the plain scan for
    all others.
    """
    table = measured.sort_values(["step", "size"], ignore_index=True)
    least = table["step"].isin([PREDICT, BARE]).map({True: BARE, False: PLAIN})
    cpu = table.set_index(["step", "size"])["cpu_seconds"]
    logs = table.groupby("step")[["lines", "seconds", "cpu_seconds"]].transform(
        lambda each: each.map(math.log).diff()
    )
    return table.assign(
        lines_per_second=table["lines"] / table["seconds"],
        times_least=table["cpu_seconds"] / cpu[list(zip(least, table["size"], strict=True))].to_numpy(),
        exponent=logs["seconds"] / logs["lines"],
        cpu_exponent=logs["cpu_seconds"] / logs["lines"],
    )


def growth_chart(table: pd.DataFrame) -> Markup:
    """Return an SVG chart of CPU seconds of each step by lines, both on logarithmic axes.

    Args:
        table: returned by `with_growth`.
    """
    with drawing(height=3.2) as (figure, axes):
        steps = [step for step in table["step"].unique() if step != BARE]
        for step, colour in zip(steps, cycle(PALETTE), strict=False):
            own = table[table["step"] == step]
            line = "--" if step == PLAIN else "-"
            axes.plot(own["size"], own["cpu_seconds"], line, marker="o", color=colour, label=step)
        axes.set(xscale="log", yscale="log", xlabel="lines", ylabel="CPU seconds")
        axes.legend(fontsize=6.5)
        return inline_svg(figure, "cost by size")


def _run(root: Path, stage: str, as_of: date, options: Sequence[str]) -> list[float]:
    here = Path(__file__).parents[2]
    paths = os.pathsep.join(str(here / folder) for folder in ("shared", "stages"))
    process = subprocess.Popen(
        [sys.executable, "-m", stage, "--as-of", str(as_of), "--data", str(root), *options],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths},
    )
    # WNOWAIT leaves the ended process as a zombie, so that /proc still has its counts.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    counts = dict(line.split(": ") for line in Path(f"/proc/{process.pid}/io").read_text().splitlines())
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, stage)
    record = json.loads(Volume(root).path(run_record(stage), as_of).read_text())
    figures = [record[name] for name in ("wall_seconds", "cpu_seconds", "peak_memory_mib")]
    return [*figures, int(counts["rchar"]) / 2**20]


def _plain(raw: Path, memory_mib: int) -> list[float]:
    """Measure counting the lines, days and quantity of each pair, the minimum of pair features."""
    started, cpu = time.perf_counter(), time.process_time()
    with duckdb.connect(config={"threads": available_cpus(), "memory_limit": f"{memory_mib}MiB"}) as engine:
        engine.sql(
            f"""CREATE TABLE pairs AS
            SELECT customer_id, product_id, count(*), min(purchase_date), max(purchase_date), sum(items)
            FROM read_parquet('{raw}/transacciones*.parquet') GROUP BY ALL"""
        )
    return [time.perf_counter() - started, time.process_time() - cpu, math.nan, math.nan]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--sizes", type=int, nargs="+", required=True, help="numbers of lines, for example 1_000_000"
    )
    parser.add_argument("--memory-limit", type=int, default=2048, help="MiB that DuckDB may use")
    parser.add_argument(
        "--out", type=Path, default=FOLDER, help="folder of the volumes, scale.csv and growth.svg"
    )
    options = parser.parse_args(arguments)
    measured = []
    for size in sorted(options.sizes):
        print(f"bench: {size} lines", flush=True)
        measured.append(measure(options.out / str(size), size, options.memory_limit))
        # Write the results after each size, because the largest may take hours.
        table = with_growth(pd.concat(measured))
        table.to_csv(options.out / "scale.csv", index=False)
        chart = f'<svg xmlns="http://www.w3.org/2000/svg"{growth_chart(table).removeprefix("<svg")}'
        (options.out / "growth.svg").write_text(chart)
    print(table.drop(columns="size").to_string(index=False, float_format=lambda value: f"{value:,.2f}"))


if __name__ == "__main__":
    main()

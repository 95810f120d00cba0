"""`make bench`: run the backtest on The Complete Journey, for the last four full weeks of 2017."""

import argparse
import sys
from pathlib import Path

from benchmarks import backtest
from benchmarks.journey import BEVERAGES, LEVELS, write_level

FOLDER = Path(__file__).parents[2] / ".cache" / "bench"
WEEKS = "2017-12-04 2017-12-11 2017-12-18 2017-12-25"

parser = argparse.ArgumentParser(prog="bench", description=__doc__)
parser.add_argument("--only", nargs="+", choices=LEVELS, default=[BEVERAGES], help="levels of product")
parser.add_argument("--trials", default="50", help="Optuna trials of each training")
options = parser.parse_args()
for level in options.only:
    print(f"bench: {level}", flush=True)
    raw = FOLDER / level / "raw"
    write_level(raw, level)
    arguments = {"data": raw, "weeks": WEEKS, "out": FOLDER / level, "trials": options.trials}
    code = backtest.main([word for name, value in arguments.items() for word in (f"--{name}", str(value))])
    if code:
        sys.exit(code)

"""`make bench`: the backtest on the example data, the last four full weeks of 2017."""

import sys
from pathlib import Path

from benchmarks import backtest
from example_data.beverages import write_raw

FOLDER = Path(__file__).parents[2] / ".cache" / "bench"
WEEKS = "2017-12-04 2017-12-11 2017-12-18 2017-12-25"

write_raw(FOLDER / "raw")
sys.exit(backtest.main(["--data", str(FOLDER / "raw"), "--weeks", WEEKS, "--out", str(FOLDER)]))

"""`python -m example_data FOLDER`: write the default input into a folder laid out like raw/."""

import argparse
from pathlib import Path

from example_data.beverages import write_raw

parser = argparse.ArgumentParser(prog="example_data", description="Write the default input of the pipeline.")
parser.add_argument("folder", type=Path, help="created if missing; files of an earlier call are replaced")
for path in write_raw(parser.parse_args().folder):
    print(path)

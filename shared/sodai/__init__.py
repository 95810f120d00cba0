"""Shared code of the stages of the SodAI weekly pipeline: everything that they must agree on."""

import os

# Set before any library starts its threads: OpenMP threads that spin while they wait make LightGBM ten times
# slower when another process needs the same cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

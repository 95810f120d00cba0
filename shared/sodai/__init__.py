"""What the stages of the SodAI weekly pipeline must agree on."""

import os

# Before any library starts its threads: threads that spin while they wait for each other make LightGBM
# ten times slower where another process wants the same cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

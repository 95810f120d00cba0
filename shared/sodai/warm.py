"""A stage's process that imports before it is told what to do: `python -m sodai.warm create_features`.

The process runner starts it while the stage before still works, and writes the arguments, a JSON list
on one line, when it is the stage's turn. A runner that ends without a word ends it too.
"""

import gc
import importlib
import json
import pkgutil
import sys

from sodai.cli import GC_OBJECTS


def main(stage: str) -> None:
    """Import every module of the package `stage`, then wait for its arguments and run it."""
    gc.set_threshold(GC_OBJECTS)
    for module in pkgutil.iter_modules(importlib.import_module(stage).__path__, f"{stage}."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
    if line := sys.stdin.readline():
        sys.argv[1:] = json.loads(line)
        importlib.import_module(f"{stage}.__main__")


if __name__ == "__main__":
    main(sys.argv[1])

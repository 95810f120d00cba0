"""A stage's process that imports before it is told what to do: `python -m sodai.warm create_features 7`.

The process runner starts it while a stage before still works. The number is a descriptor that closes
when all is imported. The arguments come as a JSON list on one line, when it is the stage's turn: what
is not imported by then waits until it is needed, which it is not where nothing changed. A runner that
ends without a word ends it too.
"""

import ast
import gc
import importlib
import inspect
import json
import os
import pkgutil
import select
import sys
from collections.abc import Iterator
from types import ModuleType

from sodai.cli import GC_OBJECTS


def main(stage: str, imported: int) -> None:
    """Import what the package `stage` needs until the arguments are there, and run it.

    Args:
        stage: package of the stage.
        imported: descriptor to close when all is imported.
    """
    gc.set_threshold(GC_OBJECTS)
    for name in _needed(stage):
        importlib.import_module(name)
        if select.select([sys.stdin], [], [], 0)[0]:
            break
    os.close(imported)
    if line := sys.stdin.readline():
        sys.argv[1:] = json.loads(line)
        importlib.import_module(f"{stage}.__main__")


def _needed(stage: str) -> Iterator[str]:
    """The modules of a stage, each followed by those that only its functions import."""
    for module in pkgutil.iter_modules(importlib.import_module(stage).__path__, f"{stage}."):
        if not module.name.endswith(".__main__"):
            yield module.name
            yield from _imported_in_functions(sys.modules[module.name])


def _imported_in_functions(module: ModuleType) -> Iterator[str]:
    for function in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module
                elif isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

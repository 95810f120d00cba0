"""A stage's process that imports before it is told what to do: `python -m sodai.warm create_features 7`.

The process runner starts it while a stage before still works. The number is a descriptor that closes
when all is imported. The arguments come as a JSON list on one line, when it is the stage's turn; a
runner that ends without a word ends it too.
"""

import ast
import gc
import importlib
import inspect
import json
import os
import pkgutil
import sys
from collections.abc import Iterator
from types import ModuleType

from sodai.cli import GC_OBJECTS


def main(stage: str, imported: int) -> None:
    """Import every module of the package `stage` and what its functions import, then wait and run it.

    Args:
        stage: package of the stage.
        imported: descriptor to close when that is done.
    """
    gc.set_threshold(GC_OBJECTS)
    for module in pkgutil.iter_modules(importlib.import_module(stage).__path__, f"{stage}."):
        if not module.name.endswith(".__main__"):
            for name in _imported_in_functions(importlib.import_module(module.name)):
                importlib.import_module(name)
    os.close(imported)
    if line := sys.stdin.readline():
        sys.argv[1:] = json.loads(line)
        importlib.import_module(f"{stage}.__main__")


def _imported_in_functions(module: ModuleType) -> Iterator[str]:
    """The modules that a module imports only when one of its functions is called."""
    for function in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module
                elif isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

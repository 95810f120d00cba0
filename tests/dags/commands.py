"""The command lines of the stages, parsed without running them."""

from importlib import import_module
from typing import Any

import typer


def parse_arguments(stage: str, arguments: list[str]) -> dict[str, Any]:
    """Return the options that the arguments set, without those that have their default."""
    app = typer.Typer(add_completion=False)
    app.command(name=stage)(getattr(import_module(f"{stage}.cli"), stage))
    context = typer.main.get_command(app).make_context(stage, list(arguments))
    return {
        name: value
        for name, value in context.params.items()
        if context.get_parameter_source(name).name == "COMMANDLINE"
    }

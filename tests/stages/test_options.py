"""One law for all stages: the steps take the options of the command, which alone has their defaults."""

import inspect
from importlib import import_module

import pytest

from sodai.data.catalog import STAGES

SHARED_OPTIONS = {"as_of", "data", "horizon_days", "force"}


@pytest.mark.parametrize("stage", STAGES)
# SHAP and MLflow cause warnings when they are imported.
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore:.*inferred as AnyType:UserWarning")
def test_the_steps_take_exactly_the_options_of_the_command(stage: str) -> None:
    command = getattr(import_module(f"{stage}.cli"), stage)
    options = inspect.signature(command).parameters.keys() - SHARED_OPTIONS
    preloaded = inspect.getclosurevars(command).nonlocals["preload"].partition(":")[2]

    run = import_module(f"{stage}.run").run
    volume, period, *arguments = inspect.signature(run).parameters.values()

    assert (volume.name, period.name) == ("volume", "period")
    assert {each.name for each in arguments} == options | ({preloaded} if preloaded else set())
    assert {each.kind for each in arguments} <= {inspect.Parameter.KEYWORD_ONLY}
    assert {each.default for each in arguments} <= {inspect.Parameter.empty}

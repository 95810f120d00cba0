"""The parameters of a run: one table for Airflow's form, `make run` and the arguments of the stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sodai_dag.stages import (
    DETECT,
    EVALUATE,
    EXPLAIN,
    EXTRACT,
    FEATURES,
    LOAD,
    PREDICT,
    RETRAIN,
    STAGES,
)


@dataclass(frozen=True)
class RunParameter:
    """One parameter of a run.

    Attributes:
        name: key in the run's `params`; with dashes the option of the stages.
        variable: variable of `make run`.
        type: JSON type of its value, or `date` for an ISO day or nothing.
        stages: those whose command takes it.
        minimum: smallest value of an integer, inclusive.
        maximum: largest value of an integer, inclusive.
    """

    name: str
    variable: str
    type: Literal["date", "integer", "boolean"]
    default: int | bool | None
    title: str
    description: str
    stages: Sequence[str]
    minimum: int = 0
    maximum: int = 0

    @property
    def option(self) -> str:
        """Return the option of the program behind `make run`."""
        return "--" + self.variable.lower().replace("_", "-")

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values, as Airflow's form takes it."""
        if self.type == "date":
            return {"type": ["null", "string"], "format": "date"}
        bounds = {"minimum": self.minimum, "maximum": self.maximum} if self.type == "integer" else {}
        return {"type": self.type, **bounds}

    @property
    def stage_arguments(self) -> list[str]:
        """Return the arguments that hand its value to a stage, as Jinja templates."""
        option = self.name.replace("_", "-")
        if self.type == "boolean":
            return [f"{{{{ '--{option}' if params.{self.name} else '--no-{option}' }}}}"]
        return [f"--{option}", f"{{{{ params.{self.name} }}}}"]


RUN_PARAMETERS = (
    RunParameter(
        name="as_of",
        variable="AS_OF",
        type="date",
        default=None,
        title="First day to predict",
        description="Nothing dated on it or later is used. Empty: the day after the newest purchase.",
        # Every stage takes it, but only the first from the run: see `stage_arguments`.
        stages=(),
    ),
    RunParameter(
        name="horizon_days",
        variable="HORIZON",
        type="integer",
        default=7,
        minimum=1,
        maximum=28,
        title="Days to predict",
        description="Length of the period.",
        stages=(FEATURES, DETECT, RETRAIN, LOAD, EVALUATE, PREDICT),
    ),
    RunParameter(
        name="trials",
        variable="TRIALS",
        type="integer",
        default=50,
        minimum=1,
        maximum=1000,
        title="Optuna trials",
        description="Only used when the model is trained again.",
        stages=(RETRAIN,),
    ),
    RunParameter(
        name="force_retrain",
        variable="RETRAIN",
        type="boolean",
        default=False,
        title="Train again in any case",
        description="Whatever the drift report says.",
        stages=(DETECT,),
    ),
    RunParameter(
        name="force",
        variable="FORCE",
        type="boolean",
        default=False,
        title="Run even where nothing changed",
        description="Otherwise a stage whose input, settings and code are as before keeps its result.",
        stages=STAGES,
    ),
    RunParameter(
        name="k",
        variable="K",
        type="integer",
        default=10,
        minimum=1,
        maximum=100,
        title="Products per customer",
        description="Length of each recommendation list.",
        stages=(EVALUATE, EXPLAIN, PREDICT),
    ),
)
_AS_OF_REQUESTED = "{{ params.as_of or 'auto' }}"
# The period is known only while the pipeline runs: the first stage finds it where none is given.
_AS_OF_FOUND = f"{{{{ ti.xcom_pull(task_ids='{EXTRACT}')['as_of'] }}}}"


def stage_arguments(stage: str, shards: int = 1, shard: int | None = None) -> list[str]:
    """Return the arguments of a stage's command, with Jinja templates for what a run decides.

    The volume and the MLflow server reach a stage by its environment, as they differ between runners.

    Args:
        stage: its name.
        shards: number of shards in which the candidates are scored; only generate_predictions takes it.
        shard: the shard to score, from 0 on; if left out, the scores of all shards are joined.
    """
    arguments = ["--as-of", _AS_OF_REQUESTED if stage == EXTRACT else _AS_OF_FOUND]
    for parameter in RUN_PARAMETERS:
        if stage in parameter.stages:
            arguments += parameter.stage_arguments
    if stage == PREDICT and shards > 1:
        arguments += ["--shards", str(shards)]
    if shard is not None:
        arguments += ["--shard", str(shard)]
    return arguments

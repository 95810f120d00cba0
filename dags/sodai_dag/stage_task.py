"""One stage as one task: the same interface on every runner, chosen in one place."""

from typing import Any

from airflow.sdk import BaseOperator, BranchMixIn

from sodai_dag.docker_operator import DockerStageOperator
from sodai_dag.process_operator import ProcessStageOperator
from sodai_dag.resources import resources_of
from sodai_dag.settings import DOCKER, PROCESS, SWARM, settings_from
from sodai_dag.stage_result import StageFailed
from sodai_dag.stages import branch_of
from sodai_dag.swarm_operator import SwarmStageOperator


def branching(operator: Any) -> Any:
    """Return a subclass of a stage operator that skips the branch that the stage's result rejects."""

    def execute(self: Any, context: Any) -> dict[str, Any]:
        """Run the stage and skip the branch that it decided against."""
        result: dict[str, Any] = operator.execute(self, context)
        try:
            branch = branch_of(result)
        except ValueError as error:
            raise StageFailed(str(error)) from error
        self.do_branch(context, branch)
        return result

    name = operator.__name__.replace("Stage", "Branch")
    # `execute` belongs to the new class itself: Airflow guards the method only where a class defines it.
    namespace = {"__module__": __name__, "__doc__": operator.__doc__, "execute": execute}
    return type(operator)(name, (operator, BranchMixIn), namespace)


_OPERATORS: dict[str, Any] = {
    DOCKER: DockerStageOperator,
    PROCESS: ProcessStageOperator,
    SWARM: SwarmStageOperator,
}
_BRANCH_OPERATORS = {runner: branching(operator) for runner, operator in _OPERATORS.items()}


def stage_task(stage: str, doc: str, branches: bool = False) -> BaseOperator:
    """Create the task of a stage, on the runner that the environment names.

    Args:
        stage: task id.
        doc: description for Airflow's UI.
        branches: whether its result decides which task follows.
    """
    settings = settings_from()
    operators = _BRANCH_OPERATORS if branches else _OPERATORS
    return operators[settings.runner](stage=stage, settings=settings, doc_md=doc, **_task_options(stage))


def shard_tasks(task_id: str, stage: str, doc: str) -> list[Any]:
    """Create the mapped task that does a stage's work in shards, in parallel as far as its pool allows.

    Args:
        task_id: its own id.
        stage: the stage with the image and the command.
        doc: description for Airflow's UI.

    Returns:
        an empty list if the environment asks for one shard: the stage then does all the work.
    """
    settings = settings_from()
    if settings.shards == 1:
        return []
    mapped = _OPERATORS[settings.runner].partial(
        stage=stage, settings=settings, doc_md=doc, **_task_options(task_id)
    )
    return [mapped.expand(shard=list(range(settings.shards)))]


def _task_options(task_id: str) -> dict[str, Any]:
    limits = resources_of(task_id)
    return {
        "task_id": task_id,
        "retries": limits.retries,
        "retry_delay": limits.retry_delay,
        "execution_timeout": limits.timeout,
        "pool": limits.pool,
    }

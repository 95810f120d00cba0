"""One stage as one task: the same interface on every runner, chosen in one place."""

from typing import Any

from airflow.sdk import BaseOperator, BranchMixIn

from sodai_arguments import branch_of
from sodai_docker_operator import DockerStageOperator
from sodai_process_operator import ProcessStageOperator
from sodai_resources import resources_of
from sodai_results import StageFailed
from sodai_settings import DOCKER, PROCESS, SWARM, settings_from
from sodai_swarm_operator import SwarmStageOperator


# Each has an `execute` of its own: Airflow guards the method only where an operator's class defines it.
class ProcessBranchOperator(ProcessStageOperator, BranchMixIn):
    """A stage as a process, whose result says which task follows."""

    def execute(self, context: Any) -> Any:
        """Run the stage and skip the branch that it decided against."""
        return _branched(self, context, super().execute(context))


class DockerBranchOperator(DockerStageOperator, BranchMixIn):
    """A stage as a container, whose result says which task follows."""

    def execute(self, context: Any) -> Any:
        """Run the stage and skip the branch that it decided against."""
        return _branched(self, context, super().execute(context))


class SwarmBranchOperator(SwarmStageOperator, BranchMixIn):
    """A stage as a service, whose result says which task follows."""

    def execute(self, context: Any) -> Any:
        """Run the stage and skip the branch that it decided against."""
        return _branched(self, context, super().execute(context))


_OPERATORS: dict[tuple[str, bool], Any] = {
    (DOCKER, False): DockerStageOperator,
    (DOCKER, True): DockerBranchOperator,
    (PROCESS, False): ProcessStageOperator,
    (PROCESS, True): ProcessBranchOperator,
    (SWARM, False): SwarmStageOperator,
    (SWARM, True): SwarmBranchOperator,
}


def stage_task(stage: str, doc: str, branches: bool = False) -> BaseOperator:
    """The task of a stage, on the runner that the environment names.

    Args:
        stage: task id.
        doc: what it does, for the UI.
        branches: whether its result says which task follows.
    """
    settings = settings_from()
    return _OPERATORS[settings.runner, branches](
        stage=stage, settings=settings, doc_md=doc, **_task_options(stage)
    )


def shard_tasks(task_id: str, stage: str, doc: str) -> list[Any]:
    """The mapped task that does a stage's work in shards, as many at once as its pool allows.

    Args:
        task_id: its own id.
        stage: whose image and command line it uses.
        doc: what it does, for the UI.

    Returns:
        nothing where the environment asks for one shard: the stage does it all then.
    """
    settings = settings_from()
    if settings.shards == 1:
        return []
    mapped = _OPERATORS[settings.runner, False].partial(
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


def _branched(task: BranchMixIn, context: Any, result: dict[str, Any]) -> dict[str, Any]:
    """The result, once what it decided against is skipped.

    Raises:
        StageFailed: it names no branch.
    """
    try:
        branch = branch_of(result)
    except ValueError as error:
        raise StageFailed(str(error)) from error
    task.do_branch(context, branch)
    return result

"""One stage as one task on a service of a Docker swarm, which chooses the host."""

import time
import uuid
from typing import Any

from airflow.providers.docker.operators.docker_swarm import DockerSwarmOperator
from docker.types import ContainerSpec, Mount, Resources, RestartPolicy, TaskTemplate

from sodai_dag.docker_operator import GIB, DockerStageOperator
from sodai_dag.stage_result import StageLost, result_of

_POLL_SECONDS = 1
_RAN = {"complete", "failed"}
_ENDED = _RAN | {"shutdown", "rejected", "orphaned", "remove"}


class SwarmStageOperator(DockerStageOperator, DockerSwarmOperator):
    """Runs a stage's image on any host of the swarm with enough free resources.

    A swarm cannot limit the number of processes, and has no private network but an overlay network.
    """

    # The provider's own run merges stdout into the log and reports no exit code, which would lose the
    # result. So the service is created and followed here; the provider removes it if the task is killed.

    def _remove_leftovers(self) -> None:
        """Remove services of earlier tries, whose worker was killed before it could remove them."""
        for leftover in self.cli.services(filters={"label": self._labels_of_any_try()}):
            self.log.warning("removing the service of an earlier try: %s", leftover["ID"][:12])
            self.cli.remove_service(leftover["ID"])

    def _run(self, memory_gib: float) -> dict[str, Any]:
        name = f"sodai-{uuid.uuid4().hex[:12]}"
        self.service = self.cli.create_service(self._template(int(memory_gib * GIB)), name, self.labels)
        try:
            status = self._follow_service(name)
            # A service that never ran also has an exit code, 0.
            if status["State"] not in _RAN:
                reason = status.get("Err", "no reason given")
                raise StageLost(f"{self.stage}: the swarm did not run it: {reason}")
            stdout = self._output(name, stdout=True)
            return result_of(self.stage, status["ContainerStatus"]["ExitCode"], stdout)
        finally:
            self.cli.remove_service(name)
            self.service = None

    def _template(self, memory: int) -> TaskTemplate:
        scratch = Mount("/tmp", None, type="tmpfs", tmpfs_size=GIB, tmpfs_mode=0o1777)
        return TaskTemplate(
            ContainerSpec(
                self.image,
                args=self.format_command(self.command),
                env={**self.environment, **self._private_environment},
                user=self.user,
                mounts=[*self.mounts, scratch],
                read_only=True,
                cap_drop=["ALL"],
            ),
            resources=Resources(mem_limit=memory, cpu_limit=int(self.limits.cpus * 1e9)),
            restart_policy=RestartPolicy(condition="none"),
            networks=[self.network_mode] if self.network_mode not in ("none", "bridge") else None,
        )

    def _follow_service(self, name: str) -> dict[str, Any]:
        """Log stderr line by line and return the final status."""
        n_logged = 0
        while True:
            tasks = self.cli.tasks(filters={"service": name})
            status: dict[str, Any] = tasks[0]["Status"] if tasks else {"State": "new"}
            has_ended = status["State"] in _ENDED
            lines = self._output(name, stderr=True).splitlines()
            for line in lines[n_logged:]:
                self.log.info("%s", line)
            n_logged = len(lines)
            if has_ended:
                return status
            time.sleep(_POLL_SECONDS)

    def _output(self, name: str, stdout: bool = False, stderr: bool = False) -> str:
        chunks = self.cli.service_logs(name, stdout=stdout, stderr=stderr, is_tty=False)
        return b"".join(chunks).decode(errors="replace")

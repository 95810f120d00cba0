"""One stage as one task in a container of its own, with hard limits."""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk.exceptions import AirflowException
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import Mount

from sodai_dag.parameters import stage_arguments
from sodai_dag.resources import resources_of
from sodai_dag.settings import Settings
from sodai_dag.stage_result import StageFailed, StageLost, StageOutOfMemory, result_of

GIB = 2**30
_MEMORY = "memory_gib"


class DockerStageOperator(DockerOperator):
    """Runs a stage's image with hard limits, one container of a task at a time.

    `result` is the stage's JSON result once it has ended.
    """

    template_fields: Sequence[str] = (*DockerOperator.template_fields, "labels")
    ui_color = "#d6e8fa"

    def __init__(
        self, *, task_id: str, stage: str, settings: Settings, shard: int | None = None, **kwargs: Any
    ) -> None:
        self.stage = stage
        self.limits = resources_of(task_id)
        self.result: dict[str, Any] | None = None
        super().__init__(
            task_id=task_id,
            image=settings.image(stage),
            **settings.engine_options(task_id),
            command=stage_arguments(stage, settings.shards, shard),
            environment=settings.stage_environment,
            # Separate, so that Airflow neither shows nor stores secrets.
            private_environment=dict(settings.object_store) if settings.is_object_store else {},
            mounts=[_mount(settings)],
            mount_tmp_dir=False,
            network_mode=settings.network_mode,
            user=_owner(settings),
            auto_remove="force",
            labels={
                "sodai.dag": "{{ dag.dag_id }}",
                "sodai.run": "{{ run_id }}",
                "sodai.task": task_id,
                "sodai.map_index": "{{ ti.map_index }}",
                "sodai.try": "{{ ti.try_number }}",
            },
            **kwargs,
        )

    def execute(self, context: Any) -> Any:
        """Run the stage, pass its log on line by line, and return its result.

        A try after one that ran out of memory gets more memory.

        Raises:
            StageFailed: the image is missing, or max_memory_gib is not enough.
            StageLost: the engine does not answer, or lost the container.
        """
        self._normalize_mounts()
        # Airflow's store outlives a try, which no XCom does.
        store = context["task_state_store"]
        memory_gib = max(self.limits.memory_gib, float(store.get(_MEMORY, 0)))
        if memory_gib > self.limits.memory_gib:
            message = "the previous try ran out of memory: this one gets %g GiB, at most %g"
            self.log.warning(message, memory_gib, self.limits.max_memory_gib)
        try:
            self._check_engine()
            self._remove_leftovers()
            self.result = self._run(memory_gib)
        except StageOutOfMemory as error:
            more = self.limits.after_out_of_memory(memory_gib)
            if more <= memory_gib:
                raise StageFailed(f"{error}; it had {memory_gib:g} GiB, its max_memory_gib") from error
            store.set(_MEMORY, more)
            raise
        except ImageNotFound as error:
            raise StageFailed(f"{self.stage}: image {self.image} is missing; run make images") from error
        except (APIError, DockerException, OSError) as error:
            raise StageLost(f"{self.stage}: Docker engine: {error}") from error
        self.log.info("result: %s", self.result)
        return self.result

    def on_kill(self) -> None:
        """Stop the container; Airflow asks for it after a timeout too, when it is already gone."""
        with suppress(NotFound):
            super().on_kill()

    def _check_engine(self) -> None:
        # The hook's own error names neither the stage nor the engine.
        try:
            self.cli.ping()
        except AirflowException as error:
            raise StageLost(f"{self.stage}: Docker engine: {error}") from error

    def _remove_leftovers(self) -> None:
        """Remove containers of earlier tries, whose worker was killed before it could remove them."""
        for leftover in self.cli.containers(all=True, filters={"label": self._labels_of_any_try()}):
            self.log.warning("removing the container of an earlier try: %s", leftover["Id"][:12])
            self.cli.remove_container(leftover["Id"], force=True)

    def _labels_of_any_try(self) -> list[str]:
        own = self.labels if isinstance(self.labels, dict) else {}
        return [f"{name}={value}" for name, value in own.items() if name != "sodai.try"]

    def _run(self, memory_gib: float) -> dict[str, Any]:
        self.container = self.cli.create_container(
            image=self.image,
            command=self.format_command(self.command),
            environment={**self.environment, **self._private_environment},
            user=self.user,
            labels=self.labels,
            host_config=self._host_config(int(memory_gib * GIB)),
        )
        identifier = self.container["Id"]
        try:
            # Not merged: merged streams arrive in no fixed order, and the result is lost in the log.
            stream = self.cli.attach(identifier, stdout=True, stderr=True, stream=True, demux=True)
            self.cli.start(identifier)
            stdout = self._follow(stream)
            exit_code = self.cli.wait(identifier)["StatusCode"]
            state = self.cli.inspect_container(identifier)["State"]
            return result_of(self.stage, exit_code, stdout, out_of_memory=state["OOMKilled"])
        finally:
            with suppress(NotFound):
                self.cli.remove_container(identifier, force=True)

    def _follow(self, stream: Any) -> str:
        """Log stderr line by line and return all of stdout."""
        stdout, pending = b"", b""
        for out, err in stream:
            stdout += out or b""
            *lines, pending = (pending + (err or b"")).split(b"\n")
            for line in lines:
                self.log.info("%s", line.decode(errors="replace").rstrip())
        if pending:
            self.log.info("%s", pending.decode(errors="replace").rstrip())
        return stdout.decode(errors="replace")

    def _host_config(self, memory: int) -> Any:
        return self.cli.create_host_config(
            mounts=self.mounts,
            network_mode=self.network_mode,
            mem_limit=memory,
            memswap_limit=memory,
            nano_cpus=int(self.limits.cpus * 1e9),
            pids_limit=self.limits.processes,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            read_only=True,
            tmpfs={"/tmp": "rw,mode=1777,size=1g"},
        )


def _mount(settings: Settings) -> Mount:
    return Mount(target="/data", source=settings.mounted, type="bind" if settings.is_folder else "volume")


def _owner(settings: Settings) -> str | None:
    """Return the owner of the folder, so that a stage can write there; None for the image's own user."""
    if not settings.is_folder or not os.path.isdir(settings.mounted):
        return None
    owner = os.stat(settings.mounted)
    return f"{owner.st_uid}:{owner.st_gid}"

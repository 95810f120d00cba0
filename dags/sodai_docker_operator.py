"""One stage as one task in a container of its own, with hard limits."""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk.exceptions import AirflowException
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import Mount

from sodai_arguments import stage_arguments
from sodai_resources import resources_of
from sodai_results import RESULT_LINE, StageFailed, StageLost, StageOutOfMemory, result_of
from sodai_settings import Settings

GIB = 2**30
_MEMORY = "memory_gib"


class DockerStageOperator(DockerOperator):
    """Runs a stage's image with hard limits, one container a task at a time."""

    template_fields: Sequence[str] = (*DockerOperator.template_fields, "labels")
    ui_color = "#d6e8fa"

    def __init__(
        self, *, task_id: str, stage: str, settings: Settings, shard: int | None = None, **kwargs: Any
    ) -> None:
        self.stage = stage
        self.limits = resources_of(task_id)
        super().__init__(
            task_id=task_id,
            image=settings.image(stage),
            **settings.engine_options(task_id),
            command=stage_arguments(stage, settings.shards, shard),
            environment=settings.stage_environment,
            # Apart, so that Airflow shows and keeps no secret.
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
        """Run the stage, its log line by line, and give its result.

        After a try that was killed for its memory, the next one gets more.

        Raises:
            StageFailed: there is no such image, or the most memory that the stage may have is too little.
            StageLost: the engine does not answer, or lost the container.
        """
        self._normalize_mounts()
        # Airflow's store outlives a try, as no XCom does.
        store = context["task_state_store"]
        memory_gib = max(self.limits.memory_gib, float(store.get(_MEMORY, 0)))
        if memory_gib > self.limits.memory_gib:
            told = "the try before was killed for its memory: this one gets %g GiB, the most is %g"
            self.log.warning(told, memory_gib, self.limits.max_memory_gib)
        try:
            self._reach()
            self._reap()
            return self._run(memory_gib)
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

    def on_kill(self) -> None:
        """Stop what runs. Airflow asks for it after a timeout too, when it is gone already."""
        with suppress(NotFound):
            super().on_kill()

    def _reach(self) -> None:
        """Make sure that an engine answers; the hook's own error names neither stage nor engine."""
        try:
            self.cli.ping()
        except AirflowException as error:
            raise StageLost(f"{self.stage}: Docker engine: {error}") from error

    def _reap(self) -> None:
        """Remove containers of earlier tries that their worker could not remove any more."""
        for left in self.cli.containers(all=True, filters={"label": self._labels_of_any_try()}):
            self.log.warning("removing the container of an earlier try: %s", left["Id"][:12])
            self.cli.remove_container(left["Id"], force=True)

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
            # Apart, because merged they arrive in no fixed order and the result is lost among the log.
            stream = self.cli.attach(identifier, stdout=True, stderr=True, stream=True, demux=True)
            self.cli.start(identifier)
            stdout = self._follow(stream)
            exit_code = self.cli.wait(identifier)["StatusCode"]
            state = self.cli.inspect_container(identifier)["State"]
            result = result_of(self.stage, exit_code, stdout, out_of_memory=state["OOMKilled"])
            self.log.info(RESULT_LINE, result["as_of"], result)
            return result
        finally:
            with suppress(NotFound):
                self.cli.remove_container(identifier, force=True)

    def _follow(self, stream: Any) -> str:
        """Log stderr line by line, and give all of stdout."""
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
    """Whoever owns the folder, so that a stage can write there; the image's own user for a volume."""
    if not settings.is_folder or not os.path.isdir(settings.mounted):
        return None
    owner = os.stat(settings.mounted)
    return f"{owner.st_uid}:{owner.st_gid}"

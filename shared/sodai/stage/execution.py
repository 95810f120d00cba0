"""One execution of a stage: its steps, its run record, and the push of both to the volume."""

import importlib
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from sodai.data.catalog import run_record
from sodai.data.periods import parse_date
from sodai.runtime.concurrency import run_in_process
from sodai.stage.stage_run import Record, StageRun
from sodai.volume.volume import Volume


def execute(stage_run: StageRun, steps: str, preload: str = "") -> Record:
    """Run the steps of a stage, write its run record and push both to the volume; return the result.

    The run record holds wall time, CPU time, peak memory and the fingerprint. Peak memory is the largest
    that this process, or one of its children, had at any time.

    Args:
        stage_run: the stage, its options and where it works.
        steps: module with the stage's `run`.
        preload: see `stage_command`.

    Raises:
        SodaiError: see the stage.
    """
    stage_run.fetch()
    started, clock = time.time(), time.perf_counter()
    with _preloaded(preload) as more:
        run = importlib.import_module(steps).run
        volume = Volume(stage_run.root, stage_run.permits)
        figures = dict(run(volume, stage_run.period, **stage_run.own_options, **more))
    seconds = time.perf_counter() - clock
    as_of = parse_date(str(figures.pop("as_of", stage_run.options["as_of"])))
    result = {"stage": stage_run.stage, "status": "done", "as_of": as_of.isoformat(), **figures}
    usage = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    record = {
        "stage": stage_run.stage,
        "started": started,
        "wall_seconds": round(seconds, 3),
        "cpu_seconds": round(sum(each.ru_utime + each.ru_stime for each in usage), 3),
        "peak_memory_mib": round(max(_own_peak_kib(), usage[1].ru_maxrss) / 1024, 1),
        "result": result,
        **stage_run.state_after(as_of),
    }
    _write_record(stage_run, as_of, record)
    stage_run.push(as_of)
    return result


@contextmanager
def _preloaded(preload: str) -> Iterator[dict[str, Callable[..., Any]]]:
    if not preload:
        yield {}
        return
    module, _, function = preload.partition(":")
    with run_in_process(module, function) as call:
        yield {function: call}


def _own_peak_kib() -> int:
    # ru_maxrss starts at the size of the parent process, Airflow for example; VmHWM of a new program at 0.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def _write_record(stage_run: StageRun, as_of: date, record: Record) -> None:
    shard = str(record["result"].get("shard", ""))
    name = f"{stage_run.stage}-run{shard}"
    with Volume(stage_run.root).attempt(name, as_of) as attempt:
        attempt.write_json(run_record(stage_run.stage, shard), record)

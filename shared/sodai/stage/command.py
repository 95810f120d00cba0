"""The edge of every stage: its options, its one JSON result line, its exit code and its run record."""

import functools
import inspect
import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from sodai.data.catalog import run_record
from sodai.data.periods import Period, parse_date
from sodai.engines import EngineName
from sodai.errors import InputError, SodaiError
from sodai.object_store.backend import is_url, open_backend, url_of
from sodai.runtime.limits import tune_gc_for_imports
from sodai.stage.fingerprint import StageRun
from sodai.stage.inputs import Inputs

# Every environment name that a stage reads stands here.
ENV_DATA = "SODAI_DATA"
ENV_TRACKING_URI = "MLFLOW_TRACKING_URI"
ENV_ENGINE = "SODAI_ENGINE"
ENV_SPARK = "SODAI_SPARK"

EXIT_EXPECTED = 1

AsOf = Annotated[
    str,
    typer.Option("--as-of", metavar="DATE", help="First day to predict, YYYY-MM-DD; an exclusive cutoff."),
]
DataRoot = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar=ENV_DATA,
        metavar="FOLDER",
        help="Root of the shared volume: a folder, or s3://bucket/prefix.",
    ),
]
HorizonDays = Annotated[int, typer.Option("--horizon-days", min=1, max=28, help="Days to predict.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        envvar=ENV_TRACKING_URI,
        metavar="URI",
        help="MLflow server; SQLite in the volume if not given.",
    ),
]
WhichEngine = Annotated[
    EngineName,
    typer.Option(
        "--engine", envvar=ENV_ENGINE, help="What computes the tables: DuckDB here, or a Spark cluster."
    ),
]
SparkRemote = Annotated[
    str | None,
    typer.Option(
        "--spark-remote",
        envvar=ENV_SPARK,
        metavar="URL",
        help="Spark Connect server of --engine spark, sc://spark-connect:15002 for example.",
    ),
]
Force = Annotated[bool, typer.Option("--force/--no-force", help="Run even where nothing changed.")]
AUTO = "auto"
DEFAULT_DATA = Path("/data")
DEFAULT_HORIZON_DAYS = 7
DEFAULT_ENGINE = EngineName.DUCKDB

log = logging.getLogger("sodai")

StageFunction = Callable[..., Mapping[str, Any]]


def stage_command(stage: str, inputs: Inputs) -> Callable[[StageFunction], Callable[..., None]]:
    """Make a stage's function a command: logs on stderr, one JSON line on stdout, exit 0 or 1.

    The function takes at least `as_of` (text) and `data` (folder) and returns the figures of its
    result; `as_of` in the result wins over the argument, for the stage that finds it out. Wall
    time, CPU time and peak memory go into `weeks/<as_of>/<stage>/run.json` with the content key, those of
    a `shard` to its scores. Peak memory is all that the process, or a child of it, held at once: in a fork
    of the stage server with what that had imported for all stages.

    The command has one more option, `--force`. Without it, where inputs, settings, code and packages are
    those of an earlier run and what that run wrote is as it left it, the function is not called: the
    command gives the earlier result with `skipped`.

    Args:
        stage: task id.
        inputs: what the function reads of the volume and the registry.
    """

    def decorate(function: StageFunction) -> Callable[..., None]:
        @functools.wraps(function)
        def command(force: bool = False, **options: Any) -> None:
            _configure_logging(stage)
            try:
                _check_object_store(options)
                with open_backend(options["data"]) as place:
                    occasion = StageRun(stage, function, inputs, options, _period(options), place)
                    result = None if force else _earlier_result(occasion)
                    result = result or _run(stage, function, {**options, "data": place.root}, occasion)
            except SodaiError as error:
                message = " ".join(str(error).split())
                log.error(message)
                _emit({"stage": stage, "status": "failed", "error": message})
                raise typer.Exit(EXIT_EXPECTED) from None
            _emit(result)

        return _with_force(command, function)

    return decorate


def run_app(function: Callable[..., None], stage: str) -> None:
    """Run a stage's command with the arguments of the process."""
    tune_gc_for_imports()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(name=stage)(function)
    app(prog_name=stage)


def _configure_logging(stage: str) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        force=True,
        format=f"%(asctime)s {stage} %(levelname)s %(message)s",
    )
    for noisy in ("alembic", "botocore", "mlflow", "matplotlib", "shap", "fontTools", "numexpr"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _with_force(command: Callable[..., None], function: StageFunction) -> Callable[..., None]:
    """The command with `--force` beside the options of its stage, where typer looks for them."""
    signature = inspect.signature(function)
    force = inspect.Parameter("force", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Force)
    dressed: Any = command
    dressed.__signature__ = signature.replace(parameters=[*signature.parameters.values(), force])
    dressed.__annotations__ = {**function.__annotations__, "force": Force}
    return command


def _period(options: Mapping[str, Any]) -> Period | None:
    if options["as_of"] == AUTO:
        return None
    return Period(parse_date(options["as_of"]), options.get("horizon_days", DEFAULT_HORIZON_DAYS))


def _check_object_store(options: Mapping[str, Any]) -> None:
    """Refuse what cannot be with a volume on an object store."""
    if not is_url(options["data"]):
        return
    url = url_of(options["data"])
    if not options.get("tracking_uri", "not needed"):
        raise InputError(
            f"--tracking-uri: not given, expected an MLflow server: {url} is an object store, which cannot "
            f"hold MLflow's database; set {ENV_TRACKING_URI}"
        )
    if options.get("engine") is EngineName.SPARK:
        raise InputError(
            f"--engine: found spark, expected duckdb: {url} is an object store, of which a cluster does not "
            "see the copy that a stage works on; give --data a folder that the workers see too"
        )


def _earlier_result(occasion: StageRun) -> dict[str, Any] | None:
    record, reason = occasion.earlier_run()
    if record is None:
        if reason:
            log.info("runs again: %s", reason)
        return None
    occasion.remember()
    occasion.leave_skipped(record)
    log.info(
        "skipped: inputs, settings, code and packages are those of the run that took %.1f s, and what it "
        "wrote is as it left it; --force runs it again",
        record["wall_seconds"],
    )
    return {**record["result"], "skipped": True}


def _run(
    stage: str, function: StageFunction, options: Mapping[str, Any], occasion: StageRun
) -> dict[str, Any]:
    """Call the function, leave the record of its run, and publish both."""
    occasion.begin()
    started, clock = time.time(), time.perf_counter()
    figures = dict(function(**options))
    seconds = time.perf_counter() - clock
    as_of = parse_date(str(figures.pop("as_of", options["as_of"])))
    result = {"stage": stage, "status": "done", "as_of": as_of.isoformat(), **figures}
    usage = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    record = {
        "stage": stage,
        "started": started,
        "wall_seconds": round(seconds, 3),
        "cpu_seconds": round(sum(part.ru_utime + part.ru_stime for part in usage), 3),
        "peak_memory_mib": round(max(_own_peak_kib(), usage[1].ru_maxrss) / 1024, 1),
        "result": result,
        **occasion.made(as_of),
    }
    _write_record(stage, options["data"], as_of, record)
    occasion.publish(as_of)
    occasion.remember()
    return result


def _own_peak_kib() -> int:
    # ru_maxrss begins at the size of whoever started this process, Airflow for example; VmHWM of a new
    # program at nothing, of a fork at the server's size, of which nothing tells what the stage would need.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def _write_record(stage: str, root: Path, as_of: date, record: Mapping[str, Any]) -> None:
    from sodai.volume.volume import Volume

    shard = str(record["result"].get("shard", ""))
    with Volume(root).attempt(f"{stage}-run{shard}", as_of) as attempt:
        attempt.write_json(run_record(stage, shard), record)


def _emit(result: Mapping[str, Any]) -> None:
    sys.stderr.flush()
    sys.stdout.write(json.dumps(result, default=str, allow_nan=False) + "\n")
    sys.stdout.flush()

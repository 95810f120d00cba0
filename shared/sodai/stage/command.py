"""The command around every stage: logs, up-to-date check, one JSON result line, exit code, run record."""

import functools
import inspect
import json
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import typer

from sodai.data.periods import Period, parse_date
from sodai.errors import SodaiError
from sodai.object_store.backend import open_backend
from sodai.runtime.limits import tune_gc_for_imports
from sodai.stage.inputs import Inputs
from sodai.stage.options import AUTO, DEFAULT_HORIZON_DAYS, Force
from sodai.stage.settings import check_settings
from sodai.stage.stage_run import Record, StageRun

EXIT_EXPECTED = 1

log = logging.getLogger("sodai")


def stage_command(
    stage: str, inputs: Inputs, preload: str = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function that declares options, and does nothing, the command of a stage.

    The command adds the option `--force`. It skips the stage if its fingerprint, its outputs and the registry
    are those of an earlier run. Otherwise it imports the package's `run.py` and calls

        run(volume, period, **options) -> figures of the result

    where `options` are those of the stage without as_of, data and horizon_days, and `period` is None if
    `--as-of auto` leaves it to the stage, which then returns `as_of`. `volume` refuses to read what `inputs`
    does not declare. Logs go to stderr, one JSON line to stdout; exit 0, or 1 for an expected failure.

    Args:
        stage: task id.
        inputs: the data sets and the registry state that the stage reads.
        preload: `module:function` that another process imports while this one imports `run.py`; `run` gets
            the function as an argument of its name.
    """

    def decorate(options_of: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(options_of)
        def command(force: bool = False, **options: Any) -> None:
            _configure_logging(stage)
            try:
                check_settings(options)
                with open_backend(options["data"]) as backend:
                    stage_run = StageRun(stage, options_of, inputs, options, _period(options), backend)
                    result = None if force else _earlier_result(stage_run)
                    result = result or _execute(stage_run, options_of, preload)
            except SodaiError as error:
                message = " ".join(str(error).split())
                log.error(message)
                _emit({"stage": stage, "status": "failed", "error": message})
                raise typer.Exit(EXIT_EXPECTED) from None
            _emit(result)

        return _with_force(command, options_of)

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
    for noisy in ("alembic", "mlflow", "matplotlib", "shap", "fontTools", "numexpr"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _with_force(command: Callable[..., None], options_of: Callable[..., None]) -> Callable[..., None]:
    """Add `--force` to the options of a stage, in the signature where typer looks for them."""
    signature = inspect.signature(options_of)
    force = inspect.Parameter("force", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Force)
    typed: Any = command
    typed.__signature__ = signature.replace(parameters=[*signature.parameters.values(), force])
    typed.__annotations__ = {**options_of.__annotations__, "force": Force}
    return command


def _period(options: Mapping[str, Any]) -> Period | None:
    if options["as_of"] == AUTO:
        return None
    return Period(parse_date(options["as_of"]), options.get("horizon_days", DEFAULT_HORIZON_DAYS))


def _earlier_result(stage_run: StageRun) -> Record | None:
    record, reason = stage_run.up_to_date_record()
    if record is None:
        if reason:
            log.info("rerunning: %s", reason)
        return None
    stage_run.skip(record)
    log.info("up to date, skipping (last run %.1f s); use --force to rerun", record["wall_seconds"])
    return {**record["result"], "skipped": True}


def _execute(stage_run: StageRun, options_of: Callable[..., None], preload: str) -> Record:
    # With it comes pyarrow, which `--help` and a skipped run do without.
    from sodai.stage.execution import execute

    return execute(stage_run, f"{options_of.__module__.rpartition('.')[0]}.run", preload)


def _emit(result: Mapping[str, Any]) -> None:
    sys.stderr.flush()
    sys.stdout.write(json.dumps(result, default=str, allow_nan=False) + "\n")
    sys.stdout.flush()

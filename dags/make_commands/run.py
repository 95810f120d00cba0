"""Run the whole DAG once without a scheduler and print where the results are: `make run`."""

import argparse
import atexit
import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from make_commands.input_volume import RunVolume, add_input, open_volume
from make_commands.progress import Progress
from sodai_dag.parameters import RUN_PARAMETERS, RunParameter
from sodai_dag.settings import DOCKER, PROCESS, ROOT, Settings, settings_from
from sodai_dag.stages import DETECT, EVALUATE, EXTRACT

# Contains the version of Airflow that created or migrated the database next to it.
_MIGRATED = "migrated"
# The exit code of a program that SIGINT ended, 128 + 2.
_EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run the pipeline with command-line arguments and return the exit code."""
    options = vars(_parse(arguments))
    volume = open_volume(options["out"])
    home = volume.home / ".airflow"
    environment = airflow_environment(home, volume.name, options["runner"])
    try:
        settings = settings_from(environment)
        _check_interpreter(settings)
        source = add_input(volume, options["data"])
    except (ValueError, OSError) as error:
        print(f"run: {error}", file=sys.stderr)
        return 1
    print(f"run: input is {source}")
    how = "containers" if settings.runner == DOCKER else "local processes"
    print(f"run: stages as {how}, volume {volume.name}")
    if settings.runner == PROCESS and not _engine_answers():
        print(
            "run: no Docker engine with Buildx answers, so stages run as local processes; "
            "make engine starts one on Debian"
        )
    os.environ.update(environment)
    return _run(volume, home, {parameter.name: options[parameter.name] for parameter in RUN_PARAMETERS})


def airflow_environment(home: Path, volume: str, runner: str) -> dict[str, str]:
    """Return the environment of an Airflow with all its files in one folder, on SQLite, without telemetry."""
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "false",
        "NO_COLOR": "1",
        "PYTHONPATH": str(ROOT / "dags"),
        "PYTHONUNBUFFERED": "1",
        "SODAI_RUNNER": runner,
        "SODAI_VOLUME": volume,
    }


def _check_interpreter(settings: Settings) -> None:
    if settings.runner == PROCESS and shutil.which(settings.python) is None:
        raise ValueError(
            f"SODAI_PYTHON: found {settings.python}, expected the interpreter of the stages; run make env"
        )


def _run(volume: RunVolume, home: Path, params: Mapping[str, Any]) -> int:
    home.mkdir(parents=True, exist_ok=True)
    log = volume.home / "logs" / f"run-{time.strftime('%Y%m%d-%H%M%S')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    progress = Progress(sys.stdout)
    try:
        with (
            log.open("w", encoding="utf-8", buffering=1) as file,
            redirect_stdout(file),
            redirect_stderr(file),
        ):
            succeeded = _run_dag(home, params, progress)
    except KeyboardInterrupt:
        print(f"run: interrupted; full log in {log}", file=sys.stderr)
        return _EXIT_INTERRUPTED
    seconds = time.monotonic() - started
    if not succeeded:
        print(f"run: failed after {seconds:.0f} s: {progress.error or f'see {log}'}", file=sys.stderr)
        print(f"run: full log in {log}", file=sys.stderr)
        return 1
    _summarize(volume, progress.results, seconds, log)
    return 0


def _run_dag(home: Path, params: Mapping[str, Any], progress: Progress) -> bool:
    # Airflow's start creates many objects and keeps them: searching them for cycles again and again, and once
    # more at the end, takes seconds.
    gc.set_threshold(50_000, 50, 1_000)
    atexit.register(gc.freeze)
    # Imported here, because Airflow reads its environment and its output streams while it is imported.
    from make_commands.dag_run import run_dag

    airflow = version("apache-airflow-core")
    succeeded = run_dag(params, progress.add, needs_migration(home, airflow))
    (home / _MIGRATED).write_text(airflow, encoding="utf-8")
    return succeeded


def needs_migration(home: Path, airflow: str) -> bool:
    """Return whether the database in a folder is missing or was written by another version of Airflow."""
    migrated = home / _MIGRATED
    return not migrated.exists() or migrated.read_text(encoding="utf-8") != airflow


def _summarize(
    volume: RunVolume, results: Mapping[str, Mapping[str, Any]], seconds: float, log: Path
) -> None:
    as_of, decision, evaluation = results[EXTRACT]["as_of"], results[DETECT], results[EVALUATE]
    print(f"run: week of {as_of} published in {seconds:.0f} s")
    print(f"  decision         {decision['branch']} ({decision['rule']}): {decision['reason']}")
    print(f"  model            version {evaluation['published']['version']}, {evaluation['reason']}")
    print(f"  recommendations  {volume.path_of(f'predictions/week={as_of}')}")
    print(f"  pages            {volume.path_of(f'reports/{as_of}/index.html')}")
    print(f"  full log         {log}")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder laid out like raw/; by default what raw/ contains")
    parser.add_argument("--runner", choices=[DOCKER, PROCESS], required=True)
    parser.add_argument("--out", default="data", help="root of the volume, a folder or s3://bucket/prefix")
    for parameter in RUN_PARAMETERS:
        options: dict[str, Any] = {"action": "store_true"}
        if parameter.type != "boolean":
            read = _day if parameter.type == "date" else partial(_number, parameter)
            options = {"type": read, "default": parameter.default}
        parser.add_argument(parameter.option, dest=parameter.name, help=parameter.title, **options)
    return parser.parse_args(arguments)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text}, expected a day such as 2025-01-06") from None


def _number(parameter: RunParameter, text: str) -> int:
    least, most = parameter.minimum, parameter.maximum
    if not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"found {text}, expected a whole number from {least} to {most}")
    return int(text)


def _engine_answers() -> bool:
    """Return whether containers could run: an engine answers, and Buildx builds images for it."""
    if shutil.which("docker") is None:
        return False
    commands = (["docker", "version"], ["docker", "buildx", "version"])
    return all(subprocess.run(one, capture_output=True, check=False).returncode == 0 for one in commands)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Runs the whole DAG once without a scheduler and says where the results are: what `make run` calls."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from run_volume import ROOT, RunVolume, bring, run_volume
from sodai_arguments import BOUNDS
from sodai_settings import DOCKER, PROCESS, settings_from

# Several of Airflow's commands in one process, which imports it once, and with a garbage collector that
# does not look again and again through all that the start makes and keeps, nor at the end.
_AIRFLOW = """
import atexit, gc, json, sys
gc.set_threshold(50_000, 50, 1_000)
atexit.register(gc.freeze)
from airflow.__main__ import main
for sys.argv in json.loads(sys.argv[1]):
    main()
"""
DAG_ID = "sodai_recommendation_pipeline"
# Holds the version of Airflow that the database beside it is of.
_MIGRATED = "migrated"
_STATE = re.compile(r"\[DAG TEST\] (starting|end task) task_id=(\w+) map_index=(-?\d+)")
_SKIPPED = re.compile(r"period to predict: .*'skipped': True")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def main(arguments: Sequence[str]) -> int:
    """Run the pipeline with command-line arguments; gives the exit code."""
    options = _parse(arguments)
    try:
        volume = run_volume(options.out)
        brought = bring(volume, options.data)
    except OSError as error:
        print(f"run: {error}", file=sys.stderr)
        return 1
    how = "containers" if options.runner == DOCKER else "local processes"
    print(f"run: input is {brought}")
    print(f"run: stages as {how}, volume {volume.name}")
    if options.runner == PROCESS and not _engine_answers():
        print(
            "run: no Docker engine with Buildx answers, so stages run as local processes; "
            "make engine starts one on Debian"
        )
    params = {
        "as_of": options.as_of,
        "horizon_days": options.horizon,
        "trials": options.trials,
        "force_retrain": options.force_retrain,
        "force": options.force,
        "k": options.k,
    }
    return _run(volume, options.runner, params)


def airflow_environment(home: Path, volume: str, runner: str) -> dict[str, str]:
    """The environment of an Airflow that lives in a folder: SQLite, no examples, nothing sent out."""
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


def _run(volume: RunVolume, runner: str, params: dict[str, Any]) -> int:
    home = volume.home / ".airflow"
    home.mkdir(parents=True, exist_ok=True)
    airflow = version("apache-airflow-core")
    commands = [*_migration(home, airflow), ["airflow", "dags", "test", DAG_ID, "--conf", json.dumps(params)]]
    environment = airflow_environment(home, volume.name, runner)
    try:
        _check_settings(environment)
    except ValueError as refused:
        print(f"run: {refused}", file=sys.stderr)
        return 1
    log = volume.home / "logs" / f"run-{time.strftime('%Y%m%d-%H%M%S')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("w", encoding="utf-8", buffering=1) as written:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _AIRFLOW, json.dumps(commands)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines = _copied(process, written)
        result, error = _show(lines)
        code = process.wait()
    seconds = time.monotonic() - started
    if code or result is None:
        print(f"run: failed after {seconds:.0f} s: {error or f'see {log}'}", file=sys.stderr)
        print(f"run: full log in {log}", file=sys.stderr)
        return 1
    (home / _MIGRATED).write_text(airflow, encoding="utf-8")
    _summarize(volume, result, seconds, log)
    return 0


def _migration(home: Path, airflow: str) -> list[list[str]]:
    """What brings the database in `home` to a version of Airflow; nothing after a good run of it."""
    migrated = home / _MIGRATED
    if migrated.exists() and migrated.read_text(encoding="utf-8") == airflow:
        return []
    return [["airflow", "db", "migrate"]]


def _check_settings(environment: Mapping[str, str]) -> None:
    """Refuse settings with which no stage can start.

    Raises:
        ValueError: the environment is refused, or names an interpreter that is none.
    """
    settings = settings_from(environment)
    if settings.runner == PROCESS and shutil.which(settings.python) is None:
        raise ValueError(
            f"SODAI_PYTHON: found {settings.python}, expected the interpreter of stages; make env makes it"
        )


def _copied(process: "subprocess.Popen[str]", written: Any) -> Iterator[str]:
    for line in process.stdout or ():
        written.write(line)
        yield _ANSI.sub("", line.rstrip())


def _show(lines: Iterator[str]) -> tuple[str | None, str | None]:
    """Print a line for each try of a task; gives the period, and the error of a task that failed for good."""
    begun: dict[str, float] = {}
    errors: dict[str, str] = {}
    as_of, task, note = None, "", ""
    for line in lines:
        if state := _STATE.search(line):
            what, name, index = state.groups()
            task = name if index == "-1" else f"{name} {index}"
            if what == "starting":
                begun[task] = time.monotonic()
                errors.pop(task, None)
            else:
                seconds = time.monotonic() - begun.get(task, time.monotonic())
                note = "  failed" if task in errors else note
                print(f"  {task:<28} {seconds:6.1f} s{note}", flush=True)
            note = ""
        if _SKIPPED.search(line):
            note = "  skipped, nothing changed"
        if found := re.search(r"\b(?:StageFailed|StageLost|StageOutOfMemory): (.*)", line):
            errors[task] = found.group(1)
        if found := re.search(r"period to predict: (\d{4}-\d{2}-\d{2})", line):
            as_of = found.group(1)
    return as_of, next(iter(errors.values()), None)


def _summarize(volume: RunVolume, as_of: str, seconds: float, log: Path) -> None:
    decision = volume.read_json(f"weeks/{as_of}/detect_data_drift/decision.json")
    evaluation = volume.read_json(f"weeks/{as_of}/evaluate_model/evaluation.json")
    published = evaluation["published"]
    print(f"run: week of {as_of} published in {seconds:.0f} s")
    print(f"  decision         {decision['branch']} ({decision['rule']}): {decision['reason']}")
    print(f"  model            version {published['version']}, {evaluation['reason']}")
    print(f"  recommendations  {volume.place(f'predictions/week={as_of}')}")
    print(f"  pages            {volume.place(f'reports/{as_of}/index.html')}")
    print(f"  full log         {log}")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder laid out like raw/; none for what raw/ holds")
    parser.add_argument("--as-of", type=_day, help="first day to predict; the day after the newest purchase")
    parser.add_argument("--horizon", type=_number("horizon_days"), default=7, help="days to predict")
    parser.add_argument("--runner", choices=[DOCKER, PROCESS], required=True)
    parser.add_argument("--out", default="data", help="root of the volume, a folder or s3://bucket/prefix")
    parser.add_argument("--trials", type=_number("trials"), default=50, help="Optuna trials")
    parser.add_argument("--k", type=_number("k"), default=10, help="products per customer")
    parser.add_argument("--force-retrain", action="store_true", help="train again in any case")
    parser.add_argument("--force", action="store_true", help="run stages even where nothing changed")
    return parser.parse_args(arguments)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text}, expected a day such as 2025-01-06") from None


def _number(name: str) -> Callable[[str], int]:
    least, most = BOUNDS[name]["minimum"], BOUNDS[name]["maximum"]

    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"found {text}, expected a whole number from {least} to {most}")
        return int(text)

    return number


def _engine_answers() -> bool:
    """Whether containers could run, as `make run` asks: an engine answers, and Buildx makes images for it."""
    if shutil.which("docker") is None:
        return False
    asked = (["docker", "version"], ["docker", "buildx", "version"])
    return all(subprocess.run(one, capture_output=True, check=False).returncode == 0 for one in asked)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Runs the whole DAG once without a scheduler and says where the results are: what `make run` calls."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sodai_settings import DOCKER, PROCESS

ROOT = Path(__file__).resolve().parent.parent
# Several of Airflow's commands in one process, which imports it once, and with a garbage collector that
# does not look again and again through all that the start makes and keeps.
_AIRFLOW = """
import gc, json, sys
gc.set_threshold(50_000, 50, 1_000)
from airflow.__main__ import main
for sys.argv in json.loads(sys.argv[1]):
    main()
"""
DAG_ID = "sodai_recommendation_pipeline"
_STATE = re.compile(r"\[DAG TEST\] (starting|end task) task_id=(\w+) map_index=(-?\d+)")
_SKIPPED = re.compile(r"period to predict: .*'skipped': True")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def main(arguments: Sequence[str]) -> int:
    """Run the pipeline with command-line arguments; gives the exit code."""
    options = _parse(arguments)
    volume = options.out.resolve()
    try:
        prepare_raw(options.data, volume / "raw")
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"run: {options.data or 'example data'}: {error}", file=sys.stderr)
        return 1
    print(
        f"run: stages as {'containers' if options.runner == DOCKER else 'local processes'}, volume {volume}"
    )
    if options.runner == PROCESS and not _engine_answers():
        print("run: no Docker engine answers, so stages run as local processes; make engine starts one")
    params = {
        "as_of": options.as_of,
        "horizon_days": options.horizon,
        "trials": options.trials,
        "force_retrain": options.force_retrain,
        "force": options.force,
        "k": options.k,
    }
    return _run(volume, options.runner, params)


def prepare_raw(source: Path | None, raw: Path) -> None:
    """Bring the files of `source` into raw/, or the example data where no source is given.

    New and changed files are copied under a private name and renamed; nothing is deleted.

    Raises:
        FileNotFoundError: `source` is no folder with parquet files.
    """
    raw.mkdir(parents=True, exist_ok=True)
    if source is None:
        command = [str(ROOT / ".venv/bin/python"), "-m", "example_data", str(raw)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "shared")})
        return
    files = sorted(source.glob("*.parquet"))
    if not files:
        raise FileNotFoundError("no parquet files, expected transactions, customers and products")
    for file in files:
        target = raw / file.name
        if file.resolve() == target.resolve() or (target.exists() and _same(file, target)):
            continue
        private = raw / f".{file.name}.part"
        shutil.copyfile(file, private)
        os.replace(private, target)


def airflow_environment(home: Path, volume: Path, runner: str) -> dict[str, str]:
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
        "SODAI_VOLUME": str(volume),
    }


def _run(volume: Path, runner: str, params: dict[str, Any]) -> int:
    home = volume / ".airflow"
    home.mkdir(parents=True, exist_ok=True)
    migrated = home / "migrated"
    commands = [["airflow", "dags", "test", DAG_ID, "--conf", json.dumps(params)]]
    if not migrated.exists():
        commands.insert(0, ["airflow", "db", "migrate"])
    log = volume / "logs" / f"run-{time.strftime('%Y%m%d-%H%M%S')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("w", encoding="utf-8", buffering=1) as written:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _AIRFLOW, json.dumps(commands)],
            env={**airflow_environment(home, volume, runner), "SODAI_EARLY_START": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines = _copied(process, written)
        result, error = _show(lines)
        code = process.wait()
    seconds = time.monotonic() - started
    if code or error or result is None:
        print(f"run: failed after {seconds:.0f} s: {error or f'see {log}'}", file=sys.stderr)
        print(f"run: full log in {log}", file=sys.stderr)
        return 1
    migrated.touch()
    _summarize(volume, result, seconds, log)
    return 0


def _copied(process: "subprocess.Popen[str]", written: Any) -> Iterator[str]:
    for line in process.stdout or ():
        written.write(line)
        yield _ANSI.sub("", line.rstrip())


def _show(lines: Iterator[str]) -> tuple[str | None, str | None]:
    """Print a line for each task; gives the period that was published and the first error."""
    begun: dict[str, float] = {}
    as_of = error = None
    note = ""
    for line in lines:
        if state := _STATE.search(line):
            what, name, index = state.groups()
            task = name if index == "-1" else f"{name} {index}"
            if what == "starting":
                begun[task] = time.monotonic()
            else:
                seconds = time.monotonic() - begun.get(task, time.monotonic())
                print(f"  {task:<28} {seconds:6.1f} s{note}", flush=True)
            note = ""
        if _SKIPPED.search(line):
            note = "  skipped, nothing changed"
        if found := re.search(r"\b(?:StageFailed|StageLost|StageOutOfMemory): (.*)", line):
            error = error or found.group(1)
        if found := re.search(r"period to predict: (\d{4}-\d{2}-\d{2})", line):
            as_of = found.group(1)
    return as_of, error


def _summarize(volume: Path, as_of: str, seconds: float, log: Path) -> None:
    weeks = volume / "weeks" / as_of
    decision = json.loads((weeks / "detect_data_drift" / "decision.json").read_text())
    evaluation = json.loads((weeks / "evaluate_model" / "evaluation.json").read_text())
    published = evaluation["published"]
    print(f"run: week of {as_of} published in {seconds:.0f} s")
    print(f"  decision         {decision['branch']} ({decision['rule']}): {decision['reason']}")
    print(f"  model            version {published['version']}, {evaluation['reason']}")
    print(f"  recommendations  {volume / 'predictions' / f'week={as_of}'}")
    print(f"  pages            {volume / 'reports' / as_of / 'index.html'}")
    print(f"  full log         {log}")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder laid out like raw/; example data if not given")
    parser.add_argument("--as-of", type=_date, help="first day to predict; the day after the newest purchase")
    parser.add_argument("--horizon", type=int, default=7, help="days to predict")
    parser.add_argument("--runner", choices=[DOCKER, PROCESS], required=True)
    parser.add_argument("--out", type=Path, default=Path("data"), help="root of the volume")
    parser.add_argument("--trials", type=int, default=50, help="Optuna trials")
    parser.add_argument("--k", type=int, default=10, help="products per customer")
    parser.add_argument("--force-retrain", action="store_true", help="train again in any case")
    parser.add_argument("--force", action="store_true", help="run stages even where nothing changed")
    return parser.parse_args(arguments)


def _date(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _engine_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

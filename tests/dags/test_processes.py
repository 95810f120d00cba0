"""Processes of stages that start early: what they are told, and what becomes of those never needed."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Event

import sodai_processes
from dags.conftest import Week, wait_until
from run_volume import ROOT
from sodai_settings import Settings, settings_from

STAGE = "create_features"
# A runner that ends before the turn of the stage comes.
HASTY = """
import time
import sodai_processes
from sodai_settings import settings_from
sodai_processes.prepare(settings_from(), ["create_features"])
while "create_features" not in sodai_processes._waiting:
    time.sleep(.01)
print(sodai_processes._waiting["create_features"].pid)
"""


def settings_of(week: Week) -> Settings:
    return replace(settings_from({"SODAI_RUNNER": "process"}), volume=str(week.root))


def runs(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def prepared(settings: Settings, *stages: str) -> list["subprocess.Popen[str]"]:
    sodai_processes.prepare(settings, stages)
    wait_until(lambda: all(stage in sodai_processes._waiting for stage in stages))
    return [sodai_processes._waiting[stage] for stage in stages]


def finished(process: "subprocess.Popen[str]") -> dict[str, object]:
    out, log = process.communicate()
    assert process.returncode == 0, log
    return dict(json.loads(out))


def test_a_process_that_started_early_does_what_it_is_told(week: Week) -> None:
    settings = settings_of(week)
    [waiting] = prepared(settings, STAGE)
    process = sodai_processes.start(settings, STAGE, ["--as-of", week.as_of])

    assert process is waiting
    result = finished(process)
    assert (result["stage"], result["status"], result["as_of"]) == (STAGE, "done", week.as_of)

    # It is told once: the next of that stage is a new one, which finds that nothing changed.
    again = sodai_processes.start(settings, STAGE, ["--as-of", week.as_of])
    assert again is not waiting
    assert finished(again) == {**result, "skipped": True}


def test_one_that_died_while_it_waited_is_replaced(week: Week) -> None:
    settings = settings_of(week)
    [waiting] = prepared(settings, STAGE)
    waiting.kill()
    waiting.communicate()
    assert finished(sodai_processes.start(settings, STAGE, ["--as-of", week.as_of]))["status"] == "done"


def test_the_one_of_the_branch_that_is_not_taken_ends_as_the_other_begins(week: Week) -> None:
    settings = settings_of(week)
    _, not_taken = prepared(settings, STAGE, "load_existing_model")
    taken = sodai_processes.start(settings, STAGE, ["--as-of", week.as_of], ["load_existing_model"])
    assert not_taken.poll() is not None
    assert not sodai_processes._waiting
    assert finished(taken)["stage"] == STAGE


def test_one_of_a_later_stage_waits_on(week: Week) -> None:
    settings = settings_of(week)
    _, later = prepared(settings, STAGE, "detect_data_drift")
    finished(sodai_processes.start(settings, STAGE, ["--as-of", week.as_of]))
    assert later.poll() is None

    process = sodai_processes.start(settings, "detect_data_drift", ["--as-of", week.as_of])
    assert process is later
    assert finished(process)["stage"] == "detect_data_drift"


def test_one_that_is_never_needed_ends_with_its_runner(week: Week) -> None:
    environment = {
        "PYTHONPATH": str(ROOT / "dags"),
        "SODAI_RUNNER": "process",
        "SODAI_VOLUME": str(week.root),
    }
    hasty = subprocess.run([sys.executable, "-c", HASTY], env=environment, capture_output=True, text=True)
    wait_until(lambda: not runs(int(hasty.stdout)))
    assert not (week.root / "weeks" / week.as_of / STAGE).exists()


def test_nothing_starts_early_beside_a_stage_that_ends_at_once(week: Week) -> None:
    called_off = Event()
    sodai_processes.prepare(settings_of(week), [STAGE], sodai_processes.SETTLED_SECONDS, called_off)
    called_off.set()
    time.sleep(1.5 * sodai_processes.SETTLED_SECONDS)
    assert STAGE not in sodai_processes._waiting

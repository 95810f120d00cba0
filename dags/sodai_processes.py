"""Processes of stages on this machine; the next may import while the stage before it still works."""

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from threading import Lock, Timer

from sodai_settings import Settings

# A stage that nothing changed for has ended by then, and the next is likely to be as quick.
_SETTLED_SECONDS = 1.0

_waiting: dict[str, "subprocess.Popen[str]"] = {}
_lock = Lock()


def start(settings: Settings, stage: str, arguments: Sequence[str]) -> "subprocess.Popen[str]":
    """The process of a stage at work: the one that waits for its arguments, or a new one.

    It leads a session of its own, and its output comes through pipes. What waited beside it was for
    the branch that is not taken, and ends.
    """
    with _lock:
        waiting = _waiting.pop(stage, None)
        not_taken = [_waiting.pop(other) for other in list(_waiting)] if waiting else []
    for process in not_taken:
        process.kill()
        process.communicate()
    if waiting is not None and waiting.stdin is not None and waiting.poll() is None:
        try:
            waiting.stdin.write(json.dumps(list(arguments)) + "\n")
            waiting.stdin.close()
            waiting.stdin = None
            return waiting
        except BrokenPipeError:
            waiting.wait()
    return _spawned(settings, [stage, *arguments], subprocess.DEVNULL)


def prepare_later(settings: Settings, stages: Iterable[str]) -> Timer:
    """Let processes of some stages import and wait, unless the timer that comes back is cancelled soon.

    A process that is never started ends with this one.
    """
    timer = Timer(_SETTLED_SECONDS, prepare, [settings, list(stages)])
    timer.daemon = True
    timer.start()
    return timer


def prepare(settings: Settings, stages: Iterable[str]) -> None:
    """Let processes of some stages import and wait for `start`; what waits already is left alone."""
    with _lock:
        for stage in stages:
            if stage not in _waiting:
                _waiting[stage] = _spawned(settings, ["sodai.warm", stage], subprocess.PIPE)


def _spawned(settings: Settings, module: Sequence[str], stdin: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [settings.python, "-m", *module],
        env=_environment(settings),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        **settings.stage_environment,
        "PYTHONPATH": f"{settings.code / 'shared'}{os.pathsep}{settings.code / 'stages'}",
        "SODAI_DATA": settings.volume,
    }

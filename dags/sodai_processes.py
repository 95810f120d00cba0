"""Processes of stages on this machine; later ones may import while a stage still works."""

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from threading import Event, Lock, Thread

from sodai_settings import Settings

# A stage that nothing changed for has ended by then, and the next is likely to be as quick.
SETTLED_SECONDS = 1.0

_waiting: dict[str, "subprocess.Popen[str]"] = {}
_lock = Lock()
_importing = Lock()


def start(
    settings: Settings, stage: str, arguments: Sequence[str], beside: Iterable[str] = ()
) -> "subprocess.Popen[str]":
    """The process of a stage at work: the one that waits for its arguments, or a new one.

    It leads a session of its own, and its output comes through pipes.

    Args:
        settings: of the run.
        stage: to start.
        arguments: of its command line.
        beside: stages of the branch that is not taken; what waits for them ends.
    """
    with _lock:
        waiting = _waiting.pop(stage, None)
        not_taken = [_waiting.pop(other) for other in beside if other in _waiting]
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


def prepare(
    settings: Settings, stages: Sequence[str], after_seconds: float = 0.0, called_off: Event | None = None
) -> None:
    """Let processes of some stages import in turn and wait for `start`.

    One at a time, so that a stage at work keeps a core of two. What waits already is left alone, and
    what is never started ends with this process.

    Args:
        settings: of the run.
        stages: in the order in which they import.
        after_seconds: before the first of them.
        called_off: once it is set, no other begins.
    """
    arguments = (settings, stages, after_seconds, called_off or Event())
    Thread(target=_prepare, args=arguments, daemon=True).start()


def _prepare(settings: Settings, stages: Sequence[str], after_seconds: float, called_off: Event) -> None:
    called_off.wait(after_seconds)
    for stage in stages:
        with _importing:
            # Its other end closes when the process has imported, or has ended.
            imported, told = os.pipe()
            with os.fdopen(imported, "rb") as pipe:
                with os.fdopen(told, "wb"), _lock:
                    if called_off.is_set():
                        return
                    if stage not in _waiting:
                        module = ["sodai.warm", stage, str(told)]
                        _waiting[stage] = _spawned(settings, module, subprocess.PIPE, [told])
                pipe.read()


def _spawned(
    settings: Settings, module: Sequence[str], stdin: int, pass_fds: Sequence[int] = ()
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [settings.python, "-m", *module],
        env=_environment(settings),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        pass_fds=pass_fds,
    )


def _environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        **settings.stage_environment,
        "PYTHONPATH": f"{settings.code / 'shared'}{os.pathsep}{settings.code / 'stages'}",
        "SODAI_DATA": settings.volume,
    }

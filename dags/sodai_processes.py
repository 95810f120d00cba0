"""Processes of stages on this machine: new ones, or forks of a server that has imported what they need."""

import json
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from sodai_arguments import STAGES
from sodai_settings import Settings

_MOST_BYTES = 64


class ForkedStage:
    """A stage's process that the stage server forked; the server kills it if this process ends before.

    It offers what a runner needs of `subprocess.Popen`: `pid`, which leads a process group, `stdout` and
    `stderr` as text, `poll` and `wait`.

    Args:
        server: path of its socket.
        request: stage, arguments, environment and folder of the process.

    Raises:
        OSError: the server is not there, or ended before it answered.
    """

    def __init__(self, server: str, request: Mapping[str, object]) -> None:
        self.returncode: int | None = None
        with ExitStack() as opened:
            self._connection = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            self._connection.connect(server)
            self.stdout, stdout = _pipe(opened)
            self.stderr, stderr = _pipe(opened)
            with stdout, stderr:
                streams = [stdout.fileno(), stderr.fileno()]
                socket.send_fds(self._connection, [json.dumps(request).encode()], streams)
            answer = self._connection.recv(_MOST_BYTES)
            if not answer:
                raise ConnectionError(f"the stage server at {server} ended")
            self.pid = int(answer)
            opened.pop_all()

    def poll(self) -> int | None:
        """The exit code, none while it works."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code once there is one, negative for a signal.

        Raises:
            subprocess.TimeoutExpired: there is none after `timeout` seconds.
        """
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                answer = self._connection.recv(_MOST_BYTES)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from None
            except ConnectionResetError:
                answer = b""
            self._connection.close()
            if not answer:  # the server is gone, so nobody would know how the stage ends
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
            self.returncode = int(answer) if answer else -signal.SIGKILL
        return self.returncode


def start(settings: Settings, stage: str, arguments: Sequence[str]) -> "subprocess.Popen[str] | ForkedStage":
    """The process of a stage: a fork of the stage server if the settings name one, or a new one.

    It leads a process group of its own, and its output comes through pipes.

    Raises:
        OSError: the stage server is not there.
    """
    environment = _environment(settings)
    if settings.stage_server:
        request = {
            "stage": stage,
            "arguments": list(arguments),
            "environment": environment,
            "folder": str(Path.cwd()),
        }
        return ForkedStage(settings.stage_server, request)
    return subprocess.Popen(
        [settings.python, "-m", stage, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextmanager
def stage_server(settings: Settings) -> Iterator[str]:
    """A stage server that begins to import; gives the address of its socket.

    It ends with the context or with this process, and so does every stage that it forked.
    """
    with tempfile.TemporaryDirectory(prefix="sodai-") as folder:
        address = str(Path(folder) / "stages")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(address)
            listener.listen()
            process = subprocess.Popen(
                [settings.python, "-m", "sodai.stage_server", str(listener.fileno()), *STAGES],
                env=_environment(settings),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=[listener.fileno()],
            )
        # Only the server holds the socket now: where it ends, nobody waits for its answer.
        try:
            yield address
        finally:
            process.communicate()


def _pipe(opened: ExitStack) -> tuple[TextIO, TextIO]:
    """The ends of a pipe, of which `opened` closes the one to read from."""
    reading, writing = os.pipe()
    return opened.enter_context(os.fdopen(reading, encoding="utf-8")), os.fdopen(writing, "w")


def _environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        **settings.stage_environment,
        "PYTHONPATH": f"{settings.code / 'shared'}{os.pathsep}{settings.code / 'stages'}",
        "SODAI_DATA": settings.volume,
    }

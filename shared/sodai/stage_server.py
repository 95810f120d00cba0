"""A process that has imported what stages need, and forks one for each: `python -m sodai.stage_server`.

Imports are half of the CPU time of a small run, and mostly the same for every stage. The process runner
starts one server a run, which imports while Airflow starts.

A connection to its socket is a stage: the request, with the descriptors of its stdout and stderr, is
answered with the number of its process, and with its exit code when it has ended. Who closes the
connection before kills it, so that nothing outlives the runner that wanted it. The server ends with its
stdin. Linux only, as the pidfds are.

A stage's content key is made of the code and packages that are there when it starts. Where they are not
those that the server began with, its fork becomes a new process, which imports them itself. What cannot
be imported is left to the stage, which tries again and tells.
"""

import ast
import gc
import importlib
import inspect
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from sodai.runtime.limits import tune_gc_for_imports
from sodai.stage.fingerprint import code_digest, packages_digest

# Of a request: the environment of a process is the most of it.
_MOST_BYTES = 1 << 20
# What ends one import must not end the server, and with it a stage at work: code may raise anything.
_OF_AN_IMPORT = (Exception, SystemExit)


@dataclass(frozen=True)
class _Child:
    """A stage at work, and who waits for it."""

    pid: int
    pidfd: int
    connection: socket.socket


def main(listener: int, stages: Sequence[str]) -> None:
    """Fork stages until stdin ends; in a fork, run its stage.

    Args:
        listener: descriptor of a listening socket, AF_UNIX and SOCK_SEQPACKET.
        stages: packages, in the order in which they are imported while nobody asks for one.
    """
    tune_gc_for_imports()
    # Python 3.12 warns of other threads at every fork. They are OpenBLAS's and jemalloc's, which see to it.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    code = _code_and_packages()
    with socket.socket(fileno=listener) as listening:
        stage = _Server(listening, _needed(stages)).serve()
    if not stage:
        return
    if _code_and_packages() != code:
        os.execv(sys.executable, [sys.executable, "-m", stage, *sys.argv[1:]])
    importlib.import_module(f"{stage}.__main__")


class _Server:
    def __init__(self, listener: socket.socket, modules: Iterator[str]) -> None:
        self.listener, self.modules = listener, modules
        self.selector = selectors.DefaultSelector()
        self.children: list[_Child] = []
        self.started_with = set(os.environ)

    def serve(self) -> str | None:
        """In a fork the stage that it is to run; none when stdin has ended, and all stages with it."""
        self.selector.register(self.listener, selectors.EVENT_READ, self.fork)
        self.selector.register(sys.stdin, selectors.EVENT_READ)
        importing = True
        while True:
            ready = [key.data for key, _ in self.selector.select(0 if importing else None)]
            if None in ready:
                self.end()
                return None
            for action in ready:
                if stage := action():
                    return str(stage)
            if importing and not ready:
                importing = self.import_next()

    def import_next(self) -> bool:
        """Import one module more; false if there is none."""
        for name in self.modules:
            with suppress(*_OF_AN_IMPORT):
                importlib.import_module(name)
            return True
        gc.freeze()
        return False

    def fork(self) -> str | None:
        """Answer a request with a process; in that process, the stage."""
        connection, _ = self.listener.accept()
        message, streams, _, _ = socket.recv_fds(connection, _MOST_BYTES, 2)
        if len(streams) != 2:  # whoever asked is gone
            connection.close()
            return None
        request = json.loads(message)
        pid = os.fork()
        # Both sides see to it, so that neither can be too early for the other; a fork that is a new program
        # already has done so.
        with suppress(PermissionError):
            os.setpgid(pid, pid)
        if not pid:
            connection.close()
            self.leave()
            return _become(request, streams, self.started_with)
        for stream in streams:
            os.close(stream)
        child = _Child(pid, os.pidfd_open(pid), connection)
        self.children.append(child)
        self.selector.register(child.pidfd, selectors.EVENT_READ, lambda: self.reap(child))
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.abandon(child))
        _tell(connection, pid)
        return None

    def leave(self) -> None:
        """Close, in a fork, what only the server may hold."""
        self.selector.close()
        for child in self.children:
            child.connection.close()
            os.close(child.pidfd)

    def reap(self, child: _Child) -> None:
        """Tell how a stage ended."""
        _, status = os.waitpid(child.pid, 0)
        self.selector.unregister(child.pidfd)
        os.close(child.pidfd)
        _tell(child.connection, os.waitstatus_to_exitcode(status))
        with suppress(KeyError):  # abandoned
            self.selector.unregister(child.connection)
        child.connection.close()
        self.children.remove(child)

    def abandon(self, child: _Child) -> None:
        """Kill a stage for which nobody waits any more."""
        if child in self.children:
            self.selector.unregister(child.connection)
            _kill(child.pid)

    def end(self) -> None:
        """Kill all stages."""
        for child in self.children:
            _kill(child.pid)
            os.waitpid(child.pid, 0)


def _tell(connection: socket.socket, number: int) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the loop sees that nobody is there
        connection.send(str(number).encode())


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _become(request: dict[str, Any], streams: Sequence[int], started_with: set[str]) -> str:
    """Make a fork of the server what a process started for the stage would be; the stage."""
    os.chdir(request["folder"])
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    for stream, standard in zip(streams, (1, 2), strict=True):
        os.dup2(stream, standard)
        os.close(stream)
    # What imports set, to keep libraries silent, stays.
    for name in started_with - request["environment"].keys():
        os.environ.pop(name, None)
    os.environ.update(request["environment"])
    sys.argv[1:] = request["arguments"]
    return str(request["stage"])


def _code_and_packages() -> str:
    """Hash of all code where the runner says that it is, and of the packages."""
    return code_digest(*map(Path, os.environ["PYTHONPATH"].split(os.pathsep))) + packages_digest()


def _needed(stages: Sequence[str]) -> Iterator[str]:
    """The modules of stages, each followed by those that only its functions import.

    Of a stage that cannot be read to its end, as far as that goes.
    """
    for stage in stages:
        with suppress(*_OF_AN_IMPORT):
            for module in pkgutil.iter_modules(importlib.import_module(stage).__path__, f"{stage}."):
                if not module.name.endswith(".__main__"):
                    yield module.name
                    if imported := sys.modules.get(module.name):
                        yield from _imported_in_functions(imported)


def _imported_in_functions(module: ModuleType) -> Iterator[str]:
    for function in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module
                elif isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

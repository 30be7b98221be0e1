"""Processes to be killed: everything is imported once, so that each victim is a fork of milliseconds. No test here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

TESTS = Path(__file__).parents[1]
SERVER = """
import os, sys
import {module} as work
from support.fork_server import say

for line in sys.stdin:
    victim = os.fork()
    if victim == 0:
        try:
            work.{function}(*line.rstrip("\\n").split("\\t"))
        except BaseException as error:
            say(f"failed {{error!r}}")
        os._exit(0)
    say(f"pid {{victim}}")
    os.waitpid(victim, 0)
    say("gone")
"""


def say(line: str) -> None:
    """Hand a line to the test in one write, so that two processes that speak at once do not mix."""
    os.write(1, f"{line}\n".encode())


class ForkServer:
    """Runs one victim at a time and hands on the lines that it prints."""

    def __init__(self, requests: IO[str], lines: IO[str]) -> None:
        self._requests, self._lines = requests, lines
        self._waiting: list[str] = []

    def start(self, *arguments: str) -> int:
        """Fork a victim that calls the function with these arguments; returns its process id."""
        self._requests.write("\t".join(arguments) + "\n")
        self._requests.flush()
        self._waiting = self._until("pid ")  # a victim may speak before its parent does
        return int(self._waiting.pop().split()[1])

    def first_line(self) -> str:
        """The victim's first line; waits for it."""
        if not self._waiting:
            self._waiting = self._until("")
        return self._waiting[0]

    def kill(self, pid: int) -> list[str]:
        """kill -9, at once; returns every line that the victim printed."""
        os.kill(pid, signal.SIGKILL)
        return self.end()

    def end(self) -> list[str]:
        """Wait until the victim is gone; returns every line that it printed."""
        return [*self._waiting, *self._until("gone")][:-1]

    def _until(self, prefix: str) -> list[str]:
        """Lines up to the one that begins so."""
        lines = []
        while not lines or not lines[-1].startswith(prefix):
            line = self._lines.readline()
            assert line, "the fork server ended; see its error output"
            lines.append(line.strip())
        return lines


@contextmanager
def fork_server(module: str, function: str) -> Iterator[ForkServer]:
    """A process with `module` imported; its forks run `function`, whose arguments are texts."""
    code = SERVER.format(module=module, function=function)
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, **pipes) as process:
        try:
            yield ForkServer(process.stdin, process.stdout)
        finally:
            process.kill()

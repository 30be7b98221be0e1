"""A process that makes pictures for the one that started it (`picture_workers.py`). Imports what its work needs.

It ends with its parent, whatever it is at: a thread listens to the socket between them.
"""

from __future__ import annotations

import mmap
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

VICTIM = "500"
"""Of two processes that want memory, the kernel shall end this one, which says so, rather than the run's."""


def main(arguments: list[str]) -> None:
    """Serve until the parent is gone. arguments: -c, descriptors of socket and memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts the parent too, which ends this
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(VICTIM)
    socket, memory = Connection(int(arguments[1])), int(arguments[2])
    try:
        sys.path[:] = socket.recv()
        make, shape, faults = socket.recv()
    except (EOFError, ConnectionError):
        return
    ring = np.frombuffer(mmap.mmap(memory, int(np.prod(shape))), np.uint8).reshape(shape)
    _Worker(socket, ring, make, faults).serve()


class _Worker:
    def __init__(
        self,
        socket: Connection,
        ring: np.ndarray,
        make: Callable[[Any], Iterator[np.ndarray]],
        faults: tuple[type[BaseException], ...],
    ) -> None:
        self._socket, self._ring, self._make, self._faults = socket, ring, make, faults
        self._jobs: queue.Queue[Any] = queue.Queue()
        self._free: queue.Queue[int] = queue.Queue()
        self._block: int | None = None
        self._filled = 0
        self._runs: list[tuple[int, int]] = []
        self._ended: list[tuple[int, str | None]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def serve(self) -> None:
        while True:
            message = self._jobs.get()
            try:
                if message[0] == "flush":
                    self._flush()
                else:
                    self._run(*message[1:])
            except BaseException as error:
                self._send(("failed", _sendable(error)))
            if self._jobs.empty() and self._ended:
                self._send(("idle",))

    def _listen(self) -> None:
        try:
            while True:
                message = self._socket.recv()
                (self._free if message[0] == "block" else self._jobs).put(
                    message[1] if message[0] == "block" else message
                )
        except (EOFError, ConnectionError):
            os._exit(0)

    def _run(self, number: int, job: Any) -> None:
        self._send(("at", number))
        fault = None
        try:
            for picture in self._make(job):
                if self._block is None:
                    self._block = self._free.get()
                self._ring[self._block, self._filled] = picture
                self._filled += 1
                if self._runs and self._runs[-1][0] == number:
                    self._runs[-1] = (number, self._runs[-1][1] + 1)
                else:
                    self._runs.append((number, 1))
                if self._filled == self._ring.shape[1]:
                    self._flush()
        except self._faults as error:
            fault = str(error)
        self._ended.append((number, fault))

    def _flush(self) -> None:
        if self._filled or self._ended:
            self._send(("block", self._block, self._filled, self._runs, self._ended))
            self._block, self._filled, self._runs, self._ended = None, 0, [], []

    def _send(self, message: Any) -> None:
        try:
            self._socket.send(message)
        except (BrokenPipeError, ConnectionError):
            os._exit(0)


def _sendable(error: BaseException) -> BaseException:
    import pickle

    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error

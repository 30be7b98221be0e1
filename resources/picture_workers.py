"""Processes that make pictures, and the memory in which they hand them over. What a picture is of is not known here.

Each process fills blocks of a ring of shared memory, which the caller looks at in place: a picture is written once and
copied never. The memory has no name and the processes hang on a socket of their parent, so a parent that is killed
leaves neither behind. They are new interpreters and no forks: they import what their work needs, and no torch.
"""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

import numpy as np

BLOCKS = 3
"""Blocks a process: one is filled, one waits, one is looked at."""
BLOCK_PICTURES = 512
"""Pictures a block at most: 77 MB at 224 x 224."""
RING_BYTES = 1 << 30
"""Shared memory at most, however many processes decode and however large a batch is."""
QUEUED_BLOCKS = 2
"""Blocks for which a process has jobs: the next file is opened while the caller is busy."""
COMMAND = "import sys; from resources.picture_worker import main; main(sys.argv)"
END_SECONDS = 5


class WorkerLostError(RuntimeError):
    """A process that makes pictures is gone; the message says which job it was at and what to do."""


@dataclass(frozen=True)
class PictureBlock:
    """Pictures (n, height, width, 3) uint8, valid until the next block is asked for.

    runs: of which jobs they are, in order: (job, pictures). ended: jobs of which no picture comes any more, with the
    fault that ended them early, if any.
    """

    pictures: np.ndarray
    runs: Sequence[tuple[int, int]]
    ended: Sequence[tuple[int, str | None]]


@dataclass
class _Process:
    process: subprocess.Popen[bytes]
    socket: Connection
    owed: dict[int, int] = field(default_factory=dict)
    """Pictures of each job that it was given and has not ended."""
    at: int | None = None


class PictureWorkers:
    """Processes that run `make(job) -> pictures` for jobs; close it, or let it go, to end them."""

    def __init__(
        self,
        make: Callable[[Any], Iterator[np.ndarray]],
        *,
        shape: tuple[int, int, int],
        pictures: int,
        processes: int,
        faults: tuple[type[BaseException], ...],
    ) -> None:
        """make: picklable. shape of a picture; pictures of a block; faults: what only ends the job that raises it."""
        fits = RING_BYTES // (BLOCKS * processes * int(np.prod(shape)))
        self._shape = (BLOCKS * processes, max(1, min(pictures, BLOCK_PICTURES, fits)), *shape)
        self._file = _memory(int(np.prod(self._shape)))
        memory = mmap.mmap(self._file, int(np.prod(self._shape)))
        self._ring = np.frombuffer(memory, np.uint8).reshape(self._shape)
        self._processes: list[_Process] = []
        self._shown: list[tuple[_Process, int]] = []
        self._left = 0
        self._finalizer = weakref.finalize(self, _end, self._processes, self._file)
        for number in range(processes):
            began = self._start()
            self._processes.append(began)
            began.socket.send(list(sys.path))
            began.socket.send((make, self._shape, faults))
            for block in range(number * BLOCKS, (number + 1) * BLOCKS):
                began.socket.send(("block", block))

    def close(self) -> None:
        """End the processes."""
        self._finalizer()

    @property
    def capacity(self) -> int:
        """Pictures of a full block."""
        return self._shape[1]

    @property
    def closed(self) -> bool:
        """Whether they were ended."""
        return not self._finalizer.alive

    def pids(self) -> list[int]:
        """Their process ids."""
        return [each.process.pid for each in self._processes]

    def _start(self) -> _Process:
        ours, theirs = Pipe()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", _here(), str(theirs.fileno()), str(self._file)],
                pass_fds=(theirs.fileno(), self._file),
                stdin=subprocess.DEVNULL,
            )
        return _Process(process, ours)

    def blocks(
        self, jobs: Sequence[Any], *, sizes: Sequence[int], names: Sequence[str]
    ) -> Iterator[PictureBlock]:
        """The pictures of all jobs, block by block; those of one job in order, jobs mixed.

        sizes: pictures of each job, about; names: what to call it in an error. Raises WorkerLostError, and what
        `make` raises beside faults. Where it is not read to its end, the processes are ended: they are at jobs that
        nobody asks for any more.
        """
        self._left = len(jobs)
        try:
            yield from self._blocks(jobs, sizes, names)
        finally:
            if self._left:
                self.close()

    def _blocks(
        self, jobs: Sequence[Any], sizes: Sequence[int], names: Sequence[str]
    ) -> Iterator[PictureBlock]:
        waiting = list(range(len(jobs)))[::-1]

        def feed(worker: _Process) -> None:
            enough = QUEUED_BLOCKS * self._shape[1]
            while waiting and sum(worker.owed.values()) < enough:
                number = waiting.pop()
                worker.owed[number] = max(1, sizes[number])
                self._send(worker, ("job", number, jobs[number]), names)
            if not waiting:
                self._send(worker, ("flush",), names)

        self._give_back(names)
        for worker in self._processes:
            feed(worker)
        while self._left:
            for worker, message in self._messages(names):
                if message[0] == "at":
                    worker.at = message[1]
                elif message[0] == "failed":
                    raise message[1]
                elif message[0] == "idle":
                    # What it was given came to fewer pictures than was thought.
                    worker.owed = dict.fromkeys(worker.owed, 0)
                    feed(worker)
                else:
                    _, block, filled, runs, ended = message
                    for number, _ in ended:
                        del worker.owed[number]
                    self._left -= len(ended)
                    if self._left:
                        feed(worker)
                    if block is not None:
                        self._shown.append((worker, block))
                    yield PictureBlock(self._ring[block or 0][:filled], runs, ended)
                    self._give_back(names)

    def _give_back(self, names: Sequence[str]) -> None:
        """Give processes the blocks that were looked at: the caller has asked for the next one."""
        while self._shown:
            worker, block = self._shown.pop()
            self._send(worker, ("block", block), names)

    def _messages(self, names: Sequence[str]) -> Iterator[tuple[_Process, Any]]:
        by_socket = {worker.socket: worker for worker in self._processes}
        for ready in wait(list(by_socket)):
            worker = by_socket[ready]  # type: ignore[index]
            try:
                yield worker, worker.socket.recv()
            except (EOFError, ConnectionError):
                raise self._lost(worker, names) from None

    def _send(self, worker: _Process, message: Any, names: Sequence[str]) -> None:
        try:
            worker.socket.send(message)
        except (BrokenPipeError, ConnectionError):
            raise self._lost(worker, names) from None

    def _lost(self, worker: _Process, names: Sequence[str]) -> WorkerLostError:
        try:
            status = worker.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            status = 0
        how = f"ended with status {status}"
        if status < 0:
            how = f"was killed by {signal.Signals(-status).name}"
        if -status == signal.SIGKILL:
            how += ", mostly because memory ran out"
        at = f" while it was at {names[worker.at]}" if worker.at is not None else ""
        return WorkerLostError(
            f"a process that decodes {how}{at}; set [embeddings] decoders lower (0 decodes in the run's own process) "
            "or give the machine more memory; what was committed stands, run it again to go on"
        )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _here() -> str:
    """The command with the folder of this package on the path, from wherever it was imported."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return f"import sys; sys.path.insert(0, {root!r}); {COMMAND}"


def _memory(size: int) -> int:
    """Descriptor of `size` bytes of memory that has no name and goes with its last user."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pictures")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


def _end(processes: list[_Process], file: int) -> None:
    for each in processes:
        each.socket.close()
    for each in processes:
        try:
            each.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            each.process.kill()
            each.process.wait()
    os.close(file)

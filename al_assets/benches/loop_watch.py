"""How long each step of a run took, in how much memory, and what the database grew by. Watches; starts no work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import dagster as dg
import numpy as np
import psutil  # type: ignore[import-untyped]

MIB = 1 << 20
INTERVAL_SECONDS = 0.2


@dataclass(frozen=True)
class Stage:
    """One piece of work: seconds, the most memory of the process and its new children, growth of the database."""

    name: str
    seconds: float
    peak_mib: float
    grown_mib: float


@dataclass
class Watch:
    """Looks five times a second at the size of some files, and at the memory of this process and its new children.

    Processes that were its children before belong to somebody else, though not those that they start later.
    """

    files: tuple[Path, ...]
    _others: frozenset[int] = field(
        default_factory=lambda: frozenset(child.pid for child in psutil.Process().children(recursive=True))
    )
    _samples: list[tuple[float, float, float]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin to look."""
        self._look()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def peak_mib(self) -> float:
        """The most memory seen."""
        return max(memory for _, memory, _ in self._samples)

    @contextmanager
    def stage(self, name: str, into: list[Stage]) -> Iterator[None]:
        """A piece of work of this process, by the clock."""
        began = time.time()
        yield
        self._look()
        into.append(self.between(name, began, time.time()))

    def between(self, name: str, began: float, ended: float) -> Stage:
        """What was seen from one moment to another, both in seconds since the epoch."""
        times, memory, sizes = (np.array(values) for values in zip(*self._samples, strict=True))
        first = max(int(np.searchsorted(times, began)) - 1, 0)
        last = max(int(np.searchsorted(times, ended)), first + 1)
        within = slice(first, last + 1)
        grown = sizes[min(last, len(sizes) - 1)] - sizes[first]
        return Stage(name, ended - began, float(memory[within].max()), float(grown))

    def steps(self, instance: dg.DagsterInstance, run_id: str) -> list[Stage]:
        """The steps of a finished run, in order."""
        self._look()
        began: dict[str, float] = {}
        found = []
        for entry in instance.all_logs(run_id):
            if entry.dagster_event is None or entry.step_key is None:
                continue
            if entry.dagster_event.is_step_start:
                began[entry.step_key] = entry.timestamp
            elif entry.dagster_event.is_step_success:
                found.append(self.between(entry.step_key, began[entry.step_key], entry.timestamp))
        return found

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_SECONDS):
            self._look()

    def _look(self) -> None:
        here = psutil.Process()
        memory = 0
        for process in (here, *here.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                memory += process.memory_info().rss if process.pid not in self._others else 0
        size = 0
        for file in self.files:
            with suppress(FileNotFoundError):
                size += file.stat().st_size
        self._samples.append((time.time(), memory / MIB, size / MIB))

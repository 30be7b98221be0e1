"""Where heavy work runs: one worker on this machine, or workers of a cluster, ahead of whoever takes the results.

No work of its own, and nothing of an engine but its name: Ray's is in `ray_engine.py`.

The work itself is a function of the rooms; what it gives is written by the caller, in the caller's transactions.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import TypeAlias, TypeVar

import dagster as dg
from pydantic import Field

from resources.errors import OneMachineError

Item = TypeVar("Item")
Result = TypeVar("Result")
Worker: TypeAlias = Callable[[Item], Iterable[Result]]
MakeWorker: TypeAlias = Callable[[], Callable[[Item], Iterable[Result]]]
"""Loads what the work needs (a model) and gives the work; called once in each process that works."""

AHEAD = 2
"""Results that wait at most: the next one is made while the last is written, and memory holds no more than these."""


class Compute(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Runs a worker over items and gives its results as they come. `[compute]` in al.toml fills it in."""

    engine: str = Field(default="local", description="`local` or `ray`")
    address: str = Field(default="auto", description="Ray cluster; empty for one that is started for the run")
    workers: int = Field(default=2, description="workers on Ray")
    cpus: float = Field(default=1.0, description="CPUs a worker on Ray")
    gpus: float = Field(default=0.0, description="GPUs a worker on Ray")

    @property
    def shared(self) -> bool:
        """Whether several workers take items, so that these should be small enough to go round."""
        return self.engine == "ray" and self.workers > 1

    @property
    def writers_cores(self) -> int:
        """Cores of the machine of the work that write what it gives."""
        return 0 if self.engine == "ray" else 1

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Refuse to run on Ray with Dagster's own state in files of one machine."""
        if self.engine == "ray" and context.instance is not None:
            refuse_files_of_dagster(context.instance)

    def stream(
        self, make: MakeWorker[Item, Result], items: Iterable[Item], *, ahead: int = AHEAD
    ) -> Iterator[Result]:
        """Results of `make()(item)` for each item; those of one item stay in order.

        The worker runs beside the caller, at most `ahead` results before it. What a worker raises is raised here
        after the results before it; closing the iterator ends the work after the result in progress. Several
        workers give the results of several items as they come, and a worker that dies has its item begun again by
        another: what the work gives, and in which order, must depend on the item alone.
        """
        if self.engine == "ray":
            from resources.ray_engine import Cluster, stream_on

            return stream_on(Cluster(self.address, self.workers, self.cpus, self.gpus), make, items, ahead)
        return run_ahead(lambda: _results(make, items), ahead)


def refuse_files_of_dagster(instance: dg.DagsterInstance) -> None:
    """Raise OneMachineError where Dagster keeps its own state in SQLite files."""
    if any(
        type(kept).__name__.startswith("Sqlite")
        for kept in (instance.run_storage, instance.event_log_storage)
    ):
        raise OneMachineError(
            '[compute] engine = "ray" needs PostgreSQL for Dagster\'s own storage: SQLite is a file, which '
            f"several machines cannot write together; set storage in {instance.root_directory}/dagster.yaml"
        )


def _results(make: MakeWorker[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
    work: Worker[Item, Result] | None = None
    for item in items:
        work = work or make()
        yield from work(item)


def run_ahead(produce: Callable[[], Iterator[Result]], ahead: int) -> Generator[Result, None, None]:
    """What `produce()` gives, made by a thread at most `ahead` results before the caller.

    Its error is raised after the results before it. Closing the iterator closes the producer's, in its own thread,
    after the result in progress.
    """
    if ahead < 1:
        raise ValueError(f"ahead is {ahead}; give 1 or more")
    made: queue.Queue[tuple[str, Result | BaseException | None]] = queue.Queue()
    free = threading.Semaphore(ahead)
    stop = threading.Event()

    def run() -> None:
        try:
            with closing(produce()) as results:  # type: ignore[type-var]
                while free.acquire() and not stop.is_set():
                    made.put(("result", next(results)))
        except StopIteration:
            made.put(("end", None))
        except BaseException as error:
            made.put(("error", error))

    thread = threading.Thread(target=run, name="compute", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = made.get()
            if kind == "end":
                return
            if kind == "error":
                raise value  # type: ignore[misc]
            free.release()
            yield value  # type: ignore[misc]
    finally:
        stop.set()
        free.release()
        thread.join()

"""Where heavy work runs: one worker on this machine, a step ahead of whoever takes its results. No work of its own.

The work itself is a function of the rooms; what it gives is written by the caller, in the caller's transactions.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TypeAlias, TypeVar

import dagster as dg

Item = TypeVar("Item")
Result = TypeVar("Result")
Worker: TypeAlias = Callable[[Item], Iterable[Result]]
MakeWorker: TypeAlias = Callable[[], Callable[[Item], Iterable[Result]]]
"""Loads what the work needs (a model) and gives the work; called once in each process that works."""

AHEAD = 2
"""Results that wait at most: the next one is made while the last is written, and memory holds no more than these."""


class Compute(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Runs a worker over items and gives its results as they come."""

    def stream(
        self, make: MakeWorker[Item, Result], items: Iterable[Item], *, ahead: int = AHEAD
    ) -> Iterator[Result]:
        """Results of `make()(item)` for each item; those of one item stay in order.

        The worker runs beside the caller, at most `ahead` results before it. What a worker raises is raised here
        after the results before it; closing the iterator ends the work after the result in progress.
        """
        return run_ahead(lambda: _results(make, items), ahead)


def _results(make: MakeWorker[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
    work: Worker[Item, Result] | None = None
    for item in items:
        work = work or make()
        yield from work(item)


def run_ahead(produce: Callable[[], Iterator[Result]], ahead: int) -> Iterator[Result]:
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

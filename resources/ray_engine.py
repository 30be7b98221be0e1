"""Heavy work on the workers of a Ray cluster, its results given here. What the work is and writes is not known here.

A worker is an actor: it loads the model once and is pulled for one result after another. Ray's streaming generators
are not used: they do not pass a Ray client, and on a lost node they run an item again from its start unseen.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from resources.compute import run_ahead
from resources.environments import quiet_ray
from resources.packing import pack
from resources.ray_worker import Worker, raise_again

log = logging.getLogger("dagster")

TRIES = 3
"""Workers that may die over one item before it is called at fault."""
ROOM_SECONDS = 600.0
"""How long to wait for the first worker: a cluster that grows by itself needs minutes for a node."""
REACH_SECONDS = 10.0
"""How long an address may take to answer."""
LOOK_SECONDS = 0.5
"""How long a closed stream may go unnoticed."""


class RayError(RuntimeError):
    """The cluster cannot be used, or lost the work too often; the message says what to do."""


@dataclass(frozen=True)
class Cluster:
    """Where workers run and what is set aside for each."""

    address: str = "auto"
    workers: int = 2
    cpus: float = 1.0
    gpus: float = 0.0

    def connect(self) -> Any:
        """The `ray` module, connected; a connection that this process has already is used. Raises RayError."""
        quiet_ray(own_cluster=not self.address)
        try:
            import ray
        except ImportError as error:
            raise RayError(
                '[compute] engine = "ray" needs Ray; install it by al-assets[ray] on every node'
            ) from error
        if not ray.is_initialized():
            try:
                self._reach()
                ray.init(
                    address=self.address or "local",
                    # Of a cluster that is started here; one that runs has or has not its dashboard.
                    include_dashboard=None if self.address else False,
                    log_to_driver=False,
                    logging_level=logging.WARNING,
                )
            # Ray ends the process where a cluster is lost while it connects.
            except (OSError, RuntimeError, ValueError, SystemExit) as error:
                raise RayError(
                    f'no Ray cluster at [compute] address = "{self.address}"; start one by `ray start --head` ({error})'
                ) from error
        return ray

    def _reach(self) -> None:
        """Raise OSError where nothing listens at the address: Ray itself tries for two minutes, then exits."""
        host, _, port = self.address.rpartition("://")[2].rpartition(":")
        if host and port.isdecimal():
            socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_SECONDS).close()

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.workers} workers of {self.cpus:g} CPUs and {self.gpus:g} GPUs"


@dataclass
class _Item:
    """An item under way: what was given of it, and how many workers died over it."""

    packed: bytes
    given: int = 0
    deaths: int = 0


@dataclass(eq=False)
class _Actor:
    """A worker as the driver sees it: its handle, its item, and the calls it has not answered, oldest first."""

    handle: Any
    item: _Item | None = None
    calls: deque[Any] = field(default_factory=deque)
    is_up: bool = False


class Driver:
    """Gives items to workers and their results to the caller."""

    def __init__(self, cluster: Cluster, make: Callable[[], Any], ahead: int, stop: threading.Event) -> None:
        self._cluster, self._ahead, self._stop = cluster, ahead, stop
        self._ray = cluster.connect()
        self._make = pack(make)
        self._actors: list[_Actor] = []
        self._waiting: deque[_Item] = deque()
        self._deaths_before_work = 0
        self._seen_up_at = time.monotonic()

    def results(self, items: Iterable[Any]) -> Iterator[Any]:
        """Results of each item in order, those of several items as they come; ends early where `stop` is set."""
        left = map(_Item, map(pack, items))
        try:
            while self._give_out(left) and not self._stop.is_set():
                actor = self._answered()
                if actor is not None:
                    yield from self._next(actor)
        finally:
            for actor in self._actors:
                self._kill(actor)

    def _give_out(self, left: Iterator[_Item]) -> bool:
        """An item for every idle worker, and workers started while items wait for one; False when all is done."""
        busy = sum(actor.item is not None for actor in self._actors)
        self._waiting.extend(islice(left, max(0, self._cluster.workers - busy - len(self._waiting))))
        for actor in self._actors:
            if actor.is_up and actor.item is None and self._waiting:
                self._begin(actor, self._waiting.popleft())
                busy += 1
        starting = sum(not actor.is_up for actor in self._actors)
        room = self._cluster.workers - len(self._actors)
        self._actors += [self._start() for _ in range(min(room, len(self._waiting) - starting))]
        return bool(busy or self._waiting)

    def _start(self) -> _Actor:
        # Spread, so that the loss of a node costs the fewest workers and each node's decoder is used.
        kind = self._ray.remote(Worker).options(
            num_cpus=self._cluster.cpus,
            num_gpus=self._cluster.gpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        actor = _Actor(kind.remote(self._make))
        actor.calls.append(actor.handle.ready.remote())
        return actor

    def _begin(self, actor: _Actor, item: _Item) -> None:
        actor.item = item
        actor.handle.begin.remote(item.packed, item.given)
        # Asked for ahead, so that the worker makes the next result while this one travels.
        actor.calls.extend(actor.handle.take.remote() for _ in range(self._ahead))

    def _answered(self) -> _Actor | None:
        """A worker with an answer; None after a short while without one."""
        heads = {actor.calls[0]: actor for actor in self._actors if actor.calls}
        ready, _ = self._ray.wait(list(heads), num_returns=1, timeout=LOOK_SECONDS)
        now = time.monotonic()
        if ready or any(actor.is_up for actor in self._actors):
            self._seen_up_at = now
        elif now - self._seen_up_at > ROOM_SECONDS:
            raise RayError(
                f"no worker has started in {ROOM_SECONDS:.0f} seconds; [compute] asks for {self._cluster}, the cluster "
                f"has {self._ray.cluster_resources()}: ask for less or start more nodes"
            )
        return heads[ready[0]] if ready else None

    def _next(self, actor: _Actor) -> Iterator[Any]:
        """What a worker answered: a result to give, or none where an item ended or the worker came up or died."""
        # To the end of the line, so that a quick worker does not keep the others waiting.
        self._actors.sort(key=lambda each: each is actor)
        try:
            answer = self._ray.get(actor.calls.popleft())
        except _deaths() as error:
            self._lose(actor, error)
            return
        if actor.item is None:
            actor.is_up = True
            return
        kind, value = answer
        if kind == "error":
            raise_again(*value)
        elif kind == "end":
            actor.item = None
            actor.calls.clear()
        else:
            actor.item.given += 1
            actor.calls.append(actor.handle.take.remote())
            yield value

    def _lose(self, actor: _Actor, error: Exception) -> None:
        """Take a dead worker out and put its item first in the line. Raises RayError where that happens too often."""
        self._kill(actor)
        self._actors.remove(actor)
        why = " ".join(str(error).split())
        if actor.item is None:
            self._deaths_before_work += 1
            deaths, when = self._deaths_before_work, "before they could work"
        else:
            actor.item.deaths += 1
            deaths, when = actor.item.deaths, "over one item"
            self._waiting.appendleft(actor.item)
        log.warning("a worker of Ray died; its work is given to another: %s", why)
        if deaths >= TRIES:
            raise RayError(
                f"{deaths} workers of Ray died {when}, which is given up; is their memory enough? The last: {why}"
            )

    def _kill(self, actor: _Actor) -> None:
        with suppress(Exception):
            self._ray.kill(actor.handle)


def _deaths() -> tuple[type[Exception], ...]:
    """What Ray raises in place of an answer that went with a worker or its node."""
    from ray import exceptions

    return (
        exceptions.RayActorError,
        exceptions.WorkerCrashedError,
        exceptions.NodeDiedError,
        exceptions.ObjectLostError,
        exceptions.OutOfMemoryError,
    )


def stream_on(cluster: Cluster, make: Callable[[], Any], items: Iterable[Any], ahead: int) -> Iterator[Any]:
    """`Compute.stream` on a cluster: `ahead` results a worker wait in the cluster, and as many here.

    An item whose worker dies is begun again by another, and the results that were given already are left out: so
    what the work gives must depend on the item alone. To hold an item's results back until its end would hold a
    ten-hour video in memory; to give them twice would have each caller sort them out.
    """
    drawn = iter(items)
    first = list(islice(drawn, 1))
    if not first:
        return
    # Here and not in the thread: Ray wants its connection made by the main one.
    cluster.connect()
    stop = threading.Event()
    results = run_ahead(lambda: Driver(cluster, make, ahead, stop).results(chain(first, drawn)), ahead)
    try:
        yield from results
    finally:
        stop.set()
        results.close()


def disconnect() -> None:
    """Leave the cluster, and end it if this process started it."""
    import ray

    ray.shutdown()

"""What runs in the process of a Ray worker, and how its errors come back as they were. Nothing of the driver's.

Imported by every worker as it starts, so neither torch nor Dagster is: the work itself brings what it needs. What is
unpickled here was packed by `packing.py`.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NoReturn

from resources.environments import calm_threads


class RayWorkError(RuntimeError):
    """What a worker raised and cannot be sent as it is: its type and message."""


class Worker:
    """What runs in a worker's process. What the work raises is given, not raised: Ray would print and wrap it."""

    def __init__(self, make: bytes) -> None:
        self._make = make
        self._work: Callable[[Any], Iterable[Any]] | None = None
        self._results: Iterator[Any] = iter(())

    def ready(self) -> None:
        """Answer, so that items go to workers that run."""

    def begin(self, item: bytes, skip: int) -> None:
        """Turn to an item; its first `skip` results were given before another worker died over it."""
        self._results = self._of(item, skip)

    def take(self) -> tuple[str, Any]:
        """The next result: ("result", it), ("end", None) or ("error", (pickled or None, text, traceback))."""
        try:
            return "result", next(self._results)
        except StopIteration:
            return "end", None
        except BaseException as error:
            self._results = iter(())
            return "error", _packed_error(error)

    def _of(self, item: bytes, skip: int) -> Iterator[Any]:
        if self._work is None:
            calm_threads()
            self._work = pickle.loads(self._make)()
        for number, result in enumerate(self._work(pickle.loads(item))):
            if number >= skip:
                yield result


def _packed_error(error: BaseException) -> tuple[bytes | None, str, str]:
    packed = None
    with suppress(Exception):
        packed = pickle.dumps(error)
        if type(pickle.loads(packed)) is not type(error):
            packed = None
    return packed, f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))


def raise_again(packed: bytes | None, text: str, trace: str) -> NoReturn:
    """The worker's error as its own type; its traceback goes with it as a note."""
    error: BaseException = RayWorkError(text)
    if packed is not None:
        with suppress(Exception):
            error = pickle.loads(packed)
    error.add_note(f"in a worker of Ray:\n{trace}")
    raise error

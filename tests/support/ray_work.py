"""Picklable work for tests of engines: what a real one may do well or badly. No test here."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from resources.database import Database


@dataclass(frozen=True)
class Counting:
    """Gives (item, number, process) `results` times; sleeps in between; counts in a file what it made."""

    results: int = 3
    seconds: float = 0.0
    made: str = ""

    def __call__(self) -> Callable[[int], Iterator[tuple[int, int, int]]]:
        return self._work

    def _work(self, item: int) -> Iterator[tuple[int, int, int]]:
        for number in range(self.results):
            time.sleep(self.seconds)
            if self.made:
                with Path(self.made).open("a") as file:
                    file.write(f"{item} {number}\n")
            yield item, number, os.getpid()


@dataclass(frozen=True)
class Dying:
    """Ends its own process before result `at` of an item, as often as the folder has room for marks."""

    folder: str
    times: int
    at: int = 2

    def __call__(self) -> Callable[[int], Iterator[tuple[int, int]]]:
        return self._work

    def _work(self, item: int) -> Iterator[tuple[int, int]]:
        for number in range(4):
            marks = len(list(Path(self.folder).iterdir()))
            if item == 1 and number == self.at and marks < self.times:
                Path(self.folder, str(marks)).touch()
                time.sleep(0.3)  # what was given before is on its way
                os._exit(1)
            yield item, number


class OwnError(ValueError):
    """An error that takes two values and so does not pickle as it is."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")


@dataclass(frozen=True)
class Failing:
    """Gives one result, then fails."""

    pickles: bool = True

    def __call__(self) -> Callable[[int], Iterator[int]]:
        return self._work

    def _work(self, item: int) -> Iterator[int]:
        yield item
        raise (
            FileNotFoundError(2, "gone", "clip.mp4") if self.pickles else OwnError("clip.mp4", "is cut short")
        )


@dataclass(frozen=True)
class Describing:
    """Says what a worker sees: the GPUs given to it, and the database's address as its node knows it."""

    database: Database | None = None

    def __call__(self) -> Callable[[str], list[str]]:
        return self._work

    def _work(self, variable: str) -> list[str]:
        return [os.environ.get(variable, ""), self.database.url if self.database else ""]

"""Work runs a bounded step ahead of whoever takes its results, and fails where the results end."""

import pickle
import threading

import pytest

from resources.archive import Archive
from resources.compute import Compute, run_ahead
from resources.database import Database
from resources.storage import Storage


def test_results_come_in_order_and_the_worker_is_made_once():
    made = []

    def make():
        made.append(threading.get_ident())
        return lambda item: [item, item * 10]

    assert list(Compute().stream(make, [1, 2, 3])) == [1, 10, 2, 20, 3, 30]
    assert len(made) == 1
    assert made != [threading.get_ident()]


def test_no_item_makes_no_worker():
    assert list(Compute().stream(lambda: pytest.fail("loaded for nothing"), [])) == []


def test_the_worker_is_a_bounded_step_ahead():
    begun = []
    third = threading.Event()

    def work(item):
        begun.append(item)
        if item == 2:
            third.set()
        yield item

    results = Compute().stream(lambda: work, range(100), ahead=2)
    assert next(results) == 0
    assert third.wait(10)
    assert begun == [0, 1, 2]
    results.close()
    assert begun == [0, 1, 2]


def test_an_error_comes_after_the_results_before_it():
    def work(item):
        if item == 2:
            raise ValueError("clip 2 is gone")
        return [item]

    results = Compute().stream(lambda: work, [0, 1, 2, 3])
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="clip 2 is gone"):
        next(results)


def test_closing_closes_the_producer_in_its_thread():
    closed = []

    def produce():
        try:
            while True:
                yield threading.get_ident()
        finally:
            closed.append(threading.get_ident())

    results = run_ahead(produce, 1)
    thread = next(results)
    results.close()
    assert closed == [thread]


def test_an_archive_pickles_for_workers_elsewhere(tmp_path):
    archive = Archive(
        database=Database(url=f"sqlite:///{tmp_path}/al.db"), storage=Storage(url=str(tmp_path))
    )
    again = pickle.loads(pickle.dumps(archive))
    assert (again.database.url, again.storage.url) == (archive.database.url, archive.storage.url)

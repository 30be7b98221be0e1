"""Work on a real Ray cluster of three nodes: each gives what one machine gives, and a lost one loses nothing."""

import time
from collections.abc import Iterator

import pytest

from resources.compute import Compute
from resources.database import Database
from resources.ray_engine import RayError
from support.ray_cluster import Cluster, ray_cluster
from support.ray_work import Counting, Describing, Dying, Failing
from support.running import running

PASSWORD = "correct-horse-battery"
DATABASE = f"postgresql+psycopg://al:{PASSWORD}@127.0.0.1:1/al"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head with two pretended GPUs, and two nodes more; a CPU each."""
    with running(ray_cluster(AL_DATABASE_URL=DATABASE)) as cluster:
        cluster.start_head("--num-cpus", "1", "--num-gpus", "2").wait(cluster.port)
        for _ in range(2):
            cluster.start_node("--num-cpus", "1")
        for node in cluster.nodes:
            node.wait()
        yield cluster


@pytest.fixture
def compute(cluster: Cluster):
    """The engine on that cluster, with a number of workers."""

    def of(workers: int = 2, **more: float) -> Compute:
        return Compute(engine="ray", address=cluster.address, workers=workers, **more)

    return of


def test_no_item_starts_no_worker():
    assert list(Compute(engine="ray", address="127.0.0.1:1").stream(Counting(), [])) == []


def test_an_address_without_a_cluster_is_named_at_once():
    with pytest.raises(RayError, match=r'address = "127.0.0.1:1"; start one'):
        list(Compute(engine="ray", address="127.0.0.1:1").stream(Counting(), [1]))


def test_two_workers_share_the_items_and_each_item_stays_in_order(compute):
    got = list(compute().stream(Counting(seconds=0.05), range(12)))
    assert sorted((item, number) for item, number, _ in got) == [(i, n) for i in range(12) for n in range(3)]
    for item in range(12):
        assert [number for each, number, _ in got if each == item] == [0, 1, 2]
    assert len({process for *_, process in got}) == 2


def test_fewer_items_than_workers_start_no_idle_ones(compute):
    assert len({process for *_, process in compute(3).stream(Counting(), [1])}) == 1


def test_workers_are_a_bounded_step_ahead(compute, tmp_path):
    made = tmp_path / "made"
    results = compute(1).stream(Counting(results=100, made=str(made)), [1], ahead=2)
    next(results)
    time.sleep(0.5)
    # One is taken, two wait here and two in the cluster, one more is on its way.
    assert 3 <= len(made.read_text().splitlines()) <= 6
    results.close()
    before = made.read_text()
    time.sleep(0.3)
    assert made.read_text() == before


def test_an_error_keeps_its_type_and_comes_after_the_results_before_it(compute):
    results = compute(1).stream(Failing(), [7])
    assert next(results) == 7
    with pytest.raises(FileNotFoundError, match=r"gone: 'clip.mp4'") as caught:
        next(results)
    assert "in a worker of Ray" in caught.value.__notes__[0]


def test_an_error_that_does_not_pickle_keeps_its_name_and_message(compute):
    with pytest.raises(RuntimeError, match=r"OwnError: clip\.mp4: is cut short"):
        list(compute(1).stream(Failing(pickles=False), [7]))


def test_the_item_of_a_worker_that_died_is_done_by_another_and_nothing_comes_twice(compute, tmp_path):
    got = list(compute().stream(Dying(str(tmp_path), times=2), range(4)))
    assert sorted(got) == [(item, number) for item in range(4) for number in range(4)]
    assert len(list(tmp_path.iterdir())) == 2


def test_an_item_that_ends_every_worker_is_given_up(compute, tmp_path):
    with pytest.raises(RayError, match="3 workers of Ray died over one item"):
        list(compute(1).stream(Dying(str(tmp_path), times=99), [1]))


def test_a_worker_is_given_its_share_of_a_gpu(compute):
    (seen, _) = compute(1, cpus=0, gpus=0.5).stream(Describing(), ["CUDA_VISIBLE_DEVICES"])
    assert seen in ("0", "1")


def test_a_database_is_the_nodes_own_and_its_password_lies_in_no_log(compute, cluster):
    _, url = compute(1).stream(Describing(Database(url=DATABASE)), [""])
    assert url == DATABASE
    with pytest.raises(RuntimeError, match="started with another AL_DATABASE_URL"):
        list(compute(1).stream(Describing(Database(url=DATABASE.replace("/al", "/other"))), [""]))
    files = [file for file in cluster.folder.rglob("*") if file.is_file() and not file.is_symlink()]
    assert len(files) > 20
    assert [file for file in files if PASSWORD.encode() in file.read_bytes()] == []


def test_a_node_that_is_killed_loses_nothing(compute, cluster):
    """Last of this file: the node stays away."""
    results = compute(3).stream(Counting(results=6, seconds=0.2), range(12))
    got = [next(results)]
    while len({process for *_, process in got}) < 3:
        got.append(next(results))
    cluster.nodes[-1].kill()
    got += results
    assert sorted((item, number) for item, number, _ in got) == [(i, n) for i in range(12) for n in range(6)]

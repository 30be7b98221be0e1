"""The dataset over a real SQLite file: one query a mini-batch, here and in forked and spawned workers."""

import os
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from al_assets.checkpoints.dataset import FrameDataset
from al_assets.checkpoints.training import gather
from support.vector_file import EagerReader, SqliteReader, write_vectors

torch.set_num_threads(1)
KEYS = 5 * 2**24 + np.arange(100) * 3
RNG = np.random.default_rng(1)
VECTORS = RNG.normal(size=(100, 32)).astype(np.float16)
TARGETS = RNG.integers(-1, 2, (100, 4)).astype(np.int8)


@pytest.fixture
def reader(tmp_path):
    write_vectors(tmp_path, KEYS, VECTORS)
    return SqliteReader(tmp_path)


def halved(tensor):
    return tensor / 2


def test_nothing_is_read_before_a_frame_is_asked_for(reader):
    assert len(FrameDataset(reader, KEYS, TARGETS)) == 100
    assert reader.connection is None


def test_a_mini_batch_is_one_query(reader):
    loader = DataLoader(FrameDataset(reader, KEYS, TARGETS), batch_size=32)
    assert [len(batch.inputs) for batch in loader] == [32, 32, 32, 4]
    assert [size for _, _, size in reader.queries()] == [32, 32, 32, 4]


def test_a_shuffled_batch_keeps_vector_target_and_weight_together(reader):
    dataset = FrameDataset(reader, KEYS, TARGETS, np.arange(100) / 100)
    loader = DataLoader(dataset, batch_size=16, shuffle=True, generator=torch.Generator().manual_seed(1))
    for batch in loader:
        rows = (batch.weight * 100).round().long().numpy()
        np.testing.assert_array_equal(batch.inputs.numpy(), VECTORS[rows])
        np.testing.assert_array_equal(batch.target.numpy(), TARGETS[rows])


def test_frames_in_any_order_get_their_own_vectors(reader):
    order = np.random.default_rng(2).permutation(100)
    found = gather(FrameDataset(reader, KEYS[order], TARGETS[order]), batch_size=30, workers=0)
    np.testing.assert_array_equal(found, VECTORS[order])


def test_a_frame_drawn_twice_is_read_once_and_given_twice(reader):
    samples = FrameDataset(reader, KEYS, TARGETS).__getitems__([7, 2, 7])
    np.testing.assert_array_equal(samples[0].inputs, samples[2].inputs)
    np.testing.assert_array_equal(samples[1].inputs, VECTORS[2])
    assert reader.queries()[0][2] == 2


@pytest.mark.parametrize("position", [-1, 99, np.int64(99)])
def test_positions_count_as_in_a_list(reader, position):
    np.testing.assert_array_equal(FrameDataset(reader, KEYS, TARGETS)[position].inputs, VECTORS[99])


def test_a_position_beyond_the_end_is_an_index_error(reader):
    with pytest.raises(IndexError):
        FrameDataset(reader, KEYS, TARGETS)[100]


@pytest.mark.parametrize(("method", "workers"), [("fork", 2), ("spawn", 1)])
def test_workers_read_the_same_through_connections_of_their_own(reader, method, workers):
    dataset = FrameDataset(reader, KEYS, TARGETS)
    here = gather(dataset, batch_size=20, workers=0)  # the connection is open when the workers begin
    opened = reader.connection
    there = gather(dataset, batch_size=20, workers=workers, start_method=method)
    np.testing.assert_array_equal(there, VECTORS)
    queries = reader.queries()[5:]
    assert len(queries) == 5
    assert len({process for process, _, _ in queries} - {os.getpid()}) == workers
    if method == "fork":
        assert id(opened) not in {connection for _, connection, _ in queries}
    np.testing.assert_array_equal(gather(dataset, batch_size=100, workers=0), here)
    assert reader.connection is opened


def test_a_used_dataset_pickles_without_its_connection(reader):
    dataset = FrameDataset(reader, KEYS, TARGETS, transform=halved)
    before = dataset[3].inputs
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset))[3].inputs, before)


def test_a_reader_that_cannot_travel_is_refused_at_once(reader):
    with pytest.raises(TypeError, match="open its connection at first use"):
        FrameDataset(EagerReader(reader.folder), KEYS, TARGETS)


def test_images_come_as_channels_first_and_transformed(reader):
    dataset = FrameDataset(reader, KEYS, TARGETS, what="images", transform=halved)
    batch = next(iter(DataLoader(dataset, batch_size=8)))
    assert batch.inputs.shape == (8, 3, 4, 6)
    assert batch.inputs[2, 0, 0, 0] == (KEYS[2] % 251) / 2


def test_vectors_arrive_in_float16_as_they_are_stored(reader):
    assert gather(FrameDataset(reader, KEYS, TARGETS), batch_size=64, workers=0).dtype == np.float16


def test_lengths_that_differ_are_refused(reader):
    with pytest.raises(ValueError, match=r"\(100, 99, 99\)"):
        FrameDataset(reader, KEYS, TARGETS[:99], np.ones(99))


def test_an_empty_dataset_cannot_be_gathered(reader):
    with pytest.raises(ValueError, match="label a batch first"):
        gather(FrameDataset(reader, KEYS[:0], TARGETS[:0]), batch_size=8, workers=0)


def test_frames_that_the_reader_does_not_have_are_an_error_not_a_shift(reader):
    with pytest.raises(LookupError, match=r"asked for 3 vectors .* got 2"):
        FrameDataset(reader, np.append(KEYS[:2], 1), TARGETS[:3]).__getitems__([0, 1, 2])

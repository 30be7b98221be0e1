"""The dataset over a real SQLite file: one query a mini-batch, here and in forked and spawned workers."""

import os
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from al_assets.checkpoints.dataset import ArrayLabels, FrameDataset, collate
from al_assets.checkpoints.training import gather
from support.vector_file import EagerReader, SqliteReader, write_vectors

torch.set_num_threads(1)
KEYS = 5 * 2**24 + np.arange(100) * 3
RNG = np.random.default_rng(1)
VECTORS = RNG.normal(size=(100, 32)).astype(np.float16)
TARGETS = RNG.integers(-1, 2, (100, 4)).astype(np.int8)
LABELS = ArrayLabels(KEYS, TARGETS)


@pytest.fixture
def reader(tmp_path):
    write_vectors(tmp_path, KEYS, VECTORS)
    return SqliteReader(tmp_path)


def halved(tensor):
    return tensor / 2


def test_nothing_is_read_before_a_frame_is_asked_for(reader):
    assert len(FrameDataset(reader, LABELS)) == 100
    assert reader.connection is None


def test_a_mini_batch_is_one_query(reader):
    loader = DataLoader(FrameDataset(reader, LABELS), batch_size=32)
    assert [len(batch.inputs) for batch in loader] == [32, 32, 32, 4]
    assert [size for _, _, size in reader.queries()] == [32, 32, 32, 4]


def test_a_shuffled_batch_keeps_vector_target_and_weight_together(reader):
    dataset = FrameDataset(reader, ArrayLabels(KEYS, TARGETS, np.arange(100) / 100))
    loader = DataLoader(dataset, batch_size=16, shuffle=True, generator=torch.Generator().manual_seed(1))
    for batch in loader:
        rows = (batch.weight * 100).round().long().numpy()
        np.testing.assert_array_equal(batch.inputs.numpy(), VECTORS[rows])
        np.testing.assert_array_equal(batch.target.numpy(), TARGETS[rows])


def test_frames_in_any_order_get_their_own_vectors(reader):
    order = np.random.default_rng(2).permutation(100)
    found = gather(FrameDataset(reader, ArrayLabels(KEYS[order], TARGETS[order])), batch_size=30, workers=0)
    np.testing.assert_array_equal(found, VECTORS[order])


def test_a_frame_drawn_twice_is_read_once_and_given_twice(reader):
    samples = FrameDataset(reader, LABELS).__getitems__([7, 2, 7])
    np.testing.assert_array_equal(samples[0].inputs, samples[2].inputs)
    np.testing.assert_array_equal(samples[1].inputs, VECTORS[2])
    assert reader.queries()[0][2] == 2


@pytest.mark.parametrize("what", ["vectors", "images"])
def test_a_frame_drawn_twice_may_be_changed_in_place(reader, what):
    first, second = FrameDataset(reader, LABELS, what=what).__getitems__([3, 3])
    first.inputs.fill_(0)
    assert second.inputs.any()


@pytest.mark.parametrize("position", [-1, 99, np.int64(99)])
def test_positions_count_as_in_a_list(reader, position):
    np.testing.assert_array_equal(FrameDataset(reader, LABELS)[position].inputs, VECTORS[99])


def test_a_position_beyond_the_end_is_an_index_error(reader):
    with pytest.raises(IndexError):
        FrameDataset(reader, LABELS)[100]


@pytest.mark.parametrize(("method", "workers"), [("fork", 2), ("spawn", 1)])
def test_workers_read_the_same_through_connections_of_their_own(reader, method, workers):
    dataset = FrameDataset(reader, LABELS)
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
    dataset = FrameDataset(reader, LABELS, transform=halved)
    before = dataset[3].inputs
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset))[3].inputs, before)


def test_a_reader_that_cannot_travel_is_refused_at_once(reader):
    with pytest.raises(TypeError, match="open its connection at first use"):
        FrameDataset(EagerReader(reader.folder), LABELS)


def test_images_come_as_channels_first_and_transformed(reader):
    dataset = FrameDataset(reader, LABELS, what="images", transform=halved)
    batch = next(iter(DataLoader(dataset, batch_size=8)))
    assert batch.inputs.shape == (8, 3, 4, 6)
    assert batch.inputs[2, 0, 0, 0] == (KEYS[2] % 251) / 2


@pytest.mark.parametrize("transform", [None, torch.Tensor.contiguous])
@pytest.mark.parametrize("what", ["vectors", "images"])
def test_the_own_collation_gives_the_same_mini_batch(reader, what, transform):
    dataset = FrameDataset(reader, LABELS, what=what, transform=transform)
    for ours, theirs in zip(DataLoader(dataset, 8, collate_fn=collate), DataLoader(dataset, 8), strict=True):
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_images_as_they_are_decoded_stay_channels_last(reader):
    batch = next(iter(DataLoader(FrameDataset(reader, LABELS, what="images"), 8, collate_fn=collate)))
    assert batch.inputs.is_contiguous(memory_format=torch.channels_last)


def test_vectors_arrive_in_float16_as_they_are_stored(reader):
    assert gather(FrameDataset(reader, LABELS), batch_size=64, workers=0).dtype == np.float16


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"\(100, 99, 99\)"):
        ArrayLabels(KEYS, TARGETS[:99], np.ones(99))


def test_an_empty_dataset_cannot_be_gathered(reader):
    with pytest.raises(ValueError, match="label a batch first"):
        gather(FrameDataset(reader, ArrayLabels(KEYS[:0], TARGETS[:0])), batch_size=8, workers=0)


def test_frames_that_the_reader_does_not_have_are_an_error_not_a_shift(reader):
    with pytest.raises(LookupError, match=r"asked for 3 vectors .* got 2"):
        FrameDataset(reader, ArrayLabels(np.append(KEYS[:2], 1), TARGETS[:3])).__getitems__([0, 1, 2])

"""Checkpoint files: the same bytes for the same head, and nothing loaded that is not what was asked for."""

import pickletools
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.checkpoints.files import (
    CheckpointMismatchError,
    load_head,
    read_provenance,
    save_head,
    sha256_of,
)
from support.digits import CLASS_IDS, CLASS_NAMES, digit_frames, trained_head

HEAD = trained_head(digit_frames(40, seed=1))
PROVENANCE = {"training_set_id": "ts-1", "seed": "7", "code_version": "1"}
DATA = save_head(HEAD, PROVENANCE)


def test_a_head_comes_back_as_it_was_saved():
    back = load_head(DATA, sha256=sha256_of(DATA), class_ids=CLASS_IDS, class_names=CLASS_NAMES)
    for field in fields(HEAD):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(HEAD, field.name))


def test_the_same_head_has_the_same_hash_every_time():
    turned = dict(reversed(PROVENANCE.items()))
    assert {save_head(HEAD, words) for words in (PROVENANCE, turned) for _ in range(4)} == {DATA}


def test_the_file_says_what_made_it():
    assert read_provenance(DATA) == PROVENANCE


def test_a_file_with_another_hash_is_refused():
    with pytest.raises(CheckpointMismatchError, match="the database says"):
        load_head(DATA + b" ", sha256=sha256_of(DATA))


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(position, change):
    damaged = bytearray(DATA)
    damaged[position] ^= change
    with pytest.raises(CheckpointMismatchError):
        load_head(bytes(damaged), sha256=sha256_of(DATA))


@pytest.mark.parametrize(
    ("expected", "named"),
    [
        ({"class_ids": CLASS_IDS[::-1]}, "class_ids"),
        ({"class_ids": (*CLASS_IDS, 11)}, "class_ids"),
        ({"class_names": ("nought", *CLASS_NAMES[1:])}, "class_names"),
        ({"embedder_id": "another"}, "embedder_id"),
    ],
)
def test_another_class_list_or_embedder_is_refused_and_named(expected, named):
    with pytest.raises(CheckpointMismatchError, match=named):
        load_head(DATA, sha256=sha256_of(DATA), **expected)


@pytest.mark.parametrize("data", [b"", b"\x80\x04K\x01.", b"\xff" * 40, DATA[:50], DATA[:-7]])
def test_other_files_are_refused_even_where_their_hash_is_recorded(data):
    with pytest.raises(CheckpointMismatchError):
        load_head(data, sha256=sha256_of(data))


def test_there_is_no_pickle_in_the_file():
    with pytest.raises(Exception, match=r"opcode|STOP|expected|unpack|decode|exhausted|short|not enough"):
        list(pickletools.genops(DATA))


def test_names_in_any_script_survive():
    names = ("Fuchs", "лиса", "狐", *CLASS_NAMES[3:])
    data = save_head(replace(HEAD, class_names=names), {})
    assert load_head(data, sha256=sha256_of(data)).class_names == names

import hashlib
from pathlib import Path

import numpy as np
import pytest

from al_assets.simulation.dataset import DatasetError, read_npz

VECTORS = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
LABELS = np.arange(12) % 3
GROUPS = np.arange(12) // 2
SPLIT = (np.arange(12) >= 8).astype(int)


def file_with(folder: Path, **arrays) -> Path:
    path = folder / "data.npz"
    np.savez(path, **({"embeddings": VECTORS, "labels": LABELS} | arrays))
    return path


def test_numbers_and_text_name_the_same_classes(tmp_path: Path) -> None:
    numbers = read_npz(file_with(tmp_path, labels=LABELS * 10 - 10))
    words = read_npz(file_with(tmp_path, labels=np.array(["a", "b", "c"])[LABELS]))
    floats = read_npz(file_with(tmp_path, labels=LABELS.astype(np.float32)))
    assert (numbers.targets == words.targets).all()
    assert (floats.targets == words.targets).all()
    assert (numbers.targets.argmax(axis=1) == LABELS).all()
    assert numbers.class_names == ("-10", "0", "10")
    assert words.class_names == ("a", "b", "c")
    assert words.task == "single_label"


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float32])
def test_a_matrix_of_labels_makes_it_multi_label(tmp_path: Path, dtype: type) -> None:
    matrix = np.eye(3, dtype=dtype)[LABELS]
    data = read_npz(file_with(tmp_path, labels=matrix))
    assert data.task == "multi_label"
    assert (data.targets == matrix).all()


def test_the_files_own_split_is_the_test_part(tmp_path: Path) -> None:
    data = read_npz(file_with(tmp_path, groups=GROUPS, split=SPLIT))
    assert (data.experiment().test == (SPLIT == 1)).all()


@pytest.mark.parametrize("groups", [GROUPS, np.array([f"clip {n}" for n in GROUPS])])
def test_whole_groups_are_held_out_and_the_same_ones_each_time(tmp_path: Path, groups: np.ndarray) -> None:
    data = read_npz(file_with(tmp_path, groups=groups))
    test = data.experiment(2).test
    assert test.sum() == 4
    assert len(np.unique(GROUPS[test])) == 2
    assert (data.experiment(2).test == test).all()


def test_a_fifth_of_the_groups_is_held_out_where_nobody_says(tmp_path: Path) -> None:
    assert read_npz(file_with(tmp_path)).experiment().test.sum() == 2
    assert read_npz(file_with(tmp_path, groups=GROUPS)).experiment().test.sum() == 2


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    path = file_with(tmp_path)
    assert read_npz(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_other_precisions_become_float32_and_half_stays_half(tmp_path: Path) -> None:
    for given, kept in ((np.float16, np.float16), (np.float64, np.float32), (np.int32, np.float32)):
        assert read_npz(file_with(tmp_path, embeddings=VECTORS.astype(given))).embeddings.dtype == kept


NAN = VECTORS.copy()
NAN[7, 1] = np.nan
MALFORMED = {
    "a vector a row": ({"embeddings": VECTORS[:, 0]}, r"`embeddings` has shape \(12,\)"),
    "no rows": ({"embeddings": VECTORS[:0], "labels": LABELS[:0]}, r"shape \(0, 3\)"),
    "text for vectors": ({"embeddings": VECTORS.astype(str)}, "give real numbers"),
    "complex": ({"embeddings": VECTORS.astype(complex)}, "give real numbers"),
    "nan": ({"embeddings": NAN}, "NaN or infinity in 1 rows, first in row 7"),
    "too large": ({"embeddings": VECTORS.astype(np.float64) * 1e300}, "NaN or infinity in 12 rows"),
    "squares overflow": ({"embeddings": VECTORS.astype(np.float32) * 1e30}, "over 1e\\+15 in"),
    "objects": ({"labels": np.array([{}] * 12)}, "holds Python objects"),
    "too few labels": ({"labels": LABELS[:11]}, r"`labels` has shape \(11,\) beside 12"),
    "broken labels": ({"labels": LABELS + 0.5}, "give whole numbers or text"),
    "nan for a label": ({"labels": np.where(LABELS == 1, np.nan, 0.0)}, "give whole numbers or text"),
    "one class": ({"labels": LABELS * 0}, "at least two classes"),
    "cube of labels": ({"labels": np.zeros((12, 2, 2))}, r"give \(n,\) classes"),
    "two in a matrix": ({"labels": np.eye(3)[LABELS] * 2}, "give 0 and 1 only"),
    "nobody at all": ({"labels": np.zeros((12, 3))}, "at least one row must show a class"),
    "no class": ({"labels": np.zeros((12, 0))}, r"shape \(12, 0\)"),
    "one number": ({"labels": np.array(3)}, r"shape \(\)"),
    "too few groups": ({"groups": GROUPS[:3]}, r"`groups` has shape \(3,\)"),
    "broken groups": ({"groups": GROUPS / 3}, "one whole number or text a row"),
    "split of three": ({"split": np.arange(12) % 3}, r"0 \(pool\) and 1 \(fixed test part\)"),
    "text split": ({"split": np.array(["test"] * 12)}, r"0 \(pool\) and 1 \(fixed test part\)"),
    "split of one kind": ({"split": SPLIT * 0}, "needs both 0"),
    "leaking split": ({"groups": GROUPS, "split": np.arange(12) > 6}, "group of row 7 is in the test part"),
    "one group": ({"groups": GROUPS * 0}, "all rows are of one group"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_file_is_refused_in_one_sentence_that_names_it(case: str, tmp_path: Path) -> None:
    arrays, said = MALFORMED[case]
    with pytest.raises(DatasetError, match=said) as caught:
        read_npz(file_with(tmp_path, **arrays)).experiment()
    assert "\n" not in str(caught.value)


def test_a_missing_array_is_named_with_those_there_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", vectors=VECTORS, labels=LABELS)
    with pytest.raises(DatasetError, match=r"data.npz: has no array `embeddings`; it has vectors, labels"):
        read_npz(tmp_path / "data.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"a,b\n1,2\n", None])
def test_what_is_no_npz_file_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    if content is None:
        with path.open("wb") as file:
            np.save(file, VECTORS)
    else:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"data.npz: is not a readable .npz file"):
        read_npz(path)


def test_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    path = file_with(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DatasetError, match="not a readable"):
        read_npz(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no such file"):
        read_npz(tmp_path / "data.npz")


@pytest.mark.parametrize(("count", "said"), [(6, "between 1 and 5"), (0, "between 1 and 5")])
def test_test_groups_that_leave_nothing_are_refused(tmp_path: Path, count: int, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        read_npz(file_with(tmp_path, groups=GROUPS)).experiment(count)


def test_test_groups_beside_a_split_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="leave out --test-groups"):
        read_npz(file_with(tmp_path, split=SPLIT)).experiment(2)

"""The dataset over labels and stills in SQL and storage, on every database: what ImageFolder reads, in workers too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from al_assets.checkpoints.dataset import FrameDataset, collate
from al_assets.checkpoints.shuffle import ShuffledPositions
from al_assets.embeddings.torchvision_gate import torchvision
from al_assets.frames.decoding import read_frames
from al_assets.frames.images import read_image
from al_assets.keys import frame_id
from resources.database import Database
from resources.pixels import StoragePixels
from resources.queries.frames import FrameQueries
from resources.queries.training_labels import SqlLabels
from resources.queries.videos import VideoRegister
from resources.storage import Storage
from support.archive_rows import ArchiveRows

torch.set_num_threads(1)
STILLS = 12
CLASSES = ("fox", "hare")


@pytest.fixture
def dataset(database: Database, local_storage: Storage, tmp_path: Path) -> FrameDataset:
    """Two class folders of six JPEGs each, frames 1, 3, 5, ...; the class of a folder is present, the other absent."""
    rows, rng = ArchiveRows(database), np.random.default_rng(1)
    for number in range(STILLS):
        folder, key = CLASSES[number // 6], frame_id(4, 2 * number + 1)
        file = Path(local_storage.url) / "videos" / folder / f"{number:03d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        soft = Image.fromarray(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)).resize((48, 32))
        soft.save(file, "JPEG")
        rows.add("frames", frame_id=key, video_id="stills", image_path=f"{folder}/{file.name}")
        for class_id in (1, 2):
            target = int(folder == CLASSES[class_id - 1])
            values = {"class_id": class_id, "target": target, "split": "train", "weight": 1.0}
            rows.add("training_sets", training_set_id="ts-1", frame_id=key, **values)
    pixels = StoragePixels(
        local_storage, VideoRegister(database), FrameQueries(database), read_frames, read_image
    )
    labels = SqlLabels.index(database, "ts-1", split="train", class_ids=(1, 2), folder=tmp_path)
    return FrameDataset(pixels, labels, what="images")


def read(dataset: FrameDataset, workers: int, method: str | None) -> list[torch.Tensor]:
    """All mini-batches in the order of the frames: images, targets and weights, one after another."""
    loader = DataLoader(
        dataset, batch_size=5, num_workers=workers, multiprocessing_context=method, collate_fn=collate
    )
    return [column for batch in loader for column in batch]


def test_pixels_and_labels_are_those_of_torchvisions_image_folder(dataset: FrameDataset) -> None:
    vision = torchvision()
    root = Path(dataset._own_reader().storage.url) / "videos"  # type: ignore[attr-defined]
    theirs = vision.datasets.ImageFolder(str(root), transform=vision.transforms.PILToTensor())
    assert theirs.classes == list(CLASSES)
    for position in ShuffledPositions(STILLS, seed=1):
        image, label = theirs[position]
        sample = dataset[position]
        assert torch.equal(sample.inputs, image)
        assert sample.target.tolist() == [int(label == 0), int(label == 1)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_what_this_process_reads(dataset: FrameDataset, method: str) -> None:
    here = read(dataset, 0, None)  # connections are open when the workers begin
    there = read(dataset, 2, method)
    assert all(torch.equal(one, other) for one, other in zip(here, there, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(here, read(dataset, 0, None), strict=True))

"""`al bench dataset`: how fast and how large the PyTorch dataset is, against ImageFolder and a JSON. Measures only.

Both read the same JPEGs through a DataLoader with two workers. Memory is that of a process of its own and its
workers, pages that they share counted once (PSS; USS where the system does not tell it).
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from PIL import Image, ImageDraw
from torch.utils.data import DataLoader, Dataset

from al_assets.benches.cases import rates
from al_assets.checkpoints.dataset import FrameDataset, collate
from al_assets.checkpoints.shuffle import ShuffledPositions
from al_assets.embeddings.torchvision_gate import torchvision
from al_assets.frames.decoding import read_frames
from al_assets.frames.images import read_image
from al_assets.keys import frame_range
from resources import migrations
from resources.database import Database
from resources.pixels import StoragePixels
from resources.queries.frames import FrameQueries
from resources.queries.training_labels import SqlLabels
from resources.queries.videos import VideoRegister
from resources.slice_writer import SliceWriter
from resources.slices import KeyRange, Slice
from resources.storage import Storage

WORKERS = 2
BATCH = 32
CLASSES = 10
IMAGES = 2_000
FEW_ROWS = 10_000
JSON_ROWS = 1_000_000
"""Rows beyond which a JSON is not tried: it takes half a kilobyte a row, and a minute for 10 million."""
MEMORY_BATCHES = 60
REPEATS = 5
QUICK = 10_000
"""Annotations below which one look at the speed does, and the JSON is left out: its processes would take a minute."""
BLOCK = 100_000
FIRST, LAST = frame_range(1)


def measure_dataset(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """`measured` and `ratios` of the case; rows: annotations of the larger training set, ten a frame.

    `dataset_vs_imagefolder` is images a second of ours to ImageFolder's, first epochs left out;
    `resident_growth` the dataset's memory at `rows` annotations to that at 10,000 (a tenth of `rows` where that
    is less). A JSON is measured from ten thousand annotations up to a million.
    """
    few = min(FEW_ROWS, rows // 10)
    with tempfile.TemporaryDirectory(prefix="al-bench-") as name:
        folder = Path(name)
        images = max(BATCH, min(IMAGES, rows // 100))
        _write_archive(folder, images, annotations=(few, rows))
        speed = rates(_epochs(folder, images), REPEATS if rows >= QUICK else 1)
        sizes = {
            f"dataset_resident_mib_{count}_rows": _resident_mib(_ours, folder, count) for count in (few, rows)
        }
        many = min(rows, JSON_ROWS)
        for count in (few, many) if rows >= QUICK else ():
            _write_json(folder, count, images)
            sizes[f"json_resident_mib_{count}_rows"] = _resident_mib(_json, folder, count)
    ours = [sizes[f"dataset_resident_mib_{count}_rows"] for count in (few, rows)]
    growth = {"dataset_growth_bytes_per_row": (ours[1] - ours[0]) * 2**20 / (rows - few)}
    ratios = {
        "dataset_vs_imagefolder": speed["dataset_images_per_second"] / speed["imagefolder_images_per_second"],
        "resident_growth": ours[1] / ours[0],
    }
    if rows >= QUICK:
        held = [sizes[f"json_resident_mib_{count}_rows"] for count in (few, many)]
        growth["json_growth_bytes_per_row"] = (held[1] - held[0]) * 2**20 / (many - few)
        ratios["json_resident_growth"] = held[1] / held[0]
    return speed | sizes | growth, ratios


def _write_archive(folder: Path, images: int, annotations: tuple[int, ...]) -> None:
    """Stills in class folders, their rows in `frames`, and a training set for the speed and for each size."""
    database = _database(folder)
    migrations.upgrade(database)
    for number in range(images):
        path = folder / "storage/videos" / _image(number, images)
        path.parent.mkdir(parents=True, exist_ok=True)
        _render(number).save(path, "JPEG", quality=90)
    writer, now = SliceWriter(database), datetime.now(UTC)
    frames = max(images, *annotations) // CLASSES + images
    writer.write(
        "bench", Slice({"frame_id": KeyRange(FIRST, LAST)}, {"frames": _frames(frames, images)}), now=now
    )
    for count in {images * CLASSES, *annotations}:
        rows = {"training_sets": _annotations(count)}
        writer.write("bench", Slice({"training_set_id": _training_set(count)}, rows), now=now)
    database.close()


def _image(number: int, images: int) -> str:
    """Path of the still of the frame of this number; frames beyond the images show them again."""
    return f"class-{number % images % CLASSES}/{number % images:06d}.jpg"


def _render(number: int) -> Image.Image:
    """320x240: a soft background, grain and shapes, which compress about as a photograph does."""
    rng = np.random.default_rng(number)
    soft = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(
        (320, 240), Image.Resampling.BICUBIC
    )
    draw = ImageDraw.Draw(soft)
    for _ in range(12):
        x, y, w, h = rng.integers((0, 0, 10, 10), (300, 220, 80, 80)).tolist()
        draw.ellipse((x, y, x + w, y + h), fill=tuple(rng.integers(0, 256, 3).tolist()))
    grain = rng.normal(0, 6, (240, 320, 1))
    return Image.fromarray(np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8))


def _frames(count: int, images: int) -> Iterator[pa.Table]:
    for start in range(0, count, BLOCK):
        at = np.arange(start, min(start + BLOCK, count))
        columns: dict[str, Any] = {
            "frame_id": FIRST + at,
            "video_id": ["stills"] * len(at),
            "frame_index": at,
            "pts_ms": at * 1000,
            "width": np.full(len(at), 320),
            "height": np.full(len(at), 240),
            "brightness": np.full(len(at), 0.5),
            "sharpness": np.full(len(at), 12.5),
            "phash": at,
            "duplicate_of": pa.nulls(len(at), pa.int64()),
            "image_path": [_image(number, images) for number in at.tolist()],
        }
        yield pa.table(columns)


def _annotations(count: int) -> Iterator[pa.Table]:
    """Rows of a training set in which each frame is judged for ten classes."""
    for start in range(0, count, BLOCK):
        at = np.arange(start, min(start + BLOCK, count))
        columns: dict[str, Any] = {
            "training_set_id": [_training_set(count)] * len(at),
            "frame_id": FIRST + at // CLASSES,
            "class_id": at % CLASSES + 1,
            "target": (at // CLASSES % CLASSES == at % CLASSES).astype(np.int16),
            "split": ["train"] * len(at),
            "weight": np.ones(len(at)),
            "annotation_id": at,
        }
        yield pa.table(columns)


def _training_set(count: int) -> str:
    return f"ts-{count}"


def _write_json(folder: Path, count: int, images: int) -> None:
    """What `training_sets` holds, with the image that a dataset without a database needs to know."""
    with (folder / f"{count}.json").open("w", encoding="utf-8") as out:
        out.write("[")
        for at in range(count):
            frame = at // CLASSES
            row = {
                "frame_id": FIRST + frame,
                "image": _image(frame, images),
                "class_id": at % CLASSES + 1,
                "target": int(frame % CLASSES == at % CLASSES),
                "split": "train",
                "weight": 1.0,
                "annotation_id": at,
            }
            out.write(("," if at else "") + json.dumps(row))
        out.write("]")


def _database(folder: Path) -> Database:
    return Database(url=f"sqlite:///{folder / 'al.db'}")


def _ours(folder: Path, count: int) -> FrameDataset:
    database = _database(folder)
    storage = Storage(url=str(folder / "storage"))
    pixels = StoragePixels(storage, VideoRegister(database), FrameQueries(database), read_frames, read_image)
    labels = SqlLabels.index(
        database,
        _training_set(count),
        split="train",
        class_ids=range(1, CLASSES + 1),
        folder=folder,
    )
    return FrameDataset(pixels, labels, what="images")


class _JsonImages(Dataset[tuple[torch.Tensor, int]]):
    """The way of most tutorials: all annotations in a list of dicts."""

    def __init__(self, file: Path, root: Path) -> None:
        with file.open(encoding="utf-8") as source:
            self.rows = json.load(source)
        self.root = root

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> tuple[torch.Tensor, int]:
        row = self.rows[position]
        return torch.from_numpy(read_image(self.root / row["image"])).permute(2, 0, 1), row["target"]


def _json(folder: Path, count: int) -> _JsonImages:
    return _JsonImages(folder / f"{count}.json", folder / "storage/videos")


def _loader(dataset: Any) -> DataLoader[Any]:
    order = ShuffledPositions(len(dataset), seed=1)
    function = collate if isinstance(dataset, FrameDataset) else None
    return DataLoader(
        dataset, BATCH, sampler=order, num_workers=WORKERS, persistent_workers=True, collate_fn=function
    )


def _epochs(folder: Path, images: int) -> dict[str, Callable[[], int]]:
    """An epoch of each, its workers started and its files read once."""
    vision = torchvision()
    theirs = vision.datasets.ImageFolder(
        str(folder / "storage/videos"), transform=vision.transforms.PILToTensor()
    )
    loaders = {"imagefolder": _loader(theirs), "dataset": _loader(_ours(folder, images * CLASSES))}

    def epoch(loader: DataLoader[Any]) -> int:
        return sum(len(batch[0]) for batch in loader)

    for loader in loaders.values():
        epoch(loader)
    return {f"{name}_images_per_second": partial(epoch, loader) for name, loader in loaders.items()}


def _resident_mib(make: Callable[[Path, int], Any], folder: Path, count: int) -> float:
    """Memory of a process of its own, with its workers, that reads mini-batches of make(folder, count)."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_read_and_weigh, args=(make, folder, count, sender))
    process.start()
    sender.close()
    try:
        return float(receiver.recv())
    except EOFError:
        raise RuntimeError("the process that was to be weighed died; see its message above") from None
    finally:
        process.join()


def _read_and_weigh(make: Callable[[Path, int], Any], folder: Path, count: int, sender: Any) -> None:
    import psutil  # type: ignore[import-untyped]

    torch.set_num_threads(1)
    batches = iter(_loader(make(folder, count)))
    for _ in islice(batches, MEMORY_BATCHES):
        pass
    this = psutil.Process()
    memory = [process.memory_full_info() for process in (this, *this.children())]
    sender.send(sum(getattr(one, "pss", one.uss) for one in memory) / 2**20)

"""How fast label exports are imported and in how much memory, against plain parsing and `to_sql`. Measures only.

Ours is the whole way of a learn run: hash of the file, every record checked, frames and classes looked up, what is
known already told apart, rejects kept, one transaction. The reference parses the file whole and writes the same
rows by pandas; it checks nothing. Each runs in a process of its own.
"""

from __future__ import annotations

import csv
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from al_assets.keys import frame_id
from resources.archive import Archive
from resources.bench_rows import VIDEO_NO, sample_frames
from resources.database import Database
from resources.io_bench import new_database
from resources.memory_bench import peak_mib
from resources.slice_writer import SliceWriter
from resources.slices import Slice
from resources.storage import Storage

REPEATS = 2
WORTH_REPEATING = 50_000
"""Records; the import of fewer takes less than its process does to start."""
FILES = {"csv": "answers.csv", "label_studio": "answers.json"}
CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nobody")
ANNOTATORS = ("anna", "ben", "chris")
NOON = datetime(2026, 1, 1, 12)


def measure_labels(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """`measured` in records a second and MiB, and ratios of our speed to the reference's, for `rows` records.

    Peak memory is taken at a tenth of the rows too: its growth says whether memory is bounded.
    """
    measured: dict[str, float] = {}
    ratios: dict[str, float] = {}
    few = max(rows // 10, 1_000)
    with tempfile.TemporaryDirectory(prefix="al-bench-") as folder:
        small, whole = Path(folder) / "small", Path(folder) / "whole"
        make_archive(small, few)
        make_archive(whole, rows)
        for name in FILES:
            best = dict.fromkeys(WORKS, 0.0)
            for _ in range(REPEATS if rows >= WORTH_REPEATING else 1):
                for work in WORKS:
                    seconds, peak = _in_a_process(work, name, whole)
                    best[work] = max(best[work], rows / seconds)
                    measured[f"{name}_{work}_peak_mib_{rows}_records"] = peak
            _, least = _in_a_process("import", name, small)
            measured[f"{name}_import_peak_mib_{few}_records"] = least
            measured |= {f"{name}_{work}_records_per_second": speed for work, speed in best.items()}
            ratios[f"{name}_import_vs_to_sql"] = best["import"] / best["to_sql"]
            ratios[f"{name}_import_peak_growth"] = measured[f"{name}_import_peak_mib_{rows}_records"] / least
    return measured, ratios


def make_archive(folder: Path, records: int) -> None:
    """An archive of a third as many frames, and one export of each format: three people's answers for each frame."""
    frames = (records + len(ANNOTATORS) - 1) // len(ANNOTATORS)
    exports = folder / "storage" / "label_exports"
    exports.mkdir(parents=True)
    database = new_database(f"sqlite:///{folder / 'al.db'}")
    SliceWriter(database).write("bench", Slice({}, {"frames": sample_frames(frames)}), now=NOON)
    database.close()
    with (exports / FILES["csv"]).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["frame_id", "label", "annotator", "annotated_at"])
        for key, label, annotator, at, _ in _answers(records):
            writer.writerow([key, label.replace("nobody", ""), annotator, f"{at:%Y-%m-%dT%H:%M:%SZ}"])
    with (exports / FILES["label_studio"]).open("w", encoding="utf-8") as stream:
        for answer in _answers(records):
            stream.write(",\n" if answer[-1] else "[")
            json.dump(_task(*answer), stream)
        stream.write("]")


def _answers(records: int) -> Iterator[tuple[int, str, str, datetime, int]]:
    """Frame, label, annotator, moment and number of each answer."""
    for number in range(records):
        frame, person = divmod(number, len(ANNOTATORS))
        label = CLASSES[(frame + (person if number % 7 == 0 else 0)) % len(CLASSES)]
        yield (
            *(frame_id(VIDEO_NO, frame), label, ANNOTATORS[person]),
            *(NOON + timedelta(seconds=number), number),
        )


def _task(frame: int, label: str, annotator: str, at: datetime, number: int) -> dict[str, object]:
    """A task as Label Studio 1.23 exports it."""
    moment = f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
    choice = {"from_name": "answer", "to_name": "image", "type": "choices", "value": {"choices": [label]}}
    annotation = {
        **{"id": number, "completed_by": ANNOTATORS.index(annotator) + 1, "result": [choice]},
        **{"was_cancelled": False, "ground_truth": False, "created_at": moment, "updated_at": moment},
        **{"draft_created_at": None, "lead_time": 1.5, "prediction": {}, "result_count": 1},
        **{"unique_id": f"f2b8783b-9650-45a3-ac3c-{number:012}", "import_id": None, "last_action": None},
        **{"bulk_created": False, "task": number, "project": 1, "updated_by": 1, "parent_prediction": None},
        **{"parent_annotation": None, "last_created_by": None},
    }
    data = {
        **{
            "image": f"/data/local-files/?d=stills/clip-1/{number}.jpg",
            "frame_id": frame,
            "video_id": "clip-1",
        },
        **{"frame_index": number, "pts_ms": number * 40, "batch_id": 3, "rank": 1, "checkpoint_id": "ckpt-7"},
        **{"clip": None, "clip_link": "clip-1 at 0:00.000"},
    }
    counts = {"total_annotations": 1, "cancelled_annotations": 0, "total_predictions": 0, "comment_count": 0}
    return {
        **{
            "id": number,
            "annotations": [annotation],
            "drafts": [],
            "predictions": [],
            "data": data,
            "meta": {},
        },
        **{"created_at": moment, "updated_at": moment, "allow_skip": True, "inner_id": number, **counts},
        **{"unresolved_comment_count": 0, "last_comment_updated_at": None, "project": 1, "updated_by": 1},
        **{"comment_authors": []},
    }


def _in_a_process(work: str, name: str, archive: Path) -> tuple[float, float]:
    """Seconds of the work alone, and the peak memory of its process."""
    command = [sys.executable, "-m", "al_assets.benches.labels", work, name, str(archive)]
    found = subprocess.run(command, text=True, capture_output=True, check=True)
    seconds, peak = found.stdout.split()
    return float(seconds), float(peak)


def import_file(name: str, folder: Path) -> Callable[[], None]:
    """The import of an export as a learn run does it, into a copy of the database."""
    from al_assets.labels.assets import import_export
    from al_assets.settings import parse_settings

    for file in folder.glob("run.db*"):
        file.unlink()
    shutil.copy(folder / "al.db", folder / "run.db")
    database, storage = Database(url=f"sqlite:///{folder / 'run.db'}"), Storage(url=str(folder / "storage"))
    archive = Archive(database=database, storage=storage)
    archive.labels.sync_classes(CLASSES[:-1], {}, NOON)
    uri = f"label_exports/{FILES[name]}"
    version = {"uri": uri, "etag": "1", "size_bytes": 0, "sha256": archive.storage.sha256(uri)}
    archive.labels.register([version], NOON, after={})
    (export,) = archive.labels.claim("bench")
    log = logging.getLogger("al.bench")

    def work() -> None:
        if not import_export(archive, parse_settings({}), export, run_id="bench", log=log):
            raise RuntimeError(f"{export.uri} was set aside: {archive.labels.exports()[-1].error}")

    return work


def write_plainly(name: str, folder: Path) -> Callable[[], None]:
    """The same records by csv or json and pandas, into a table without a key."""
    import pandas as pd

    file = folder / "storage" / "label_exports" / FILES[name]
    database = Database(url=f"sqlite:///{folder / 'plain.db'}")

    def work() -> None:
        with file.open(encoding="utf-8", newline="") as stream:
            if name == "csv":
                rows = list(csv.DictReader(stream))
            else:
                rows = [
                    {
                        "frame_id": task["data"]["frame_id"],
                        "label": annotation["result"][0]["value"]["choices"][0],
                        "annotator": str(annotation["completed_by"]),
                        "annotated_at": annotation["updated_at"],
                    }
                    for task in json.load(stream)
                    for annotation in task["annotations"]
                ]
        pd.DataFrame(rows).to_sql("answers", database.engine, if_exists="replace", index=False)

    return work


WORKS = {"import": import_file, "to_sql": write_plainly}


def _main(work: str, name: str, folder: str) -> None:
    run = WORKS[work](name, Path(folder))
    began = time.perf_counter()
    run()
    print(time.perf_counter() - began, peak_mib())


if __name__ == "__main__":
    _main(*sys.argv[1:])

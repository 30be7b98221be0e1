"""A small archive with everything that reports show: stills, labels, two models that were evaluated, a batch.

Its videos are folders of tiny stills, so that nothing is decoded. No assertion belongs here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import sqlalchemy as sa

from al_assets.checkpoints.evaluation import evaluate
from al_assets.checkpoints.files import save_head
from al_assets.checkpoints.heads import Head
from al_assets.frames.stills import encode_jpeg
from al_assets.keys import Task, frame_id, video_no_of
from al_assets.pages.measurements import try_model
from al_assets.reports.assets import archive_report, batch_report, model_report
from al_assets.settings import parse_settings
from resources.archive import Archive
from resources.tables import metadata
from support.small_archives import empty_archive

VIDEOS, FRAMES, DIMENSIONS = 8, 12, 16
BEGAN = datetime(2026, 1, 3, 6)
EVIL = "<img src=x onerror=alert(1)> & \"$x^2$\" 'quoted'"
"""A name as somebody may write it: of a class, of a site, in a reason."""
EMBEDDER = "e1"


class ReportArchive:
    """The archive; `classes` of them, the first named EVIL."""

    def __init__(self, folder: Path, classes: int, task: Task = "multi_label") -> None:
        self.archive: Archive = empty_archive(folder)
        self.task: Task = task
        self.rng = np.random.default_rng(0)
        self.names = [EVIL, *(f"individual {number:04}" for number in range(1, classes))]
        self.class_ids = list(range(1, classes + 1))
        self.frames = [frame_id(v, n) for v in range(1, VIDEOS + 1) for n in range(FRAMES)]
        self.vectors = self.rng.standard_normal((len(self.frames), DIMENSIONS)).astype("<f2")
        self._videos()
        self._people()
        for number in (1, 2):
            self._model(number)
        self._batch()

    @property
    def reports(self) -> Path:
        """Where the pages lie."""
        return Path(self.archive.storage.url) / "reports"

    def make_reports(self, *only: dg.AssetsDefinition) -> dict[str, dict[str, object]]:
        """Run the three assets in Dagster, or only some; metadata by asset."""
        settings = parse_settings({"task": self.task})
        result = dg.materialize(
            only or (model_report, archive_report, batch_report),
            resources={"archive": self.archive, "settings": settings},
        )
        made = [
            event.step_materialization_data.materialization
            for event in result.get_asset_materialization_events()
        ]
        return {one.asset_key.to_user_string(): dict(one.metadata) for one in made}

    def add(self, table: str, rows: list[dict[str, object]]) -> None:
        """Rows of a table; every row with the same columns."""
        with self.archive.database.write() as connection:
            connection.execute(sa.insert(metadata.tables[table]), rows)

    def _videos(self) -> None:
        splits = ("train", "train", "train", "train", "validation", "test", "test", "test")
        sites = (EVIL, "meadow", "meadow", None)
        for number in range(1, VIDEOS + 1):
            self.add(
                "videos",
                [
                    {
                        "video_id": f"v{number}",
                        "video_no": number,
                        "kind": "images",
                        "path": f"cam/{number}",
                        "etag": "e",
                        "size_bytes": 1,
                        "content_hash": f"{number:064}",
                        "duration_ms": 600_000 * number,
                        "recorded_at": BEGAN + timedelta(days=17 * number),
                        "site": sites[number % len(sites)],
                        "split": splits[number - 1],
                        "status": "partial" if number == 2 else "indexed",
                        "error": EVIL if number == 2 else None,
                        "registered_at": BEGAN,
                        "frames_version": "e@1",
                    }
                ],
            )
        self.add("frames", [self._frame(at, key) for at, key in enumerate(self.frames)])
        self.add(
            "embedders",
            [
                {
                    "embedder_id": EMBEDDER,
                    "backbone": "b",
                    "weights_sha256": "0",
                    "dimensions": DIMENSIONS,
                    "created_at": BEGAN,
                }
            ],
        )
        vectors = zip(self.frames, self.vectors, strict=True)
        self.add(
            "embeddings",
            [{"embedder_id": EMBEDDER, "frame_id": k, "vector": v.tobytes()} for k, v in vectors],
        )

    def _frame(self, at: int, key: int) -> dict[str, object]:
        number, place = int(video_no_of(key)), at % FRAMES
        path = f"cam/{number}/{place}.jpg"
        image = np.full((36, 48, 3), (20 * number, 20 * place, 90), dtype=np.uint8)
        self.archive.storage.write(f"videos/{path}", encode_jpeg(image))
        return {
            "frame_id": key,
            "video_id": f"v{number}",
            "frame_index": place,
            "pts_ms": 1_000 * place,
            "width": 48,
            "height": 36,
            "brightness": 0.1 + 0.01 * at % 0.5,
            "sharpness": 5.0 + at,
            "phash": at,
            "duplicate_of": key - 1 if place == 7 else None,
            "image_path": path,
        }

    def _people(self) -> None:
        count = len(self.class_ids)
        self.add(
            "classes",
            [
                {"class_id": i, "name": n, "aliases": "[]", "active": 1, "created_at": BEGAN}
                for i, n in zip(self.class_ids, self.names, strict=True)
            ],
        )
        judged = [key for key in self.frames if key % 3 != 2]
        self.present = {key: {1 + key * 7 % count, 1 + key * 5 % count} for key in judged}
        near = {key: {*marks, *(1 + (m + 1) % count for m in marks)} for key, marks in self.present.items()}
        if self.task == "single_label":
            near = self.present = {key: {min(marks)} for key, marks in self.present.items()}
        self.add(
            "labels",
            [
                {
                    "frame_id": key,
                    "class_id": class_id,
                    "present": int(class_id in self.present[key]),
                    "agreement": 1.0,
                    "annotators": 1,
                    "annotation_id": 2**32,
                    "box_x": 0.1,
                    "box_y": 0.1,
                    "box_width": 0.1,
                    "box_height": 0.1,
                }
                for key, marks in near.items()
                for class_id in sorted(marks)
            ],
        )
        held = {f"v{n}": split for n, split in ((5, "validation"), (6, "test"), (7, "test"), (8, "test"))}
        self.add(
            "training_sets",
            [
                {
                    "training_set_id": "ts",
                    "frame_id": key,
                    "class_id": class_id,
                    "target": int(class_id in self.present[key]),
                    "split": held.get(f"v{video_no_of(key)}", "train"),
                    "weight": 1.0,
                    "annotation_id": 2**32,
                }
                for key, marks in near.items()
                for class_id in sorted(marks)
            ],
        )

    def _model(self, number: int) -> None:
        count = len(self.class_ids)
        weight = self.rng.standard_normal((count, DIMENSIONS)).astype(np.float32)
        flat, ones = np.zeros(DIMENSIONS, np.float32), np.ones(count, np.float32)
        head = Head(
            self.task,
            tuple(self.class_ids),
            tuple(self.names),
            EMBEDDER,
            weight,
            0 * ones,
            flat,
            flat + 1,
            ones,
            0.5 * ones,
        )
        name, data = f"ck-{number}", save_head(head, {})
        self.archive.storage.write(f"checkpoints/{name}.safetensors", data)
        row = {
            "checkpoint_id": name,
            "embedder_id": EMBEDDER,
            "training_set_id": "ts",
            "task": self.task,
            "head": "linear",
            "seed": 0,
            "hyperparameters": "{}",
            "class_ids": json.dumps(self.class_ids),
            "labelled_frames": 20 * number,
            "uri": f"checkpoints/{name}.safetensors",
            "sha256": hashlib.sha256(data).hexdigest(),
            "code_version": "1",
            "run_id": "r",
            "trained_at": BEGAN + timedelta(days=number),
        }
        self.add("checkpoints", [row])
        if number == 1:
            self.add("serving", [{"slot": 1, "checkpoint_id": name, "promotion_id": 1, "since_at": BEGAN}])
        self._evaluate(name)
        self._score(name, head.probabilities(self.vectors))

    def _evaluate(self, name: str) -> None:
        tried = try_model(self.archive, self.archive.models.get(name), "ts")
        found = evaluate(
            tried.probabilities,
            tried.targets,
            video_no_of(tried.keys),
            task=self.task,
            class_ids=self.class_ids,
            thresholds=tried.thresholds,
            rng=self.rng,
            resamples=5,
        )
        self.add(
            "evaluations", [{"checkpoint_id": name, "split": "test", **asdict(metric)} for metric in found]
        )

    def _score(self, name: str, probabilities: np.ndarray) -> None:
        order = np.argsort(-probabilities, axis=1)
        rows, said = [], []
        for at, key in enumerate(self.frames):
            top, runner = order[at, :2]
            rows.append(
                {
                    "checkpoint_id": name,
                    "frame_id": key,
                    "top_class_id": self.class_ids[top],
                    "confidence": float(probabilities[at, top]),
                    "runner_up_class_id": self.class_ids[runner],
                    "margin": float(probabilities[at, top] - probabilities[at, runner]),
                    "entropy": 0.5,
                    "top_five": b"",
                }
            )
            said += [
                {
                    "checkpoint_id": name,
                    "frame_id": key,
                    "instance": n,
                    "class_id": self.class_ids[column],
                    "confidence": float(probabilities[at, column]),
                }
                for n, column in enumerate(order[at, : 1 if self.task == "single_label" else 4])
            ]
        self.add("frame_scores", rows)
        self.add("predictions", said)

    def _batch(self) -> None:
        self.add(
            "selection_batches",
            [
                {
                    "batch_id": 3,
                    "strategy": "margin",
                    "checkpoint_id": "ck-1",
                    "embedder_id": EMBEDDER,
                    "seed": 1,
                    "budget": 10,
                    "selected": 8,
                    "reason": f"as {EVIL} asked",
                    "left_out": json.dumps({EVIL: 4}),
                    "run_id": "r",
                    "created_at": BEGAN,
                }
            ],
        )
        free = [key for key in self.frames if key % 3 == 2]
        arms = ["strategy"] * 5 + ["random", "evaluation", "second_opinion"]
        self.add(
            "selections",
            [
                {"batch_id": 3, "rank": n, "frame_id": key, "score": 0.5, "arm": arm, "reason": EVIL}
                for n, (key, arm) in enumerate(zip(free, arms, strict=False), 1)
            ],
        )
        self.add(
            "passed_over",
            [
                {
                    "batch_id": 3,
                    "frame_id": key,
                    "place": n,
                    "score": 0.4,
                    "rule": "cosine",
                    "reason": EVIL,
                    "beside_frame_id": free[0],
                }
                for n, key in enumerate(free[10:14], 1)
            ],
        )

"""An oracle in the person's place: answers labelling tasks from ground truth, as the labelling tool would export it.

Only answering lives here; who asks, and what is learned from the answers, does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from al_assets.names import NOBODY
from al_assets.selection.labelling_tasks import CONTROL, IMAGE


@dataclass(frozen=True)
class Truth:
    """What is on each frame: (video_id, frame_index) -> class names joined by `|`, empty for nobody."""

    names: Mapping[tuple[str, int], str]

    def of(self, video_id: str, frame_index: int) -> list[str]:
        """Class names on a frame. Raises LookupError for a frame of which nothing is known."""
        try:
            said = self.names[(video_id, frame_index)]
        except KeyError:
            raise LookupError(f"the truth does not know frame {frame_index} of {video_id}") from None
        return [name for name in said.split("|") if name]


def answer_tasks(
    tasks: Sequence[Mapping[str, Any]], truth: Truth, *, annotator: str, answered_at: datetime
) -> list[dict[str, Any]]:
    """Label Studio's JSON export of these tasks, each answered once and truly.

    tasks: as `labelling_tasks.label_studio_tasks` makes them. answered_at: aware UTC (ValueError otherwise). The same
    task answered again carries the same annotation id, so that it supersedes rather than repeats.
    """
    if answered_at.utcoffset() != timedelta(0):
        raise ValueError(f"answered_at {answered_at.isoformat()} is not UTC; pass an aware time in UTC")
    return [
        _answered(task, number, truth, annotator, answered_at.isoformat().replace("+00:00", "Z"))
        for number, task in enumerate(tasks, start=1)
    ]


def _answered(task: Mapping[str, Any], number: int, truth: Truth, annotator: str, at: str) -> dict[str, Any]:
    data = task["data"]
    names = truth.of(str(data["video_id"]), int(data["frame_index"])) or [NOBODY]
    # Distinct in all batches, as a labelling tool's own counter would be.
    annotation_id = int(data["batch_id"]) * 100_000 + number
    result = {
        "id": f"answer-{annotation_id}",
        "type": "choices",
        "value": {"choices": names},
        "origin": "manual",
        "to_name": IMAGE,
        "from_name": CONTROL,
    }
    annotation = {
        "id": annotation_id,
        "completed_by": {"id": 1, "email": annotator},
        "result": [result],
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": at,
        "updated_at": at,
        "draft_created_at": None,
        "lead_time": 3.0,
        "prediction": {},
        "result_count": 1,
        "import_id": None,
        "task": annotation_id,
        "project": 1,
        "parent_prediction": None,
        "parent_annotation": None,
    }
    return {
        "id": annotation_id,
        "annotations": [annotation],
        "drafts": [],
        # What the model suggested stays in the export, beside what the person said.
        "predictions": list(task.get("predictions", ())),
        "data": dict(data),
        "meta": {},
        "created_at": at,
        "updated_at": at,
        "inner_id": number,
        "total_annotations": 1,
        "cancelled_annotations": 0,
        "total_predictions": len(task.get("predictions", ())),
        "project": 1,
    }

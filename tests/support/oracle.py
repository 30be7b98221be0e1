"""An oracle for the loop's tests: answers the newest batch from the demo archive's ground truth."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from al_assets.simulation.oracle import Truth, answer_tasks
from resources.storage import Storage


def answers_to(
    tasks: list[dict[str, Any]], truth: pd.DataFrame, paths: dict[str, str]
) -> list[dict[str, Any]]:
    """Label Studio export that answers the tasks; `paths` maps video_id to the path in the truth."""
    names = dict(zip(zip(truth["path"], truth["frame_index"], strict=True), truth["names"], strict=True))
    known = {}
    for task in tasks:
        video_id, frame_index = task["data"]["video_id"], task["data"]["frame_index"]
        known[(video_id, frame_index)] = names.get((paths[video_id], frame_index), "")
    return answer_tasks(tasks, Truth(known), annotator="oracle", answered_at=datetime.now(UTC))


def drop_answers(storage: Storage, truth: pd.DataFrame, paths: dict[str, str], name: str) -> int:
    """Answer the newest batch under `labelling_tasks/` with a file in `label_exports/`; returns the answers."""
    batches = [
        file.path for file in storage.list("labelling_tasks/") if file.path.endswith("/label_studio.json")
    ]
    answers = answers_to(json.loads(storage.read(batches[-1])), truth, paths)
    storage.write(f"label_exports/{name}", json.dumps(answers).encode())
    return len(answers)

"""An oracle for the loop's tests: answers the newest batch from the demo archive's ground truth."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from al_assets.simulation.oracle import Truth, answer_tasks


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


def drop_answers(storage: Path, truth: pd.DataFrame, paths: dict[str, str], name: str) -> int:
    """Answer the newest batch under `labelling_tasks/` with a file in `label_exports/`; returns the answers."""
    newest = sorted((storage / "labelling_tasks").glob("batch-*/label_studio.json"))[-1]
    answers = answers_to(json.loads(newest.read_text(encoding="utf-8")), truth, paths)
    target = storage / "label_exports" / name
    target.with_suffix(".part").write_text(json.dumps(answers), encoding="utf-8")
    target.with_suffix(".part").rename(target)
    return len(answers)

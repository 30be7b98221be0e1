"""What is remembered of the labelling tool's project, kept as a small file in storage. No storage, no requests.

It is no cursor: which tasks and answers are missing is always seen from the project itself. It says which project is
ours, since two archives may use one server, and how the project stood when its answers were last fetched.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

NOTE = "labelling_tasks/label_studio/project.json"
FETCHED = "label_exports/label_studio/"
"""Where fetched answers are put, each file with every answer of its project."""


@dataclass(frozen=True)
class Standing:
    """How a project stands: numbers of annotations, when one last changed, and the newest batch that is complete."""

    answers: int
    skipped: int
    changed_at: str
    complete_batch: int = 0


@dataclass(frozen=True)
class Note:
    """archive: a name that only this archive has. server, project: where its project was last seen."""

    archive: str
    server: str = ""
    project: int | None = None
    fetched: Standing | None = None
    people: Mapping[str, str] = field(default_factory=dict)
    """Number of each person who answered -> how they are called in exports: as at first, so that one stays one."""

    @property
    def mark(self) -> str:
        """What the description of this archive's project holds."""
        return f"archive {self.archive}"

    @property
    def description(self) -> str:
        """Description of this archive's project."""
        return (
            "Frames that the active learning platform asks about. Tasks arrive and answers are fetched by "
            f"themselves. Please keep this line, it says whose project this is: {self.mark}"
        )

    def text(self) -> str:
        """The note as it is stored."""
        return json.dumps(dataclasses.asdict(self), indent=1)


def read_note(text: str | bytes) -> Note:
    """A stored note. Raises ValueError."""
    try:
        fields = json.loads(text)
        fetched = fields.get("fetched")
        note = Note(**{**fields, "fetched": Standing(**fetched) if fetched else None})
        if not (note.archive and isinstance(note.archive, str) and isinstance(note.project, int | None)):
            raise ValueError("it names no archive, or a project by no number")
        return dataclasses.replace(note, people=dict(note.people))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{NOTE} in storage is damaged; delete it, and the archive looks for its project anew"
        ) from error

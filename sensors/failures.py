"""Failed runs become incident rows with cause and fix in plain words. The words are chosen by pure functions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from resources.archive import Archive

FIXES = (
    ("database is locked", "Another program holds the database; close it, then re-execute the run."),
    ("BusyDatabaseError", "The database was busy or out of reach; re-execute the run when it answers again."),
    ("No space left", "The disk is full; make room, then re-execute the run."),
    ("disk is full", "The disk is full; make room, then re-execute the run."),
    ("CUDA out of memory", "Lower [embeddings] batch_size in al.toml, then re-execute the run."),
    ("OutOfMemoryError", "Lower [embeddings] batch_size in al.toml, then re-execute the run."),
    (
        "MemoryError",
        "The machine ran out of memory; lower [embeddings] batch_size or [selection] candidates in al.toml, "
        "then re-execute the run.",
    ),
    (
        "SchemaMismatch",
        "The tables differ from what the code expects; run `al db check`, then `al db upgrade`.",
    ),
    ("no such table", "Run `al db upgrade`, then re-execute the run."),
    ("no such column", "Run `al db upgrade`, then re-execute the run."),
    ("SettingsError", "Correct the key named in al.toml, then reload the code location."),
    ("UnknownBackboneError", "Correct [embeddings] backbone in al.toml, then reload the code location."),
    ("UnknownStrategyError", "Correct [selection] strategy in al.toml, then reload the code location."),
    ("FileMissingError", "Put the file named back into storage, then re-execute the run."),
    (
        "CheckpointMismatch",
        "The checkpoint's file is not the one recorded; restore it, or promote another one.",
    ),
    ("StorageError", "Check that the storage is reachable (AL_STORAGE_URL), then re-execute the run."),
    ("DatabaseError", "Check that the database is reachable (AL_DATABASE_URL), then re-execute the run."),
    ("OperationalError", "Check that the database is reachable (AL_DATABASE_URL), then re-execute the run."),
)
"""Sign in the error -> what to do; the first that fits counts."""
WRAPPERS = ("Dagster", "RetryRequested")
"""Beginnings of the names of Dagster's own errors, which stand around the one that matters."""
OTHERWISE = "Open the run in the Dagster UI, read its last error, and re-execute it from the failed step."
CAUSE_LENGTH = 500
QUALIFIED = re.compile(r"^(?:\w+\.)+(?=\w+: )")
"""The module before an exception's name."""

SECRETS = (
    (re.compile(r"(?<=://)([^\s:/@]*):[^\s/]*@"), r"\1:***@"),
    (
        re.compile(
            r"(?i)((?:\bsig|pwd|password|accountkey|accesskey|api_?key|token|secret)['\"]?\s*[=:]\s*)"
            r"(?:'[^']*'|\"[^\"]*\"|[^\s;,&'\")]+)"
        ),
        r"\1***",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}"), r"\1 ***"),
)
"""Passwords in URLs and connection strings, signatures of shared links, headers."""


@dataclass(frozen=True)
class Incident:
    """What went wrong and what to do."""

    cause: str
    fix: str


def explain(errors: list[str]) -> Incident:
    """Cause (first line of the outermost error, at most 500 characters) and the fix that goes with any of them.

    errors: messages from the outermost to the innermost. Our own errors are readable and outermost; what they
    were raised from says more of the library than of the archive.
    """
    lines = [line.strip() for error in errors for line in error.splitlines() if line.strip()]
    cause = (
        QUALIFIED.sub("", lines[0])
        if lines
        else "the run stopped without an error; its process may have been killed"
    )
    everything = "\n".join(errors).lower()
    fix = next((fix for sign, fix in FIXES if sign.lower() in everything), OTHERWISE)
    return Incident(without_secrets(cause)[:CAUSE_LENGTH], fix)


def without_secrets(text: str) -> str:
    """The text with passwords, keys and signatures masked: incidents are read by analysts, too."""
    for pattern, mask in SECRETS:
        text = pattern.sub(mask, text)
    return text


def messages(error: Any) -> Iterator[str]:
    """Messages of a serialised error and of what caused it, without Dagster's own wrapping."""
    while error is not None:
        if not str(error.cls_name or "").startswith(WRAPPERS):
            yield error.message
        error = error.cause or error.context


@dg.run_failure_sensor(
    name="failures",
    monitor_all_code_locations=False,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Notes every failed run as an incident, with its cause and what to do in plain words.",
)
def failures(context: dg.RunFailureSensorContext, archive: Archive) -> None:
    """Note the incident; once a run."""
    events = context.get_step_failure_events()
    error = events[0].step_failure_data.error if events else None
    incident = explain(list(messages(error)) or [context.failure_event.message or ""])
    archive.incidents.record(
        {
            "incident_id": context.dagster_run.run_id,
            "kind": "run",
            "severity": "error",
            "run_id": context.dagster_run.run_id,
            "job": context.dagster_run.job_name,
            "step": events[0].step_key if events else None,
            "cause": incident.cause,
            "fix": incident.fix,
            "happened_at": archive.now(),
        }
    )

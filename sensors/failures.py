"""Failed runs become incident rows with cause and fix in plain words. The words are chosen by a pure function."""

from dataclasses import dataclass

import dagster as dg

from resources.archive import Archive

FIXES = (
    ("database is locked", "Another program holds the database; close it, then re-execute the run."),
    ("No space left", "The disk is full; make room, then re-execute the run."),
    ("CUDA out of memory", "Lower [embeddings] batch_size in al.toml, then re-execute the run."),
    (
        "MemoryError",
        "The machine ran out of memory; lower [embeddings] batch_size or [selection] candidates.",
    ),
    (
        "SchemaMismatch",
        "The tables differ from what the code expects; run `al db check`, then `al db upgrade`.",
    ),
    ("SettingsError", "Correct the key named in al.toml, then reload the code location."),
    ("StorageError", "Check that the storage is reachable (AL_STORAGE_URL), then re-execute the run."),
    ("OperationalError", "Check that the database is reachable (AL_DATABASE_URL), then re-execute the run."),
)
OTHERWISE = "Open the run in the Dagster UI, read its last error, and re-execute it from the failed step."


@dataclass(frozen=True)
class Incident:
    """What went wrong and what to do."""

    cause: str
    fix: str


def explain(error: str) -> Incident:
    """Cause (first line of the innermost error, at most 500 characters) and the fix that goes with it."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    cause = (lines[0] if lines else "the run stopped without an error; its process may have been killed")[
        :500
    ]
    return Incident(cause, next((fix for sign, fix in FIXES if sign.lower() in error.lower()), OTHERWISE))


@dg.run_failure_sensor(
    name="failures",
    monitor_all_code_locations=False,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Every failed run gets an incident row with cause and fix.",
)
def failures(context: dg.RunFailureSensorContext, archive: Archive) -> None:
    """Note the incident; once a run."""
    events = context.get_step_failure_events()
    error = events[0].step_failure_data.error if events else None
    while error is not None and error.cause is not None:
        error = error.cause
    incident = explain(error.message if error else context.failure_event.message or "")
    archive.monitoring.record_incident(
        {
            "run_id": context.dagster_run.run_id,
            "job": context.dagster_run.job_name,
            "step": events[0].step_key if events else None,
            "cause": incident.cause,
            "fix": incident.fix,
            "happened_at": archive.now(),
        }
    )

"""Failing checks become incidents, incidents end when what failed works again, and the owner is told of new ones.

Each tick compares the latest verdict of every check, and the latest runs of every job, with the register of incidents:
a lost tick costs nothing. What is worth an incident, and its words, are pure functions.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from al_assets.automation import counted
from al_assets.jobs import INGEST_ASSETS
from al_assets.partitions import RANGE_END, RANGE_START
from al_assets.settings import Settings
from resources.alerts import AlertError, Alerts
from resources.archive import Archive
from sensors.failures import without_secrets

CAUSE_LENGTH = 500
CARRIED_OUT = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
PARTITIONED = {dg.AssetKey(name) for name in INGEST_ASSETS}
TOLD_FOR = timedelta(days=7)
"""An incident that could not be told for so long is not told any more: it is in the table."""
AGAIN = "Nothing, if it is news you expected; else label the batch that the quota for videos adrift fills."
FIXES = {
    "columns_are_as_declared": "Run `al db check`, then `al db upgrade`; move columns of your own elsewhere.",
    "values_are_within_bounds": "Look at the rows of the table and column named; materialise the asset again.",
    "references_are_known": "Look at the rows of the column named; restore what it names, or materialise again.",
    "rows_match_upstream": "Materialise the asset again, for the videos that are named if any are.",
    "confidences_are_calibrated": "Label more hold-out frames, or raise [promotion] calibration_bound in al.toml.",
    "batch_holds_no_near_duplicates": "Start `select_batch`: the batch was not sent, and another one is made.",
    "class_floors_are_met": "Start `select_batch` again, or lower [selection] class_floor in al.toml.",
    "batch_is_as_large_as_asked": "Nothing, if few frames are left; else loosen the rules under [selection].",
    "hold_out_frames_are_for_evaluation_only": "Start `select_batch`: the batch was not sent, and another one is made.",
    "hold_out_videos_are_not_trained_on": "Start `learn`: the training set is made anew from the splits in `videos`.",
    "no_slice_is_significantly_worse": "Label more of the slices named: [quota] gives them places in batches.",
    "new_videos_resemble_the_training_data": AGAIN,
    "every_video_resembles_the_training_data": AGAIN,
    "newest_videos_pass_evidently": AGAIN,
    "new_labels_keep_the_class_mix": AGAIN,
    "accuracy_on_new_labels_is_as_expected": "Look at the new labels in the model report; label more of what is new.",
    "every_video_was_read": "Replace or remove the files named under videos/, or `al videos retry ID`.",
    "partitions_are_few_enough": "Join short clips, retire videos (job retire_video), or begin a second archive.",
    "frames_are_up_to_date": "Nothing: `video_arrivals` asks for the videos named. Videos that fail are in the UI.",
    "vectors_are_up_to_date": "Nothing: `video_arrivals` asks for the videos named. Videos that fail are in the UI.",
    "scores_are_up_to_date": "Nothing: `score` is asked for once every video has frames and vectors.",
    "every_export_was_readable": "Correct the export named and drop it again.",
    "no_record_was_rejected": "Read `label_rejects`; correct the export and drop it again.",
    "every_record_is_accounted_for": "Undo the export named (`al labels undo`) and drop it again.",
    "no_label_looks_wrong": "Look at the view `label_errors`; correct in the labelling tool what is wrong.",
    "hold_out_videos_are_no_copies_of_training_videos": "Retire one of each pair (job `retire_video`), or set "
    "[promotion] refuse_copies = false in al.toml if they are not the same recording.",
    "newest_checkpoint_was_promoted": "Nothing, if the reason is right; else `al checkpoints promote ID`.",
    "every_frame_is_scored": "Nothing, if a `score` run is due; else start the job `score`.",
    "every_video_has_vectors": "Nothing, while videos are ingested; else start `ingest_videos` for those lacking.",
}
"""Check -> what to do."""
OTHERWISE = "Open the check in the Dagster UI (its asset's tab Checks) and read its numbers."


@dataclass(frozen=True)
class Verdict:
    """The latest verdict on a check."""

    asset: str
    check: str
    passed: bool
    severity: str
    said: str
    run_id: str
    at: datetime
    part: str = ""
    """Which videos the run was over, where the check looked at those only; empty for all."""

    @property
    def incident_id(self) -> str:
        """One for the run, the asset and the check."""
        parts = "\0".join((self.run_id, self.asset, self.check))
        return "check-" + hashlib.sha256(parts.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Changes:
    """Incidents to note, and ids of those that are over."""

    new: list[dict[str, Any]]
    over: list[str]


def changes(
    verdicts: Iterable[Verdict],
    succeeded: Mapping[str, datetime],
    standing: Sequence[Mapping[str, Any]],
    policy: str,
    parts: Mapping[str, str] | None = None,
) -> Changes:
    """What the register lacks: one incident for a check from its first failure until it passes again.

    A check of a run over some videos passes again for those videos, or for all; a warning that becomes an error is
    another incident. succeeded: job -> when a run of it last ended well. standing: incidents that are not resolved.
    policy: failing checks that are incidents: errors, warnings (both) or none. parts: run_id of an incident -> the
    videos that its run was over.
    """
    held = {(row["asset"], row["check_name"]): row for row in standing if row["kind"] == "check"}
    new, over = [], []
    for verdict in verdicts:
        known = held.get((verdict.asset, verdict.check))
        part = (parts or {}).get(known["run_id"], "") if known is not None else ""
        fails = not verdict.passed
        worse = fails and known is not None and (known["severity"], verdict.severity) == ("warning", "error")
        if known is not None and (worse or (verdict.passed and verdict.part in ("", part))):
            over.append(str(known["incident_id"]))
        if fails and (known is None or worse) and _counts(verdict, policy):
            new.append(_incident(verdict))
    over += [
        str(row["incident_id"])
        for row in standing
        if row["kind"] == "run" and row["job"] in succeeded and succeeded[row["job"]] > row["happened_at"]
    ]
    return Changes(new, over)


def _counts(verdict: Verdict, policy: str) -> bool:
    return policy == "warnings" or (policy == "errors" and verdict.severity == "error")


def _incident(verdict: Verdict) -> dict[str, Any]:
    statement = verdict.check.replace("_", " ")
    said = f": {verdict.said}" if verdict.said else ""
    return {
        "incident_id": verdict.incident_id,
        "kind": "check",
        "run_id": verdict.run_id,
        "job": "",
        "asset": verdict.asset,
        "check_name": verdict.check,
        "severity": verdict.severity,
        "cause": without_secrets(f"{verdict.asset}: not true that {statement}{said}")[:CAUSE_LENGTH],
        "fix": FIXES.get(verdict.check, OTHERWISE),
        "happened_at": verdict.at,
    }


def message(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Subject and text of one message about some incidents."""
    subject = f"Archive: {len(rows)} new incident{'s' if len(rows) > 1 else ''}"
    lines = [
        f"{row['happened_at']:%Y-%m-%d %H:%M} UTC, {row['severity']}, {row['job'] or row['asset']}\n"
        f"  {row['cause']}\n  What to do: {row['fix']}"
        for row in rows
    ]
    return subject, "\n\n".join(lines)


def latest_verdicts(instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]) -> list[Verdict]:
    """The latest verdict of each check that was ever carried out."""
    found = []
    for key in keys:
        # Not the latest record: while a run is under way that is of a check which is yet to be carried out.
        records = instance.event_log_storage.get_asset_check_execution_history(
            key, limit=1, status=CARRIED_OUT
        )
        if not records or (evaluation := records[0].evaluation) is None:
            continue
        record = records[0]
        found.append(
            Verdict(
                asset=key.asset_key.to_user_string(),
                check=key.name,
                passed=evaluation.passed,
                severity="error" if evaluation.severity == dg.AssetCheckSeverity.ERROR else "warning",
                said=evaluation.description or "",
                run_id=record.run_id,
                at=datetime.fromtimestamp(record.create_timestamp, UTC).replace(tzinfo=None),
                part=part_of(instance, record.run_id) if key.asset_key in PARTITIONED else "",
            )
        )
    return found


def part_of(instance: dg.DagsterInstance, run_id: str) -> str:
    """The videos that a run was over, as its tags name them; empty for a run over all, or one that is gone."""
    run = instance.get_run_by_id(run_id)
    names = ("dagster/partition", RANGE_START, RANGE_END)
    return " ".join(run.tags[name] for name in names if name in run.tags) if run is not None else ""


def last_successes(instance: dg.DagsterInstance, jobs: Iterable[str]) -> dict[str, datetime]:
    """When a run of each job last ended well."""
    found = {}
    for job in set(jobs):
        ended = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS])
        for record in instance.get_run_records(ended, limit=1):
            found[job] = datetime.fromtimestamp(record.end_time or 0, UTC).replace(tzinfo=None)
    return found


def make_alerts(settings: Settings, keys: Sequence[dg.AssetCheckKey]) -> dg.SensorDefinition:
    """The sensor over these checks, with the owner's policy."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=max(settings.sensors.interval_seconds, 30),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Notes checks that fail as incidents until they pass again, and tells the owner of new ones.",
    )
    def alerts(context: dg.SensorEvaluationContext, archive: Archive, alerts: Alerts) -> dg.SkipReason:
        standing = archive.incidents.open()
        jobs = [str(row["job"]) for row in standing if row["kind"] == "run"]
        found = changes(
            latest_verdicts(context.instance, keys),
            last_successes(context.instance, jobs),
            standing,
            settings.alerts.checks,
            {row["run_id"]: part_of(context.instance, row["run_id"]) for row in standing},
        )
        for row in found.new:
            archive.incidents.record(row)
        archive.incidents.resolve(found.over, archive.now())
        told = tell(archive, alerts)
        return dg.SkipReason(
            f"{counted(len(archive.incidents.open()), 'incident')} open: {len(found.new)} new, {len(found.over)} over"
            + (f"; {told}" if told else "")
        )

    return alerts


def tell(archive: Archive, alerts: Alerts) -> str:
    """One message about the incidents that the owner was not told of; what came of it, in words."""
    since = archive.now() - TOLD_FOR
    rows = [
        row for row in archive.incidents.open() if row["notified_at"] is None and row["happened_at"] >= since
    ]
    if not rows or not alerts.ways:
        return ""
    try:
        alerts.tell(*message(rows))
    except AlertError as error:
        return str(error)
    archive.incidents.notified([str(row["incident_id"]) for row in rows], archive.now())
    return f"told of {len(rows)} by {' and '.join(alerts.ways)}"

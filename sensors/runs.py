"""What Dagster's instance knows of runs, in the terms that the sensors decide by. No decisions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import dagster as dg

from al_assets.automation import FAILED_TAG, IN_FLIGHT, REASON_TAG, WORK_TAG
from al_assets.ingest_plan import keys_between
from al_assets.jobs import INGEST, INGEST_ASSETS, LEARN_ASSETS, SYNC
from al_assets.partitions import range_of
from resources.queries.chunks import in_chunks

ANY_ASSETS = "__ASSET_JOB"
"""Dagster's own job, as which assets run that a person materialises in the UI."""
SYNC_ASSETS = ("labelling_project",)
LOOKED_BACK = 200
"""Failed runs looked at: the newest, so that a tick's cost does not grow with history."""
BROKEN = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
ENDED = (*BROKEN, dg.DagsterRunStatus.SUCCESS)
LEFT = "ran to its end and left work"
WORDS = {
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "was cancelled",
    dg.DagsterRunStatus.SUCCESS: LEFT,
}


def in_flight(instance: dg.DagsterInstance, *jobs: str) -> list[dg.DagsterRun]:
    """Runs that are queued or under way: of the jobs, or of the jobs' assets by hand."""
    assets = {*(INGEST_ASSETS if INGEST in jobs else ()), *(SYNC_ASSETS if SYNC in jobs else ())}
    assets |= {*(LEARN_ASSETS if {*jobs} - {INGEST, SYNC} else ())}
    return [
        run
        for job in (*jobs, ANY_ASSETS)
        for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=list(IN_FLIGHT)), limit=LOOKED_BACK)
        if job != ANY_ASSETS or _by_hand(run, assets)
    ]


def busy(instance: dg.DagsterInstance, *jobs: str) -> list[dg.DagsterRun]:
    """Runs in flight, and runs that crashed and that the daemon is about to launch again."""
    waiting = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], tags={"dagster/will_retry": "true"})
    again = instance.get_runs(waiting, limit=LOOKED_BACK)
    return [
        *in_flight(instance, *jobs),
        *(run for run in again if run.job_name in jobs and run.is_complete_and_waiting_to_retry),
    ]


def _by_hand(run: dg.DagsterRun, assets: set[str]) -> bool:
    chosen = run.asset_selection
    return chosen is None or any(key.to_user_string() in assets for key in chosen)


def ended(instance: dg.DagsterInstance, job: str, work: str) -> str:
    """How the newest run that was asked to do exactly this ended, in a word or two; empty for none.

    One that succeeded counts only while no other run of the job came after it: the same work may fall due again.
    """
    of_job = dg.RunsFilter(job_name=job, statuses=list(ENDED))
    same = instance.get_runs(
        dg.RunsFilter(job_name=job, statuses=list(ENDED), tags={WORK_TAG: work}), limit=1
    )
    if not same:
        return ""
    if same[0].status == dg.DagsterRunStatus.SUCCESS:
        newest = instance.get_runs(of_job, limit=1)
        return WORDS[same[0].status] if newest[0].run_id == same[0].run_id else ""
    return WORDS[same[0].status]


def digest(parts: Iterable[object]) -> str:
    """Short name of a list of things, so that "the same work" can be told by a tag."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


def request(job: str, reason: str, work: str, *, assets: Sequence[str] = (), **tags: str) -> dg.RunRequest:
    """A run request whose tags say why it was made and for what. assets: those of the job to make, none for all."""
    chosen = [dg.AssetKey(name) for name in assets] or None
    return dg.RunRequest(
        job_name=job, tags={REASON_TAG: reason, WORK_TAG: work, **tags}, asset_selection=chosen
    )


@dataclass(frozen=True)
class IngestRuns:
    """Runs of `ingest_videos` in terms of partition keys.

    order: all keys as Dagster orders them. versions: key -> what its frames and vectors should be made from now.
    how: name of the settings that they are made by.
    """

    instance: dg.DagsterInstance
    order: Sequence[str]
    versions: Mapping[str, str]
    how: str

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {key: i for i, key in enumerate(self.order)}

    def work(self, first: str, last: str) -> str:
        """Name of the work of a range: the same videos, files and settings are the same work."""
        versions = digest(self.versions.get(key, "") for key in self.keys_in(first, last))
        return f"{first}..{last}@{self.how}@{versions}"

    def keys_in(self, first: str, last: str) -> list[str]:
        """Partition keys of a range."""
        return keys_between(first, last, self.order, self._places)

    def keys_of(self, runs: Sequence[dg.DagsterRun]) -> frozenset[str]:
        """Partition keys that runs cover."""
        return frozenset(key for run in runs for key in self.keys_in(*range_of(run)))

    def failed(self) -> frozenset[str]:
        """Keys of the newest runs over several videos that failed under these settings."""
        broken = self.instance.get_runs(
            dg.RunsFilter(job_name=INGEST, statuses=list(BROKEN)), limit=LOOKED_BACK
        )
        several = [run for run in broken if len(set(range_of(run))) == 2]
        # A run that a person launched says nothing of the settings and counts.
        ours = [run for run in several if f"@{self.how}@" in run.tags.get(WORK_TAG, f"@{self.how}@")]
        # A run that went on after a failure names the videos it concerns; the others of its range are healthy.
        named = [run.tags[FAILED_TAG].split(",") for run in ours if FAILED_TAG in run.tags]
        whole = self.keys_of([run for run in ours if FAILED_TAG not in run.tags])
        return whole | {key for keys in named for key in keys}

    def attempts(self, keys: Sequence[str]) -> dict[str, int]:
        """Runs for one video alone, of exactly this work, that failed since the last one that did not."""
        names = {self.work(key, key): key for key in keys}
        tried: Counter[str] = Counter()
        settled: set[str] = set()
        if not self.instance.get_runs(dg.RunsFilter(job_name=INGEST, statuses=list(BROKEN)), limit=1):
            return {}
        for part in in_chunks(list(names)):
            same = dg.RunsFilter(job_name=INGEST, statuses=list(ENDED), tags={WORK_TAG: list(part)})
            for run in self.instance.get_runs(same):  # newest first
                key = names[run.tags[WORK_TAG]]
                settled |= {key} if run.status == dg.DagsterRunStatus.SUCCESS else set()
                tried[key] += key not in settled
        return {key: count for key, count in tried.items() if count}

    def left(self) -> tuple[frozenset[str], Counter[str]]:
        """Keys of runs over several videos that succeeded, and how often each video alone: work that is done.

        Where a key still lacks something, running the same again would not help. Settings that were others
        meanwhile end the count: what they made had to be made again.
        """
        several: set[str] = set()
        alone: Counter[str] = Counter()
        for run in self.instance.get_runs(
            dg.RunsFilter(job_name=INGEST, statuses=list(ENDED)), limit=LOOKED_BACK
        ):
            work, (first, last) = run.tags.get(WORK_TAG, ""), range_of(run)
            if work and f"@{self.how}@" not in work:
                break
            if run.status == dg.DagsterRunStatus.SUCCESS and work == self.work(first, last):
                alone.update([first] if first == last else [])
                several.update(self.keys_in(first, last) if first != last else [])
        return frozenset(several), alone

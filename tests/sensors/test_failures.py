"""Failed runs become incidents that an archive owner can act on, and that give no password away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from resources.archive import Archive
from resources.database import Database
from resources.errors import BusyDatabaseError, StorageError
from sensors.failures import OTHERWISE, explain, failures, without_secrets
from support.small_archives import empty_archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    found = empty_archive(tmp_path)
    yield found
    found.database.close()


def fail(archive: Archive, work: Callable[[], object], times: int = 1) -> dict[str, object]:
    """The incident of a run whose step does this work."""

    @dg.op(name="stumbles", retry_policy=dg.RetryPolicy(max_retries=1, delay=0))
    def stumbles() -> None:
        work()

    @dg.job(name="learn")
    def learn() -> None:
        stumbles()

    with dg.instance_for_test() as instance:
        result = learn.execute_in_process(instance=instance, raise_on_error=False)
        (failure,) = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
        for _ in range(times):
            with dg.build_run_status_sensor_context(
                sensor_name="failures",
                dagster_event=failure,
                dagster_instance=instance,
                dagster_run=result.dagster_run,
                resources={"archive": archive},
            ) as context:
                failures(context.for_run_failure())
    (row,) = archive.incidents.all().to_dict("records")
    return {str(name): value for name, value in row.items()}


def raises(error: BaseException, cause: BaseException | None = None) -> Callable[[], object]:
    def work() -> None:
        raise error from cause

    return work


def test_a_failed_run_is_noted_once_with_step_cause_and_fix(archive: Archive) -> None:
    row = fail(archive, raises(BusyDatabaseError("database is locked (sqlite:///al.db)")), times=2)
    assert (row["job"], row["step"]) == ("learn", "stumbles")
    assert row["cause"] == "BusyDatabaseError: database is locked (sqlite:///al.db)"
    assert "close it, then re-execute" in str(row["fix"])


def test_our_readable_error_is_the_cause_and_not_what_the_library_said(archive: Archive) -> None:
    error = StorageError("videos/a.mp4 cannot be read; check the network")
    row = fail(archive, raises(error, OSError(5, "Input/output error")))
    assert row["cause"] == "StorageError: videos/a.mp4 cannot be read; check the network"
    assert "AL_STORAGE_URL" in str(row["fix"])


def test_the_fix_is_found_in_what_an_unreadable_error_was_raised_from(archive: Archive) -> None:
    row = fail(archive, raises(RuntimeError("worker died"), MemoryError("out of memory")))
    assert row["cause"] == "RuntimeError: worker died"
    assert "ran out of memory" in str(row["fix"])


def test_a_wrong_password_reaches_neither_cause_nor_fix(archive: Archive) -> None:
    url = "postgresql+psycopg://anna:hunter2@127.0.0.1:1/al"
    row = fail(archive, lambda: Database(url=url).fetch(sa.text("SELECT 1")))
    assert "hunter2" not in f"{row['cause']} {row['fix']}"
    assert row["fix"] != OTHERWISE


def test_a_run_whose_process_was_killed_has_a_cause_too() -> None:
    assert explain([]).cause == "the run stopped without an error; its process may have been killed"
    assert explain([""]).fix == OTHERWISE


def test_a_long_error_is_cut_to_its_first_line() -> None:
    incident = explain(["a.b.FirstError: " + "x" * 900 + "\nand more\n"])
    assert incident.cause.startswith("FirstError: xxx")
    assert len(incident.cause) == 500


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("could not connect to mssql+pyodbc://sa:S3cr3t!x@host:1433/db?driver=x", "S3cr3t"),
        ("could not connect to postgresql://anna:p@ss:w0rd@host/db", "w0rd"),
        ("Driver={ODBC};Server=tcp:x;Uid=anna;Pwd=S3cr3t;Encrypt=yes", "S3cr3t"),
        ("https://a.blob.core.windows.net/c/f?sv=2024&sig=S3cr3t%2Bx%3D&se=2026", "S3cr3t"),
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=S3cr3t+/==;", "S3cr3t"),
        ("401 for header Authorization: Bearer eyJhbGciOiS3cr3t.abc.def", "S3cr3t"),
        ("{'password': 'S3cr3t', 'user': 'anna'}", "S3cr3t"),
        ("api_key=S3cr3t&client_secret=S3cr3t", "S3cr3t"),
    ],
)
def test_secrets_are_masked_wherever_libraries_put_them(text: str, secret: str) -> None:
    masked = without_secrets(text)
    assert secret not in masked
    assert "***" in masked


def test_ordinary_words_are_left_as_they_are() -> None:
    for text in (
        "videos/a.mp4: 3 frames",
        "https://host:8080/path",
        "the token bucket is empty",
        "10:20 a@b.org",
    ):
        assert without_secrets(text) == text

"""Failing checks become incidents that end by themselves, and the owner is told once, by webhook and by mail."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from al_assets.definitions import build_defs
from al_assets.settings import Settings
from resources import migrations
from resources.alerts import AlertError, Alerts
from resources.archive import Archive
from resources.database import Database
from resources.environments import read_environment
from resources.storage import Storage
from sensors.alerts import FIXES, Verdict, changes, make_alerts, message, tell
from support.mailbox import mailbox, webhook

NOON = datetime(2026, 1, 1, 12)


def verdict(passed: bool, severity: str = "error", run_id: str = "r1", said: str = "") -> Verdict:
    return Verdict("labels", "no_record_was_rejected", passed, severity, said, run_id, NOON)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(
        database=Database(url=f"sqlite:///{tmp_path / 'al.db'}"), storage=Storage(url=str(tmp_path / "s"))
    )
    migrations.upgrade(archive.database)
    yield archive
    archive.database.close()


def test_a_check_is_one_incident_from_its_first_failure_until_it_passes() -> None:
    (first,) = changes([verdict(False)], {}, [], "errors").new
    again = changes([verdict(False, run_id="r2")], {}, [first], "errors")
    assert (again.new, again.over) == ([], [])
    over = changes([verdict(True, run_id="r3")], {}, [first], "errors")
    assert (over.new, over.over) == ([], [first["incident_id"]])


def test_an_incident_says_what_is_not_true_and_what_to_do() -> None:
    (row,) = changes([verdict(False, said="3 records; pwd=hunter2")], {}, [], "errors").new
    assert row["cause"] == "labels: not true that no record was rejected: 3 records; pwd=***"
    assert row["fix"].startswith("Read `label_rejects`")


@pytest.mark.parametrize(
    ("policy", "severity", "count"),
    [("errors", "warning", 0), ("errors", "error", 1), ("warnings", "warning", 1), ("none", "error", 0)],
)
def test_the_policy_says_which_checks_are_incidents(policy: str, severity: str, count: int) -> None:
    assert len(changes([verdict(False, severity)], {}, [], policy).new) == count


def test_a_check_over_some_videos_passes_again_for_those_or_for_all() -> None:
    (row,) = changes([verdict(False)], {}, [], "errors").new
    parts = {"r1": "video-a"}

    def over(part: str) -> bool:
        passed = replace(verdict(True, run_id="r2"), part=part)
        return bool(changes([passed], {}, [row], "errors", parts).over)

    assert [over("video-b"), over("video-a"), over("")] == [False, True, True]


def test_a_warning_that_becomes_an_error_is_another_incident() -> None:
    (row,) = changes([verdict(False, "warning")], {}, [], "warnings").new
    found = changes([verdict(False, "error", run_id="r2")], {}, [row], "errors")
    assert (found.over, [new["severity"] for new in found.new]) == ([row["incident_id"]], ["error"])


def test_every_check_has_a_fix_of_its_own(tmp_path: Path) -> None:
    definitions = build_defs(read_environment({"AL_HOME": str(tmp_path)}, tmp_path), Settings())
    checks = {key.name for key in definitions.resolve_asset_graph().asset_check_keys}
    assert checks == set(FIXES)


def test_a_failed_run_is_over_when_its_job_ends_well_later() -> None:
    row = {"incident_id": "r1", "kind": "run", "job": "learn", "happened_at": NOON}
    row |= {"asset": None, "check_name": None}
    assert changes([], {"learn": NOON - timedelta(hours=1)}, [row], "errors").over == []
    assert changes([], {"score": NOON + timedelta(hours=1)}, [row], "errors").over == []
    assert changes([], {"learn": NOON + timedelta(hours=1)}, [row], "errors").over == ["r1"]


def test_the_owner_is_told_once_by_both_ways(archive: Archive) -> None:
    (row,) = changes([verdict(False)], {}, [], "errors").new
    archive.incidents.record({**row, "happened_at": archive.now()})
    with webhook() as (address, posted), mailbox() as (smtp, mails):
        alerts = Alerts(webhook=address, smtp_url=smtp, recipients=["owner@example.org"])
        assert tell(archive, alerts) == "told of 1 by webhook and e-mail"
        assert tell(archive, alerts) == ""
    assert "no record was rejected" in posted[0]["text"]
    assert len(posted) == len(mails) == 1
    assert "Subject: Archive: 1 new incident" in mails[0]
    assert "To: owner@example.org" in mails[0]


def test_what_was_not_taken_is_told_again_and_the_address_stays_secret(archive: Archive) -> None:
    (row,) = changes([verdict(False)], {}, [], "errors").new
    archive.incidents.record({**row, "happened_at": archive.now()})
    with webhook(status=500) as (address, posted):
        said = tell(archive, Alerts(webhook=address))
        tell(archive, Alerts(webhook=address))
    assert len(posted) == 2
    assert said == (
        "not delivered by webhook (ValueError); check AL_ALERT_WEBHOOK and AL_ALERT_SMTP_URL, it is tried again"
    )


def test_an_unreachable_address_is_an_alert_error_without_the_address() -> None:
    with pytest.raises(AlertError) as caught:
        Alerts(webhook="http://127.0.0.1:9/s3cret").tell("subject", "text")
    assert "s3cret" not in str(caught.value)


def test_a_subject_cannot_smuggle_in_a_header() -> None:
    with mailbox() as (smtp, mails):
        Alerts(smtp_url=smtp, recipients=["a@example.org"]).tell("one\r\nBcc: evil@example.org", "text")
    assert "\nBcc:" not in mails[0]


def test_a_message_lists_incidents_with_what_to_do() -> None:
    (row,) = changes([verdict(False)], {}, [], "errors").new
    subject, text = message([row, row])
    assert subject == "Archive: 2 new incidents"
    assert text.count("What to do: Read") == 2


def test_the_sensor_reads_the_latest_verdicts_of_the_instance(archive: Archive) -> None:
    fails = {"now": True}
    meanwhile: list[str] = []

    @dg.asset
    def labels() -> None:
        """Stands for the real one; a look falls into its run."""
        meanwhile.append(tick())

    @dg.asset_check(asset=labels)
    def no_record_was_rejected() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=not fails["now"], description="3 records were rejected")

    key = dg.AssetCheckKey(dg.AssetKey("labels"), "no_record_was_rejected")
    sensor = make_alerts(Settings(), [key])
    with dg.instance_for_test() as instance:

        def tick() -> str:
            resources = {"archive": archive, "alerts": Alerts()}
            with dg.build_sensor_context(instance=instance, resources=resources) as context:
                result = sensor(context)
            assert isinstance(result, dg.SkipReason)
            return str(result.skip_message)

        assert tick() == "0 incidents open: 0 new, 0 over"
        dg.materialize([labels, no_record_was_rejected], instance=instance)
        assert tick() == "1 incident open: 1 new, 0 over"
        assert tick() == "1 incident open: 0 new, 0 over"
        (row,) = archive.incidents.open()
        assert (row["asset"], row["severity"]) == ("labels", "error")
        fails["now"] = False
        dg.materialize([labels, no_record_was_rejected], instance=instance)
        assert meanwhile == ["0 incidents open: 0 new, 0 over", "1 incident open: 0 new, 0 over"]
        assert tick() == "0 incidents open: 0 new, 1 over"

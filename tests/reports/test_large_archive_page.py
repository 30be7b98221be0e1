"""The reports of an archive above the size up to which they read the views of sightings."""

from __future__ import annotations

import pytest

from al_assets.pages import large_archive
from al_assets.reports.assets import archive_report, model_report
from support.report_archive import ReportArchive


def test_a_large_archive_has_its_pages_and_they_say_what_was_counted(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ReportArchive(tmp_path_factory.mktemp("large"), classes=12)
    small = made.make_reports(archive_report)["archive_report"]
    monkeypatch.setattr(large_archive, "MOST_FRAMES", 0)
    large = made.make_reports(archive_report, model_report)["archive_report"]
    for name in ("videos", "frames", "labelled_frames", "repeated_frames", "failed_videos"):
        assert large[name] == small[name], name
    text = (made.reports / "archive_report.html").read_text(encoding="utf-8")
    assert "counts predicted frames (judged by people or not), " in text
    assert "Predicted frames over time" in text
    model = (made.reports / "model_report.html").read_text(encoding="utf-8")
    assert "videos, drawn from the archive." in model
    assert "counts predicted frames (judged by people or not), " in model

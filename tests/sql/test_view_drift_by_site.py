"""drift_by_site: the trend of each site, of the serving model's comparisons only."""

from datetime import datetime

from support.archive_rows import ArchiveRows

CHECK = "new_videos_resemble_the_training_data"


def result(
    archive: ArchiveRows, video: str, statistic: str, value: float, drifted: int, model: str = "m"
) -> None:
    archive.add(
        "drift_results",
        check_name=CHECK,
        subject=video,
        reference_id=model,
        statistic=statistic,
        value=value,
        drifted=drifted,
    )


def test_a_video_that_drifts_in_two_ways_counts_once_and_other_models_do_not(archive: ArchiveRows) -> None:
    for number, (site, month) in enumerate([("ford", 5), ("ford", 5), ("ford", 6), (None, 5)], 1):
        archive.video(number, site=site, recorded_at=datetime(2026, month, 2))
    archive.serve("m")
    result(archive, "v1", "brightness", -2.0, 1)
    result(archive, "v1", "confidence", 0.5, 1)
    result(archive, "v2", "brightness", -1.0, 0)
    result(archive, "v3", "brightness", -1.5, 0)
    result(archive, "v4", "brightness", -0.5, 0)
    result(archive, "v3", "brightness", -9.0, 1, model="old")
    columns = "site, month, videos, adrift, share, brightness, confidence"
    rows = archive.query(f"SELECT {columns} FROM drift_by_site WHERE site IS NOT NULL ORDER BY month")
    assert [(r[0], r[1], r[2], r[3], float(r[4]), r[5], r[6]) for r in rows] == [
        ("ford", "2026-05", 2, 1, 0.5, -1.5, 0.5),
        ("ford", "2026-06", 1, 0, 0.0, -1.5, None),
    ]
    assert archive.query("SELECT videos FROM drift_by_site WHERE site IS NULL") == [(1,)]

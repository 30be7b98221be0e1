"""Which videos come first: by recording, by drift of their own, their site's or their camera's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from al_assets.ingest_order import ranks
from al_assets.ingest_plan import IngestState, plan_ingest
from al_assets.sensor_settings import Order
from resources.queries.backfill import VideoMoment

START = datetime(2026, 5, 1)


def video(name: str, day: int = 0, site: str | None = None, camera: str | None = None) -> VideoMoment:
    return VideoMoment(name, START + timedelta(days=day), site, camera)


def in_order(
    order: Order, videos: Sequence[VideoMoment], drift: Mapping[str, float] | None = None
) -> list[str]:
    found = ranks(order, videos, drift or {})
    return sorted(found, key=found.__getitem__)


def test_newest_is_by_the_time_of_recording_and_then_by_registration() -> None:
    assert in_order("newest", [video("a", 1), video("b", 3), video("c", 2), video("d", 3)]) == list("dbca")


def test_most_drifted_videos_that_are_not_ingested_count_as_their_site_does() -> None:
    videos = [
        video("calm", 9, "east"),
        video("new-east", 9, "east"),
        video("odd", 0, "west"),
        video("new-west", 0, "west"),
    ]
    assert in_order("most_drifted", videos, {"calm": 0.1, "odd": 0.9})[:2] == ["new-west", "odd"]


def test_where_a_site_is_not_known_the_camera_tells_and_the_unknown_come_last_newest_first() -> None:
    videos = [
        video("compared", 0, "west", "cam-1"),
        video("elsewhere", 0, None, "cam-1"),
        video("old", 1),
        video("new", 2),
    ]
    assert in_order("most_drifted", videos, {"compared": 0.5}) == ["elsewhere", "compared", "new", "old"]


def test_oldest_is_the_order_of_the_keys_and_needs_no_ranks() -> None:
    assert ranks("oldest", [video("a")], {}) == {}


def test_wishes_scattered_over_the_archive_bring_their_neighbours_along() -> None:
    keys = tuple(f"{number:03d}" for number in range(1_000))
    scattered = {key: rank for rank, key in enumerate([*keys[::-97], *keys[::1]])}
    state = IngestState(keys, keys, ranks={key: scattered[key] for key in keys})
    plan = plan_ingest(state, videos_per_run=100, runs_at_once=3)
    assert all(int(last) - int(first) == 99 for first, last in plan.ranges)


def test_the_foremost_video_is_in_the_first_run() -> None:
    keys = tuple("abcdefghij")
    state = IngestState(keys, keys, ranks={"h": 0, "b": 1})
    assert plan_ingest(state, videos_per_run=3, runs_at_once=2).ranges == (("g", "i"), ("a", "c"))

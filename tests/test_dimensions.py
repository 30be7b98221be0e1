"""What a frame's slices are called."""

from __future__ import annotations

import numpy as np
import pytest

from al_assets.dimensions import FrameFacts, slice_names, slice_of


def names(recorded_at: str | None, pts_ms: int = 0, brightness: float = 0.5) -> dict[str, object]:
    facts = FrameFacts(
        site=np.array(["north"], object),
        camera=np.array([None], object),
        recorded_at=np.array([recorded_at or "NaT"], "datetime64[ms]"),
        pts_ms=np.array([pts_ms]),
        brightness=np.array([brightness]),
    )
    return {dimension: found[0] for dimension, found in slice_names(facts).items()}


def test_season_and_hour_are_those_of_the_frame_and_not_of_the_videos_start() -> None:
    found = names("2025-11-30T23:59:59", 2000)
    assert (found["season"], found["hour"]) == ("December to February", "00:00 to 03:00")
    before = names("2025-11-30T23:59:59", 500)
    assert (before["season"], before["hour"]) == ("September to November", "21:00 to 24:00")


@pytest.mark.parametrize(
    ("month", "season"), [(2, "December to February"), (3, "March to May"), (8, "June to August")]
)
def test_every_month_has_its_season(month: int, season: str) -> None:
    assert names(f"1969-{month:02}-15")["season"] == season


def test_what_is_not_known_is_no_slice() -> None:
    found = names(None)
    assert (found["season"], found["hour"], found["camera"], found["site"]) == (None, None, None, "north")


@pytest.mark.parametrize(("brightness", "light"), [(0.24, "dark"), (0.25, "medium"), (0.5, "bright")])
def test_light_has_fixed_bounds(brightness: float, light: str) -> None:
    assert names(None, brightness=brightness)["light"] == light


def test_a_slice_in_the_settings_may_have_colons_in_its_name() -> None:
    assert slice_of("site: ridge:2 ") == ("site", "ridge:2")
    assert slice_of("hour:06:00 to 09:00") == ("hour", "06:00 to 09:00")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("north", "names no slice"),
        ("place:north", "is no dimension; choose one of site, camera"),
        ("season:summer", "is no season; choose one of December to February"),
    ],
)
def test_an_unknown_slice_says_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        slice_of(text)

"""The map's page, in a browser: it draws, shows stills, is moved and read by keys, and gives the chosen frames."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from al_assets.keys import frame_id
from al_assets.reports.map_page import (
    NO_CLASS,
    NOBODY,
    PAGE_POINTS,
    MapPoints,
    MapVideo,
    Thumbnails,
    map_page,
    page_sample,
)
from al_assets.reports.thumbnails import CELL, COLUMNS, contact_sheet, spread_over
from support.browser import Tab, browser

HOSTILE = '</script><img src=x onerror="alert(1)">\u2028'
BIG_VIDEO = 2**31 - 1


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as opened:
        yield opened


def points(count: int, *, classes: int = 3, seed: int = 0, **values: np.ndarray) -> MapPoints:
    """Points of a few classes around as many places; video 0, one frame a second."""
    rng = np.random.default_rng(seed)
    class_no = rng.integers(0, classes, count)
    columns = {
        "xy": rng.normal(size=(classes, 2))[class_no] * 20 + rng.normal(size=(count, 2)),
        "class_no": class_no,
        "confidence": rng.uniform(0.5, 1, count),
        "labelled": np.zeros(count, bool),
        "still": np.zeros(count, bool),
        "video": np.zeros(count, np.int64),
        "frame_index": np.arange(count),
        "pts_ms": np.arange(count) * 1000,
    }
    return MapPoints(**{**columns, **values})


def made(
    shown: MapPoints,
    names: list[str],
    thumbnails: Thumbnails | None = None,
    pictures: dict[int, str] | None = None,
) -> str:
    return map_page(
        shown,
        names,
        [MapVideo("clip-1", BIG_VIDEO, "a b/é #1.mp4", "video")],
        summary="Some <frames>.",
        has_model=True,
        unsure_below=0.5,
        thumbnails=thumbnails,
        pictures=pictures,
    )


def opened(tab: Tab, folder: Path, text: str) -> None:
    tab.console_errors.clear()
    tab.requests.clear()
    (folder / "reports").mkdir(exist_ok=True)
    (folder / "reports" / "map.html").write_text(text, encoding="utf-8")
    tab.open(folder / "reports" / "map.html")


def coloured(tab: Tab) -> int:
    """Pixels of the canvas that are not blank."""
    return int(
        tab.run(
            "(() => { const c = document.getElementById('map'); const d = c.getContext('2d')"
            ".getImageData(0, 0, c.width, c.height).data; let n = 0;"
            " for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })()"
        )
    )


def text_of(tab: Tab, name: str) -> str:
    return str(tab.run(f"document.getElementById('{name}').textContent"))


def focus_map(tab: Tab) -> None:
    tab.run("document.getElementById('map').focus()")


def test_it_draws_without_an_error_and_asks_no_network(tab: Tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, made(points(300), ["zero", "one", "two"]))
    assert coloured(tab) > 1000
    assert tab.console_errors == []
    assert [address for address in tab.requests if not address.startswith(("file:", "data:"))] == []


def test_a_hostile_class_name_is_a_name(tab: Tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, made(points(30, classes=1), [HOSTILE]))
    assert HOSTILE in text_of(tab, "legend")
    assert tab.run("document.querySelectorAll('img').length") == 0
    assert tab.console_errors == []


def test_a_still_is_loaded_from_beside_the_reports(tab: Tab, tmp_path: Path) -> None:
    still = tmp_path / "stills" / "clip-1" / "00000007.jpg"
    still.parent.mkdir(parents=True)
    Image.new("RGB", (64, 48), (200, 30, 30)).save(still)
    opened(tab, tmp_path, made(points(10, still=np.arange(10) == 7), ["zero", "one", "two"]))
    tab.run("archiveMap.look(7)")
    loaded = "new Promise(done => { const look = () => { const i = document.querySelector('#picture img');"
    assert (
        tab.run(loaded + " i && i.naturalWidth ? done(i.naturalWidth) : setTimeout(look, 20); }; look(); })")
        == 64
    )
    assert "clip at 0:07" in text_of(tab, "links")
    assert tab.run("document.querySelector('#links a:last-child').href").endswith(
        "/videos/a%20b/%C3%A9%20%231.mp4#t=7.000"
    )
    assert tab.console_errors == []


def test_a_small_picture_stands_for_a_frame_without_a_still(tab: Tab, tmp_path: Path) -> None:
    images = [np.full((40, 60, 3), level, np.uint8) for level in (10, 240)]
    sheet = Thumbnails(contact_sheet(images), CELL, COLUMNS, (3, 5))
    opened(tab, tmp_path, made(points(10), ["zero", "one", "two"], sheet))
    tab.run("archiveMap.look(5)")
    shade = (
        "new Promise(done => setTimeout(() => { const c = document.querySelector('#picture canvas');"
        " done(c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[0]); }, 300))"
    )
    assert abs(tab.run(shade) - 240) < 8
    tab.run("archiveMap.look(4)")
    assert "no picture" in text_of(tab, "picture")


def test_keys_move_zoom_step_and_choose(tab: Tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, made(points(50), ["zero", "one", "two"]))
    focus_map(tab)
    before = tab.run("archiveMap.view()")
    tab.press("+")
    tab.press("ArrowRight")
    after = tab.run("archiveMap.view()")
    assert after["scale"] > before["scale"]
    assert after["x"] > before["x"]
    tab.press("0")
    tab.run(
        "document.getElementById('map').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowUp', shiftKey: true}))"
    )
    first = tab.run("archiveMap.focus()")
    assert first >= 0
    tab.run(
        "document.getElementById('map').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowUp', shiftKey: true}))"
    )
    assert tab.run(f"archiveMap.screen(archiveMap.focus())[1] < archiveMap.screen({first})[1]")
    tab.press(" ")
    assert text_of(tab, "count") == "1 frame is chosen."
    tab.press("a")
    assert text_of(tab, "count") == "50 frames are chosen."


def test_a_lasso_gives_its_frames_as_a_list_with_exact_keys(tab: Tab, tmp_path: Path) -> None:
    xy = np.array([[0.0, 0], [0, 1], [10, 10], [10, 11]])
    opened(tab, tmp_path, made(points(4, xy=xy), ["zero", "one", "two"]))
    place = tab.run(
        "(() => { const b = document.getElementById('map').getBoundingClientRect(); return [2, 3].map(i =>"
        " { const [x, y] = archiveMap.screen(i); return [x + b.left, y + b.top]; }); })()"
    )
    (left, bottom), (_, top) = place
    tab.run("document.getElementById('lasso').click()")
    round_them = [
        (left - 20, top - 20),
        (left + 20, top - 20),
        (left + 20, bottom + 20),
        (left - 20, bottom + 20),
    ]
    tab.drag(*round_them)
    lines = tab.run("archiveMap.csv()").splitlines()
    assert lines == [
        "frame_id,video_id,frame_index",
        f"{frame_id(BIG_VIDEO, 2)},clip-1,2",
        f"{frame_id(BIG_VIDEO, 3)},clip-1,3",
    ]


def test_the_legend_hides_a_class_and_says_what_is_grey(tab: Tab, tmp_path: Path) -> None:
    confidence = np.array([0.9, 0.9, 0.2, np.nan, np.nan, np.nan])
    class_no = np.array([0, 1, 1, NO_CLASS, NOBODY, 1])
    shown = points(6, confidence=confidence, class_no=class_no, labelled=np.arange(6) >= 4)
    opened(tab, tmp_path, made(shown, ["zero", "one"]))
    rows = tab.run("[...document.querySelectorAll('#legend label')].map(l => l.textContent)")
    assert rows == ["one2", "zero1", "nobody on it, people say1", "not sure enough (below 50 %)2"]
    tab.run("document.querySelector('#legend input').click()")
    assert tab.run("archiveMap.shown()") == 4
    tab.run("document.getElementById('judged').click()")
    assert tab.run("archiveMap.shown()") == 1


def test_a_million_points_of_a_thousand_classes_are_sampled_and_it_says_so(tab: Tab, tmp_path: Path) -> None:
    labelled = np.zeros(1_000_000, bool)
    labelled[::1000] = True
    text = made(points(1_000_000, classes=1000, labelled=labelled), [f"class {n}" for n in range(1000)])
    assert len(text) < 10_000_000
    opened(tab, tmp_path, text)
    assert tab.run("archiveMap.points") == PAGE_POINTS
    assert "200,000 of the 1,000,000 points" in tab.run("document.querySelector('header').textContent")
    assert "993 other classes" in text_of(tab, "legend")
    assert tab.run("document.querySelectorAll('#one option').length") == 1001
    assert coloured(tab) > 10_000
    assert tab.console_errors == []


def test_the_sample_holds_every_judged_point() -> None:
    labelled = np.zeros(PAGE_POINTS * 3, bool)
    labelled[-500:] = True
    taken = page_sample(labelled)
    assert len(taken) == PAGE_POINTS
    assert np.isin(np.flatnonzero(labelled), taken).all()


def test_an_archive_without_a_frame_on_the_map_has_a_page(tab: Tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, made(points(0), []))
    assert tab.console_errors == []


def test_small_pictures_are_spread_over_the_map_and_prefer_frames_with_a_still() -> None:
    rng = np.random.default_rng(0)
    xy = np.concatenate([rng.normal(size=(900, 2)), rng.normal(size=(9, 2)) + 30])
    preferred = np.arange(909) == 450
    taken = spread_over(xy, preferred, 60)
    assert 20 < len(taken) <= 60
    assert (taken >= 900).any()
    assert 450 in taken
    assert len(spread_over(xy, preferred, 0)) == 0


def test_a_sheet_has_a_cell_for_every_picture() -> None:
    sheet = Image.open(io.BytesIO(contact_sheet([np.zeros((9, 16, 3), np.uint8)] * (COLUMNS + 1))))
    assert sheet.size == (COLUMNS * CELL[0], 2 * CELL[1])
    assert contact_sheet([]) == b""

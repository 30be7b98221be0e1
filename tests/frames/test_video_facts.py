"""The owner's table of videos, as spreadsheets write it and people spell it."""

from __future__ import annotations

from datetime import datetime

import pytest

from al_assets.frames.video_facts import VideoFacts, read_metadata, unknown_paths

FULL = VideoFacts("forest", "north", datetime(2026, 5, 1, 10))


@pytest.mark.parametrize(
    "text",
    [
        "path,site,camera,recorded_at\na.mp4,forest,north,2026-05-01T10:00:00\n",
        "\ufeffpath,site,camera,recorded_at\r\na.mp4,forest,north,2026-05-01T10:00:00\r\n",
        "path;site;camera;recorded_at\na.mp4;forest;north;2026-05-01T12:00:00+02:00\n",
        "Recorded_At\tCamera\t Site \tPATH\n2026-05-01T10:00:00Z\tnorth\tforest\ta.mp4\n",
        'path,site,camera,recorded_at,note\n"./videos/a.mp4", forest ,north,2026-05-01 10:00,"one, two"\n',
        "path,site,camera,recorded_at\nvideos\\a.mp4,forest,north,20260501T100000",
    ],
)
def test_the_table_is_read_as_spreadsheets_write_it(text: str) -> None:
    facts, faults = read_metadata(text.replace("./videos/a.mp4", "./a.mp4"))
    assert facts == {"a.mp4": FULL}
    assert faults == []


def test_a_folder_of_stills_may_be_written_with_a_closing_slash() -> None:
    assert read_metadata("path,site\ncam1/,forest\n./,town\n")[0] == {
        "cam1": VideoFacts("forest"),
        ".": VideoFacts("town"),
    }


def test_a_faulty_row_costs_only_itself() -> None:
    facts, faults = read_metadata(
        "path,site,recorded_at\n,forest,\na.mp4,forest,yesterday\nb.mp4,town,2026-05-01\n\n"
    )
    assert facts["a.mp4"] == VideoFacts("forest")
    assert facts["b.mp4"] == VideoFacts("town", None, datetime(2026, 5, 1))
    assert [fault.split(":")[0] for fault in faults] == ["videos.csv line 2 has no path", "videos.csv line 3"]
    assert "'yesterday' is not ISO 8601" in faults[1]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-10:00"])
def test_a_time_at_the_edge_of_the_calendar_is_a_fault(moment: str) -> None:
    facts, faults = read_metadata(f"path,recorded_at\na.mp4,{moment}\n")
    assert facts["a.mp4"].recorded_at is None
    assert len(faults) == 1


@pytest.mark.parametrize("text", ["", "\n", "file,site\na.mp4,forest\n", "\x00\x01"])
def test_a_table_without_a_path_column_says_what_it_needs(text: str) -> None:
    facts, faults = read_metadata(text)
    assert facts == {}
    assert "needs a header with a column named path" in faults[0]


def test_a_row_that_cannot_be_read_keeps_those_before_it() -> None:
    facts, faults = read_metadata(f'path,site\na.mp4,forest\nb.mp4,"{"x" * 200_000}"\n')
    assert facts == {"a.mp4": VideoFacts("forest")}
    assert "the rest was not read" in faults[0]


def test_a_repeated_path_is_said_and_the_later_line_counts() -> None:
    facts, faults = read_metadata("path,site\na.mp4,forest\na.mp4,town\n")
    assert facts["a.mp4"].site == "town"
    assert faults == ["videos.csv line 3 repeats a.mp4; the later line counts"]


def test_missing_cells_are_unknown_and_long_ones_are_cut() -> None:
    facts, _ = read_metadata(f"path,site,camera\na.mp4\nb.mp4,{'x' * 300},\n")
    assert facts["a.mp4"] == VideoFacts()
    assert facts["b.mp4"] == VideoFacts("x" * 200)


def test_a_time_is_kept_to_the_millisecond_as_every_database_can() -> None:
    facts, _ = read_metadata("path,recorded_at\na.mp4,2026-05-01T10:00:00.123456\n")
    assert facts["a.mp4"].recorded_at == datetime(2026, 5, 1, 10, 0, 0, 123000)


def test_misspelt_paths_are_named() -> None:
    facts, _ = read_metadata("path\na.mp4\nB.mp4\nc.mp4\nd.mp4\ne.mp4\n")
    assert unknown_paths(facts, {"a.mp4"}) == [
        "videos.csv names 4 paths that are not in videos/: B.mp4, c.mp4, d.mp4 and more"
    ]
    assert unknown_paths(facts, set(facts)) == []

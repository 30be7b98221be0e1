from datetime import datetime
from html.parser import HTMLParser

from al_assets.reports.index_page import Report, index_page

EARLY, LATE = datetime(2026, 1, 2, 3, 4), datetime(2026, 5, 6, 7, 8)


class Links(HTMLParser):
    """Addresses of a page's links, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        href = dict(attrs).get("href", "")
        if tag == "a" and not href.startswith("#"):
            self.found.append(href)


def test_every_report_has_one_line_and_one_date_the_known_ones_first() -> None:
    paths = ["batch-00002.html", "batch-00010.html", "embedding_map.html", "model_report.html", "odd.bin"]
    text = index_page([Report(path, EARLY) for path in paths])
    assert Links(text).found == [
        "model_report.html",
        "embedding_map.html",
        "batch-00010.html",
        "batch-00002.html",
    ]
    assert text.count("2026-01-02 03:04") == 4 + 1


def test_drift_reports_stand_newest_first_with_their_model() -> None:
    old, new = Report("drift-ck-1-window-a.html", EARLY), Report("drift-ck-2-window-b.html", LATE)
    text = index_page([old, new])
    assert Links(text).found == [new.path, old.path]
    assert "Drift against ck-2" in text


def test_before_there_is_a_report_the_index_says_what_makes_one() -> None:
    assert "run the job learn" in index_page([])

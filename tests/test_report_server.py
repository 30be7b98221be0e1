"""`al reports`: what it serves, and what it does not, over a real socket."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from al_assets.pages.server import make_server, serve_reports
from resources.storage import Storage


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    root = tmp_path_factory.mktemp("home") / "storage"
    storage = Storage(url=str(root))
    storage.make_folders(["reports", "stills/v 1", "videos/cam", "checkpoints"])
    storage.write("reports/model_report.html", b"<p>model</p>")
    storage.write("stills/v 1/00000001.jpg", b"jpeg")
    storage.write("videos/cam/1.PNG", b"png")
    for path in ("videos/a.mp4", "checkpoints/ck.safetensors", "reports/.part"):
        storage.write(path, b"private")
    (root.parent / "al.db").write_bytes(b"private")
    with served(storage) as port:
        yield port


@contextmanager
def served(storage: Storage) -> Iterator[int]:
    """The port of a server that runs meanwhile."""
    with make_server(storage, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def ask(port: int, path: str, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str, bytes]:
    """Status, type and content; the path goes out as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", f"{host}:{port}")
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.getheader("Content-Type", "").split(";")[0], content


def test_reports_and_stills_come_with_their_type(port: int) -> None:
    assert ask(port, "/reports/model_report.html") == (200, "text/html", b"<p>model</p>")
    assert ask(port, "/stills/v%201/00000001.jpg?x=1") == (200, "image/jpeg", b"jpeg")
    assert ask(port, "/videos/cam/1.PNG") == (200, "image/png", b"png")


def test_a_report_comes_from_a_folder_and_from_azure_blob_alike(storage: Storage) -> None:
    storage.write("reports/archive_report.html", b"<p>archive</p>")
    with served(storage) as port:
        assert ask(port, "/reports/archive_report.html") == (200, "text/html", b"<p>archive</p>")
        assert b"Archive report" in ask(port, "/reports/index.html")[2]
        assert ask(port, "/reports/none.html")[0] == 404


def test_the_way_in_is_the_index_made_anew(port: int) -> None:
    assert ask(port, "/")[0] == 302
    status, kind, content = ask(port, "/reports/index.html")
    assert (status, kind) == (200, "text/html")
    assert b"model_report.html" in content


@pytest.mark.parametrize(
    "path",
    [
        "/../al.db",
        "/reports/../../al.db",
        "/reports/..%2f..%2fal.db",
        "/reports/%2e%2e/%2e%2e/al.db",
        "/reports/..\\..\\al.db",
        "//etc/passwd",
        "/reports//etc/passwd",
        "/reports/%00",
        "/reports/%ff",
        "/reports/.part",
        "/videos/a.mp4",
        "/checkpoints/ck.safetensors",
        "/reports",
        "/reports/none.html",
        "/stills",
    ],
)
def test_nothing_else_is_served(port: int, path: str) -> None:
    status, _, content = ask(port, path)
    assert status in (302, 404)
    assert b"private" not in content


def test_only_reading_is_answered_and_only_by_the_server_s_own_name(port: int) -> None:
    assert {ask(port, "/reports/model_report.html", method)[0] for method in ("POST", "PUT", "DELETE")} == {
        501
    }
    assert ask(port, "/reports/model_report.html", "HEAD") == (200, "text/html", b"")
    assert ask(port, "/reports/model_report.html", host="evil.example")[0] == 403


def test_it_listens_on_this_machine_only_and_says_where_a_port_is_taken(port: int, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"port {port} cannot be used .* give another with --port"):
        serve_reports(Storage(url=str(tmp_path)), port, print)

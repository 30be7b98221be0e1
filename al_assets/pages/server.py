"""`al reports`: the reports and stills in storage over HTTP, for reading only, on this machine only.

Pages come through the storage interface, so that those in Azure Blob open like those in a folder. Not here: what a
report shows. Nothing but GET and HEAD is answered, and no file that `served_path` does not name.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from al_assets.pages.index import make_index
from al_assets.reports.html import INDEX
from resources.errors import FileMissingError, StorageError, UnsafePathError
from resources.storage import Storage
from resources.stored_files import clean, is_shown

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
FOLDERS = ("reports", "stills")
HOME = f"/reports/{INDEX}"
PICTURES = ("jpg", "jpeg", "png")
TYPES = {
    "html": "text/html; charset=utf-8",
    "svg": "image/svg+xml",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
}
# Evidently's page and the map run scripts of their own; none may reach out of this server.
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self'; form-action 'none'"
)
CHUNK = 1 << 18


class _Handler(BaseHTTPRequestHandler):
    """Answers one request from storage."""

    server_version = "al"
    sys_version = ""
    timeout = 60

    def __init__(self, storage: Storage, *args: object) -> None:
        self._storage = storage
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """The file, or the index made anew."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """What GET would say, without the content."""
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        # A page elsewhere whose name was pointed at this machine must not read the archive (DNS rebinding).
        if self.headers.get("Host", "").partition(":")[0] not in NAMES:
            self.send_error(HTTPStatus.FORBIDDEN, "this server answers to its own name only")
            return
        path = unquote(urlsplit(self.path).path)
        if path in ("/", "/reports", "/reports/"):
            self._begin(HTTPStatus.FOUND, {"Location": HOME, "Content-Length": "0"})
            return
        try:
            self._send(served_path(path), with_body)
        except (FileMissingError, UnsafePathError):
            self.send_error(HTTPStatus.NOT_FOUND, "there is no such report")
        except StorageError:
            self.send_error(HTTPStatus.BAD_GATEWAY, "storage cannot be read")

    def _send(self, path: str, with_body: bool) -> None:
        kind = TYPES.get(path.rpartition(".")[2].lower(), "application/octet-stream")
        if f"/{path}" == HOME:
            page = make_index(self._storage).encode()
            self._begin(HTTPStatus.OK, {"Content-Type": kind, "Content-Length": str(len(page))})
            if with_body:
                self.wfile.write(page)
            return
        with self._storage.open(path) as stream:
            size = stream.seek(0, 2)
            stream.seek(0)
            self._begin(HTTPStatus.OK, {"Content-Type": kind, "Content-Length": str(size)})
            if with_body:
                shutil.copyfileobj(stream, self.wfile, CHUNK)

    def _begin(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        always = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-cache",
        }
        for name, value in (headers | always).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: every picture of a page would be a line on the terminal."""


def served_path(path: str) -> str:
    """Path under the storage root for the path of an address. Raises UnsafePathError for what is not served.

    Of `videos/` the pictures are served, which the map shows of folders of stills, and no video.
    """
    wanted = clean(path.removeprefix("/"))
    folder, kind = wanted.partition("/")[0], wanted.rpartition(".")[2].lower()
    if not (folder in FOLDERS or (folder == "videos" and kind in PICTURES)) or not is_shown(wanted):
        raise UnsafePathError(f"{wanted} is not served; reports and stills are")
    return wanted


class _Server(ThreadingHTTPServer):
    """A thread a request, none of which keeps the program alive."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a browser that hangs up early is no fault."""


def make_server(storage: Storage, port: int) -> ThreadingHTTPServer:
    """A server that listens already, on this machine only; port 0 takes a free one. Raises OSError if it is taken."""
    return _Server((HOST, port), partial(_Handler, storage))


def serve_reports(storage: Storage, port: int, say: Callable[[str], None]) -> None:
    """Serve until it is interrupted. Raises OSError, which names the port, where it is taken."""
    try:
        server = make_server(storage, port)
    except OSError as error:
        raise OSError(f"port {port} cannot be used ({error.strerror}); give another with --port") from error
    with server:
        say(f"http://{HOST}:{server.server_address[1]}{HOME}  (Ctrl+C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("ended")

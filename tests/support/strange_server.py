"""A web server that answers as a test says, whatever it is asked. No assertion here."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

Reply: TypeAlias = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class StrangeServer:
    """A running one. authorised: what requests gave as their authorisation."""

    reply: Reply
    url: str = ""
    authorised: list[str] = field(default_factory=list)


@contextmanager
def strange_server(reply: Reply) -> Iterator[StrangeServer]:
    """A server that lets `reply` do the answering; it may be exchanged while it runs."""
    strange = StrangeServer(reply)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            strange.authorised.append(self.headers.get("Authorization", ""))
            with suppress(OSError):
                strange.reply(self)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    strange.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield strange
    finally:
        server.shutdown()
        server.server_close()


def says(body: Any, status: int = 200, *, dated: bool = True, **headers: str) -> Reply:
    """Answer with this as JSON."""

    def reply(to: BaseHTTPRequestHandler) -> None:
        content = json.dumps(body(to) if callable(body) else body).encode()
        (to.send_response if dated else to.send_response_only)(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            to.send_header(name.replace("_", "-"), value)
        to.send_header("Content-Length", str(len(content)))
        to.end_headers()
        to.wfile.write(content)

    return reply

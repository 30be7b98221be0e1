"""A TCP proxy that cuts a connection running through it where a test says so. No test and no database here."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

PIECE_BYTES = 4096
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing sends RST, as a firewall or a fail-over does."""

Moment: TypeAlias = Callable[[str, bytes, bytes], bool]
"""Whether to cut now: direction of the latest piece, and what the connection has sent and received so far."""


def sent(amount: int) -> Moment:
    """When the client has sent so many bytes."""
    return lambda _direction, sent, _received: len(sent) >= amount


def received(amount: int) -> Moment:
    """When the server has sent so many bytes."""
    return lambda _direction, _sent, received: len(received) >= amount


def asking(request: bytes) -> Moment:
    """When the client sends this, so that the server never gets it."""
    return lambda direction, sent, _received: direction == "sent" and request in sent


def answering(request: bytes) -> Moment:
    """When the server answers this: it was done, and the client will not know."""
    return lambda direction, sent, _received: direction == "received" and request in sent


class Proxy:
    """Passes bytes on. A moment that was given cuts one connection, once; what comes later passes freely."""

    def __init__(self, target: int, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self.cuts = 0
        self._target, self._listener = target, listener
        self._lock = threading.Lock()
        self._moment: Moment | None = None
        self._traffic: dict[int, dict[str, bytes]] = {}

    def cut(self, moment: Moment) -> None:
        """Cut the connection for which this is true first, counting from now."""
        with self._lock:
            self._moment = moment
            self._traffic.clear()

    def serve(self) -> None:
        """Accept connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for direction, source, sink in (("sent", client, server), ("received", server, client)):
                    arguments = (id(client), direction, source, sink)
                    threading.Thread(target=self._pass_on, args=arguments, daemon=True).start()

    def _pass_on(self, number: int, direction: str, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while (piece := source.recv(PIECE_BYTES)) and not self._is_due(number, direction, piece):
                sink.sendall(piece)
        for end in (source, sink):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)
                end.close()

    def _is_due(self, number: int, direction: str, piece: bytes) -> bool:
        with self._lock:
            if self._moment is None:
                return False
            traffic = self._traffic.setdefault(number, {"sent": b"", "received": b""})
            traffic[direction] += piece
            if not self._moment(direction, traffic["sent"], traffic["received"]):
                return False
            self._moment = None
            self.cuts += 1
            return True


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """A proxy before a port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(port, listener)
        threading.Thread(target=proxy.serve, daemon=True).start()
        yield proxy

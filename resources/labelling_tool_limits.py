"""How long a labelling tool may take and how much it may send, whatever it does. Nothing of Label Studio here.

The time limits of httpx are of one wait each: a server that sends a byte before each runs out is never late by them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore
import httpx

from resources.labelling_tool_errors import LabellingToolError

REQUEST_SECONDS = 600.0
"""For one request and its whole reply; an export of all answers is the longest."""
REPLY_BYTES = 1 << 30
"""All answers of a project come in one reply, a kilobyte or two each."""


@dataclass
class Allowance:
    """What is left of the time of a connection, and of the time and bytes of the request under way."""

    where: str
    seconds: float = math.inf
    """For everything asked over the connection."""
    reply_bytes: int = field(default_factory=lambda: REPLY_BYTES)
    ends: float = field(init=False)
    request_ends: float = field(init=False, default=math.inf)
    left_bytes: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """The clock runs from here."""
        self.ends = time.monotonic() + self.seconds

    def begin(self, request: object = None) -> None:
        """A request begins."""
        self.request_ends = min(self.ends, time.monotonic() + REQUEST_SECONDS)
        self.left_bytes = self.reply_bytes

    def wait(self, timeout: float | None) -> float:
        """How long one wait may last. Raises httpcore.ReadTimeout where no time is left."""
        left = self.request_ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("no time is left")
        return left if timeout is None else min(left, timeout)

    def took(self, data: bytes) -> bytes:
        """Data that came. Raises LabellingToolError where it is too much."""
        self.left_bytes -= len(data)
        if self.left_bytes < 0:
            raise LabellingToolError(
                f"what answers at {self.where} sends more than {self.reply_bytes >> 20} MB for one question; see "
                "whether it is Label Studio"
            )
        return data


def limited(allowance: Allowance, timeout_seconds: float) -> httpx.Client:
    """A client that keeps to the allowance.

    It keeps no cookies, as the token is enough, and asks for replies as they are: a small packed one may be huge.
    """
    client = httpx.Client(
        timeout=timeout_seconds,
        follow_redirects=True,
        headers={"Accept-Encoding": "identity"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        event_hooks={"request": [allowance.begin]},
    )
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            # httpx has no way to give one, httpcore below it has.
            pool: Any = transport._pool
            pool._network_backend = _Network(pool._network_backend, allowance)
    return client


class _Network(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend, allowance: Allowance) -> None:
        self._inner, self._allowance = inner, allowance

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._inner.connect_tcp(
            host, port, self._allowance.wait(timeout), local_address, socket_options
        )
        return _Stream(stream, self._allowance)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, allowance: Allowance) -> None:
        self._inner, self._allowance = inner, allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._allowance.took(self._inner.read(max_bytes, self._allowance.wait(timeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._allowance.wait(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._inner.start_tls(ssl_context, server_hostname, self._allowance.wait(timeout))
        return _Stream(stream, self._allowance)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

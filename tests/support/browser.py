"""Headless Chromium for tests of pages: what a page shows, says on its console and asks for. No test and no fixture.

`open_page(path)` is a page as it stands once it is loaded; `browser()` keeps one open for keys and the mouse.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

START_SECONDS = 60.0
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# As root there is no sandbox; a machine of a test has no GPU, and /dev/shm of a container is small.
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--mute-audio"),
    *("--remote-debugging-port=0", "about:blank"),
)
KEYS = {
    **{f"Arrow{way}": code for way, code in zip(("Left", "Up", "Right", "Down"), range(37, 41), strict=True)},
    **{"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "Home": 36, "End": 35},
}


@dataclass(frozen=True)
class Page:
    """A page once it is loaded: its document, what its console complained of, a picture, what it asked for."""

    dom: str
    console_errors: list[str]
    screenshot: bytes
    requests: list[str]


@dataclass
class Tab:
    """An open page. `console_errors` and `requests` grow while it is used."""

    connection: ClientConnection
    session: str
    console_errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _last: int = 0
    _loaded: bool = False

    def open(self, path: Path | str, seconds: float = 60.0) -> None:
        """Load a file, or an address; returns when its load event has come and its first frame is drawn."""
        address = path.resolve().as_uri() if isinstance(path, Path) else path
        self._loaded = False
        self.ask("Page.navigate", url=address)
        deadline = time.monotonic() + seconds
        while not self._loaded:
            self._take(deadline)
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def run(self, expression: str) -> Any:
        """Value of a JavaScript expression; a promise is waited for. What it throws is an AssertionError."""
        said = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in said:
            raise AssertionError(_exception(said["exceptionDetails"]))
        return said["result"].get("value")

    def press(self, key: str, times: int = 1) -> None:
        """Press and release a key: one of KEYS, or a printable letter."""
        code = KEYS.get(key, ord(key.upper()) if len(key) == 1 else 0)
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        # A letter's `code` makes no difference to a page that reads `key`.
        event = {"key": key, "windowsVirtualKeyCode": code}
        for _ in range(times):
            self.ask("Input.dispatchKeyEvent", type="keyDown", **event, **text)
            self.ask("Input.dispatchKeyEvent", type="keyUp", **event)

    def drag(self, *places: tuple[float, float]) -> None:
        """Press the mouse at the first place, move over the others, release at the last; one place is a click."""
        self.move(*places[0])
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        x, y = places[0]
        self.ask("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **held)
        for x, y in places[1:]:
            self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, button="left", buttons=1)
        x, y = places[-1]
        self.ask("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, **held)

    def move(self, x: float, y: float) -> None:
        """Move the mouse."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def screenshot(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def page(self) -> Page:
        """The page as it stands."""
        dom = str(self.run("document.documentElement.outerHTML"))
        return Page(dom, list(self.console_errors), self.screenshot(), list(self.requests))

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the DevTools protocol and its answer."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        self.connection.send(json.dumps({**message, "sessionId": self.session} if self.session else message))
        deadline = time.monotonic() + 120
        while (said := self._take(deadline)).get("id") != self._last:
            pass
        if "error" in said:
            raise AssertionError(f"{method}: {said['error']['message']}")
        result: dict[str, Any] = said["result"]
        return result

    def _take(self, deadline: float) -> dict[str, Any]:
        """The next message; events are noted on the way."""
        said: dict[str, Any] = json.loads(self.connection.recv(timeout=max(0.1, deadline - time.monotonic())))
        event, params = said.get("method"), said.get("params", {})
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"][:200])
        elif event == "Runtime.exceptionThrown":
            self.console_errors.append(_exception(params["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.console_errors.append(" ".join(str(arg.get("value", arg)) for arg in params["args"]))
        elif event == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.console_errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())
        return said


def open_page(path: Path | str, *, width: int = 1280, height: int = 900) -> Page:
    """A page once it is loaded, in a browser of its own that is gone afterwards. Skips the test without Chromium."""
    with browser(width=width, height=height) as tab:
        tab.open(path)
        return tab.page()


@contextmanager
def browser(*, width: int = 1280, height: int = 900) -> Iterator[Tab]:
    """An empty tab. Without Chromium it skips the test, or fails it where AL_TEST_REQUIRE_SERVERS=1."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        missing = "Chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("AL_TEST_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{missing}; AL_TEST_REQUIRE_SERVERS=1 makes this a failure")
        pytest.skip(missing)
    with tempfile.TemporaryDirectory(prefix="al-chromium-", ignore_cleanup_errors=True) as folder:
        window = [f"--user-data-dir={folder}", f"--window-size={width},{height}"]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen([program, *window, *FLAGS], stdout=log, stderr=log)
        try:
            with connect(_address(process, Path(folder)), max_size=None) as connection:
                yield _tab(connection, width, height)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _tab(connection: ClientConnection, width: int, height: int) -> Tab:
    whole = Tab(connection, "")
    target = whole.ask("Target.createTarget", url="about:blank")["targetId"]
    tab = Tab(connection, whole.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
    tab._last = whole._last
    for domain in ("Page", "Runtime", "Log", "Network"):
        tab.ask(f"{domain}.enable")
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    tab.ask("Emulation.setDeviceMetricsOverride", **size)
    return tab


def _address(process: subprocess.Popen[bytes], folder: Path) -> str:
    """Where the browser listens: it writes the port and the path to a file once it does."""
    file = folder / "DevToolsActivePort"
    deadline = time.monotonic() + START_SECONDS
    while not file.exists() or file.read_text().count("\n") < 1:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Chromium did not start:\n{(folder / 'log').read_text()[-2000:]}")
        time.sleep(0.05)
    port, path = file.read_text().splitlines()[:2]
    return f"ws://127.0.0.1:{port}{path}"


def _exception(details: dict[str, Any]) -> str:
    return str(details.get("exception", {}).get("description") or details.get("text"))

"""A real Label Studio for tests, and people who sign up and answer in it as their browsers would. No assertion here."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from resources.labelling_tool import LabelStudio
from support.servers import ServerMissingError, free_port

START_SECONDS = 240.0
"""It takes twenty seconds on a quiet machine, most of them for its tables."""
OWNER, PASSWORD = "owner@example.org", "heron-7-Qx"
QUIET = {
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    "LATEST_VERSION_CHECK": "0",
    "COLLECT_ANALYTICS": "0",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
}


@dataclass(frozen=True)
class Server:
    """A running Label Studio."""

    url: str
    token: str

    def resource(self, **changes: str) -> LabelStudio:
        """The server as the platform is given it."""
        return LabelStudio(**{"url": self.url, "token": self.token, **changes})

    def owner(self) -> httpx.Client:
        """The owner's connection to the API."""
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Token {self.token}"}, timeout=60, trust_env=False
        )

    def get(self, path: str, **params: Any) -> Any:
        """What the API answers."""
        with self.owner() as owner:
            return owner.get(path, params=params).raise_for_status().json()

    def post(self, path: str, body: Any = None) -> Any:
        """What the API answers to this."""
        with self.owner() as owner:
            reply = owner.post(path, json=body).raise_for_status()
            return reply.json() if reply.content else None

    def delete(self, path: str) -> None:
        """Remove something."""
        with self.owner() as owner:
            owner.delete(path).raise_for_status()

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """All tasks of a project with their predictions, oldest first."""
        reply = self.get("/api/tasks", project=project, page_size=1000, fields="all")
        return sorted(reply["tasks"], key=lambda task: int(task["id"]))

    def person(self, name: str) -> Person:
        """A person who signs up with the owner's invitation."""
        link = self.get("/api/invite")["invite_url"]
        return Person.signed_up(self.url, link, name)


@dataclass(frozen=True)
class Person:
    """A person at a browser: a session, no token."""

    email: str
    session: httpx.Client

    @classmethod
    def signed_up(cls, url: str, link: str, name: str) -> Person:
        """Fill in the form behind an invitation."""
        session = httpx.Client(base_url=url, follow_redirects=True, timeout=60, trust_env=False)
        email = f"{name}-{secrets.token_hex(3)}@example.org"
        session.get(link).raise_for_status()
        form = {"email": email, "password": PASSWORD, "csrfmiddlewaretoken": session.cookies["csrftoken"]}
        session.post(link, data=form, headers={"Referer": url + link}).raise_for_status()
        return cls(email, session)

    def answer(self, task: int, *names: str, skip: bool = False) -> int:
        """Tick names and submit, or skip; returns the annotation's number."""
        body = {"result": _choices(names), "was_cancelled": skip, "lead_time": 3.5}
        return int(self._send("POST", f"/api/tasks/{task}/annotations/", body)["id"])

    def change(self, annotation: int, *names: str) -> None:
        """Correct an answer."""
        self._send("PATCH", f"/api/annotations/{annotation}/", {"result": _choices(names)})

    def draft(self, task: int, *names: str) -> None:
        """Tick names and leave without submitting."""
        self._send("POST", f"/api/tasks/{task}/drafts", {"result": _choices(names), "lead_time": 1.0})

    def see(self, path: str) -> httpx.Response:
        """What the browser gets for a path, such as that of an image."""
        return self.session.get(path)

    def _send(self, method: str, path: str, body: Any) -> Any:
        headers = {"X-CSRFToken": self.session.cookies["csrftoken"], "Referer": str(self.session.base_url)}
        return self.session.request(method, path, json=body, headers=headers).raise_for_status().json()


def _choices(names: tuple[str, ...]) -> list[dict[str, Any]]:
    value = {"from_name": "answer", "to_name": "image", "type": "choices", "value": {"choices": [*names]}}
    return [{"id": secrets.token_hex(5), **value}] if names else []


@contextmanager
def label_studio() -> Iterator[Server]:
    """An ephemeral server, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="al-label-studio-"))
    try:
        with label_studio_in(folder, free_port()) as (server, _):
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def label_studio_in(folder: Path, port: int) -> Iterator[tuple[Server, subprocess.Popen[bytes]]]:
    """A server that keeps its data in a folder, so that it can be killed and started again."""
    token_file = folder / "token"
    if not token_file.exists():
        token_file.write_text(secrets.token_hex(20))
    server = Server(f"http://127.0.0.1:{port}", token_file.read_text())
    command = [_program(), "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    command += ["--username", OWNER, "--password", PASSWORD, "--user-token", server.token]
    environment = {**os.environ, **QUIET, "LABEL_STUDIO_BASE_DATA_DIR": str(folder / "data")}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _is_healthy(server.url):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"Label Studio did not start:\n{(folder / 'log').read_text()[-2000:]}")
                time.sleep(0.2)
            yield server, process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _program() -> str:
    named = os.environ.get("AL_TEST_LABEL_STUDIO", "")
    found = shutil.which("label-studio", path=named) if named else shutil.which("label-studio")
    if found is None:
        raise ServerMissingError(
            "Label Studio is not installed (.ci/label_studio FOLDER, then AL_TEST_LABEL_STUDIO=FOLDER/bin)"
        )
    return found


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False

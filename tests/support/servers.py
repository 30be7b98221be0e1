"""Real servers for tests: an ephemeral PostgreSQL cluster and Azurite, on loopback. No test and no fixture here."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0
INITDB = ("-U", "al", "--auth=scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync")
AZURITE_ACCOUNT = "devstoreaccount1"
# The key that Azurite documents for everyone; it opens nothing else.
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class ServerMissingError(RuntimeError):
    """A server that tests want is not installed; the message says what to install."""


@dataclass(frozen=True)
class PostgreSQL:
    """A running cluster."""

    port: int
    password: str

    def url(self, database: str) -> str:
        """SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://al:{self.password}@127.0.0.1:{self.port}/{database}"


@dataclass(frozen=True)
class Azurite:
    """A running Azurite."""

    account_url: str
    key: str = AZURITE_KEY


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """An ephemeral cluster, gone afterwards; as root it runs as an ordinary user, since PostgreSQL refuses root."""
    programs = _postgresql_programs()
    port, password = free_port(), secrets.token_hex(8)
    folder = Path(tempfile.mkdtemp(prefix="al-postgresql-"))
    try:
        (folder / "password").write_text(password)
        as_user = _as_ordinary_user(folder)
        data = str(folder / "data")
        subprocess.run(
            [*as_user, str(programs / "initdb"), "-D", data, *INITDB, f"--pwfile={folder / 'password'}"],
            check=True,
            capture_output=True,
        )
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
        }
        options = [f"-c{name}={value}" for name, value in settings.items()]
        with _running(
            [*as_user, str(programs / "postgres"), "-D", data, *options], folder, port, signal.SIGINT
        ):
            yield PostgreSQL(port, password)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def azurite() -> Iterator[Azurite]:
    """An ephemeral Azurite, gone afterwards."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="al-azurite-"))
    try:
        with azurite_in(folder, port):
            yield Azurite(f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def azurite_in(folder: Path, port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """An Azurite that keeps its blobs in a folder, so that it can be killed and started again."""
    place = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)]
    # Azurite knows older versions of the service than the client speaks.
    quiet = ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with _running([_azurite_program(), *place, *quiet, *options], folder, port, signal.SIGTERM) as process:
        yield process


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _postgresql_programs() -> Path:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which("initdb")
    if found is None:
        raise ServerMissingError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return Path(found).parent


def _azurite_program() -> str:
    named = os.environ.get("AL_TEST_AZURITE", "")
    found = shutil.which("azurite-blob", path=named) if named else shutil.which("azurite-blob")
    if found is None:
        raise ServerMissingError(
            "Azurite is not installed (npm install azurite, then AL_TEST_AZURITE=.../node_modules/.bin)"
        )
    return found


def _as_ordinary_user(folder: Path) -> list[str]:
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in names), None)
    if user is None or shutil.which("setpriv") is None:
        raise ServerMissingError("PostgreSQL cannot run as root; install util-linux and a user nobody")
    entry = pwd.getpwnam(user)
    for path in (folder, folder / "password"):
        os.chown(path, entry.pw_uid, entry.pw_gid)
    # The server goes with the tests even when they are killed.
    return ["setpriv", f"--reuid={user}", f"--regid={entry.pw_gid}", "--clear-groups", "--pdeathsig=INT"]


@contextmanager
def _running(
    command: list[str], folder: Path, port: int, stop: signal.Signals
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start:\n{(folder / 'log').read_text()[-2000:]}")
                time.sleep(0.05)
            yield process
        finally:
            process.send_signal(stop)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answers(port: int) -> bool:
    """Whether something listens at a port of the loopback interface."""
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0

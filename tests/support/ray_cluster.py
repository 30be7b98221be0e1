"""A real Ray cluster of several nodes on this machine: a `ray start` each, own ports and folders. No test here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psutil

from support.servers import START_SECONDS, ServerMissingError, answers, free_port

TESTS = Path(__file__).parent.parent
STORE_BYTES = 100_000_000
STARTED = "Ray runtime started"


@dataclass
class Node:
    """A node; its `ray start --block` leads a process group of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait(self, port: int | None = None) -> None:
        """Until it has joined the cluster, or answers at a port: a head does so long before it is complete."""
        deadline = time.monotonic() + 2 * START_SECONDS
        while not (answers(port) if port else STARTED in self.log.read_text(errors="replace")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Ray did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it and all that it started, as a power cut would."""
        family = [
            psutil.Process(self.process.pid),
            *psutil.Process(self.process.pid).children(recursive=True),
        ]
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        self.process.wait(20)

    def stop(self) -> None:
        """End it in order, and what is left after that."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


@dataclass
class Cluster:
    """A running cluster."""

    folder: Path
    environment: Mapping[str, str]
    port: int = field(default_factory=free_port)
    dashboard_port: int = field(default_factory=free_port)
    nodes: list[Node] = field(default_factory=list)

    @property
    def address(self) -> str:
        """As `[compute] address` takes it."""
        return f"127.0.0.1:{self.port}"

    def start_head(self, *options: str, jobs: bool = False) -> Node:
        """The first node; with the dashboard where it is to take jobs, which costs many processes more."""
        ports = {
            "--port": self.port,
            "--dashboard-port": self.dashboard_port,
            "--dashboard-agent-listen-port": free_port(),
            "--ray-client-server-port": free_port(),
        }
        named = [text for name, port in ports.items() for text in (name, str(port))]
        return self._start("--head", *named, "--include-dashboard", str(jobs).lower(), *options)

    def start_node(self, *options: str) -> Node:
        """Another node."""
        return self._start(
            "--address", self.address, "--dashboard-agent-listen-port", str(free_port()), *options
        )

    def _start(self, *options: str) -> Node:
        common = {
            "--node-ip-address": "127.0.0.1",
            "--object-store-memory": str(STORE_BYTES),
            # Its own: nodes of one machine that share a folder pick the same sockets where they start together.
            "--temp-dir": str(self.folder / f"n{len(self.nodes)}"),
            # Any free ones: several nodes of one machine share the range that is the default.
            "--min-worker-port": "0",
            "--max-worker-port": "0",
        }
        arguments = [text for pair in common.items() for text in pair]
        log = self.folder / f"node-{len(self.nodes)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *arguments, *options],
                env=dict(self.environment),
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=self.folder,
            )
        self.nodes.append(Node(process, log))
        return self.nodes[-1]


@contextmanager
def ray_cluster(**variables: str) -> Iterator[Cluster]:
    """A cluster without nodes, which are started by the caller and stopped here. Short folder: sockets lie in it."""
    if find_spec("ray") is None:
        raise ServerMissingError("Ray is not installed (pip install 'al-assets[ray]')")
    folder = Path(tempfile.mkdtemp(prefix="al-ray-", dir="/tmp"))
    environment = {
        **os.environ,
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_WAIT_POLICY": "passive",
        "PYTHONPATH": os.pathsep.join((str(TESTS.parent), str(TESTS))),
        # A lost node is noticed in seconds; a busy machine's is not given up before.
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_failure_threshold": "10",
        # Two cores may be slow to start what a node consists of.
        "RAY_raylet_start_wait_time_s": "120",
        # A job finds the programs of this environment, as after its activation.
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        **variables,
    }
    cluster = Cluster(folder, environment)
    # A token left in the home by another cluster would be asked of some nodes and given by none.
    environment["RAY_AUTH_MODE"] = os.environ["RAY_AUTH_MODE"] = "disabled"
    try:
        yield cluster
    finally:
        # A process that is connected to a cluster which goes away is ended by Ray.
        if "ray" in sys.modules:
            sys.modules["ray"].shutdown()
        for node in reversed(cluster.nodes):
            node.stop()
        shutil.rmtree(folder, ignore_errors=True)

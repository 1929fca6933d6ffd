"""Nodes of a Ray cluster, all on this machine, with a token and ports of their own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from medmodel.benchmark.servers import free_port
from medmodel.cluster.head import TOKEN, VARIABLE, Head
from medmodel.core.errors import ClusterError, DataError

START_SECONDS = 240.0
"""Within which a node is there, on a busy machine."""
STARTS = 4
"""Of a node that does not come."""
MEMORY_BYTES = 100_000_000
"""Of each node's object store, which nothing here uses."""
_LOOK_SECONDS = 0.5


@dataclass
class LocalCluster:
    """A head without processors, and nodes with one each.

    Args:
        folder: Ray's own files; its path is short, as those of sockets must be.
        gcs: Port of the head for nodes.
        head: The head, as runs are sent to it.
        environment: Of all its processes.
    """

    folder: Path
    gcs: int
    head: Head
    environment: dict[str, str]
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_node(self) -> subprocess.Popen[bytes]:
        """Starts a node and waits until the head knows it.

        Raises:
            DataError: It does not come.
        """
        before = self._ids()
        # Ray itself gives up after 30 seconds, which a busy machine may need.
        for _attempt in range(STARTS):
            process = self.start("--address", f"127.0.0.1:{self.gcs}", "--num-cpus=1")
            if self._comes(process, lambda: bool(self._ids() - before)):
                return process
        raise self._failed()

    def kill_node(self, process: subprocess.Popen[bytes]) -> None:
        """What the loss of a machine is to the head: the node falls silent at once."""
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if child.name() == "raylet":
                    child.kill()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts one of Ray's nodes, the head or another."""
        command = [ray_python(), "-m", "ray.scripts.scripts", "start", "--block"]
        own = [
            *("--node-ip-address=127.0.0.1", "--num-gpus=0", "--disable-usage-stats"),
            *("--min-worker-port=0", "--max-worker-port=0"),
            f"--object-store-memory={MEMORY_BYTES}",
            f"--dashboard-agent-listen-port={free_port()}",
        ]
        with (self.folder / f"node{len(self.nodes)}.txt").open("wb") as log:
            process = subprocess.Popen(
                [*command, *own, *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.nodes.append(process)
        return process

    def wait_for_head(self) -> None:
        """Waits until the head answers.

        Raises:
            DataError: It does not.
        """
        if not self._comes(self.nodes[0], lambda: bool(self.head.version())):
            raise self._failed()

    def _ids(self) -> set[str]:
        return {node.id for node in self.head.nodes()}

    def _comes(
        self, process: subprocess.Popen[bytes], seen: Callable[[], bool]
    ) -> bool:
        """Waits until a node is there; False where its process ends, or it never is."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(ClusterError):
                if seen():
                    return True
            time.sleep(_LOOK_SECONDS)
        return False

    def _failed(self) -> DataError:
        logs = sorted(self.folder.glob("node*.txt"))
        said = logs[-1].read_text(errors="replace")[-1000:]
        return DataError(f"A node of Ray did not start: {said}")

    def end(self) -> None:
        """Ends all nodes and what they started."""
        for process in reversed(self.nodes):
            with contextlib.suppress(psutil.Error):
                family = psutil.Process(process.pid).children(recursive=True)
                for child in [*family, psutil.Process(process.pid)]:
                    with contextlib.suppress(psutil.Error):
                        child.kill()
            process.wait()


def ray_python() -> str:
    """A Python that has Ray: MEDMODEL_RAY_PYTHON, by default this one."""
    return os.environ.get("MEDMODEL_RAY_PYTHON", "").strip() or sys.executable


def has_ray() -> bool:
    """Whether there is a Python with Ray."""
    if ray_python() == sys.executable:
        return importlib.util.find_spec("ray") is not None
    command: Sequence[str] = [ray_python(), "-c", "import ray"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@contextlib.contextmanager
def local_cluster() -> Iterator[LocalCluster]:
    """A head that trains nothing; this process sends its runs there.

    Raises:
        DataError: Ray is not installed, or does not start.
    """
    if not has_ray():
        raise DataError(
            "Ray is not installed: pip install -r medmodel/cluster/requirements.txt, "
            "or set MEDMODEL_RAY_PYTHON to a Python that has it."
        )
    token, gcs, dashboard = secrets.token_hex(16), free_port(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="medmodel-ray-"))
    address = f"http://127.0.0.1:{dashboard}"
    ours = {VARIABLE: address, TOKEN: token}
    environment = {
        **os.environ,
        TOKEN: token,
        "RAY_AUTH_MODE": "token",
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    cluster = LocalCluster(folder, gcs, Head(address, token), environment)
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        cluster.start(
            *("--head", f"--port={gcs}", f"--dashboard-port={dashboard}"),
            *("--num-cpus=0", f"--ray-client-server-port={free_port()}"),
        )
        cluster.wait_for_head()
        yield cluster
    finally:
        cluster.end()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)

"""The head of a Ray cluster as a small server: its REST API, no Ray behind it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class StubHead:
    """What the head knows; a test changes it at will.

    Args:
        address: Where it listens.
        jobs: Id of a job -> its state.
        submitted: Every job that was taken, as it was handed in.
        nodes: CPUs and GPUs of each node.
        token: What it asks for, if anything.
        failing: Beginning of a path -> status and body of every answer there.
        delay: Seconds before every answer.
        refused: Id of a job -> status and body of the answer to whoever hands it in.
        asked: How many requests there were.
    """

    address: str = ""
    jobs: dict[str, str] = field(default_factory=dict)
    submitted: list[dict[str, Any]] = field(default_factory=list)
    nodes: list[tuple[int, int]] = field(default_factory=lambda: [(1, 0), (1, 0)])
    token: str = ""
    failing: dict[str, tuple[int, str]] = field(default_factory=dict)
    delay: float = 0.0
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: int = 0

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.asked += 1
        for start, answer in self.failing.items():
            if path.startswith(start):
                return answer
        if path == "/api/version":
            return 200, {"ray_version": "2.60.0"}
        if path.startswith("/api/v0/nodes"):
            rows = [_node(number, *node) for number, node in enumerate(self.nodes)]
            dead = {**_node(99, 8, 8), "state": "DEAD"}
            return 200, {"data": {"result": {"result": [*rows, dead]}}}
        job = path.removeprefix("/api/jobs/").removesuffix("/stop")
        if not job:
            return self._submit(body)
        if job not in self.jobs:
            return 404, f"Job {job} does not exist"
        if path.endswith("/stop"):
            self.jobs[job] = "STOPPED"
            return 200, {"stopped": True}
        return 200, {"status": self.jobs[job], "message": f"it is {self.jobs[job]}"}

    def _submit(self, body: dict[str, Any]) -> tuple[int, Any]:
        job = body["submission_id"]
        if job in self.refused:
            return self.refused[job]
        if job in self.jobs:
            return 500, f"Traceback: Job with submission_id {job} already exists."
        self.jobs[job] = "PENDING"
        self.submitted.append(body)
        return 200, {"submission_id": job}


def _node(number: int, cpus: int, gpus: int) -> dict[str, Any]:
    resources = {"CPU": float(cpus), "memory": 1e9} | ({"GPU": gpus} if gpus else {})
    return {
        "node_id": f"{number:056x}",
        "node_name": f"node{number}",
        "state": "ALIVE",
        "resources_total": resources,
    }


@contextmanager
def stub_head() -> Iterator[StubHead]:
    """A head that answers on a free port of this machine."""
    head = StubHead()

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            time.sleep(head.delay)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            given = self.headers.get("Authorization", "")
            if head.token and given != f"Bearer {head.token}":
                code, answer = (403 if given else 401), "Forbidden"
            else:
                code, answer = head.answer(self.command, self.path, body)
            text = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(code)
            if code == 302:
                self.send_header("Location", text)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = _respond

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    head.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    try:
        yield head
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A webhook is told how a run ended, and nothing else; failing harms nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from medmodel.runs import webhook
from medmodel.runs.run import RATE_TESTS, RUNS, Run
from medmodel.runs.status import Failure, RunStatus


class Listener(BaseHTTPRequestHandler):
    """Keeps what it is sent; answers with the status of its path."""

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        TAKEN.append((self.path, json.loads(self.rfile.read(length))))
        if self.path == "/nonsense":
            self.wfile.write(b"What?\r\n\r\n")
            return
        self.send_response(int(self.path.strip("/") or 204))
        self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


TAKEN: list[tuple[str, dict[str, str]]] = []


@pytest.fixture
def address() -> Iterator[str]:
    TAKEN.clear()
    server = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_told_the_run_its_state_and_the_kind_of_failure(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(webhook.VARIABLE, address)
    assert webhook.notify("r1", RunStatus.FAILED, "not_a_number")
    told = {"event": "run_ended", "run": "r1", "state": "failed"}
    assert [("/", told | {"failure": "not_a_number"})] == TAKEN


def test_what_a_person_stopped_and_rate_tests_are_not_told(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, RunStatus, str]] = []
    monkeypatch.setattr(webhook, "notify", lambda *facts: told.append(facts))
    run, test = Run(workspace / RUNS / "one"), Run(workspace / RATE_TESTS / "two")
    for state in (RunStatus.DONE, RunStatus.STOPPED, RunStatus.FAILED):
        failure = Failure("data", "", "") if state is RunStatus.FAILED else None
        for each in (run, test):
            webhook.tell_ended(each, state, failure)
    assert told == [(run.id, RunStatus.DONE, ""), (run.id, RunStatus.FAILED, "data")]


@pytest.mark.parametrize("status", ["302", "404", "500", "nonsense"])
def test_another_answer_harms_nothing_and_no_other_address_is_told(
    address: str, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setenv(webhook.VARIABLE, f"{address}/{status}")
    assert not webhook.notify("r1", RunStatus.DONE)
    assert [path for path, _ in TAKEN] == [f"/{status}"]


@pytest.mark.parametrize(
    "text",
    ["", " ", "file:///etc/passwd", "ftp://a/b", "http://", "http://[", "localhost:1"],
)
def test_only_http_addresses_are_told(
    monkeypatch: pytest.MonkeyPatch, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(webhook.VARIABLE, text)
    assert webhook.webhook_address() == ""
    assert not webhook.notify("r1", RunStatus.DONE)
    assert bool(caplog.records) == bool(text.strip())


def test_nobody_listens(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(webhook.VARIABLE, "http://127.0.0.1:9/secret")
    assert not webhook.notify("r1", RunStatus.DONE)
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", ""),
        ("https://chat.example:8443/hooks/secret?key=1", "chat.example"),
        ("ftp://chat.example", "no http or https address: nobody is told"),
        ("chat.example", "no http or https address: nobody is told"),
    ],
)
def test_the_host_is_said_and_no_secret(
    address: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(webhook.VARIABLE, address)
    assert webhook.webhook_said() == said

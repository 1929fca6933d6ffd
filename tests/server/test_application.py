"""Our routes and guards, asked over real sockets."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as connect_sync

from medmodel.core.config import config_for
from medmodel.runs.progress.live import Feed, Position
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.server import application
from tests.served_routes import served_routes

NAMES = ["127.0.0.1", "MedModel.Clinic"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Host and port of our routes behind our guard."""
    with served_routes(NAMES) as port:
        yield f"127.0.0.1:{port}"


def get(address: str, path: str, host: str = "") -> tuple[int, Message, bytes]:
    headers = {"Host": host} if host else {}
    request = urllib.request.Request(f"http://{address}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.fixture
def run(workspace: Path) -> Run:
    run = RunStore(workspace).create(config_for("instant", "/data/lungs"))
    (run.folder / "steps.csv").write_text("step,loss,accuracy\n1,0.5,0.5\n")
    return run


def add_step(run: Run, step: int) -> None:
    with (run.folder / "steps.csv").open("a") as file:
        file.write(f"{step},0.25,0.75\n")


def test_health_and_headers(address: str) -> None:
    status, headers, body = get(address, "/healthz")
    assert (status, json.loads(body)) == (200, {"status": "ok"})
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_foreign_host_names_are_refused(address: str) -> None:
    port = address.rpartition(":")[2]
    assert get(address, "/healthz", "evil.example")[0] == 400
    assert get(address, "/healthz", f"127.0.0.1:{port}")[0] == 200
    assert get(address, "/healthz", "[broken")[0] == 400
    assert get(address, "/healthz", "medmodel.CLINIC")[0] == 200


def test_plotly_comes_from_its_package_and_is_kept(address: str) -> None:
    status, headers, body = get(address, "/vendor/plotly.js")
    assert status == 200
    assert b"plotly.js" in body[:300]
    assert "immutable" in headers["Cache-Control"]


def test_a_viewer_gets_all_and_then_what_is_new(address: str, run: Run) -> None:
    with connect_sync(f"ws://{address}/live/{run.id}") as viewer:
        first = json.loads(viewer.recv(timeout=10))
        assert first["reset"] and first["steps"][0] == [1]
        assert first["status"]["state"] == "queued"
        add_step(run, 2)
        told = json.loads(viewer.recv(timeout=10))
        assert not told["reset"] and told["steps"] == [[2], [0.25], [0.75]]
    have = f"{told['key']}:{told['at'][0]}:{told['at'][1]}"
    add_step(run, 3)
    with connect_sync(f"ws://{address}/live/{run.id}?have={have}") as viewer:
        again = json.loads(viewer.recv(timeout=10))
        assert not again["reset"] and again["steps"][0] == [3]


def test_a_curve_that_grew_point_by_point_is_thinned_anew(
    address: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "POINTS", 2)
    resets = []
    with connect_sync(f"ws://{address}/live/{run.id}") as viewer:
        json.loads(viewer.recv(timeout=10))
        for step in range(2, 8):
            add_step(run, step)
            message = json.loads(viewer.recv(timeout=10))
            resets.append(message["reset"])
    # The first message had one point: with step 5 there are more than twice `POINTS`.
    assert resets == [False, False, False, True, False, False]
    assert message["steps"][0] == [7]


def test_many_viewers_share_one_look_at_the_files(address: str, run: Run) -> None:
    async def watch() -> tuple[int, list[str]]:
        url = f"ws://{address}/live/{run.id}"
        viewers = [await connect(url) for _ in range(20)]
        for viewer in viewers:
            await viewer.recv()
        watched = len(application._watches)
        add_step(run, 2)
        texts = [str(await viewer.recv()) for viewer in viewers]
        for viewer in viewers:
            await viewer.close()
        return watched, texts

    watched, texts = asyncio.run(watch())
    assert watched == 1
    assert len(set(texts)) == 1
    deadline = time.monotonic() + 10
    while application._watches and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not application._watches


@pytest.mark.parametrize("name", ["nothing", "..%5c..%5cetc", ".hidden"])
def test_an_unknown_run_is_said_by_a_code(address: str, name: str) -> None:
    with (
        connect_sync(f"ws://{address}/live/{name}") as viewer,
        pytest.raises(ConnectionClosed) as closed,
    ):
        viewer.recv(timeout=10)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4404


def test_pages_of_other_sites_cannot_watch(address: str, run: Run) -> None:
    url = f"ws://{address}/live/{run.id}"
    port = int(address.rpartition(":")[2])
    for origin in (
        "http://evil.example",
        f"http://{address}.evil.example",
        f"http://127.0.0.1:{port + 1}",
        "http://127.0.0.1",
        f"https://{address}",
        "null",
        "http://[",
    ):
        with pytest.raises(InvalidStatus):
            connect_sync(url, additional_headers={"Origin": origin})
    with connect_sync(
        url, additional_headers={"Origin": f"http://{address}"}
    ) as viewer:
        assert viewer.recv(timeout=10)


def test_hostile_positions_and_languages_do_not_fill_the_memory(run: Run) -> None:
    async def texts() -> int:
        watch = application.Watch(Feed(run, RunStore()))
        watch.task.cancel()
        for number in range(3 * application.MOST_TEXTS):
            watch.text(Position(f"key{number}", number, 0), f"xx{number}")
        for number in range(9):
            watch.text(Position(), f"xx{number}")
        return len(watch._texts)

    assert asyncio.run(texts()) <= application.MOST_TEXTS

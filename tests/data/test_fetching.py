"""Downloads against a server of our own: whole, broken off, changed, not there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from medmodel.core.errors import DataError
from medmodel.core.job import Job
from medmodel.data import fetching, medmnist
from medmodel.data.medmnist import SETS
from tests.data.test_medmnist import npz


class Shop(HTTPServer):
    """Gives one file; `cut` ends the first answer after so many bytes."""

    content = b""
    cut = 0
    ranges = True
    code = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        shop = self.server
        wanted = self.headers.get("Range", "")
        shop.asked.append(f"{self.path} {wanted}".strip())
        if shop.code != 200:
            self.send_error(shop.code)
            return
        first = int(wanted[6:-1]) if wanted and shop.ranges else 0
        if first >= len(shop.content) > 0:
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(shop.content) - first))
        self.end_headers()
        end, shop.cut = (shop.cut or len(shop.content)), 0
        self.wfile.write(shop.content[first:end])

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """The server, and PneumoniaMNIST with the checksum of the file that it gives."""
    with Shop() as server:
        monkeypatch.setenv(
            "MEDMODEL_MEDMNIST", f"http://127.0.0.1:{server.server_port}"
        )
        monkeypatch.setattr(fetching.importing, "SPARE", 0)
        file = npz(tmp_path / "file.npz")
        server.content = file.read_bytes()
        found = SETS["pneumoniamnist"]
        md5 = (medmnist.md5_of(file), *found.md5[1:])
        monkeypatch.setitem(SETS, found.key, replace(found, md5=md5))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(told: list[tuple[str, int, int]] | None = None) -> Path:
    def progress(*facts: object) -> None:
        if told is not None:
            told.append(facts)  # type: ignore[arg-type]

    return fetching.fetch("pneumoniamnist", 28, Job(progress))


def test_a_set_becomes_a_data_set(shop: Shop, workspace: Path) -> None:
    told: list[tuple[str, int, int]] = []
    folder = get(told)
    assert folder == workspace / "datasets" / "pneumoniamnist"
    assert len(list(folder.rglob("*.png"))) == 18
    assert "as published" in (folder / "ORIGIN.txt").read_text()
    assert shop.asked == ["/pneumoniamnist.npz?download=1"]
    size = len(shop.content)
    assert told[0] == ("fetching", size, size) and told[-1][0] == "importing"
    assert not list((workspace / "downloads").iterdir())


def test_a_broken_line_is_taken_up_again(shop: Shop, workspace: Path) -> None:
    shop.cut = 300
    with pytest.raises(DataError, match="broke off after"):
        get()
    assert (workspace / "downloads" / "pneumoniamnist.part").stat().st_size == 300
    get()
    assert shop.asked[1].endswith("bytes=300-")
    shop.asked.clear()
    # A server that cannot go on, and one asked for what is all here.
    for ranges in (False, True):
        shop.ranges = ranges
        have = shop.content if ranges else b"others' bytes"
        (workspace / "downloads" / "pneumoniamnist.part").write_bytes(have)
        get()


def test_a_changed_file_is_thrown_away(shop: Shop, workspace: Path) -> None:
    shop.content = shop.content[:-1] + b"!"
    with pytest.raises(DataError, match="published checksum"):
        get()
    assert not list((workspace / "downloads").iterdir())
    assert not list(workspace.glob("datasets/*"))


def test_another_file_is_refused_before_it_fills_the_disk(shop: Shop) -> None:
    shop.content = bytes(SETS["pneumoniamnist"].most_bytes(28) + 1)
    with pytest.raises(DataError, match="larger than known"):
        get()


def test_no_internet_is_one_sentence(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.code = 404
    with pytest.raises(DataError, match=r"does not give the file \(answer 404\)"):
        get()
    monkeypatch.setenv("MEDMODEL_MEDMNIST", "http://127.0.0.1:1")
    with pytest.raises(DataError, match=r"127.0.0.1 cannot be reached: .* no internet"):
        get()


def test_no_room(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching.importing, "SPARE", 2**60)
    with pytest.raises(DataError, match="There is room for"):
        get()
    assert shop.asked == []


def test_in_a_process_of_its_own(shop: Shop, workspace: Path) -> None:
    """There the published checksum holds, and the file of this test is another."""
    assert fetching.state_of("pneumoniamnist", 28).phase == ""
    fetching.start("pneumoniamnist", 28)
    fetching.start("pneumoniamnist", 28)  # goes on as it is
    deadline = time.monotonic() + 60
    while (state := fetching.state_of("pneumoniamnist", 28)).running:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert state.phase == "failed" and "published checksum" in state.error
    assert len(shop.asked) == 1


def test_only_known_sets() -> None:
    for key, size in (("../x", 28), ("chestmnist", 28), ("bloodmnist", 29)):
        with pytest.raises(DataError, match="There is no public set"):
            fetching.start(key, size)

"""The server's settings: read as Streamlit does, and judged."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from medmodel.cli.doctor import serving
from medmodel.cli.doctor.serving import ServerSettings
from medmodel.core.errors import FileError


def settings_of(tmp_path: Path, *texts: str, **environment: str) -> ServerSettings:
    files = []
    for number, text in enumerate(texts):
        files.append(tmp_path / f"{number}.toml")
        files[-1].write_text(text)
    return serving.server_settings((*files, tmp_path / "absent.toml"), environment)


def test_later_files_and_variables_count_more(tmp_path: Path) -> None:
    assert settings_of(tmp_path) == ServerSettings()
    first = '[server]\nport = 80\naddress = "0.0.0.0"\nallowedHosts = ["a", "b"]\n'
    second = '[server]\nport = 90\n[browser]\nserverAddress = "med.org"\n'
    expected = ServerSettings("0.0.0.0", 90, ("a", "b"), "med.org", 200)
    assert settings_of(tmp_path, first, second) == expected
    chosen = settings_of(
        tmp_path,
        first,
        STREAMLIT_SERVER_PORT="7",
        STREAMLIT_SERVER_ALLOWED_HOSTS='["x", "y"]',
        STREAMLIT_SERVER_MAX_UPLOAD_SIZE="9",
        STREAMLIT_BROWSER_SERVER_ADDRESS="z",
    )
    assert chosen == ServerSettings("0.0.0.0", 7, ("x", "y"), "z", 9)


def test_the_products_own_settings_are_well() -> None:
    settings = serving.server_settings(serving.CONFIG_FILES[-1:], {})
    assert settings.address == "127.0.0.1" and settings.max_upload_mb == 50
    (finding,) = serving.hosts(settings)
    assert finding.level == "ok"


@pytest.mark.parametrize("text", ["[server", '[server]\nport = "many"\n'])
def test_settings_that_cannot_be_understood(text: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be"):
        settings_of(tmp_path, text)


def test_sections_that_are_none(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "server = 3\n") == ServerSettings()


@pytest.mark.parametrize(
    ("settings", "level", "line"),
    [
        (ServerSettings(), "warning", '["127.0.0.1", "localhost"]'),
        (
            ServerSettings("127.0.0.1", allowed_hosts=("a",), server_address="b.org"),
            "problem",
            '["a", "b.org"]',
        ),
        (
            ServerSettings("0.0.0.0", allowed_hosts=("localhost",)),
            "warning",
            '["localhost", ',
        ),
        (
            ServerSettings("", allowed_hosts=("LocalHost",)),
            "warning",
            '["LocalHost", ',
        ),
        (
            ServerSettings(
                "", allowed_hosts=("*.lab.org",), server_address="m.LAB.org"
            ),
            "ok",
            "",
        ),
        (ServerSettings("127.0.0.1", allowed_hosts=("localhost",)), "ok", ""),
    ],
)
def test_hosts(settings: ServerSettings, level: str, line: str) -> None:
    (finding,) = serving.hosts(settings)
    assert finding.level == level and line in finding.mend


class Answering(BaseHTTPRequestHandler):
    body = b'{"status": "ok"}'

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        allowed = self.headers["Host"] in ("127.0.0.1", "x.lab.org")
        self.wfile.write(type(self).body if allowed else b"refused")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def listener(request: pytest.FixtureRequest) -> Iterator[int]:
    kind = type("Kind", (Answering,), {"body": request.param})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("listener", "level"),
    [(b'{"status": "ok"}', "ok"), (b"hello", "warning"), (b"{}", "warning")],
    indirect=["listener"],
)
def test_a_port_that_is_taken(listener: int, level: str) -> None:
    finding = serving.port(ServerSettings(port=listener))
    assert finding.level == level
    hosts = ("*.lab.org", "other")
    settings = ServerSettings("127.0.0.1", port=listener, allowed_hosts=hosts)
    assert serving.port(settings).level == level
    assert ("another program" in finding.sentence) == (level == "warning")


def test_a_free_port() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        number = held.getsockname()[1]
    finding = serving.port(ServerSettings("127.0.0.1", number))
    assert finding.level == "ok" and "is free" in finding.sentence

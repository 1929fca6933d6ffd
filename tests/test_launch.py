"""`streamlit run app.py` in a terminal: where it is, and why it does not start."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit import config

import app
from medmodel.server import application

ROOT = Path(__file__).resolve().parent.parent
STREAMLIT = [sys.executable, "-m", "streamlit", "run"]


def environment(**changes: str) -> dict[str, str]:
    """Of a user who has set nothing but what is given."""
    own = ("MEDMODEL_", "STREAMLIT_")
    names = {n: v for n, v in os.environ.items() if not n.startswith(own)}
    return {**names, **changes}


@contextlib.contextmanager
def launched(folder: Path, *options: str, **names: str) -> Iterator[list[str]]:
    """The first two lines that a server says which is started from a folder."""
    log = folder / "terminal.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*STREAMLIT, str(ROOT / "app.py"), *options],
            cwd=folder,
            env=environment(**names),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 60
        while log.read_text().count("\n") < 2 and process.poll() is None:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield log.read_text().splitlines()
    finally:
        process.terminate()
        process.wait(30)


def refused(command: list[str], folder: Path) -> str:
    """What a command says that ends with 1."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1 and "Traceback" not in ended.stderr, ended.stderr
    return ended.stdout + ended.stderr


def healthy(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:
        return bool(answer.status == 200)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_two_lines_say_where_it_listens_and_where_the_workspace_is(
    tmp_path: Path,
) -> None:
    with launched(tmp_path, "--server.port", "0") as lines:
        url = re.fullmatch(r"MedModel listens on (http://127\.0\.0\.1:\d+)", lines[0])
        assert url and healthy(url[1])
        assert lines[1:] == [f"Workspace: {tmp_path / 'workspace'}"]


def test_the_usual_port_is_taken(tmp_path: Path) -> None:
    workspace = tmp_path / "elsewhere"
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # then somebody else has it
            listener.bind(("127.0.0.1", app.USUAL_PORT))
            listener.listen()
        with launched(tmp_path, MEDMODEL_WORKSPACE=str(workspace)) as lines:
            said = re.fullmatch(
                r"Port 8501 is taken: MedModel listens on (\S+:85\d\d) instead",
                lines[0],
            )
            assert said and healthy(said[1])
            assert lines[1:] == [f"Workspace: {workspace}"]


def test_a_port_that_was_asked_for_is_taken(tmp_path: Path, taken: int) -> None:
    command = [*STREAMLIT, str(ROOT / "app.py"), "--server.port", str(taken)]
    said = refused(command, tmp_path)
    assert f"Port {taken} is not available" in said and said.count("\n") == 1


def test_a_package_is_missing(tmp_path: Path) -> None:
    shutil.copy(ROOT / "app.py", tmp_path)
    for name in ("medmodel", ".streamlit"):
        shutil.copytree(
            ROOT / name,
            tmp_path / name,
            ignore=shutil.ignore_patterns("__pycache__", "secrets.toml"),
        )
    (tmp_path / "requirements.txt").write_text("numpy\nabsent-package>=1\n")
    said = refused([*STREAMLIT, "app.py", "--server.port", "0"], tmp_path)
    assert said.startswith("A package is missing: absent-package. ")
    assert said.count("\n") == 1 and str(tmp_path / "requirements.txt") in said


def test_all_packages_are_missing(tmp_path: Path) -> None:
    # Without `site` this Python has its standard library alone.
    said = refused([sys.executable, "-S", str(ROOT / "app.py")], tmp_path)
    assert re.match(r"\d+ packages are missing: streamlit, click, requests, ", said)


@pytest.mark.parametrize(
    ("address", "options", "message"),
    [
        ("192.168.0.7", {}, "http://192.168.0.7:80"),
        ("::1", {}, "http://[::1]:80"),
        ("med.local", {"base_path": "/a/b/"}, "http://med.local:80/a/b"),
        ("127.0.0.1", {"tls": True, "base_path": ""}, "https://127.0.0.1:80"),
        *(
            (
                all_,
                {},
                "http://localhost:80, and on every other address of this machine",
            )
            for all_ in ("", "0.0.0.0", "::")
        ),
    ],
)
def test_addresses_are_urls(
    address: str, options: dict[str, Any], message: str
) -> None:
    said = application.listening_message(address, 80, **options)
    assert said == f"MedModel listens on {message}"


def test_another_server_says_itself_where_it_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config, "_server_mode", None)
    assert app.listening_message() == ""

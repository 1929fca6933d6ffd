"""An exported model's page answers in a browser as the model does."""

from __future__ import annotations

import functools
import json
import os
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from medmodel.core.job import UNATTENDED
from medmodel.export.report import archive_path
from medmodel.inference import export_model
from tests.tiny_run import make_tiny_run

RUNTIME = (
    "ort.wasm.min.js",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *values: object) -> None:
        pass


@pytest.fixture
def runtime() -> Path:
    """The folder of ONNX Runtime Web, which no Python package holds."""
    folder = (
        Path(os.environ.get("MEDMODEL_ONNXRUNTIME_WEB", "onnxruntime-web")) / "dist"
    )
    if not all((folder / name).is_file() for name in RUNTIME):
        message = f"needs the npm package onnxruntime-web in {folder.parent}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture
def exported(
    class_folders: Path, runtime: Path, tmp_path: Path
) -> Iterator[tuple[Path, str]]:
    """An unpacked export of a model of grey images, and its address."""
    run = make_tiny_run(class_folders, "tiny")
    export_model.export_model(run, "onnx", UNATTENDED)
    folder = tmp_path / "away"
    with zipfile.ZipFile(archive_path(run, "onnx")) as archive:
        archive.extractall(folder)
    for name in RUNTIME:
        shutil.copy(runtime / name, folder)
    handler = functools.partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_page_gives_the_same_probabilities(
    page: Page, exported: tuple[Path, str]
) -> None:
    folder, url = exported
    page.goto(f"{url}/predict.html")
    expect(page.get_by_text("Not for clinical use.")).to_be_visible()
    page.locator("input").set_input_files(folder / "sample.png")
    answer = page.locator("pre")
    expect(answer).to_contain_text("dark")
    facts = json.loads((folder / "medmodel.json").read_text("utf-8"))
    assert json.loads(answer.inner_text()) == pytest.approx(facts["sample"], abs=1e-4)
    page.locator("input").set_input_files(folder / "medmodel.json")
    expect(answer).to_contain_text("This image cannot be used")

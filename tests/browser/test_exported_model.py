"""An exported model's page answers in a browser as the model does."""

from __future__ import annotations

import functools
import json
import os
import shutil
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from medmodel.core.job import UNATTENDED
from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.multi_label.run_findings import run_decisions
from medmodel.export.report import archive_path
from medmodel.inference import export_model
from medmodel.networks.models import build_model
from medmodel.runs.run import Run
from medmodel.runs.status import ModelFacts
from tests.findings_folder import FINDINGS, draw_findings_folder
from tests.findings_run import write_findings_run
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
    with _shown(make_tiny_run(class_folders, "tiny"), runtime, tmp_path) as shown:
        yield shown


@contextmanager
def _shown(run: Run, runtime: Path, place: Path) -> Iterator[tuple[Path, str]]:
    export_model.export_model(run, "onnx", UNATTENDED)
    folder = place / "away"
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
    expect(answer).to_have_text("This image cannot be used: it is no PNG and no JPEG")
    # The browser would cut it down to 8 bits.
    deep = np.arange(600, dtype=np.uint16).reshape(20, 30)
    Image.fromarray(deep).save(folder / "deep.png")
    page.locator("input").set_input_files(folder / "deep.png")
    expect(answer).to_contain_text("it has more than 8 bits")


def test_the_page_of_several_findings_gives_the_same_probabilities(
    page: Page, runtime: Path, tmp_path: Path
) -> None:
    run = write_findings_run(draw_findings_folder(tmp_path / "data" / "f", images=480))
    seen = Preprocessing(32, colour="grey")
    build_model("compact_resnet", seen, 2, seed=1, activation="sigmoid").save(
        run.model_path
    )
    run.write_model_facts(ModelFacts(list(FINDINGS), seen, [], 9))
    decisions = run_decisions(run)
    assert any(each.calibrated for each in decisions)
    with _shown(run, runtime, tmp_path) as (folder, url):
        page.goto(f"{url}/predict.html")
        page.locator("input").set_input_files(folder / "sample.png")
        answer = page.locator("pre")
        expect(answer).to_contain_text(FINDINGS[0])
        facts = json.loads((folder / "medmodel.json").read_text("utf-8"))
        shown = facts["sample"]
        assert json.loads(answer.inner_text()) == pytest.approx(shown, abs=1e-4)
        found = [d.name for d in decisions if shown[d.name] >= d.threshold]
        said = ", ".join(found) or "no finding above its threshold"
        expect(page.locator("output")).to_have_text(said)

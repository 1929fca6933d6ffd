"""Fixtures that every test may use: a workspace of its own, drawn data, real data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner import script_runner

from medmodel.evaluation.predictions import Predictions
from medmodel.runs import queue
from medmodel.runs.run_store import RunStore

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = Path(
    os.environ.get("MEDMODEL_BENCH_DATA", ROOT.parent / "shared" / "data")
).resolve()
IMAGES_ARE_REQUIRED = (
    os.environ.get("CI") == "true" and "MEDMODEL_BENCH_DATA" in os.environ
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what uses public images; puts browser tests, which are slow, at the end.

    Browser tests also leave an event loop running.

    Raises:
        pytest.UsageError: Another test has a name of the browser's, and would draw all
            browser tests before itself.
    """
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "real_data" in names:
            item.add_marker("real_data")
        parameters = getattr(getattr(item, "callspec", None), "params", ())
        has_browser = "browser_name" in {*names, *parameters}
        if has_browser and "browser" not in item.path.parent.name:
            raise pytest.UsageError(
                f"{item.nodeid}: page, browser and context are fixtures of the "
                "browser tests. Call a parameter or fixture otherwise."
            )
    items.sort(key=lambda item: "browser" in item.path.parent.name)


@pytest.fixture(scope="session", autouse=True)
def pages_run_quickly() -> Iterator[None]:
    """Spares the tests of pages what a server does once or never.

    Whenever a test runs a page, Streamlit would read about every installed package. And
    it would clear Keras' session, which no server of ours loads, but this process does.
    """
    with pytest.MonkeyPatch.context() as patch:
        scan = manifest_scanner.scan_component_manifests
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(scan))
        patch.setattr(script_runner, "_clean_problem_modules", lambda: None)
        yield


def release_shell(store: RunStore) -> None:
    """What the end of a shell's process does."""
    lock = queue._present.pop(store.root, None)
    if lock is not None:
        lock.release()


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh workspace, so that no test sees another's runs or the user's own.

    Afterwards this process is no shell of it any more, so its idle worker ends.
    """
    folder = tmp_path / "workspace"
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(folder))
    monkeypatch.setenv("MEDMODEL_DATA", str(tmp_path / "data"))
    # The fixture `real_data` is the only way to the public images.
    monkeypatch.setenv("MEDMODEL_BENCH_DATA", str(tmp_path / "no_images"))
    yield folder
    release_shell(RunStore(folder))


def draw_class_folders(
    folder: Path,
    classes: tuple[str, ...] = ("dark", "light"),
    images_per_class: int = 12,
    size: int = 32,
    seed: int = 0,
) -> Path:
    """Draws grey PNG images that differ in brightness by class."""
    rng = np.random.default_rng(seed)
    for position, name in enumerate(classes):
        level = 50 + 150 * position / max(len(classes) - 1, 1)
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(images_per_class):
            pixels = rng.normal(level, 20, (size, size)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{name}_{number:03}.png")
    return folder


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """Two easy classes with 12 images each, under an allowed root."""
    return draw_class_folders(tmp_path / "data" / "easy")


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Gives the folder of a public data set, or skips the test, saying so.

    Where CI names their place they must be there.
    """

    def find(name: str) -> Path:
        folder = REAL_DATA / name
        if not folder.is_dir():
            message = f"needs the public images in {folder} (MEDMODEL_BENCH_DATA)"
            if IMAGES_ARE_REQUIRED:
                pytest.fail(message)
            pytest.skip(message)
        return folder

    return find


@pytest.fixture
def overlapping() -> Predictions:
    """Scores of 80 images in two classes that overlap, one with a name like HTML."""
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=80)
    score = np.clip(0.25 + 0.5 * truth + rng.normal(0, 0.2, 80), 0.01, 0.99)
    return Predictions(["a", "<b>"], truth, np.stack([1 - score, score], axis=1), None)

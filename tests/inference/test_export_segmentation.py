"""An exported segmentation answers as the run's; its script writes the same mask."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medmodel.core.job import UNATTENDED
from medmodel.core.preprocessing import Preprocessing
from medmodel.export import images as export_images
from medmodel.export.formats import FORMATS, TOLERANCE
from medmodel.export.report import archive_path
from medmodel.imaging.images import decode, prepare_image
from medmodel.imaging.mask_values import class_map
from medmodel.inference import export_model, prediction
from medmodel.inference.export_check import ask
from medmodel.networks.unet import build_unet
from medmodel.runs.run import Run
from medmodel.runs.status import ModelFacts
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.segmented_run import write_segmented_run

NAMES, VALUES = ["background", "value 3", "value 7"], [0, 3, 7]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A segmentation that was not trained: it outlines by chance."""
    run = write_segmented_run(draw_masked_folder(tmp_path / "data" / "discs"))
    preprocessing = Preprocessing(24, colour="grey")
    model = build_unet("compact_unet", preprocessing, 3, seed=3)
    model.get_layer("probabilities").bias.assign([0.0, 0.0, 0.0])
    model.save(run.model_path)
    run.write_model_facts(ModelFacts(NAMES, preprocessing, [], 9, VALUES))
    return run


def photo() -> bytes:
    """What is no square, and larger than the model sees."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (7, 10), np.uint8))
    buffer = io.BytesIO()
    small.resize((50, 33), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_script_of_the_onnx_writes_the_mask_that_diagnose_shows(
    run: Run, tmp_path: Path
) -> None:
    report = export_model.export_model(run, "onnx", UNATTENDED)
    assert report.faithful and report.same_class > 0.999
    assert (report.images, report.drawn) == (6, 26)
    folder = tmp_path / "away"
    with zipfile.ZipFile(archive_path(run, "onnx")) as archive:
        archive.extractall(folder)
    assert {p.name for p in folder.iterdir()} == {
        *("medmodel.json", "model.onnx", "model_card.html", "predict.py"),
        *("report.json", "sample.png"),
    }
    facts = json.loads((folder / "medmodel.json").read_text("utf-8"))
    assert (facts["task"], facts["mask_values"]) == ("segmentation", VALUES)
    assert facts["output"]["shape"] == [24, 24, 3]
    assert sum(facts["sample"].values()) == pytest.approx(1)
    (folder / "photo.png").write_bytes(photo())
    # The script knows nothing of this program.
    done = subprocess.run(
        [sys.executable, "-I", "predict.py", "photo.png", "mask.png"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    mask = np.asarray(Image.open(folder / "mask.png"))
    prepared = prepare_image(
        decode(photo(), "photo.png").pixels, Preprocessing(24, colour="grey")
    )
    scores = prediction.predict(prediction.load(run), prepared[None])[0]
    shown = np.array(VALUES)[class_map(scores, (33, 50), "pad")]
    assert mask.shape == shown.shape
    assert len(np.unique(mask)) > 1
    # Of equal scores either may be the larger one.
    assert (mask == shown).mean() > 0.998
    shares = json.loads(done.stdout)
    assert list(shares) == NAMES
    assert shares["value 7"] == pytest.approx((mask == 7).mean())


@pytest.mark.parametrize("key", ["keras", "saved_model", "litert"])
def test_other_formats_give_every_pixels_probabilities(
    run: Run, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_model, "_ask_in_own_process", ask)
    report = export_model.export_model(run, key, UNATTENDED)
    assert report.faithful
    with zipfile.ZipFile(archive_path(run, key)) as archive:
        archive.extractall(tmp_path / "away")
    images = np.random.default_rng(1).integers(0, 256, (3, 24, 24, 1), np.uint8)
    path = tmp_path / "away" / FORMATS[key].file
    answers = ask(key, path, images).probabilities
    assert answers.shape == (3, 24, 24, 3)
    expected = prediction.predict(prediction.load(run), images)
    np.testing.assert_allclose(answers, expected, atol=TOLERANCE)


def test_large_answers_are_compared_on_fewer_images(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_images, "MOST_ANSWERS", 4 * 24 * 24 * 3 + 1)
    images, drawn = export_images.comparison_images(run, UNATTENDED)
    assert (len(images), drawn) == (4, 0)

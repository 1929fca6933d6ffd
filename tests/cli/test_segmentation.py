"""Commands with a model that outlines: evaluate, compare, predict, external-test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medmodel import predictor
from medmodel.runs.run import Run
from tests.cli.conftest import Invoke
from tests.conftest import draw_class_folders
from tests.data.segmentation.masked_folder import draw_masked_folder
from tests.finished_run import write_finished_run
from tests.segmented_run import STRANGE, BrightOutliner, write_segmented_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_masked_folder(tmp_path / "data" / "discs")
    return write_segmented_run(folder, copies=1)


@pytest.fixture
def outliner(monkeypatch: pytest.MonkeyPatch) -> BrightOutliner:
    """In place of the predictor's process."""
    stub = BrightOutliner()
    monkeypatch.setattr(predictor, "Predictor", lambda stderr: stub)
    return stub


def image_of(run: Run) -> Path:
    """A test image with a disc."""
    return Path(run.config.dataset) / "images" / "p05.png"


def test_evaluate_has_the_numbers_of_the_page(
    run: Run, json_of: Callable[..., Any], invoke: Invoke
) -> None:
    values = json_of("evaluate", run.id)
    assert (values["images"], values["patients"]) == (5, 5)
    assert values["copies_left_out"] == 1
    (lesion,) = values["classes"]
    assert (lesion["class"], lesion["images"]) == ("lesion", 5)
    assert lesion["metrics"]["dice"]["value"] == pytest.approx(0.675)
    assert lesion["metrics"]["dice"]["low"] is None
    text = invoke("evaluate", run.id).stdout
    assert "0.675, too few (5 patients)" in text
    assert "1 of 6 test images is a copy" in text


def test_evaluate_writes_its_documents(
    run: Run, invoke: Invoke, tmp_path: Path
) -> None:
    names = {"--html": "a.html", "--pdf": "a.pdf", "--predictions": "a.csv"}
    options = [f for o, name in names.items() for f in (o, tmp_path / name)]
    invoke("evaluate", run.id, *options)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert "lesion" in (tmp_path / "a.html").read_text("utf-8")
    lines = (tmp_path / "a.csv").read_text("utf-8-sig").splitlines()
    assert lines[0].startswith("path,patient,split,class,dice")
    assert sum(",copy," in line for line in lines) == 1


def test_compare_by_dice(run: Run, json_of: Callable[..., Any], invoke: Invoke) -> None:
    other = write_segmented_run(Path(run.config.dataset), worse=0.1)
    values = json_of("compare", run.id, other.id)
    assert values["images"] == 5
    (pair,) = values["differences"]
    assert (pair["class"], pair["metric"], pair["better"]) == ("lesion", "dice", None)
    assert pair["difference"]["value"] == pytest.approx(0.1)
    assert [m["images_left_out"] for m in values["models"]] == [0, 1]
    assert "to tell them apart" in invoke("compare", run.id, other.id).stdout


def test_compare_refuses_a_classifier_beside_it(
    run: Run, invoke: Invoke, tmp_path: Path
) -> None:
    folder = draw_class_folders(tmp_path / "data" / "easy")
    other = write_finished_run(folder, "classifier")
    result = invoke("compare", run.id, other.id, status=1)
    assert "no number in which both could be compared" in result.stderr


@pytest.mark.usefixtures("outliner")
def test_predict_counts_and_writes_the_mask(
    run: Run, json_of: Callable[..., Any], tmp_path: Path
) -> None:
    values = json_of("predict", run.id, image_of(run), "--masks", tmp_path)
    (image,) = values["images"]
    mask = np.asarray(Image.open(image["mask"]))
    assert Path(image["mask"]) == tmp_path / "p05.png_mask.png"
    assert set(np.unique(mask)) == {0, 255}
    assert image["pixels"] == {"lesion": int((mask == 255).sum())}
    assert image["regions"]["lesion"] >= 1
    assert (image["unlike_training"], image["withheld"]) == (False, None)


@pytest.mark.usefixtures("outliner")
def test_masks_of_images_of_one_name_do_not_replace_each_other(
    run: Run, json_of: Callable[..., Any], tmp_path: Path
) -> None:
    names = "one/a.png", "two/a.png", "three/A.png", "four/a.png_2"
    images = [tmp_path / name for name in names]
    for image in images:
        image.parent.mkdir()
        shutil.copyfile(image_of(run), image)
    answers = json_of("predict", run.id, *images, "--masks", tmp_path)["images"]
    written = [Path(answer["mask"]).name for answer in answers]
    assert written == [
        "a.png_mask.png",
        "a.png_2_mask.png",
        "A.png_3_mask.png",
        "a.png_2_2_mask.png",
    ]
    assert all((tmp_path / name).exists() for name in written)


def test_predict_holds_back_on_strangers(
    run: Run, outliner: BrightOutliner, json_of: Callable[..., Any], tmp_path: Path
) -> None:
    outliner.ood = STRANGE
    image = image_of(run)
    (answer,) = json_of("predict", run.id, image, "--masks", tmp_path)["images"]
    assert answer["unlike_training"] is True
    assert (answer["pixels"], answer["mask"]) == (None, None)
    assert "do not rely on its outlines" in answer["withheld"]
    assert not list(tmp_path.glob("*_mask.png"))
    (answer,) = json_of("predict", run.id, image, "--anyway")["images"]
    assert answer["pixels"]["lesion"] > 0


@pytest.mark.usefixtures("outliner")
def test_predict_names_what_cannot_be_read(
    run: Run, invoke: Invoke, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    result = invoke("predict", run.id, broken, image_of(run), status=1)
    assert "broken.png" in result.stderr
    assert "pixels in" in result.stdout


def test_an_external_test_takes_no_map(run: Run, invoke: Invoke) -> None:
    folder = run.config.dataset
    result = invoke("external-test", run.id, folder, "--map", "a=b", status=2)
    assert "leave out --map" in result.stderr

"""The step of Diagnose: image, map and bars, and when there are none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from medmodel.core.config import config_for
from medmodel.core.errors import PredictionError
from pages._shared.presenter import diagnose_scene
from tests.finished_run import create_ended, write_finished_run
from tests.pages.presenter.projector import (
    Projector,
    diagnose,
    opened,
    pressed,
)


def test_diagnose_needs_consent_a_model_and_an_image(
    projector: Projector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened("diagnose")
    pressed(app, projector, "action")
    assert projector.title == "No model yet"
    assert projector.data["action"] == "Go to Train"
    run = write_finished_run(folder, "first")
    monkeypatch.setattr(diagnose_scene, "warm", lambda run: None)
    monkeypatch.setattr(diagnose_scene, "starting", lambda: True)
    app.query_params["run"] = run.id
    app.run()
    assert projector.title == "No image yet"
    pressed(app, projector, "action")
    assert projector.title == "Loading the model", projector.data["slide"]
    assert projector.data["slide"]["state"] == "busy"


def test_an_answer_has_image_map_and_bars(
    projector: Projector, diagnosed: SimpleNamespace
) -> None:
    app = diagnose(projector, diagnosed.run)
    slide = projector.data["slide"]
    assert slide["title"] == "Predicted class: class 1 (75\N{NO-BREAK SPACE}%)"
    assert slide["sentence"] == "first. True class: class 1."
    assert [i["title"] for i in slide["images"]] == [
        *("As in the data set", "Saliency map: class 1")
    ]
    assert all(i["source"].startswith("data:image/png") for i in slide["images"])
    bars = [(bar["name"], bar["text"]) for bar in slide["bars"]]
    assert bars == [("class 1", "75 %"), ("class 0", "25 %")]
    assert "not the outline of a lesion" in slide["notes"][0]
    assert slide["notes"][1].startswith("Not known to resemble the training data.")
    assert "Model: accuracy" in slide["notes"][1]
    assert "not calibrated" in slide["notes"][2]
    assert slide["notes"][3] == "Image 1 of 2."
    pressed(app, projector, "down")
    assert projector.data["slide"]["notes"][3] == "Image 2 of 2."
    pressed(app, projector, "down")
    assert projector.data["slide"]["notes"][3] == "Image 1 of 2."


def test_another_model_than_the_chosen_one_is_said_to_be(
    projector: Projector, diagnosed: SimpleNamespace, folder: Path
) -> None:
    other = config_for("segmentation", str(folder), name="outlines")
    chosen = create_ended(other)
    diagnose(projector, chosen)
    slide = projector.data["slide"]
    assert slide["sentence"].startswith("first.")
    assert slide["notes"][0].startswith("outlines outlines each pixel")
    assert slide["notes"][0].endswith("this is another model, first.")
    learning = create_ended(config_for("compact", str(folder), name="stopped"))
    diagnose(projector, learning)
    said = projector.data["slide"]["notes"][0]
    assert said == "stopped has no finished model: this is another one, first."


def test_without_a_map_there_is_an_answer(
    projector: Projector,
    diagnosed: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(answer: object, position: int) -> None:
        raise PredictionError("usual.npz is damaged.")

    monkeypatch.setattr(diagnose_scene, "heatmap_of", refused)
    diagnose(projector, diagnosed.run)
    slide = projector.data["slide"]
    assert slide["title"].startswith("Predicted class: class 1")
    assert len(slide["images"]) == 1 and slide["bars"]
    assert slide["notes"][0] == "usual.npz is damaged."


@pytest.mark.parametrize(
    ("split", "word"), [("train", "trained"), ("val", "validation")]
)
def test_an_image_that_was_learned_is_said_to_be(
    projector: Projector, diagnosed: SimpleNamespace, split: str, word: str
) -> None:
    diagnosed.digests = {"a": split}
    app = diagnose(projector, diagnosed.run)
    assert word in projector.data["slide"]["notes"][1]
    pressed(app, projector, "down")
    assert word not in projector.data["slide"]["notes"][1]


def test_its_images_can_be_seen_large(
    projector: Projector, diagnosed: SimpleNamespace
) -> None:
    app = diagnose(projector, diagnosed.run)
    viewer = projector.data["viewer"]
    assert "mm-panes" in viewer["html"] and ":host(.mm-view)" in viewer["css"]
    titles = [layer["title"] for layer in viewer["data"]["layers"]]
    assert titles == ["As it is", "Saliency map: class 1"]
    assert viewer["data"]["id"] == "a"
    assert "Z" in dict(projector.data["keys"])
    pressed(app, projector, "down")
    assert projector.data["viewer"]["data"]["id"] == "b"
    pressed(app, projector, "first")
    assert projector.data["viewer"] is None and "Z" not in dict(projector.data["keys"])


def test_a_strange_image_gets_no_probabilities(
    projector: Projector, diagnosed: SimpleNamespace
) -> None:
    diagnosed.unlike = True
    diagnose(projector, diagnosed.run)
    slide = projector.data["slide"]
    assert slide["title"] == "Unlike the training data"
    assert not slide["bars"] and len(slide["images"]) == 1
    assert len(projector.data["viewer"]["data"]["layers"]) == 1
    assert "75" not in str([slide["title"], slide["sentence"], slide["notes"]])


def test_of_many_classes_five_and_the_rest(
    projector: Projector, diagnosed: SimpleNamespace
) -> None:
    diagnosed.scores = [0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1]
    diagnose(projector, diagnosed.run)
    bars = projector.data["slide"]["bars"]
    assert len(bars) == 6
    assert (bars[-1]["name"], bars[-1]["text"]) == ("2 more classes", "20 %")


# --- phones --------------------------------------------------------------------------

"""A refit: corrected labels teach, the split stays, what changed is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import pandas as pd
import pytest

from medmodel.core.config import config_for
from medmodel.core.errors import DataError, FileError
from medmodel.data.corrections.label_corrections import Correction, correct, undo
from medmodel.data.datasets import index_folder
from medmodel.evaluation.review.refit import (
    VALIDATION,
    original_run,
    refit_result,
    refits_of,
    submit_refit,
)
from medmodel.evaluation.review.review_order import REVIEW_SCORES, images_to_review
from medmodel.inference import prediction
from medmodel.runs import queue
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import DecisionThreshold, RunStatus
from medmodel.runs.tables.split import read_split
from medmodel.training import train
from tests.conftest import draw_class_folders


def trained(run: Run) -> Run:
    with StatusWriter(run) as reporter:
        assert train.train(run, reporter) is RunStatus.DONE
        reporter.update(state=RunStatus.DONE)
    return run


@pytest.fixture(scope="module")
def source_once(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An Instant run; two training images lie in the folder of the other class."""
    root = tmp_path_factory.mktemp("refit")
    folder = draw_class_folders(root / "data" / "easy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(root / "workspace"))
        patch.setenv("MEDMODEL_DATA", str(root / "data"))
        config = config_for("instant", str(folder), size=32, epochs=3)
        return trained(RunStore().create(config))


@pytest.fixture
def source(source_once: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    data = Path(source_once.config.dataset)
    monkeypatch.setattr(queue, "notify_queue", lambda store: None)
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(source_once.folder.parent.parent))
    monkeypatch.setenv("MEDMODEL_DATA", str(data.parent))
    place = index_folder(data)
    while undo(place):
        pass
    return source_once


def flip(run: Run, split: str, count: int = 1) -> list[str]:
    """Corrects labels of the first images of a split to the other class."""
    rows = read_split(run)
    rows = rows[rows["split"] == split].head(count)
    for row in rows.itertuples():
        other = {"dark": "light", "light": "dark"}[str(row.label)]
        correct(
            index_folder(Path(run.config.dataset)),
            Correction(str(row.path), str(row.label), other),
        )
    return list(rows["path"])


def test_a_refit_learns_from_corrected_labels_and_keeps_the_split(source: Run) -> None:
    changed = {split: flip(source, split) for split in ("train", "test")}
    made = submit_refit(source, RunStore())
    assert made.status.state is RunStatus.QUEUED
    before, after = (read_split(run).set_index("path") for run in (source, made))
    assert (before["split"] == after["split"]).all()
    different = before.index[before["label"] != after["label"]]
    assert sorted(different) == sorted([*changed["train"], *changed["test"]])
    refit = made.refit
    assert refit is not None and refit.run == source.id
    assert (refit.reviewed, refit.corrected, refit.corrected_test) == (2, 2, 1)
    trained(made)
    scores = images_to_review(made, "train", "disagrees")
    # No image of the test is among those that taught.
    assert set(scores["path"]) == set(before.index[before["split"] == "train"])
    result = refit_result(made)
    assert result is not None and result.images == int((before["split"] == "val").sum())
    assert "Validation accuracy" in str(result)
    assert original_run(made, RunStore()).id == source.id
    assert [r.id for r in refits_of(source, RunStore())][-1] == made.id
    # A refit of a refit starts from the first run, so that corrections can be undone.
    while undo(index_folder(Path(source.config.dataset))):
        pass
    flip(source, "train")
    again = submit_refit(made, RunStore())
    assert again.refit is not None and again.refit.run == source.id
    assert again.refit.corrected == 1


def test_without_a_change_the_same_model_comes_out(source: Run) -> None:
    flip(source, "test")  # which teaches nothing
    made = trained(submit_refit(source, RunStore()))
    result = refit_result(made)
    assert result is not None
    assert (result.changed, result.difference.value) == (0, 0.0)
    one, other = (pd.read_csv(r.folder / REVIEW_SCORES) for r in (source, made))
    drop = "label"  # in which the corrected one differs
    pd.testing.assert_frame_equal(
        one.drop(columns=drop), other.drop(columns=drop), rtol=1e-3
    )


def test_a_run_that_learned_from_fewer_features_is_refitted_on_those(
    source: Run,
) -> None:
    model, own, fewest = source.model_path, source.model_path.read_bytes(), 3456
    whole = keras.models.load_model(model, compile=False, safe_mode=True)
    kernel, bias = whole.layers[-1].get_weights()
    first = whole.layers[-1].input[:, :fewest]
    outputs = keras.layers.Dense(len(bias), activation="softmax")(first)
    earlier = keras.Model(whole.input, outputs)
    earlier.layers[-1].set_weights([kernel[:fewest], bias])
    flip(source, "train")
    try:
        earlier.save(model)
        made = trained(submit_refit(source, RunStore()))
    finally:
        model.write_bytes(own)
    assert refit_result(made) is not None
    loaded = prediction.load(made)
    kernel, _bias = loaded.model.layers[-1].get_weights()
    assert loaded.usual is not None and len(kernel) == len(loaded.usual) > fewest
    assert kernel[:fewest].any() and not kernel[fewest:].any()


def test_judged_by_other_labels_the_accuracy_is_another(source: Run) -> None:
    flip(source, "train")
    made = trained(submit_refit(source, RunStore()))
    own = refit_result(made)
    assert own is not None
    table = pd.read_csv(made.folder / VALIDATION)
    turned = {
        path: {"dark": "light", "light": "dark"}[label]
        for path, label in zip(table["path"], table["label"], strict=True)
    }
    other = refit_result(made, turned)
    assert other is not None
    assert other.after.value == pytest.approx(1 - own.after.value)


def test_the_accuracy_is_of_the_classes_that_each_model_predicts(source: Run) -> None:
    flip(source, "train")
    made = submit_refit(source, RunStore())
    header = "path,patient,label,before_dark,before_light,score_dark,score_light"
    lines = [f"{n}.png,,{'light' if n else 'dark'},.7,.3,.4,.6" for n in range(4)]
    (made.folder / VALIDATION).write_text("\n".join([header, *lines]) + "\n")
    result = refit_result(made)
    assert result is not None
    assert (result.before.value, result.after.value, result.changed) == (0.25, 0.75, 4)
    facts = source.model_facts
    try:
        threshold = DecisionThreshold("light", 0.25)
        source.write_model_facts(replace(facts, threshold=threshold))
        result = refit_result(made)
    finally:
        source.write_model_facts(facts)
    assert result is not None
    assert (result.before.value, result.after.value, result.changed) == (0.75, 0.75, 0)


def test_every_class_keeps_a_training_image(source: Run) -> None:
    rows = read_split(source)
    lights = rows[(rows["split"] == "train") & (rows["label"] == "light")]["path"]
    place = index_folder(Path(source.config.dataset))
    for path in lights:
        correct(place, Correction(path, "light", "dark"))
    runs = len(list(source.folder.parent.iterdir()))
    with pytest.raises(DataError, match="no training image of light is left"):
        submit_refit(source, RunStore())
    assert len(list(source.folder.parent.iterdir())) == runs
    undo(place)
    assert submit_refit(source, RunStore()).refit is not None


def test_without_a_correction_there_is_nothing_to_refit(source: Run) -> None:
    with pytest.raises(DataError, match="No label"):
        submit_refit(source, RunStore())
    correct(
        index_folder(Path(source.config.dataset)),
        Correction("gone.png", "dark", "light"),
    )
    with pytest.raises(DataError, match="No label"):
        submit_refit(source, RunStore())


def test_other_recipes_are_not_refitted(source: Run) -> None:
    config = config_for("compact", source.config.dataset)
    with pytest.raises(DataError, match="Only runs of the recipe Instant"):
        submit_refit(RunStore().create(config), RunStore())


def test_a_damaged_result_is_named(source: Run) -> None:
    flip(source, "train")
    made = submit_refit(source, RunStore())
    assert refit_result(made) is None
    (made.folder / VALIDATION).write_text("path,label\na,b\n")
    with pytest.raises(FileError, match=VALIDATION):
        refit_result(made)
    (made.folder / "refit.json").write_text(
        '{"run": "../x", "reviewed": 1, "corrected": 1}'
    )
    with pytest.raises(FileError, match="not the id of a run"):
        _ = made.refit

"""A training on several findings, from a table to answers, in seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from medmodel.core.config import TrainConfig, config_for
from medmodel.core.errors import ConfigError, DataError, RunError
from medmodel.data.datasets import index_dataset
from medmodel.inference import prediction
from medmodel.runs import run_index
from medmodel.runs.run_store import RunStore
from medmodel.runs.tables.cells import read_header
from medmodel.runs.tables.curves import read_history
from medmodel.runs.tables.findings import finding_names, read_findings
from medmodel.runs.tables.predictions import read_predictions
from medmodel.training.multi_label.findings_run import settings_for
from tests.conftest import draw_class_folders
from tests.findings_folder import FINDINGS, draw_findings_folder
from tests.finished_run import create_ended
from tests.trained_run import trained


def settings(folder: Path, **changes: object) -> TrainConfig:
    tiny = {"size": 32, "epochs": 2, "precision": "float32", "colour": "grey"}
    return config_for("compact", str(folder), **{**tiny, "patience": 0, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_findings_folder(tmp_path / "data" / "findings")


def test_findings_are_learned_with_curves_of_loss_and_auc(folder: Path) -> None:
    run = trained(settings(folder))
    assert run.config.multi_label and not run.config.class_weights
    history = read_history(run)
    assert list(history["epoch"]) == [1, 2]
    assert {"loss", "auc", "val_loss", "val_auc"} < set(history)
    assert history["auc"].between(0, 1).all()
    assert read_header(run.steps_path)[-1] == "auc"
    facts = run.model_facts
    assert facts.class_names == list(FINDINGS)
    table = read_findings(run)
    assert finding_names(table) == list(FINDINGS)
    assert set(table["split"]) == {"val", "test"}
    model = keras.models.load_model(run.model_path, compile=False)
    assert model.layers[-1].activation.__name__ == "sigmoid"
    loaded = prediction.load(run)
    images = np.zeros((1, *facts.preprocessing.shape), np.uint8)
    explained = loaded.explain(images, [1])
    answer = prediction.predict(loaded, images)
    np.testing.assert_allclose(explained.scores, answer, atol=1e-5)
    assert not run.predictions_path.exists()
    with pytest.raises(RunError, match="several findings on one image"):
        read_predictions(run)
    assert run_index.finished(RunStore()) == []
    [entry] = run_index.finished(RunStore(), multi_label=True)
    assert entry.val_accuracy is None and 0 <= (entry.val_auc or -1) <= 1
    assert (run.folder / "reference.npz").exists()


def test_instant_learns_a_regression_for_each_finding(folder: Path) -> None:
    run = trained(config_for("instant", str(folder), size=32, epochs=8))
    history = read_history(run)
    assert history["val_auc"].iloc[-1] > 0.9
    table = read_findings(run)
    tested = table[table["split"] == "test"]
    for name in FINDINGS:
        present = tested[f"true_{name}"]
        scores = tested[f"score_{name}"]
        assert scores[present].mean() > scores[~present].mean() + 0.3
    sums = tested[[f"score_{name}" for name in FINDINGS]].sum(axis=1)
    assert abs(sums - 1).max() > 0.2


def test_settings_of_one_class_are_refused(folder: Path) -> None:
    config = settings(folder, balanced_sampling=True)
    run = create_ended(config)
    with pytest.raises(ConfigError, match="several findings"):
        settings_for(run, index_dataset(folder))
    assert not run.config.multi_label


def test_a_data_set_that_is_read_otherwise_meanwhile(folder: Path) -> None:
    run = create_ended(settings(folder))
    index = index_dataset(folder)
    assert settings_for(run, index).multi_label
    run.split_path.touch()
    assert settings_for(run, index) == run.config
    with pytest.raises(DataError, match="was read otherwise"):
        settings_for(run, replace(index, multi_label=False))


def test_one_class_per_image_stays(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "data" / "set", ("a", "b"), 4)
    run = create_ended(settings(folder))
    before = (run.folder / "config.json").read_bytes()
    assert settings_for(run, index_dataset(folder)) == run.config
    assert (run.folder / "config.json").read_bytes() == before

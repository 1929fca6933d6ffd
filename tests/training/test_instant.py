"""The recipe Instant on the networks that come along: one, and two together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medmodel.core.config import config_for
from medmodel.core.config_problems import check_config
from medmodel.core.errors import ConfigError
from medmodel.core.job import UNATTENDED
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.processes.messages import Command, Message
from medmodel.core.settings.network_names import FROZEN_MODELS
from medmodel.ensembles.members import ensemble_config
from medmodel.evaluation.survival.cohort import feature_images
from medmodel.export.formats import TOLERANCE
from medmodel.inference import export_model, prediction
from medmodel.inference.export_check import ask
from medmodel.inference.model_cache import ModelCache
from medmodel.inference.predictor_process import answer
from medmodel.networks import instant_onnx, lite, models
from medmodel.networks.features import COUNTS
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import read_predictions
from medmodel.training import train
from tests.conftest import draw_class_folders

(TOGETHER,) = FROZEN_MODELS


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of Instant on two networks, beside one on the first alone."""
    root = tmp_path_factory.mktemp("together")
    folder = draw_class_folders(root / "data" / "easy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(root / "workspace"))
        patch.setenv("MEDMODEL_DATA", str(root / "data"))
        for model in (TOGETHER, "efficientnet_lite0"):
            config = config_for("instant", str(folder), size=32, epochs=2, model=model)
            run = RunStore().create(config)
            with StatusWriter(run) as reporter:
                assert train.train(run, reporter) is RunStatus.DONE
        return next(r for r in RunStore().list() if r.config.model == TOGETHER)


@pytest.fixture
def run(together: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(together.folder.parent.parent))
    monkeypatch.setenv("MEDMODEL_DATA", str(Path(together.config.dataset).parent))
    return together


def test_both_networks_begin_with_what_is_compared() -> None:
    assert list(COUNTS) == list(lite.DEPTHS)
    pixels = Preprocessing(32)
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    one, both = (
        np.asarray(models.frozen_backbone(pixels, name)(image)) for name in COUNTS
    )
    assert [one.shape[1], both.shape[1]] == list(COUNTS.values())
    np.testing.assert_allclose(both[:, : one.shape[1]], one, atol=1e-5)
    by_onnx = instant_onnx.instant_features(pixels, TOGETHER)(image)
    np.testing.assert_allclose(by_onnx, both, atol=1e-3)


def test_two_networks_answer_explain_and_compare(run: Run) -> None:
    table = read_predictions(run)
    chosen = np.where(table["score_dark"] > 0.5, "dark", "light")
    assert (chosen == table["label"]).mean() > 0.9
    loaded = prediction.load(run)
    count = COUNTS[TOGETHER]
    assert loaded.usual is not None and loaded.usual.shape == (count,)
    assert loaded.detector and loaded.detector.own
    images = np.zeros((2, *loaded.facts.preprocessing.shape), np.uint8)
    images[1, 8:24, 8:24] = 200
    question = {"command": Command.PREDICT, "folder": str(run.folder)}
    asked = {**question, "heatmap_for": [-1, -1], "compare": [[32, 0.0]] * 2}
    told = answer(Message(asked, [images]), ModelCache(1 << 30))
    assert "error" not in told.facts and len(told.facts["ood"]) == 2
    expected = prediction.predict(loaded, images)
    np.testing.assert_allclose(told.arrays[0], expected, atol=1e-5)
    assert told.arrays[1].shape == (2, 32, 32) and told.arrays[1].max() > 0


def test_each_run_finds_its_own_features(run: Run) -> None:
    for each in RunStore().list():
        images = feature_images(each)
        assert images is not None
        assert images.numbers.shape[1] == COUNTS[each.config.model]


def test_without_its_usual_features_maps_are_those_of_a_plain_slope(run: Run) -> None:
    path = run.folder / prediction.USUAL
    content = path.read_bytes()
    path.unlink()
    try:
        assert prediction.load(run).usual is None
    finally:
        path.write_bytes(content)


def test_two_networks_are_exported(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_model, "_ask_in_own_process", ask)
    report = export_model.export_model(run, "onnx", UNATTENDED)
    assert report.largest_difference <= TOLERANCE and report.same_class == 1


def test_two_networks_are_not_fine_tuned(run: Run) -> None:
    with pytest.raises(ConfigError, match="only the last layer is trained"):
        check_config(config_for("custom", "/data", model=TOGETHER))
    # An ensemble of them has a network that its settings allow.
    check_config(ensemble_config([run, run]))

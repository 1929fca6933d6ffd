"""Runs of the recipe Instant on encoders of the weights folder."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from medmodel.core.config import TrainConfig, config_for
from medmodel.core.errors import PredictionError, WeightsError
from medmodel.core.job import UNATTENDED
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.processes.messages import Command, Message
from medmodel.core.storage import read_json
from medmodel.evaluation.survival.cohort import feature_images
from medmodel.export.report import archive_path
from medmodel.inference import encoder_network, export_model, prediction
from medmodel.inference.encoder_export import joined_onnx
from medmodel.inference.encoder_network import encoder_model
from medmodel.inference.model_cache import ModelCache
from medmodel.inference.predictor_process import answer
from medmodel.model_import.encoders import Encoder, read_encoder
from medmodel.networks import encoder_layer
from medmodel.networks.features import FEATURES, FeatureNetwork
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import read_predictions
from medmodel.training import train
from tests.encoder_files import (
    SIDE,
    pooled_encoder,
    vision_transformer,
    write_encoder,
)


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDMODEL_WEIGHTS", str(tmp_path / "weights"))
    encoder_layer._opened.cache_clear()
    return tmp_path / "weights"


def settings(folder: Path, key: str = "own") -> TrainConfig:
    return config_for("instant", str(folder), model=f"encoder:{key}", epochs=4)


def trained(run: Run) -> RunStatus:
    with StatusWriter(run) as reporter:
        return train.train(run, reporter)


@pytest.mark.parametrize("kind", ["tokens", "pooled", "keras"])
def test_a_head_is_trained_on_an_encoder(
    class_folders: Path, weights: Path, kind: str
) -> None:
    write_encoder(weights, "own", kind)
    run = RunStore().create(settings(class_folders))
    assert trained(run) is RunStatus.DONE
    table = read_predictions(run)
    chosen = np.where(table["score_dark"] > 0.5, "dark", "light")
    assert (chosen == table["label"]).mean() > 0.9
    facts = run.model_facts
    assert facts.preprocessing.size == SIDE
    # With a gradient maps are class activation maps, else by occlusion.
    assert facts.heatmap_layers == (["conv"] if kind == "keras" else [])
    assert run.environment["size_reason"] == "32 px: what the encoder takes."
    assert (run.folder / "reference.npz").exists()
    image = np.zeros((1, *facts.preprocessing.shape), np.uint8)
    image[:, 8:24, 8:24] = 200
    question = {"command": Command.PREDICT, "folder": str(run.folder)}
    asked = Message({**question, "heatmap_for": [-1], "compare": []}, [image])
    told = answer(asked, ModelCache(1 << 30))
    assert "error" not in told.facts
    assert told.arrays[1].shape == (1, SIDE, SIDE)
    expected = prediction.predict(prediction.load(run), image)
    np.testing.assert_allclose(told.arrays[0], expected, atol=1e-5)


def test_features_are_kept_by_checksum(
    class_folders: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_encoder(weights, "own")
    counts: list[int] = []
    of_encoder = encoder_network.encoder_features

    def counting(encoder: Encoder, preprocessing: Preprocessing) -> FeatureNetwork:
        network = of_encoder(encoder, preprocessing)

        def compute(pixels: np.ndarray) -> np.ndarray:
            counts.append(len(pixels))
            return network.compute(pixels)

        return replace(network, compute=compute)

    monkeypatch.setattr(encoder_network, "encoder_features", counting)
    assert trained(RunStore().create(settings(class_folders))) is RunStatus.DONE
    first = len(counts)
    assert first
    assert trained(RunStore().create(settings(class_folders))) is RunStatus.DONE
    assert len(counts) == first
    write_encoder(weights, "own", mean=[0.1, 0.1, 0.1])
    assert trained(RunStore().create(settings(class_folders))) is RunStatus.DONE
    assert len(counts) == 2 * first


def test_each_run_finds_its_own_features_beside_the_same_pixels(
    class_folders: Path, weights: Path
) -> None:
    write_encoder(weights, "own")
    on_encoder = RunStore().create(settings(class_folders))
    instant = RunStore().create(config_for("instant", str(class_folders), size=SIDE))
    for run in (on_encoder, instant):
        trained(run)
    counts = []
    for run in (on_encoder, instant):
        images = feature_images(run)
        assert images is not None
        counts.append(images.numbers.shape[1])
    assert counts == [12, FEATURES]


def test_a_missing_encoder_says_what_to_copy_where(
    class_folders: Path, weights: Path
) -> None:
    run = RunStore().create(settings(class_folders))
    with pytest.raises(WeightsError, match=r"own\.json of an encoder is not in"):
        trained(run)
    path = write_encoder(weights, "own")
    assert trained(run) is RunStatus.DONE
    path.rename(weights / "away")
    encoder_layer._opened.cache_clear()
    question = {"command": Command.PREDICT, "folder": str(run.folder)}
    image = np.zeros((1, *run.model_facts.preprocessing.shape), np.uint8)
    told = answer(Message(question, [image]), ModelCache(1 << 30)).facts
    digest = json.loads((weights / "own.json").read_text())["sha256"]
    assert str(told["error"]).startswith("The file own.onnx of the encoder OWN is not")
    assert digest in str(told["error"]) and str(weights) in str(told["error"])


def test_a_run_goes_on_with_the_encoder_it_began_with(
    class_folders: Path, weights: Path
) -> None:
    write_encoder(weights, "own")
    run = RunStore().create(settings(class_folders))
    assert trained(run) is RunStatus.DONE
    noted = read_json(run.folder / "encoder.json")
    (run.folder / "trained").unlink()
    write_encoder(weights, "own", std=[1.0, 1.0, 1.0])
    with pytest.raises(WeightsError, match="another one than when the run began"):
        trained(run)
    assert read_json(run.folder / "encoder.json") == noted
    write_encoder(weights, "own")
    assert trained(run) is RunStatus.DONE


@pytest.mark.parametrize(
    "kind, changes",
    [
        ("tokens", {}),
        ("tokens", {"prefix_tokens": 0}),
        ("pooled", {}),
        ("pooled", {"model": pooled_encoder(TensorProto.UINT8)}),
        ("keras", {}),
    ],
)
def test_encoder_and_last_layer_are_exported_as_one_onnx_file(
    class_folders: Path,
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    changes: dict[str, Any],
) -> None:
    write_encoder(weights, "own", kind, **changes)
    run = RunStore().create(replace(settings(class_folders), colour="grey"))
    trained(run)
    monkeypatch.setattr(export_model, "_ask_in_own_process", export_model.ask)
    report = export_model.export_model(run, "onnx", UNATTENDED)
    assert report.faithful and report.same_class == 1
    with zipfile.ZipFile(archive_path(run, "onnx")) as archive:
        assert archive.read("encoder_licence.txt") == b"Free for research.\n"


def test_an_onnx_encoder_is_converted_to_no_other_format(
    class_folders: Path, weights: Path
) -> None:
    write_encoder(weights, "own")
    run = RunStore().create(settings(class_folders))
    trained(run)
    for key in ("keras", "saved_model", "litert", "litert_int8"):
        with pytest.raises(PredictionError, match="export the model as ONNX"):
            export_model.export_model(run, key, UNATTENDED)
    run.write_model_facts(replace(run.model_facts, flips="both"))
    with pytest.raises(PredictionError, match="OWN .* over mirror images"):
        export_model.export_model(run, "onnx", UNATTENDED)


@pytest.mark.parametrize(
    "change, sentence",
    [
        ("batch", "a fixed number of images"),
        ("opset", "an old version of ONNX"),
        ("name", "no valid ONNX model together"),
    ],
)
def test_what_cannot_be_joined_is_said(
    class_folders: Path, weights: Path, change: str, sentence: str
) -> None:
    model = vision_transformer(4 if change == "batch" else "n")
    if change == "opset":
        model.opset_import[0].version = 12
    elif change == "name":  # which ONNX Runtime does without
        model.graph.name = ""
    write_encoder(weights, "own", model=model)
    encoder = read_encoder("own")
    kernel, bias = np.ones((12, 2)), np.zeros(2)
    whole = encoder_model(encoder, Preprocessing(SIDE), kernel, bias)
    with pytest.raises(PredictionError, match=sentence):
        joined_onnx(whole)

"""Features of small encoders, against what numpy makes of the same images."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from onnx import TensorProto, helper

from medmodel.core.errors import WeightsError
from medmodel.core.preprocessing import Preprocessing
from medmodel.imaging.images import prepare_image
from medmodel.inference.encoder_network import encoder_features, encoder_model
from medmodel.model_import.encoders import read_encoder
from medmodel.networks.encoder_layer import (
    check_encoders,
    encoder_parameters,
    images_at_once,
    open_encoder,
)
from medmodel.networks.ensemble import Part, ensemble_model
from tests.encoder_files import (
    MEAN,
    SIDE,
    STD,
    WIDTH,
    keras_backbone,
    patch_tokens,
    pooled_encoder,
    vision_transformer,
    write_encoder,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDMODEL_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, SIDE, SIDE, 3), np.uint8)


@pytest.mark.parametrize("prefix", [0, 1, 3])
@pytest.mark.parametrize("batch", ["n", 4])
def test_tokens(
    folder: Path, images: np.ndarray, prefix: int, batch: int | str
) -> None:
    model = vision_transformer(batch)
    write_encoder(folder, "vit", model=model, prefix_tokens=prefix)
    features = open_encoder(read_encoder("vit")).features(images)
    tokens = patch_tokens(images)
    expected = tokens[:, prefix:].mean(axis=1)
    if prefix:
        expected = np.concatenate([tokens[:, 0], expected], axis=1)
    np.testing.assert_allclose(features, expected, atol=1e-4)


def test_grey_images_are_repeated(folder: Path, images: np.ndarray) -> None:
    write_encoder(folder, "vit", prefix_tokens=0)
    grey = images[..., :1]
    features = open_encoder(read_encoder("vit")).features(grey)
    expected = patch_tokens(np.repeat(grey, 3, axis=-1)).mean(axis=1)
    np.testing.assert_allclose(features, expected, atol=1e-4)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_pooled_channels_last(folder: Path, images: np.ndarray, kind: int) -> None:
    write_encoder(folder, "pool", "pooled", model=pooled_encoder(kind))
    features = open_encoder(read_encoder("pool")).features(images)
    values = (images / 255 - MEAN) / STD
    expected = np.concatenate([values.mean((1, 2)), values.max((1, 2))], axis=1)
    np.testing.assert_allclose(features, expected, atol=5e-3)


def test_bytes_are_not_normalised(folder: Path, images: np.ndarray) -> None:
    write_encoder(folder, "pool", "pooled", model=pooled_encoder(TensorProto.UINT8))
    features = open_encoder(read_encoder("pool")).features(images)
    np.testing.assert_allclose(features[:, 3:], images.max((1, 2)), atol=1e-3)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.FLOAT])
def test_encoders_are_members_of_an_ensemble(
    folder: Path, images: np.ndarray, kind: int
) -> None:
    write_encoder(folder, "pool", "pooled", model=pooled_encoder(kind))
    kernel = np.random.default_rng(1).normal(0, 0.1, (6, 2))
    encoder, seen = read_encoder("pool"), Preprocessing(SIDE)
    one = encoder_model(encoder, seen, kernel, np.zeros(2))
    other = encoder_model(encoder, seen, -kernel, np.ones(2))
    # A member sees images of a larger one shrunk, which are no whole numbers.
    larger = np.repeat(np.repeat(images, 2, axis=1), 2, axis=2)
    shrunk = np.stack([prepare_image(image, seen) for image in larger])
    model = ensemble_model([Part(one, 1.0), Part(other, 1.0)], Preprocessing(2 * SIDE))
    mean = (np.asarray(one(shrunk)) + np.asarray(other(shrunk))) / 2
    np.testing.assert_allclose(np.asarray(model(larger)), mean, atol=2e-3)


@pytest.mark.parametrize("layout, axes", [("NCHW", (2, 3)), ("NHWC", (1, 2))])
def test_maps_are_averaged(
    folder: Path, images: np.ndarray, layout: str, axes: tuple[int, int]
) -> None:
    shape = ["n", 3, SIDE, SIDE] if layout == "NCHW" else ["n", SIDE, SIDE, 3]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    write_encoder(folder, "map", "pooled", model=model, layout=layout, features="map")
    features = open_encoder(read_encoder("map")).features(images)
    values = (images / 255 - MEAN) / STD
    np.testing.assert_allclose(features, values.mean((1, 2)), atol=1e-4)


def test_a_backbone_of_keras_becomes_part_of_the_graph(
    folder: Path, images: np.ndarray
) -> None:
    write_encoder(folder, "net", "keras")
    preprocessing = Preprocessing(SIDE)
    network = encoder_features(read_encoder("net"), preprocessing)
    values = ((images / 255 - MEAN) / STD).astype(np.float32)
    expected = np.asarray(keras_backbone()(values)).mean((1, 2))
    np.testing.assert_allclose(network.compute(images), expected, atol=2e-3)
    assert network.count == 5
    kernel, bias = np.ones((5, 2)) * [[1, -1]], np.array([0.5, 0.0])
    model = encoder_model(read_encoder("net"), preprocessing, kernel, bias)
    logits = expected @ kernel + bias
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(np.asarray(model(images)), scores, atol=1e-4)
    assert "conv" in {layer.name for layer in model.layers}


def test_a_backbone_of_keras_gives_numbers(folder: Path, images: np.ndarray) -> None:
    write_encoder(folder, "net", "keras", std=[1e-9, 1e-9, 1e-9])
    network = encoder_features(read_encoder("net"), Preprocessing(SIDE))
    with pytest.raises(WeightsError, match="NET cannot be used: its features are no"):
        network.compute(images)


def test_a_model_on_an_onnx_encoder_is_saved_without_it(
    folder: Path, images: np.ndarray, tmp_path: Path
) -> None:
    path = write_encoder(folder, "vit")
    encoder = read_encoder("vit")
    kernel = np.random.default_rng(1).normal(size=(2 * WIDTH, 2))
    model = encoder_model(encoder, Preprocessing(SIDE), kernel, np.zeros(2))
    expected = np.asarray(model(images))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", safe_mode=True)
    np.testing.assert_allclose(np.asarray(loaded(images)), expected, atol=1e-6)
    assert encoder_parameters(loaded) == 6 * 3 * 64 + 3
    open_encoder.__globals__["_opened"].cache_clear()
    path.unlink()
    with pytest.raises(WeightsError, match=r"vit\.onnx of the encoder VIT is not in"):
        check_encoders(loaded)


def test_an_encoder_of_grey_images_refuses_colour(folder: Path) -> None:
    write_encoder(folder, "vit", channels=1, mean=[0.5], std=[0.5])
    with pytest.raises(WeightsError, match="choose grey as the colour"):
        encoder_features(read_encoder("vit"), Preprocessing(SIDE))


@pytest.mark.parametrize(
    "nodes, sentence",
    [
        ([helper.make_node("Flatten", ["x"], ["y"], axis=2)], "no “pooled”"),
        (
            [
                helper.make_node("ReduceMean", ["x"], ["z"], axes=[1, 2], keepdims=0),
                helper.make_node("Sub", ["z", "z"], ["zero"]),
                helper.make_node("Div", ["zero", "zero"], ["y"]),
            ],
            "no numbers, or too large",
        ),
        (
            [helper.make_node("Flatten", ["x"], ["y"])] * 1,
            "",
        ),
        ([helper.make_node("Sorcery", ["x"], ["y"])], "cannot be used"),
        (
            [
                helper.make_node("Constant", [], ["y"], value_strings=["a", "b"]),
                helper.make_node("Identity", ["x"], ["z"]),
            ],
            "cannot be used",
        ),
    ],
)
def test_answers_that_are_no_features(
    folder: Path, images: np.ndarray, nodes: list, sentence: str
) -> None:
    write_encoder(folder, "odd", "pooled", model=pooled_encoder(nodes=nodes))
    if not sentence:  # 3,072 numbers are features
        assert open_encoder(read_encoder("odd")).features(images).shape == (7, 3072)
        return
    with pytest.raises(WeightsError, match="encoder ODD") as refused:
        open_encoder(read_encoder("odd")).features(images)
    assert sentence in str(refused.value)


def test_fewer_images_at_once_where_they_are_large(folder: Path) -> None:
    counts = []
    for size in (96, 224, 518, 1024):
        write_encoder(folder, "vit", size=size)
        counts.append(images_at_once(read_encoder("vit")))
    assert counts == [32, 20, 3, 1]

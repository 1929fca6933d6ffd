from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.network_names import MODEL_NAMES
from medmodel.inference import class_activation
from medmodel.networks import models
from medmodel.networks.signed_sqrt import signed_sqrt


def grad_cam(model: keras.Model, images: np.ndarray, *which: list[Any]) -> np.ndarray:
    """Heat maps of one class per image: `which` are the classes and the layers."""
    positions, names = which
    return class_activation.explainer(model, names)(images, positions).heatmaps


def by_hand_network() -> keras.Model:
    """Two channels, the pixel and its inverse; class 1 likes bright, class 0 dark."""
    images = keras.Input((4, 4, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(images)
    x = layers.Conv2D(2, 1, name="maps")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(2, activation="softmax", dtype="float32")(x)
    model = keras.Model(images, x)
    model.get_layer("maps").set_weights([np.array([[[[1.0, -1.0]]]]), np.zeros(2)])
    model.layers[-1].set_weights([np.array([[-1.0, 2.0], [3.0, 0.0]]), np.zeros(2)])
    return model


def test_a_map_computed_by_hand() -> None:
    model = by_hand_network()
    image = np.zeros((1, 4, 4, 1), np.uint8)
    image[0, 1, 2], image[0, 3, 0] = 255, 51
    images = np.repeat(image, 2, axis=0)
    assert models.heatmap_layers(model) == ["maps"]
    liked, disliked = grad_cam(model, images, [1, 0], ["maps"])
    # Class 1: 2 * pixel. Class 0: -pixel - 3 * pixel, nowhere above 0.
    expected = np.zeros((4, 4))
    expected[1, 2], expected[3, 0] = 1.0, 0.2
    np.testing.assert_allclose(liked, expected, atol=1e-6)
    assert liked.dtype == np.float32
    assert not disliked.any()


def test_depths_are_added_up_on_the_scale_of_the_logit() -> None:
    images = keras.Input((4, 4, 1), dtype="uint8")
    fine = layers.Rescaling(1.0, name="fine")(images)
    coarse = layers.AveragePooling2D(2, name="coarse")(fine)
    x = layers.Concatenate()(
        [layers.GlobalAveragePooling2D()(fine), layers.GlobalAveragePooling2D()(coarse)]
    )
    x = layers.Dense(1, activation="sigmoid", dtype="float32")(x)
    model = keras.Model(images, x)
    model.layers[-1].set_weights([np.array([[1.0], [1.0]]), np.zeros(1)])
    image = np.zeros((1, 4, 4, 1), np.uint8)
    image[0, 0, 0] = 8
    (heatmap,) = grad_cam(model, image, [0], ["fine", "coarse"])
    # The pixel adds 8 in the fine map and 2 in the coarse one, whose map is enlarged
    # bilinearly: 2 in the corner, 1.5 and 0.5 beside it, products where they cross.
    slope = np.array([1.0, 0.75, 0.25, 0.0])
    expected = 2 * np.outer(slope, slope)
    expected[0, 0] += 8
    np.testing.assert_allclose(heatmap, expected / 10, atol=1e-6)


def blobs(
    count: int, size: int, cells: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise with a bright blob in every second image; its row and column.

    With `cells`, blobs lie in the middle of one of so many times so many fields.
    """
    rng = np.random.default_rng(0)
    pixels = rng.normal(80, 12, (count, size, size))
    places = rng.integers(size // 5, size - size // 5, (count, 2))
    if cells:
        places = rng.integers(cells, size=(count, 2)) * size // cells + size // 8
    labels = np.arange(count) % 2
    rows, columns = np.mgrid[:size, :size]
    for picture, label, (row, column) in zip(pixels, labels, places, strict=True):
        distance = (rows - row) ** 2 + (columns - column) ** 2
        picture += label * 120 * np.exp(-distance / (2 * (size / 20) ** 2))
    return pixels.clip(0, 255).astype(np.uint8)[..., None], labels, places


def hits(heatmaps: np.ndarray, places: np.ndarray) -> float:
    """How often the warmest pixel lies on the blob (the pointing game)."""
    size = heatmaps.shape[1]
    warmest = [np.unravel_index(heat.argmax(), heat.shape) for heat in heatmaps]
    distances = np.hypot(*(np.array(warmest) - places).T)
    return float((distances < 0.18 * size).mean())


def test_a_trained_network_points_at_the_blob() -> None:
    pixels, labels, places = blobs(128, 32)
    images = keras.Input((32, 32, 1), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, -1)(images)
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    keras.utils.set_random_seed(0)
    model = keras.Model(images, layers.Dense(2, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(pixels, labels, epochs=30, verbose=0)
    found = labels == 1
    heatmaps = grad_cam(
        model, pixels[found], labels[found].tolist(), models.heatmap_layers(model)
    )
    assert hits(heatmaps, places[found]) > 0.9


def test_the_instant_model_points_at_the_blob() -> None:
    pixels, labels, places = blobs(64, 96)
    preprocessing = Preprocessing(96, colour="grey")
    features = np.asarray(models.frozen_backbone(preprocessing)(pixels))
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-3
    standard = (features - mean) / scale
    # Ridge regression on +1 and -1, in its dual form: a linear layer in one line.
    dual = np.linalg.solve(standard @ standard.T + 500 * np.eye(64), labels * 2.0 - 1)
    kernel = np.outer(standard.T @ dual / scale, [-1.0, 1.0])
    model = models.instant_model(preprocessing, kernel, -mean @ kernel)
    found = labels == 1
    heatmaps = grad_cam(
        model, pixels[found], labels[found].tolist(), models.heatmap_layers(model)
    )
    assert hits(heatmaps, places[found]) > 0.9


def make_answer_to_blobs(
    model: keras.Model,
    layer: str,
    pictures: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Sets the last layer so that what it answers to is known: the blobs' places.

    Where the maps are only averaged, the weights tell places with a blob from others;
    where a dense layer stands between, images with one from those without.
    """
    pixels, labels, places = pictures
    last, size = model.layers[-1], pixels.shape[1]
    maps = np.asarray(keras.Model(model.input, model.get_layer(layer).output)(pixels))
    if maps.shape[3] == last.kernel.shape[0]:
        middle = (np.arange(maps.shape[1]) + 0.5) * size / maps.shape[1] - 0.5
        away = middle[None] - places[:, :, None]
        square = (away[:, 0, :, None] ** 2) + (away[:, 1, None] ** 2)
        near = np.exp(-4 * square / (size / maps.shape[1]) ** 2)
        seen = maps.reshape(-1, maps.shape[3]).astype(float)
        asked = (labels[:, None, None] * near).ravel()
    else:
        seen = np.asarray(keras.Model(model.input, last.input)(pixels), float)
        asked = labels * 2.0 - 1
    alike = seen @ seen.T
    small = 1e-8 * np.trace(alike) / len(alike) * np.eye(len(alike))
    column = seen.T @ np.linalg.solve(alike + small, asked)
    last.set_weights([np.outer(column, [-1, 1]), np.zeros(2)])


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_every_network_of_the_form_points_at_what_it_answers_to(name: str) -> None:
    pixels, labels, places = blobs(48 if name == "document_cnn" else 8, 128, cells=4)
    pictures = pixels, labels, places
    model = models.build_model(name, Preprocessing(128, colour="grey"), 2)
    layers_ = models.heatmap_layers(model)
    make_answer_to_blobs(model, layers_[0], pictures)
    found = labels == 1
    tf.config.run_functions_eagerly(True)  # A graph for one call takes far longer.
    try:
        for faithful in (False, True):
            explain = class_activation.explainer(model, layers_, faithful)
            heatmaps = explain(pixels[found], [1] * int(found.sum())).heatmaps
            assert hits(heatmaps, places[found]) > 0.9
    finally:
        tf.config.run_functions_eagerly(False)


def test_a_usual_image_takes_the_slope_out_of_the_roots() -> None:
    """Two columns of one channel, average 0.04; 0.01 is usual."""
    images = keras.Input((2, 2, 1), dtype="uint8")
    maps = layers.Rescaling(0.01, name="maps")(images)
    x = signed_sqrt(layers.GlobalAveragePooling2D()(maps))
    x = layers.Dense(2, activation="softmax", dtype="float32")(x)
    model = keras.Model(images, x)
    model.layers[-1].set_weights([np.array([[0.0, 1.0]]), np.zeros(2)])
    usual = np.asarray(signed_sqrt(np.array([0.01], np.float32)))
    explain = class_activation.explainer(model, ["maps"], faithful=True, usual=usual)
    image = np.array([[[[2], [6]]] * 2], np.uint8)
    # What the places have beyond the usual is 0.01 and 0.05.
    np.testing.assert_allclose(
        explain(image, [1]).heatmaps[0], [[0.2, 1]] * 2, atol=1e-4
    )
    # An image with less than usual has nothing to show.
    assert not explain(np.zeros_like(image), [1]).heatmaps.any()


def test_a_faithful_map_has_no_holes_where_a_maximum_was_taken() -> None:
    images = keras.Input((8, 8, 1), dtype="uint8")
    x = layers.Conv2D(1, 1, name="maps")(layers.Rescaling(1 / 255)(images))
    x = layers.Flatten()(layers.MaxPooling2D(2)(x))
    x = layers.Dense(1, activation="sigmoid", dtype="float32")(x)
    model = keras.Model(images, x)
    model.get_layer("maps").set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    model.layers[-1].set_weights([np.ones((16, 1)), np.zeros(1)])
    assert models.heatmap_layers(model) == ["maps"]
    image = np.full((1, 8, 8, 1), 255, np.uint8)
    explain = class_activation.explainer(model, ["maps"], faithful=True)
    np.testing.assert_allclose(explain(image, [0]).heatmaps[0], 1, atol=1e-6)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "compact_resnet"])
def test_every_kind_of_network_gives_maps_of_the_pictures_size(name: str) -> None:
    preprocessing = Preprocessing(40)
    model = models.build_model(name, preprocessing, 3)
    explain = class_activation.explainer(model, models.heatmap_layers(model))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    before = np.asarray(model(images))
    found = explain(images, [0, 1, 2])
    heatmaps = found.heatmaps
    assert heatmaps.shape == (3, 40, 40) and heatmaps.dtype == np.float32
    for heatmap in heatmaps:
        assert heatmap.min() >= 0
        assert heatmap.max() in (0, pytest.approx(1))
    # An image's map does not depend on its company, nor the model on being explained.
    np.testing.assert_allclose(
        explain(images[1:2], [1]).heatmaps[0], heatmaps[1], atol=1e-3
    )
    np.testing.assert_array_equal(np.asarray(model(images)), before)
    np.testing.assert_allclose(found.scores, before, atol=1e-5)


def test_an_explained_model_is_saved_as_before(tmp_path: Path) -> None:
    model = by_hand_network()
    images = np.full((1, 4, 4, 1), 9, np.uint8)
    grad_cam(model, images, [0], ["maps"])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(loaded(images)), np.asarray(model(images)))

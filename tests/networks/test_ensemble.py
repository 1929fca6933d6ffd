"""Ensembles as one graph: the geometric mean, whatever the sizes."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from medmodel.core.preprocessing import Preprocessing
from medmodel.imaging.images import prepare_image
from medmodel.networks import ensemble
from medmodel.networks.ensemble import Part, ensemble_model, shrinking
from medmodel.networks.models import build_model, heatmap_layers
from medmodel.networks.signed_sqrt import signed_sqrt

LARGE, SMALL = Preprocessing(40), Preprocessing(28, colour="grey")


def rooted(classes: int, seed: int) -> keras.Model:
    """As Instant's: operations beside layers, two ends of the area."""
    keras.utils.set_random_seed(seed)
    images = keras.Input(LARGE.shape, dtype="uint8", name="pixels")
    x = keras.layers.Rescaling(1 / 255, name="normalise")(images)
    x = keras.layers.Conv2D(4, 3, name="conv")(x)
    pooled = [
        keras.layers.GlobalAveragePooling2D()(x),
        keras.layers.GlobalMaxPooling2D()(x),
    ]
    x = signed_sqrt(keras.layers.Concatenate(name="features")(pooled))
    x = keras.layers.Dense(classes, activation="softmax", name="probabilities")(x)
    return keras.Model(images, x, name="instant")


@pytest.fixture(scope="module")
def parts() -> list[Part]:
    small = build_model("compact_resnet", SMALL, 3, seed=2)
    return [Part(rooted(3, 1), 2.0), Part(rooted(3, 5), 1.0), Part(small, 0.5)]


@pytest.fixture(scope="module")
def model(parts: list[Part]) -> keras.Model:
    return ensemble_model(parts, LARGE)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Smooth colours, as a photograph has them."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 5, 5, 3), np.uint8)
    pictures = [
        Image.fromarray(each).resize((40, 40), Image.Resampling.BICUBIC)
        for each in noise
    ]
    return np.stack([np.asarray(picture) for picture in pictures])


def calibrated(part: Part, pixels: np.ndarray) -> np.ndarray:
    scores = np.asarray(part.model(pixels, training=False), np.float64)
    raised = scores ** (1 / part.temperature)
    return raised / raised.sum(axis=1, keepdims=True)


def geometric_mean(scores: list[np.ndarray]) -> np.ndarray:
    product = np.prod(scores, axis=0) ** (1 / len(scores))
    return product / product.sum(axis=1, keepdims=True)


def test_the_geometric_mean_of_calibrated_probabilities(
    model: keras.Model, parts: list[Part], images: np.ndarray
) -> None:
    small = np.stack([prepare_image(pixels, SMALL) for pixels in images])
    seen = [images, images, small]
    expected = geometric_mean(
        [calibrated(part, pixels) for part, pixels in zip(parts, seen, strict=True)]
    )
    # The small part's pixels are rounded once more on the way through files.
    np.testing.assert_allclose(model(images, training=False), expected, atol=2e-3)


def test_large_parts_alone_are_averaged_exactly(
    parts: list[Part], images: np.ndarray
) -> None:
    model = ensemble_model(parts[:2], LARGE)
    expected = geometric_mean([calibrated(part, images) for part in parts[:2]])
    np.testing.assert_allclose(model(images, training=False), expected, atol=1e-5)


def test_one_sure_member_does_not_outweigh_two_sure_ones() -> None:
    one, *others = [rooted(2, seed) for seed in range(3)]
    for part, bias in [
        (one, [300.0, 0.0]),
        *((other, [0.0, 300.0]) for other in others),
    ]:
        kernel, _bias = part.layers[-1].get_weights()
        part.layers[-1].set_weights([0 * kernel, np.array(bias)])
    model = ensemble_model([Part(each, 1.0) for each in (one, *others)], LARGE)
    scores = np.asarray(model(np.zeros((1, *LARGE.shape), np.uint8), training=False))
    # Two against one: (1e-7 ** (1 / 3), 1e-7 ** (2 / 3)) before they are scaled.
    np.testing.assert_allclose(scores, [[0.00462, 0.99538]], atol=1e-4)


def test_it_is_flat_and_loads_in_safe_mode(
    model: keras.Model, images: np.ndarray, tmp_path: Path
) -> None:
    assert not [x for x in model.layers if isinstance(x, keras.Model)]
    assert isinstance(model.layers[-1], keras.layers.Dense)
    model.save(tmp_path / "e.keras")
    again = keras.models.load_model(tmp_path / "e.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(
        again(images, training=False), model(images, training=False), atol=1e-6
    )


def test_a_part_can_be_taken_out_again(
    model: keras.Model, parts: list[Part], images: np.ndarray
) -> None:
    for number, part in enumerate(parts, start=1):
        taken = keras.Model(
            model.get_layer(ensemble.input_name(number)).output,
            model.get_layer(ensemble.output_name(number)).output,
        )
        assert taken.input_shape == part.model.input_shape
        names = heatmap_layers(part.model)
        for name in names:
            taken.get_layer(f"{ensemble.part_name(number)}_{name}")
        pixels = images
        if number == 3:
            pixels = np.stack([prepare_image(each, SMALL) for each in images])
        np.testing.assert_allclose(
            taken(pixels, training=False), calibrated(part, pixels), atol=1e-5
        )


@pytest.mark.parametrize(("source", "target"), [(40, 28), (224, 96), (300, 28)])
def test_lines_shrink_as_images_do(source: int, target: int) -> None:
    line = np.random.default_rng(1).integers(0, 256, source, np.uint8)
    image = Image.fromarray(np.tile(line, (source, 1)))
    shrunk = np.asarray(image.resize((target, target), Image.Resampling.HAMMING))[0]
    matrix = shrinking(source, target)
    assert matrix.shape == (target, source)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(matrix @ line, shrunk, atol=1.5)

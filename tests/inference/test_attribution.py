"""Slower explanations, on networks whose reasons are known."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from medmodel.core.preprocessing import Preprocessing
from medmodel.inference import attribution, class_activation
from medmodel.networks import models


def by_top_left(images: np.ndarray) -> np.ndarray:
    """Class 1 by how bright the upper left quarter is."""
    share = images[:, :16, :16].mean(axis=(1, 2, 3)) / 255
    return np.stack([1 - share, share], axis=1)


def test_hiding_what_matters_matters() -> None:
    image = np.zeros((32, 32, 1), np.uint8)
    image[4:12, 4:12] = 255
    image[20:28, 20:28] = 255
    map_ = attribution.occlusion(by_top_left, image, 1)
    assert map_.shape == (32, 32) and map_.max() == 1
    assert map_[8, 8] > 0.6
    assert map_[22:, 22:].max() < 0.1


@pytest.mark.parametrize("patches, asked", [(9, 82), (5, 26)])
def test_fewer_places_for_models_that_are_slow(patches: int, asked: int) -> None:
    counts: list[int] = []

    def score(images: np.ndarray) -> np.ndarray:
        counts.append(len(images))
        return by_top_left(images)

    image = np.zeros((32, 32, 1), np.uint8)
    image[4:12, 4:12] = 255
    map_ = attribution.occlusion(score, image, 1, patches)
    assert counts == [asked] and map_[8, 8] > 0.6


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return models.build_model("compact_resnet", Preprocessing(32, colour="grey"), 3)


def test_integrated_gradients_add_up(model: keras.Model) -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 1), np.uint8)
    map_ = attribution.integrated_gradients(model, image, 2)
    assert map_.shape == (32, 32)
    both = np.stack([image, np.zeros_like(image)])
    logits = keras.Model(model.input, model.layers[-1].input)(both).numpy()
    difference = (logits[0] - logits[1]) @ model.layers[-1].kernel.numpy()[:, 2]
    assert map_.sum() == pytest.approx(difference, rel=0.15, abs=0.02)
    shown = attribution.positive(map_)
    assert shown.min() >= 0 and shown.max() == pytest.approx(1)


def test_shuffled_weights_are_the_same_numbers_elsewhere(model: keras.Model) -> None:
    other = attribution.randomised(model)
    for before, after in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(np.sort(before.ravel()), np.sort(after.ravel()))
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 1), np.uint8)
    layers = models.heatmap_layers(model)
    class_activation.explainer(other, layers)(image, [0])
    assert not np.allclose(model(image), other(image))


def test_hirescam_equals_gradcam_before_an_average(model: keras.Model) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 1), np.uint8)
    names = models.heatmap_layers(model)
    cam = class_activation.explainer(model, names)(images, [0, 1]).heatmaps
    faithful = class_activation.explainer(model, names, True)(images, [0, 1]).heatmaps
    np.testing.assert_allclose(cam, faithful, atol=1e-4)


@pytest.mark.parametrize(("side", "sigma"), [(64, 1), (128, 2)])
def test_what_speaks_for_a_class_is_blurred_by_a_64th(side: int, sigma: int) -> None:
    """A point becomes a bell of that deviation; what speaks against it is left out."""
    map_ = np.zeros((side, side // 2), np.float32)
    map_[20, 16], map_[21, 30] = 3, -5
    shown = attribution.positive(map_)
    assert shown[20, 16] == 1
    assert shown[20, 17] == pytest.approx(np.exp(-1 / (2 * sigma**2)), abs=0.01)
    assert shown.min() >= 0 and shown[21, 30] < 1e-6

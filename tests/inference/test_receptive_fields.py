"""Where cells look, worked out by hand and by a dot that wanders."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from medmodel.core.preprocessing import Preprocessing
from medmodel.inference.class_activation import explainer
from medmodel.inference.receptive_fields import ReceptiveFields, receptive_fields
from medmodel.networks import models


def last(*parts: keras.Layer, side: int = 64) -> ReceptiveFields:
    picture = keras.Input((side, side, 1))
    x = picture
    for part in parts:
        x = part(x)
    return receptive_fields(keras.Model(picture, x))[parts[-1].name]


def conv(**changes: object) -> keras.Layer:
    return layers.Conv2D(2, 3, **{"padding": "same", **changes})


def test_strides_move_cells_by_hand() -> None:
    assert last(conv()) == ReceptiveFields(1, 0)
    assert last(conv(padding="valid")) == ReceptiveFields(1, 1)
    assert last(layers.MaxPooling2D(2)) == ReceptiveFields(2, 0.5)
    assert last(conv(strides=2)) == ReceptiveFields(2, 1)
    assert last(conv(strides=2), side=63) == ReceptiveFields(2, 0)
    assert last(conv(strides=2), conv(strides=2), conv(strides=2)) == ReceptiveFields(
        8, 7
    )
    assert last(
        layers.ZeroPadding2D(1), conv(strides=2, padding="valid")
    ) == ReceptiveFields(2, 0)
    assert last(layers.Cropping2D(2), layers.ReLU()) == ReceptiveFields(1, 2)
    assert last(conv(dilation_rate=2, padding="valid")) == ReceptiveFields(1, 2)
    assert last(layers.UpSampling2D(2)) == ReceptiveFields(0.5, -0.25)


def test_where_branches_meet_their_mean_counts() -> None:
    picture = keras.Input((64, 64, 1))
    both = [conv(strides=2)(picture), layers.AveragePooling2D(2)(picture)]
    met = layers.Concatenate(name="met")(both)
    assert receptive_fields(keras.Model(picture, met))["met"] == ReceptiveFields(
        2, 0.75
    )


def test_between_cells_is_read_linearly() -> None:
    matrix = ReceptiveFields(2, 1).readings(np.array([0, 1, 2, 3, 9]), 3)
    wanted = [[1, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]
    assert matrix.tolist() == wanted
    assert ReceptiveFields.squares(8, 4) == ReceptiveFields(2, 0.5)
    assert ReceptiveFields(32, 31).readings(np.arange(4), 1).tolist() == [[1]] * 4


@pytest.mark.parametrize("name", ["compact_resnet", "document_cnn"])
def test_a_map_lies_on_the_dot_that_it_answers_to(name: str) -> None:
    """All kernels alike: evidence must be centred where something is."""
    preprocessing = Preprocessing(size=160, colour="grey")
    model = models.build_model(name, preprocessing, 2)
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            kernel = layer.get_weights()[0]
            rest = layer.get_weights()[1:]
            layer.set_weights([np.full_like(kernel, 1 / kernel[..., 0].size), *rest])
        if isinstance(layer, layers.Dense):
            layer.set_weights([np.abs(x) + 0.01 for x in layer.get_weights()])
    explain = explainer(model, models.heatmap_layers(model))
    away = []
    for top, left in np.random.default_rng(0).integers(64, 96, (16, 2)):
        image = np.zeros((1, 160, 160, 1), np.uint8)
        image[0, top - 4 : top + 5, left - 4 : left + 5] = 255
        heat = explain(image, [0]).heatmaps[0]
        heat = np.clip(heat - np.median(heat), 0, None)
        middle = (np.indices(heat.shape) * heat).sum((1, 2)) / heat.sum()
        away.append(middle - (top, left))
    assert np.abs(np.mean(away, axis=0)).max() < 2

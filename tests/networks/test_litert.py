"""What is said of 8 bits is what a LiteRT file has."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from medmodel.networks import litert

NO_IMAGES = np.empty((0, 8, 8, 1), np.uint8)


@pytest.mark.parametrize(
    ("units", "ways"),
    [(8, ["none"]), (400, ["weights", "half"]), (4000, ["weights"])],
)
def test_a_way_is_called_by_what_it_rounds(
    units: int, ways: list[str], tmp_path: Path
) -> None:
    images = keras.Input((8, 8, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    x = keras.layers.Dense(units)(x)
    model = keras.Model(images, keras.layers.Dense(2)(x))
    model.export(tmp_path / "saved", verbose=False)
    made = dict(litert.rounded_in_turn(tmp_path / "saved", NO_IMAGES))
    assert list(made) == ways
    sizes = [len(content) for content in made.values()]
    assert sizes == sorted(sizes)

from typing import Literal

import numpy as np
import pytest

from medmodel.core.preprocessing import Preprocessing
from medmodel.networks import features, instant_onnx, models


@pytest.mark.parametrize("size", [28, 45, 64])
@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_it_answers_as_tensorflow_does(
    size: int, colour: Literal["grey", "rgb"]
) -> None:
    preprocessing = Preprocessing(size, colour=colour)
    rng = np.random.default_rng(size)
    images = rng.integers(0, 256, (3, *preprocessing.shape), dtype=np.uint8)
    images[0], images[1] = 0, 255
    expected = np.asarray(models.frozen_backbone(preprocessing)(images))
    found = instant_onnx.instant_features(preprocessing)(images)
    assert found.dtype == np.float32 and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_an_image_is_the_same_alone_and_among_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    preprocessing = Preprocessing(28)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (19, *preprocessing.shape), dtype=np.uint8)
    ask = instant_onnx.instant_features(preprocessing)
    together = ask(images)
    monkeypatch.setattr(instant_onnx, "AT_ONCE", 3)
    np.testing.assert_allclose(ask(images), together, atol=1e-5)
    np.testing.assert_allclose(ask(images[7:8])[0], together[7], atol=1e-5)


def test_a_gpu_is_asked_by_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("ONNX Runtime computes on the processor alone")

    monkeypatch.setattr(features, "_gpu_there", lambda: True)
    monkeypatch.setattr(instant_onnx, "instant_features", refused)
    features._compiled.cache_clear()
    preprocessing = Preprocessing(28)
    blank = np.zeros((2, *preprocessing.shape), np.uint8)
    answer = features._compiled(preprocessing, 2, "efficientnet_lite0")(blank)
    features._compiled.cache_clear()
    assert answer.dtype == np.float16 and answer.shape == (2, features.FEATURES)

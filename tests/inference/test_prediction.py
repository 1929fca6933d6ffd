"""One compiled call: the same answer alone, in a batch, and in any precision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from medmodel.core.config import Flips, TrainConfig
from medmodel.core.errors import PredictionError, RunError
from medmodel.core.preprocessing import Preprocessing
from medmodel.inference import prediction
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import ModelFacts

SIZE = 28
CLASSES = ["dark", "light", "<b>other</b>"]


def save_model(run: Run, bias: float = 0.0, policy: str = "float32") -> keras.Model:
    """A small network, like those of `models`: flat, uint8 in, softmax out."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIZE, SIZE, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255, dtype=policy)(inputs)
    x = layers.Conv2D(8, 3, activation="relu", name="conv", dtype=policy)(x)
    x = layers.GlobalAveragePooling2D(dtype=policy)(x)
    outputs = layers.Dense(3, activation="softmax", dtype="float32")(x)
    model = keras.Model(inputs, outputs)
    model.layers[-1].bias.assign([bias, 0.0, 0.0])
    run.write_model_facts(
        ModelFacts(CLASSES, Preprocessing(SIZE, colour="grey"), ["conv"], 100)
    )
    model.save(run.model_path)
    return model


def create_run() -> Run:
    return RunStore().create(TrainConfig(dataset="/data", name="tiny"))


@pytest.fixture
def images() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (41, SIZE, SIZE, 1), dtype=np.uint8)


def test_batches_fill_the_buckets() -> None:
    assert list(prediction.batches(0)) == []
    assert list(prediction.batches(1)) == [(0, 1, 1)]
    assert list(prediction.batches(5)) == [(0, 5, 8)]
    assert list(prediction.batches(33)) == [(0, 32, 32), (32, 1, 1)]
    assert list(prediction.batches(41)) == [(0, 32, 32), (32, 9, 32)]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_an_image_scores_the_same_alone_and_among_others(
    images: np.ndarray, policy: str
) -> None:
    run = create_run()
    model = save_model(run, policy=policy)
    loaded = prediction.load(run)
    together = prediction.predict(loaded, images)
    alone = np.concatenate([prediction.predict(loaded, i[None]) for i in images])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)
    tolerance = 1e-5 if policy == "float32" else 1e-2
    keras_says = np.asarray(model(images))
    np.testing.assert_allclose(together, keras_says, atol=tolerance)
    assert together.dtype == np.float32


def test_nothing_is_retraced(images: np.ndarray) -> None:
    run = create_run()
    save_model(run)
    loaded = prediction.load(run)
    traces: list[int] = []
    traced = loaded.model

    class Counting:
        input_shape = traced.input_shape

        def __call__(self, pixels: object, training: bool) -> object:
            traces.append(1)
            return traced(pixels, training=training)

    call = prediction.compiled(Counting())
    counted = prediction.LoadedModel(traced, loaded.facts, call)
    for count in (1, 2, 3, 5, 8, 9, 31, 32, 41, 1):
        prediction.predict(counted, images[:count])
    assert len(traces) == len(prediction.BUCKETS)


def test_no_images_no_scores(images: np.ndarray) -> None:
    run = create_run()
    save_model(run)
    assert prediction.predict(prediction.load(run), images[:0]).shape == (0, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, SIZE, SIZE, 3), np.uint8),
        np.zeros((SIZE, SIZE, 1), np.uint8),
        np.zeros((1, SIZE, SIZE, 1), np.float32),
    ],
)
def test_wrong_images_are_named(wrong: np.ndarray) -> None:
    run = create_run()
    save_model(run)
    with pytest.raises(PredictionError, match=r"uint8 images of shape \(28, 28, 1\)"):
        prediction.predict(prediction.load(run), wrong)


def test_missing_and_damaged_models() -> None:
    run = create_run()
    with pytest.raises(RunError, match="no trained model yet"):
        prediction.load(run)
    save_model(run)
    content = run.model_path.read_bytes()
    middle = len(content) // 2
    for damaged in (
        *(b"PK nonsense", content[:middle]),
        content[:middle] + bytes(64) + content[middle + 64 :],
    ):
        run.model_path.write_bytes(damaged)
        with pytest.raises(PredictionError, match="tiny cannot be loaded"):
            prediction.load(run)


@pytest.mark.parametrize(
    "other",
    [
        {"class_names": ["a", "b"]},
        {"preprocessing": Preprocessing(SIZE + 4, colour="grey")},
        {"preprocessing": Preprocessing(SIZE)},
    ],
)
def test_facts_of_another_model_are_refused(other: dict[str, Any]) -> None:
    run = create_run()
    save_model(run)
    run.write_model_facts(replace(run.model_facts, **other))
    with pytest.raises(PredictionError, match="model.json of run tiny is not its mod"):
        prediction.load(run)


@pytest.mark.parametrize(
    "flips, turned",
    [("horizontal", [(2,)]), ("vertical", [(1,)]), ("both", [(2,), (1,), (1, 2)])],
)
def test_predictions_are_averaged_over_flips(
    images: np.ndarray, flips: Flips, turned: list[tuple[int, ...]]
) -> None:
    run = create_run()
    save_model(run)
    plain = prediction.load(run)
    run.write_model_facts(replace(run.model_facts, flips=flips))
    loaded = prediction.load(run)
    mirrored = [images, *(np.flip(images, axes) for axes in turned)]
    mean = np.mean([prediction.predict(plain, each) for each in mirrored], axis=0)
    np.testing.assert_allclose(prediction.predict(loaded, images), mean, atol=1e-6)
    scores, features = prediction.predict_with_features(loaded, images)
    np.testing.assert_allclose(scores, mean, atol=1e-6)
    of_plain = prediction.predict_with_features(plain, images)[1]
    np.testing.assert_allclose(features, of_plain, atol=1e-6)
    assert not np.allclose(prediction.predict(plain, images), mean, atol=1e-6)


def test_a_damaged_reference_costs_the_comparison_alone(images: np.ndarray) -> None:
    run = create_run()
    save_model(run)
    without = prediction.load(run)
    assert without.detector is None and without.detector_problem == ""
    (run.folder / "reference.npz").write_bytes(b"PK nonsense")
    loaded = prediction.load(run)
    assert loaded.detector is None
    assert "reference.npz" in loaded.detector_problem
    assert "train the model again" in loaded.detector_problem
    np.testing.assert_array_equal(
        prediction.predict(loaded, images), prediction.predict(without, images)
    )


def test_code_inside_a_model_file_is_refused() -> None:
    run = create_run()
    save_model(run)
    inputs = keras.Input((SIZE, SIZE, 1), dtype="uint8")
    outputs = keras.layers.Lambda(lambda x: x)(inputs)
    keras.Model(inputs, outputs).save(run.model_path)
    with pytest.raises(PredictionError):
        prediction.load(run)

"""Rows on training speed: our pipeline against memory, and against the textbook."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from medmodel.benchmark import Measurement, at_least
from medmodel.benchmark.pairs import Measured, paired, seconds_of
from medmodel.core.preprocessing import Preprocessing
from medmodel.networks.models import build_model
from medmodel.networks.pipeline import Samples, training_batches
from medmodel.networks.precision import BFLOAT16, FLOAT32, candidates, choose_precision

IMAGES, BATCH = 384, 32
SHAPE = Preprocessing(224, "stretch", "rgb")


def pipeline() -> list[Measurement]:
    """Images/s of document_cnn from a memory map / from one tensor in memory."""
    with tempfile.TemporaryDirectory() as folder:
        samples = _samples(Path(folder))
        pixels = np.array(samples.pixels[:BATCH])
        policy = choose_precision(_document_cnn, pixels).policy
        speeds = paired(
            _speed_of(_fit_from_map(_model(policy), samples)),
            _speed_of(_fit_from_memory(_model(policy), samples)),
        )
    note = f"{speeds.note('images/s')}, in {policy}"
    return [at_least("pipeline", speeds.median, 0.95, note=note)]


def document_recipe() -> list[Measurement]:
    """The same / the textbook recipe, which reads JPEG files in every epoch."""
    with tempfile.TemporaryDirectory() as folder:
        samples = _samples(Path(folder))
        pixels = np.array(samples.pixels[:BATCH])
        policy = choose_precision(_document_cnn, pixels).policy
        speeds = paired(
            _speed_of(_fit_from_map(_model(policy), samples)),
            _speed_of(_fit_textbook(_write_files(Path(folder) / "train", samples))),
        )
    # Only matrix units make the bold promise possible.
    goal = 2.5 if policy == BFLOAT16 and BFLOAT16 in candidates() else 1.0
    note = f"{speeds.note('images/s')}, ours in {policy}"
    return [at_least("document_recipe", speeds.median, goal, note=note)]


def _samples(folder: Path) -> Samples:
    pixels = np.lib.format.open_memmap(
        folder / "pixels.npy", "w+", np.uint8, (IMAGES, *SHAPE.shape)
    )
    rng = np.random.default_rng(0)
    labels = np.arange(IMAGES) % 2
    for position, label in enumerate(labels):
        level = 90 + 60 * label + rng.normal(0, 25, (28, 28, 3))
        small = Image.fromarray(level.clip(0, 255).astype(np.uint8))
        pixels[position] = np.asarray(small.resize((224, 224)))
    pixels.flush()
    return Samples(pixels, np.arange(IMAGES), labels, 2)


def _document_cnn() -> keras.Model:
    return build_model("document_cnn", SHAPE, 2)


def _model(policy: str) -> keras.Model:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    model = _document_cnn()
    keras.config.set_dtype_policy(before)
    return _compiled(model)


def _compiled(model: keras.Model) -> keras.Model:
    model.compile(
        "adam", "categorical_crossentropy", metrics=["accuracy"], jit_compile=False
    )
    return model


def _fit_from_map(model: keras.Model, samples: Samples) -> Callable[[], None]:
    endless = training_batches(samples, BATCH)
    steps = IMAGES // BATCH
    return lambda: _quietly(model, endless, steps_per_epoch=steps)


def _fit_from_memory(model: keras.Model, samples: Samples) -> Callable[[], None]:
    images, labels, _ = samples.batch(np.arange(IMAGES))
    return lambda: _quietly(model, images, labels, batch_size=BATCH)


def _fit_textbook(folder: Path) -> Callable[[], None]:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    keras.config.set_dtype_policy(FLOAT32)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((224, 224, 3)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(2, activation="softmax"),
        ]
    )
    _compiled(model)
    batches = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        str(folder), target_size=(224, 224), batch_size=BATCH, class_mode="categorical"
    )
    return lambda: _quietly(model, batches)


def _write_files(folder: Path, samples: Samples) -> Path:
    for position, label in enumerate(samples.labels):
        place = folder / f"class_{label}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(samples.pixels[position]).save(place / f"{position}.jpg")
    return folder


def _quietly(model: keras.Model, *data: object, **settings: object) -> None:
    model.fit(*data, epochs=1, verbose=0, **settings)


def _speed_of(epoch: Callable[[], None]) -> Measured:
    """Images/s of one epoch."""
    seconds = seconds_of(epoch)
    return lambda: IMAGES / seconds()

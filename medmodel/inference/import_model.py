"""Makes a run of a foreign model: `python -m medmodel.inference.import_model STEP ...`.

The step `look` reads what the file says of itself, `convert` makes a run of it. Both
are processes of their own with a limit of memory; see `model_import.task`.
"""

from __future__ import annotations

import hashlib
import os
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from medmodel.core.config import LARGEST_SIZE, SMALLEST_SIZE, TrainConfig
from medmodel.core.control_characters import one_line
from medmodel.core.errors import ConfigError, DataError, FileError
from medmodel.core.preprocessing import Fit, Preprocessing, window_values
from medmodel.core.settings.recipes import IMPORTED
from medmodel.core.storage import read_as, write_json
from medmodel.language import _, speaking
from medmodel.model_import import keras_config, keras_file, onnx_file, task
from medmodel.model_import.checks import check_settings
from medmodel.model_import.description import (
    LARGEST_SIDE,
    MOST_CLASSES,
    SMALLEST_SIDE,
    ImportSettings,
    ModelDescription,
    scale_factors,
)
from medmodel.model_import.onnx_file import OnnxFile
from medmodel.model_import.source import ModelSource, find_model
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import ImportedModel, ModelFacts, RunStatus, Status

MEMORY = 12 << 30
"""Address space of the process in bytes, libraries included."""
SECONDS = 900
"""Processor time."""
PROBES = 8
"""Images that tell whether outputs are probabilities."""
_TEACHABLE = "Teachable Machine"


def look(place: Path) -> ModelDescription:
    """Reads what a model says of itself.

    Raises:
        DataError: It is refused, and why.
    """
    source = find_model(place / "files")
    if source.format in ("keras", "h5"):
        described = _look_at_keras(source)
    elif source.format == "onnx":
        described = _look_at_onnx(onnx_file.read_onnx_file(source.path))
    else:
        from medmodel.inference import saved_model_import

        found = saved_model_import.as_onnx(source.path)
        described = replace(_look_at_onnx(found), format="saved_model")
    _check_size(described.size)
    if source.labels:
        described = replace(described, classes=source.labels)
    return described


def _look_at_keras(source: ModelSource) -> ModelDescription:
    file = keras_file.read_keras_file(source.path)
    shape = keras_config.input_shape(file.config) or [None, None, None]
    _check_shape(shape)
    names = set(keras_config.layer_names(file.config))
    teachable = not file.native and {"dense_Dense1", "dense_Dense2"} <= names
    teachable |= source.path.name == "keras_model.h5" and bool(source.labels)
    described = ModelDescription(
        format="keras" if file.native else "h5",
        size=shape[0] or 0,
        channels=shape[2] or 0,
        outputs=keras_config.output_units(file.config),
        scale="raw" if keras_config.normalises(file.config) else "unit",
        tool=f"Keras {file.version}" if file.version else "Keras",
    )
    if teachable:
        described = replace(described, scale="symmetric", fit="crop", tool=_TEACHABLE)
    return _with_metadata(described, file.metadata)


def _check_shape(shape: list[int | None]) -> None:
    if shape[0] != shape[1]:
        raise DataError(
            _(
                "The model takes images of {height} × {width} pixels: only squares are "
                "given here.",
                height=shape[0] or "?",
                width=shape[1] or "?",
            )
        )
    if shape[2] not in (1, 3, None):
        raise DataError(
            _(
                "The model takes {channels} channels: 1 or 3 are given.",
                channels=shape[2],
            )
        )


def _check_size(size: int) -> None:
    if size and not SMALLEST_SIDE <= size <= LARGEST_SIDE:
        raise DataError(
            _(
                "The model takes images of {size:,} pixels a side: {smallest} to "
                "{largest:,} are given here.",
                size=size,
                smallest=SMALLEST_SIDE,
                largest=LARGEST_SIDE,
            )
        )


def _look_at_onnx(file: OnnxFile) -> ModelDescription:
    described = ModelDescription(
        format="onnx",
        size=file.size,
        channels=file.channels,
        outputs=file.outputs,
        scale="raw" if file.dtype == "uint8" else "unit",
        tool=file.producer,
    )
    if file.producer == "pytorch" and file.channels == 3 and file.dtype != "uint8":
        described = replace(described, scale="imagenet")
    return _with_metadata(described, file.metadata)


def _with_metadata(
    described: ModelDescription, facts: dict[str, Any] | None
) -> ModelDescription:
    """With what this program wrote into a model that it exported."""
    try:
        if not facts:
            return described
        preprocessing = facts["preprocessing"]
        fit, window = preprocessing["fit"], str(preprocessing["window"])
        window_values(window)
        if fit not in get_args(Fit):
            return described
        classes = [one_line(str(name)) for name in facts["classes"][:MOST_CLASSES]]
        return replace(
            described,
            classes=classes,
            scale="raw",
            fit=fit,
            window=window,
            tool="MedModel",
        )
    except (KeyError, TypeError, ConfigError):  # somebody changed it: it is asked
        return described


def convert(place: Path, store: RunStore) -> Run:
    """Makes a run of the model.

    Raises:
        DataError: The model is refused, or gives no probabilities of classes.
        ConfigError: What was said of it does not fit.
        RunError: The workspace cannot be written.
    """
    source = find_model(place / "files")
    described = read_as(place / "facts.json", ModelDescription)
    settings = read_as(place / "asked.json", ImportSettings)
    if described is None or settings is None:
        raise DataError(_("There is no such import any more: choose the file again."))
    check_settings(settings, described)
    model = _model(source, settings)
    preprocessing = Preprocessing(
        settings.size, settings.fit, settings.colour, settings.window
    )
    config = TrainConfig(
        "",
        name=settings.name.strip()[:120],
        recipe=IMPORTED,
        size=settings.size if SMALLEST_SIZE <= settings.size <= LARGEST_SIZE else 0,
        fit=settings.fit,
        colour=settings.colour,
        window=settings.window,
    )
    origin = ImportedModel(
        file=source.path.name,
        format=source.format,
        sha256=_digest(source.path),
        scale=settings.scale,
        tool=described.tool,
        converted=source.format in ("keras", "h5"),
    )

    from medmodel.inference.class_activation import explainable_layers

    def fill(run: Run) -> Status:
        layers = explainable_layers(model) if origin.converted else []
        parameters = _parameters(model)
        run.write_model_facts(
            ModelFacts(settings.classes, preprocessing, layers, parameters)
        )
        model.save(str(run.model_path))
        _check_answers(run)
        now = time.time()
        return Status(
            RunStatus.DONE, phase="finished", message=_IMPORTED, started=now, ended=now
        )

    return store.create(config, {"imported.json": origin}, fill)


_IMPORTED = "Imported."


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*"))
    for file in files:
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _model(source: ModelSource, settings: ImportSettings) -> Any:
    """The model as a flat graph: uint8 pixels in, a softmax over the classes out."""
    import keras
    import tensorflow as tf

    from medmodel.networks.onnx_layer import runtime_errors

    channels = 1 if settings.colour == "grey" else 3
    shape = (settings.size, settings.size, channels)
    images = keras.Input(shape, dtype="uint8", name="pixels")
    scaled = _scaled(images, settings, channels)
    try:
        outputs = _foreign(source, settings, scaled)
        return _with_softmax(images, outputs, len(settings.classes))
    except (AssertionError, tf.errors.OpError, *runtime_errors()) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise DataError(
            _("The model cannot be computed: {reason}", reason=reason)
        ) from error


def _scaled(images: Any, settings: ImportSettings, channels: int) -> Any:
    import keras

    from medmodel.inference.keras_graph import exchanged_channels

    factors, offsets = scale_factors(settings.scale, channels)
    same = len(set(factors)) == len(set(offsets)) == 1
    scale, offset = (factors[0], offsets[0]) if same else (factors, offsets)
    if settings.scale == "caffe":
        images = exchanged_channels(
            keras.layers.Rescaling(1.0, name="import_float")(images), "import_bgr"
        )
    return keras.layers.Rescaling(scale, offset, name="normalise")(images)


def _foreign(source: ModelSource, settings: ImportSettings, scaled: Any) -> Any:
    from medmodel.inference import keras_graph

    if source.format in ("keras", "h5"):
        file = keras_file.read_keras_file(source.path)
        return keras_graph.flat_outputs(file, source.path, scaled)
    if source.format == "onnx":
        file_of_onnx = onnx_file.read_onnx_file(source.path)
    else:
        from medmodel.inference import saved_model_import

        file_of_onnx = saved_model_import.as_onnx(source.path)
    if file_of_onnx.dtype == "uint8" and settings.scale != "raw":
        raise ConfigError(
            "scale",
            _("The model takes whole numbers from 0 to 255: choose raw pixels."),
        )
    return _onnx_layer(file_of_onnx, settings, scaled.shape[1:])(scaled)


def _onnx_layer(
    file: OnnxFile, settings: ImportSettings, shape: tuple[int, ...]
) -> Any:
    """The layer, with its number of outputs as one image gets them.

    Raises:
        DataError: Its answers are random, or an image's depend on the others.
    """
    from medmodel.networks.onnx_layer import OnnxClassifier

    def made(outputs: int) -> OnnxClassifier:
        return OnnxClassifier(
            file.input_name,
            file.output_name,
            outputs,
            file.dtype,
            file.channels_first,
            file.batch,
            file.content,
            name="onnx",
        )

    asked = made(max(file.outputs, 1))
    factors, offsets = scale_factors(settings.scale, shape[-1])
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape))
    images = (pixels * factors + offsets).astype(np.float32)
    together = asked.ask(images)
    alone = np.concatenate([asked.ask(image[None]) for image in images])
    if not np.allclose(together, alone, rtol=1e-3, atol=1e-3, equal_nan=True):
        raise DataError(
            _(
                "The model answers an image otherwise when it is asked again, or with "
                "others beside it: export it for inference (in PyTorch after "
                "model.eval()), with an open batch size."
            )
        )
    return made(together.shape[1])


def _with_softmax(images: Any, outputs: Any, classes: int) -> Any:
    """The graph with a softmax layer at its end, as all models here have.

    Raises:
        DataError: Its outputs are no list of classes, or of another number.
    """
    import keras

    if len(outputs.shape) == 4 and outputs.shape[1:3] == (1, 1):
        outputs = keras.layers.Flatten(name="import_flatten")(outputs)
    if len(outputs.shape) != 2 or outputs.shape[1] is None:
        raise DataError(
            _(
                "The model's output is no list of classes, but of shape {shape}.",
                shape=tuple(outputs.shape[1:]),
            )
        )
    units = int(outputs.shape[1])
    if classes != (2 if units == 1 else units):
        raise DataError(
            _(
                "The model has {outputs:,} classes, and {count:,} were named: one a "
                "line, in the model's order.",
                outputs=2 if units == 1 else units,
                count=classes,
            )
        )
    model = keras.Model(images, outputs)
    kind = _kind_of_outputs(model)
    last = model.layers[-1]
    usual = {"softmax": "softmax", "sigmoid": "sigmoid", "logits": "linear"}[kind]
    if isinstance(last, keras.layers.Dense) and last.activation.__name__ == usual:
        return _own_dense(model, last, images)
    if kind in ("softmax", "sigmoid"):
        # The softmax of logarithms gives back what they were of.
        small = keras.layers.ReLU(name="import_positive")(outputs)
        if kind == "sigmoid":
            against = keras.layers.Rescaling(-1.0, 1.0, name="import_against")(small)
            against = keras.layers.ReLU(name="import_positive_against")(against)
            small = keras.layers.Concatenate(name="import_both")([against, small])
        outputs = keras.ops.log(small + 1e-30)
    elif units == 1:
        against = keras.layers.Rescaling(0.0, 0.0, name="import_against")(outputs)
        outputs = keras.layers.Concatenate(name="import_both")([against, outputs])
    return _dense(images, outputs, np.eye(classes), np.zeros(classes), model.name)


def _own_dense(model: Any, last: Any, images: Any) -> Any:
    """The same with the last layer as one whose weights heat maps read."""
    weights = last.get_weights()
    kernel = weights[0]
    bias = weights[1] if len(weights) > 1 else np.zeros(kernel.shape[1])
    if kernel.shape[1] == 1:
        kernel = np.concatenate([np.zeros_like(kernel), kernel], axis=1)
        bias = np.concatenate([np.zeros_like(bias), bias])
    return _dense(images, last.input, kernel, bias, model.name)


def _dense(images: Any, features: Any, kernel: Any, bias: Any, name: str) -> Any:
    import keras

    layer = keras.layers.Dense(
        kernel.shape[1], activation="softmax", dtype="float32", name="import_classes"
    )
    model = keras.Model(images, layer(features), name=name)
    layer.set_weights([kernel, bias])
    return model


def _kind_of_outputs(model: Any) -> str:
    """softmax, sigmoid (of one output) or logits, by what it says of a few images.

    Raises:
        DataError: Its numbers are probabilities that do not exclude each other, or
            none at all.
    """
    answers = _probe(model)
    if not np.isfinite(answers).all():
        raise DataError(_("The model gives no numbers for some images."))
    inside = answers.min() >= -1e-4 and answers.max() <= 1 + 1e-4
    if answers.shape[1] == 1:
        return "sigmoid" if inside and _ends_in_sigmoid(model) else "logits"
    if inside and np.abs(answers.sum(axis=1) - 1).max() < 1e-2:
        return "softmax"
    if inside and _ends_in_sigmoid(model):
        raise DataError(
            _(
                "The model answers for each class by itself (several may be true at "
                "once): only classes that exclude each other are read."
            )
        )
    return "logits"


def _ends_in_sigmoid(model: Any) -> bool:
    """Whether the last layer says so; of an ONNX model its numbers alone tell."""
    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    if activation is None:
        return True
    return getattr(activation, "__name__", "") == "sigmoid"


def _probe(model: Any) -> NDArray[np.floating]:
    shape = model.input_shape[1:]
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (PROBES - 2, *shape), np.uint8)
    plain = np.stack([np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)])
    return np.asarray(model(np.concatenate([noise, plain]), training=False))


def _parameters(model: Any) -> int:
    inside = [len(getattr(layer, "_content", b"")) // 4 for layer in model.layers]
    return int(model.count_params()) + sum(inside)


def _check_answers(run: Run) -> None:
    """Loads the run as every page will, and asks it.

    Raises:
        DataError: It does not answer.
    """
    from medmodel.inference import prediction

    loaded = prediction.load(run)
    shape = loaded.facts.preprocessing.shape
    answer = prediction.predict(loaded, np.zeros((1, *shape), np.uint8))
    if not np.allclose(answer.sum(), 1, atol=1e-3):
        raise DataError(_("The model gives no numbers for some images."))


def _limit() -> None:
    """Before anything of the file is read."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def main() -> None:
    """Does the step of the command line."""
    step, folder, language = sys.argv[1:4]
    _limit()
    place = Path(folder).resolve()
    here = task.look_task if step == "look" else task.convert_task
    running = here(place.name)

    def work() -> None:
        with speaking(language):
            running.write(step)
            try:
                if step == "look":
                    write_json(place / "facts.json", look(place))
                    running.write("finished")
                else:
                    run = convert(place, RunStore())
                    running.write("finished", folder=run.id)
            except MemoryError as error:
                raise DataError(
                    _("The model needs more memory than an import may take.")
                ) from error
            except FileError as error:
                raise DataError(str(error)) from error

    running.run(work)


if __name__ == "__main__":
    main()

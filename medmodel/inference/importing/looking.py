"""What a foreign model says of itself: its input, its classes, how it scales pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from medmodel.core.control_characters import one_line
from medmodel.core.errors import ConfigError, DataError
from medmodel.core.preprocessing import Fit, window_values
from medmodel.language import _
from medmodel.model_import import keras_config, keras_file, onnx_file
from medmodel.model_import.checks import check_square
from medmodel.model_import.description import (
    LARGEST_SIDE,
    MOST_CLASSES,
    SMALLEST_SIDE,
    ModelDescription,
)
from medmodel.model_import.onnx_file import OnnxFile
from medmodel.model_import.source import ModelSource, find_model

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
        from medmodel.inference.importing import saved_model_import

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
    check_square(shape[0], shape[1])
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

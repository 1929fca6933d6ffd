"""A Keras layer that asks an ONNX encoder of the weights folder for features.

The encoder itself stays in that folder, since it may be larger than all runs together:
the layer holds its description, and opens the file only if it has the SHA-256 that was
noted. There is no gradient: maps are made by occlusion.
"""

from __future__ import annotations

import functools
from dataclasses import asdict
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from medmodel.core.errors import WeightsError
from medmodel.language import _
from medmodel.model_import.encoder_onnx import (
    MOST_FEATURES,
    OnnxEncoderFile,
    read_onnx_encoder,
)
from medmodel.model_import.encoders import Encoder
from medmodel.networks.onnx_layer import THREADS, runtime_errors

_PIXELS_AT_ONCE = 1 << 20
"""A transformer's memory grows with images and pixels: 20 of 224 px, 3 of 518."""


def images_at_once(encoder: Encoder) -> int:
    """How many images an encoder is given at once."""
    return max(1, min(32, _PIXELS_AT_ONCE // encoder.size**2))


class OpenEncoder:
    """An encoder that is ready to answer.

    Args:
        encoder: Its description.
        file: As read from its file.
        session: ONNX Runtime's.
    """

    def __init__(self, encoder: Encoder, file: OnnxEncoderFile, session: Any) -> None:
        self.encoder, self.file = encoder, file
        self._session = session

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (n, d) of images, uint8 (n, size, size, channels).

        Raises:
            WeightsError: The encoder fails on them.
        """
        step = self.file.batch or images_at_once(self.encoder)
        pieces = []
        for start in range(0, len(images), step):
            piece = images[start : start + step]
            missing = step - len(piece) if self.file.batch else 0
            full = np.concatenate([piece, np.repeat(piece[-1:], missing, axis=0)])
            pieces.append(self._ask(full)[: len(piece)])
        return np.concatenate(pieces)

    def _ask(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.file.dtype == "uint8":
            # What a member of an ensemble sees was shrunk: no whole numbers.
            whole = np.rint(images).astype(np.uint8)
            values: NDArray[Any] = _transposed(
                self.encoder, _repeated(self.encoder, whole)
            )
        else:
            values = encoder_input(self.encoder, images).astype(self.file.dtype)
        question = {self.file.input_name: values}
        try:
            answer = self._session.run([self.file.output_name], question)[0]
            numbers = np.asarray(answer, np.float32)
        except runtime_errors() as error:  # or it answers with texts, or a dictionary
            raise _failed(self.encoder, error) from error
        return pooled(self.encoder, numbers, len(images))


def encoder_input(encoder: Encoder, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Images as an encoder takes them: scaled, normalised, in its layout."""
    values = _repeated(encoder, images).astype(np.float32) / 255
    mean, std = (np.array(x, np.float32) for x in (encoder.mean, encoder.std))
    return _transposed(encoder, (values - mean) / std)


def _repeated(encoder: Encoder, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey images in as many channels as the encoder takes."""
    return np.repeat(images, encoder.channels // images.shape[-1], axis=-1)


def _transposed(encoder: Encoder, images: NDArray[Any]) -> NDArray[Any]:
    if encoder.layout == "NHWC":
        return images
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def pooled(
    encoder: Encoder, answer: NDArray[np.float32], count: int
) -> NDArray[np.float32]:
    """One row of features for each image, from tokens or maps.

    Args:
        encoder: Its description.
        answer: What it gave for these images.
        count: How many images these were.

    Raises:
        WeightsError: That is not what its description says.
    """
    rank = {"pooled": 2, "tokens": 3, "map": 4}[encoder.features]
    tokens, prefix = encoder.features == "tokens", encoder.prefix_tokens
    fits = answer.ndim == rank and len(answer) == count and answer.size
    if not fits or (tokens and answer.shape[1] <= prefix):
        raise _failed(
            encoder,
            _(
                "it answers with {shape}, which is no “{features}”",
                shape=answer.shape,
                features=encoder.features,
            ),
        )
    if tokens:
        means = answer[:, prefix:].mean(axis=1)
        first = [answer[:, 0]] if prefix else []
        answer = np.concatenate([*first, means], axis=1)
    elif encoder.features == "map":
        answer = answer.mean(axis=(2, 3) if encoder.layout == "NCHW" else (1, 2))
    if answer.shape[1] > MOST_FEATURES:
        raise _failed(
            encoder, _("it gives more than {most:,} features", most=MOST_FEATURES)
        )
    return checked_numbers(encoder, answer)


def checked_numbers(
    encoder: Encoder, features: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The same features, which are kept in half of that precision.

    Raises:
        WeightsError: They are no numbers, or too large.
    """
    if not np.abs(features).max() < np.finfo(np.float16).max:
        raise _failed(encoder, _("its features are no numbers, or too large"))
    return features


def _failed(encoder: Encoder, reason: object) -> WeightsError:
    text = str(reason).strip().partition("\n")[0][:200]
    return WeightsError(
        _(
            "The encoder {name} cannot be used: {reason}.",
            name=encoder.name,
            reason=text,
        )
    )


def open_encoder(encoder: Encoder) -> OpenEncoder:
    """Opens an ONNX encoder; one that is open already is shared.

    Raises:
        WeightsError: Its file is missing or altered, or ONNX Runtime refuses it.
    """
    return _opened(msgspec.json.encode(asdict(encoder)))


@functools.lru_cache(maxsize=2)
def _opened(description: bytes) -> OpenEncoder:
    import onnxruntime

    encoder = msgspec.json.decode(description, type=Encoder)
    file = read_onnx_encoder(encoder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    # Gives memory back after each question: others work on the same machine.
    options.enable_cpu_mem_arena = False
    try:
        session = onnxruntime.InferenceSession(
            file.content, options, providers=["CPUExecutionProvider"]
        )
    except runtime_errors() as error:
        raise _failed(encoder, error) from error
    return OpenEncoder(encoder, file, session)


@keras.saving.register_keras_serializable(package="medmodel")
class OnnxEncoder(keras.layers.Layer):
    """Features of images by an ONNX encoder.

    Args:
        description: An `Encoder`, as a dictionary.
        features: Numbers for each image.
        **settings: Of `keras.layers.Layer`.
    """

    def __init__(
        self, description: dict[str, Any], features: int, **settings: Any
    ) -> None:
        super().__init__(**{"trainable": False, "dtype": "float32", **settings})
        self.encoder = msgspec.convert(description, Encoder)
        self.features = features

    def open(self) -> OpenEncoder:
        """The encoder.

        Raises:
            WeightsError: Its file is missing or altered, or cannot be used.
        """
        return open_encoder(self.encoder)

    def call(self, images: Any) -> Any:
        """Features, float32 (n, features)."""
        answer = tf.numpy_function(self._ask, [images], tf.float32, stateful=False)
        return tf.ensure_shape(answer, (None, self.features))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """(n, features)."""
        return (input_shape[0], self.features)

    def get_config(self) -> dict[str, Any]:
        """Description and number of features."""
        own = {"description": asdict(self.encoder), "features": self.features}
        return super().get_config() | own

    def _ask(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.open().features(images)


def encoder_parameters(model: keras.Model) -> int:
    """Weights of a model's encoders, which Keras does not count."""
    encoders = [layer for layer in model.layers if isinstance(layer, OnnxEncoder)]
    return sum(layer.open().file.parameters for layer in encoders)


def check_encoders(model: keras.Model) -> None:
    """Opens the encoders that a model needs.

    Raises:
        WeightsError: One is missing, altered, or cannot be used.
    """
    for layer in model.layers:
        if isinstance(layer, OnnxEncoder):
            layer.open()

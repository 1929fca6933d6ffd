"""A Keras layer that asks ONNX Runtime, so that such a model is a run like any other.

The message lies among the layer's weights; ONNX Runtime reads it from memory, so it can
point to no file. There is no gradient: maps are made by occlusion.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from medmodel.core.errors import DECODER_ERRORS, DataError
from medmodel.language import _

THREADS = 4


def runtime_errors() -> tuple[type[Exception], ...]:
    """What is raised of a model that ONNX Runtime cannot open, or not compute."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = [kind for kind in vars(state).values() if isinstance(kind, type)]
    own = [kind for kind in kinds if issubclass(kind, Exception)]
    return (*DECODER_ERRORS, *own)


@keras.saving.register_keras_serializable(package="medmodel")
class OnnxClassifier(keras.layers.Layer):
    """What an ONNX model says of images.

    Args:
        input_name: Of the image.
        output_name: Of the classes' numbers.
        outputs: How many these are.
        number_type: numpy's name of the type that it takes.
        channels_first: Whether it takes (channels, height, width).
        batch: How many images it takes at once; 0 for any number.
        content: The message; read from the file of weights otherwise.
        **settings: Of `keras.layers.Layer`.
    """

    def __init__(
        self,
        input_name: str,
        output_name: str,
        outputs: int,
        number_type: str = "float32",
        channels_first: bool = True,
        batch: int = 0,
        content: bytes = b"",
        **settings: Any,
    ) -> None:
        super().__init__(**{"trainable": False, "dtype": "float32", **settings})
        self.input_name, self.output_name = input_name, output_name
        self.outputs, self.number_type = outputs, number_type
        self.channels_first, self.batch = channels_first, batch
        self._content = content
        self._session: Any = None

    def call(self, images: Any) -> Any:
        """Numbers for each class, float32 (n, outputs)."""
        answer = tf.numpy_function(self.ask, [images], tf.float32, stateful=False)
        return tf.ensure_shape(answer, (None, self.outputs))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """(n, outputs)."""
        return (input_shape[0], self.outputs)

    def get_config(self) -> dict[str, Any]:
        """Settings, without the message."""
        names = ("input_name", "output_name", "outputs", "number_type")
        more = ("channels_first", "batch")
        own = {name: getattr(self, name) for name in (*names, *more)}
        return super().get_config() | own

    def save_own_variables(self, store: Any) -> None:
        """Writes the message."""
        store["onnx"] = np.frombuffer(self._content, np.uint8)

    def load_own_variables(self, store: Any) -> None:
        """Reads the message."""
        self._content = np.asarray(store["onnx"], np.uint8).tobytes()
        self._session = None

    def ask(self, images: NDArray[np.floating]) -> NDArray[np.float32]:
        """Numbers for each class.

        Args:
            images: (n, height, width, channels), scaled as the model wants them.

        Returns:
            float32 (n, outputs).

        Raises:
            DataError: It does not answer for each image.
        """
        images = images.astype(self.number_type)
        if self.channels_first:
            images = images.transpose(0, 3, 1, 2)
        session = self._opened()
        step = self.batch or max(len(images), 1)
        pieces = []
        for start in range(0, len(images), step):
            piece = images[start : start + step]
            missing = step - len(piece)
            full = np.concatenate([piece, np.repeat(piece[-1:], missing, axis=0)])
            answer = np.asarray(
                session.run([self.output_name], {self.input_name: full})[0], np.float32
            )
            if not answer.ndim or len(answer) != step:
                raise DataError(
                    _(
                        "The model does not give one list of classes for each image: "
                        "export it with an open batch size."
                    )
                )
            pieces.append(answer.reshape(step, -1)[: len(piece)])
        return np.concatenate(pieces)

    def _opened(self) -> Any:
        if self._session is None:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = THREADS
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(
                self._content, options, providers=["CPUExecutionProvider"]
            )
        return self._session

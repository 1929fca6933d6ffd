"""Formats in which a model is exported."""

from __future__ import annotations

from dataclasses import dataclass

from medmodel.language import N_

OPSET = 17
"""Version of ONNX's operators: understood by ONNX Runtime 1.12 (2022) and later."""
TOLERANCE = 1e-4
"""By which a probability may differ from the model's own; 8 bits round."""
INT8_AGREEMENT = 0.98
"""Share of images of which an int8 model must predict the same class."""
INT8_ENOUGH = 0.995
"""Share of validation images with which no more precision is spent: test images are
others."""


@dataclass(frozen=True)
class ExportFormat:
    """One way to write a model.

    Args:
        key: In addresses, file names and on the command line.
        title: What it is called.
        file: Name of the model's file or folder.
        use: What it is for, as a sentence.
        needs: What a program needs that runs it: packages as pip installs them.
        quantised: Whether weights, and values between layers, are rounded to 8 bits.
    """

    key: str
    title: str
    file: str
    use: str
    needs: str
    quantised: bool = False


FORMATS = {
    entry.key: entry
    for entry in (
        ExportFormat(
            "onnx",
            "ONNX",
            "model.onnx",
            N_("For ONNX Runtime on servers, desktops and in browsers."),
            "onnxruntime numpy pillow",
        ),
        ExportFormat(
            "litert",
            "LiteRT",
            "model.tflite",
            N_("For phones and small computers (formerly TensorFlow Lite)."),
            "ai-edge-litert numpy pillow",
        ),
        ExportFormat(
            "litert_int8",
            N_("LiteRT, 8 bits"),
            "model_int8.tflite",
            N_("Smaller where layers are large; how far answers differ is measured."),
            "ai-edge-litert numpy pillow",
            quantised=True,
        ),
        ExportFormat(
            "saved_model",
            "SavedModel",
            "saved_model",
            N_("For TensorFlow Serving and TensorFlow in other languages."),
            "tensorflow numpy pillow",
        ),
        ExportFormat(
            "keras",
            "Keras",
            "model.keras",
            N_("For Keras 3 in Python: can be trained further."),
            "tensorflow numpy pillow",
        ),
    )
}

"""ONNX encoders as data: operators, external weights, shapes; nothing is run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx
from google.protobuf.message import DecodeError, EncodeError

from medmodel.core.environment import weights_folder
from medmodel.core.errors import DataError, WeightsError
from medmodel.language import _
from medmodel.model_import import onnx_file
from medmodel.model_import.encoders import Encoder, check_digest, encoder_content

MOST_FEATURES = 16_384
"""Numbers for each image."""
MOST_NUMBERS = 1 << 28
"""Numbers that any step of an encoder may make of one image: 1 GB in float32."""
_RANKS = {"pooled": 2, "tokens": 3, "map": 4}
_INFERENCE_ERRORS = (
    *(onnx.shape_inference.InferenceError, onnx.checker.ValidationError),
    *(DecodeError, EncodeError, ValueError, RuntimeError),
)
"""Of onnx, which checks functions before it looks at shapes."""


@dataclass(frozen=True)
class OnnxEncoderFile:
    """An encoder whose weights are all inside.

    Args:
        content: The message.
        input_name: Of the image.
        output_name: Of the features.
        dtype: numpy's name of the type of the image's numbers.
        batch: How many images it takes at once; 0 for any number.
        parameters: Number of weights.
    """

    content: bytes
    input_name: str
    output_name: str
    dtype: str
    batch: int
    parameters: int


def read_onnx_encoder(encoder: Encoder) -> OnnxEncoderFile:
    """Reads and checks an encoder of the weights folder.

    Raises:
        WeightsError: It is missing, altered, damaged or too large, holds an operator
            that is refused, takes other images than described, or has weights outside
            the folder.
    """
    model = onnx.ModelProto()
    try:
        model.ParseFromString(encoder_content(encoder, onnx_file.MOST_WEIGHTS))
        if not model.graph.node or not model.graph.output:
            raise DecodeError
    except DecodeError as error:
        raise WeightsError(
            _("{file} is no ONNX model, or it is damaged.", file=encoder.file)
        ) from error
    try:
        onnx_file.check_operators(model)
        for name in sorted(onnx_file.external_files(model)):
            check_digest(encoder, name)
        onnx_file.take_in_weights(model, weights_folder())
        image = onnx_file.image_input(model)
    except DataError as error:
        raise _refused(encoder, str(error)) from error
    _check_input(encoder, onnx_file.shape_of(image))
    output = _output(encoder, model)
    _check_shapes(encoder, model, image.name)
    return OnnxEncoderFile(
        content=model.SerializeToString(),
        input_name=image.name,
        output_name=output.name,
        dtype=onnx_file.number_type(image),
        batch=onnx_file.shape_of(image)[0],
        parameters=onnx_file.count_weights(model),
    )


def _refused(encoder: Encoder, reason: str) -> WeightsError:
    return WeightsError(
        _("The encoder {name}: {reason}", name=encoder.name, reason=reason)
    )


def _check_input(encoder: Encoder, shape: list[int]) -> None:
    side, channels = encoder.size, encoder.channels
    expected = {
        "NCHW": [0, channels, side, side],
        "NHWC": [0, side, side, channels],
    }[encoder.layout]
    pairs = zip(shape[1:], expected[1:], strict=True)
    if any(given not in (0, wanted) for given, wanted in pairs):
        raise _refused(
            encoder,
            _(
                "its file takes images of {given}, its description says {layout} with "
                "{wanted}.",
                given=" × ".join(str(n or "?") for n in shape[1:]),
                layout=encoder.layout,
                wanted=" × ".join(map(str, expected[1:])),
            ),
        )


def _output(encoder: Encoder, model: onnx.ModelProto) -> onnx.ValueInfoProto:
    outputs = {value.name: value for value in model.graph.output}
    if encoder.output not in outputs and (encoder.output or len(outputs) > 1):
        raise _refused(
            encoder,
            _(
                "name one of its outputs as “output”: {names}.",
                names=", ".join(outputs)[:200],
            ),
        )
    output = outputs.get(encoder.output) or next(iter(outputs.values()))
    rank = len(output.type.tensor_type.shape.dim)
    if rank not in (0, _RANKS[encoder.features]):
        raise _refused(
            encoder,
            _(
                "the output {output} has {rank} dimensions, which are no “{features}”.",
                output=output.name[:80],
                rank=rank,
                features=encoder.features,
            ),
        )
    return output


def _check_shapes(encoder: Encoder, model: onnx.ModelProto, image: str) -> None:
    """Refuses an encoder that would fill the memory, as far as its file tells."""
    single = onnx.ModelProto()
    single.CopyFrom(model)
    for value in single.graph.input:
        if value.name == image:
            sides = onnx_file.shape_of(value)
            free = {"NCHW": (1, encoder.channels, encoder.size, encoder.size)}
            free["NHWC"] = (1, encoder.size, encoder.size, encoder.channels)
            for place, side in enumerate(sides):
                dim = value.type.tensor_type.shape.dim[place]
                dim.dim_value = side or free[encoder.layout][place]
    try:
        inferred = onnx.shape_inference.infer_shapes(single, data_prop=True)
    except _INFERENCE_ERRORS as error:
        raise _refused(encoder, _("its shapes do not fit together.")) from error
    graph = inferred.graph
    for value in (*graph.input, *graph.value_info, *graph.output):
        if math.prod(onnx_file.shape_of(value)) > MOST_NUMBERS:
            raise _refused(
                encoder,
                _(
                    "the step {step} would make more than {most:,} numbers of one "
                    "image.",
                    step=value.name[:80],
                    most=MOST_NUMBERS,
                ),
            )

"""ONNX files as data: which input, which output, which operators; nothing is run.

Weights may lie in other files (external data), which an attacker could point anywhere:
they are read from the model's own folder alone, through no link.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import onnx
from google.protobuf.message import DecodeError, Message

from medmodel.core.errors import DataError
from medmodel.core.regular_files import open_regular
from medmodel.export.formats import OPSET
from medmodel.language import _
from medmodel.model_import.checks import check_square

MOST_WEIGHTS = (1 << 31) - (1 << 20)
"""Bytes of weights that one message of protocol buffers may hold."""
MOST_NODES = 50_000
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Operators that ONNX Runtime has by itself; others would be somebody's program."""
PROBABILITY_NAMES = ("probabilities", "probability", "scores", "logits", "output")
"""How outputs with a number for each class are called; the first that fits is read."""
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)
_IMAGES = (*_FLOATS, onnx.TensorProto.UINT8)
_DATA_TYPES = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.DOUBLE: "float64",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.UINT8: "uint8",
}

_Kind = TypeVar("_Kind", bound=Message)


@dataclass(frozen=True)
class OnnxFile:
    """A model whose weights are all inside.

    Args:
        content: The message.
        input_name: Of the image.
        output_name: Of the classes' numbers.
        dtype: numpy's name of the type of the image's numbers.
        channels_first: Whether it takes (channels, height, width).
        size: Height and width; 0 where they are open.
        channels: 1 or 3; 0 where that is open.
        batch: How many images it is given at once; 0 for any number.
        outputs: Numbers for each image; 0 where that is open.
        ending: Operator that makes the output.
        metadata: What this program wrote into it, or None.
        producer: Which program wrote it.
    """

    content: bytes
    input_name: str
    output_name: str
    dtype: str
    channels_first: bool
    size: int
    channels: int
    batch: int
    outputs: int
    ending: str
    metadata: dict[str, Any] | None
    producer: str
    parameters: int


def read_onnx_file(path: Path) -> OnnxFile:
    """Reads and checks an ONNX file.

    Raises:
        DataError: It is damaged, too large, no classifier of images, holds an operator
            that is refused, or weights that lie elsewhere.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, OSError, ValueError, RuntimeError) as error:
        raise DataError(
            _("{file} is no ONNX model, or it is damaged.", file=path.name)
        ) from error
    if not model.graph.node or not model.graph.output:
        raise DataError(_("{file} is no ONNX model, or it is damaged.", file=path.name))
    _check_version(model)
    check_operators(model)
    take_in_weights(model, path.parent)
    return _described(model)


def _check_version(model: onnx.ModelProto) -> None:
    """Refuses what a later ONNX wrote than the one here.

    Raises:
        DataError: It does.
    """
    opset = max((o.version for o in model.opset_import if not o.domain), default=0)
    newest = onnx.defs.onnx_opset_version()
    if opset > newest or model.ir_version > onnx.IR_VERSION:
        raise DataError(
            _(
                "The model was written for a later ONNX than is read here (opset "
                "{newest}, IR version {version}). Export it again with opset {usual}.",
                newest=newest,
                version=onnx.IR_VERSION,
                usual=OPSET,
            )
        )


def check_operators(model: onnx.ModelProto) -> None:
    """Refuses operators whose program is not in the file.

    Raises:
        DataError: One is none of ONNX, or there are too many, each counted as often as
            functions of the file use it.
    """
    functions = {(f.domain, f.name) for f in model.functions}
    for node in _messages(model, onnx.NodeProto):
        # A function is the file itself saying of which operators this one is made.
        if node.domain not in DOMAINS and (node.domain, node.op_type) not in functions:
            raise DataError(
                _(
                    "The operator {name} of {domain} is none of ONNX: its program is "
                    "not in the file, and is not run.",
                    name=node.op_type[:80],
                    domain=node.domain[:80],
                )
            )
    if _inlined_nodes(model) > MOST_NODES:
        raise DataError(
            _("The model has more than {most:,} operators.", most=MOST_NODES)
        )


def _inlined_nodes(model: onnx.ModelProto) -> float:
    """Operators with each function written out; infinity where one calls itself.

    A few functions that call each other twice would fill the memory of who does so.
    """
    calls: dict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
    for function in model.functions:
        calls[function.domain, function.name] += _operators(function)
    sorter = TopologicalSorter({name: calls[name].keys() for name in calls})
    try:
        order = list(sorter.static_order())
    except CycleError:
        return math.inf
    sizes: dict[tuple[str, str], float] = {}

    def written_out(operators: Counter[tuple[str, str]]) -> float:
        return sum(times * sizes[name] for name, times in operators.items())

    for name in order:
        sizes[name] = float(written_out(calls[name])) if name in calls else 1.0
    operators = _operators(model.graph)
    sizes = dict.fromkeys(operators, 1.0) | sizes
    return written_out(operators)


def _operators(message: Message) -> Counter[tuple[str, str]]:
    nodes = _messages(message, onnx.NodeProto)
    return Counter((node.domain, node.op_type) for node in nodes)


def _messages(message: Message, kind: type[_Kind]) -> Iterator[_Kind]:
    """All messages of a kind inside another, wherever these stand.

    Nodes and weights also lie in branches, in functions and in defaults of their
    attributes.
    """
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for inner in [value] if isinstance(value, Message) else value:
            if isinstance(inner, kind):
                yield inner
            yield from _messages(inner, kind)


def external_files(model: onnx.ModelProto) -> set[str]:
    """Files that are said to hold weights of the model."""
    return {
        entry.value
        for tensor in _messages(model, onnx.TensorProto)
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }


def take_in_weights(model: onnx.ModelProto, folder: Path) -> None:
    """Reads external data from files in the model's folder into the model.

    Raises:
        DataError: They lie elsewhere, are missing, too large or behind a link.
    """
    room = MOST_WEIGHTS - model.ByteSize()
    for tensor in list(_messages(model, onnx.TensorProto)):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        facts = {entry.key: entry.value for entry in tensor.external_data}
        content = _external(facts, folder, room)
        room -= len(content)
        tensor.raw_data = content
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _external(facts: dict[str, str], folder: Path, room: int) -> bytes:
    location = facts.get("location", "")
    parts = PurePosixPath(location.replace("\\", "/")).parts
    if len(parts) != 1 or parts[0] in ("/", "..", "."):
        raise DataError(
            _(
                "The model's weights are said to lie in {file}, outside its folder: "
                "they are not opened.",
                file=location[:80] or "?",
            )
        )
    try:
        offset, length = int(facts.get("offset", 0)), int(facts.get("length", -1))
        with open_regular(folder / parts[0]) as file:
            size = file.seek(0, 2) - offset
            length = size if length < 0 else length
            if offset < 0 or not 0 <= length <= size:
                raise DataError(_("{file} is cut short.", file=parts[0][:80]))
            if length > room:
                raise DataError(_("The model is too large."))
            file.seek(offset)
            return file.read(length)
    except (OSError, ValueError) as error:
        raise DataError(
            _(
                "The model's weights lie in {file}, which is not beside it: give both "
                "together, as a ZIP file.",
                file=parts[0][:80],
            )
        ) from error


def _described(model: onnx.ModelProto) -> OnnxFile:
    image, classes = image_input(model), _class_output(model)
    shape = shape_of(image)
    first = shape[1] in (1, 3) and shape[3] not in (1, 3)
    channels = shape[1] if first else shape[3] if shape[3] in (1, 3) else 0
    sides = shape[2:] if first else shape[1:3]
    if channels == 0 and 0 not in (shape[1], shape[3]):
        raise DataError(
            _(
                "The model takes {channels} channels: 1 or 3 are given.",
                channels=shape[1],
            )
        )
    check_square(*sides)
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    ends = shape_of(classes)
    return OnnxFile(
        content=model.SerializeToString(),
        input_name=image.name,
        output_name=classes.name,
        dtype=number_type(image),
        channels_first=first,
        size=sides[0],
        channels=channels,
        batch=shape[0] or _together(model),
        outputs=ends[1] if len(ends) > 1 else 0,
        ending=makers.get(classes.name, ""),
        metadata=_own_metadata(model),
        producer=model.producer_name,
        parameters=count_weights(model),
    )


def _together(model: onnx.ModelProto) -> int:
    """How many images a model of an open batch size is given at once; 0 for any number.

    What ONNX Runtime quantises dynamically is rounded by the range of all values that
    it is given: one image's answer would depend on the others.
    """
    nodes = _messages(model, onnx.NodeProto)
    return int(any(node.op_type.startswith("DynamicQuantize") for node in nodes))


def number_type(image: onnx.ValueInfoProto) -> str:
    """Name in numpy of the type of an image's numbers."""
    return _DATA_TYPES[image.type.tensor_type.elem_type]


def count_weights(model: onnx.ModelProto) -> int:
    """Numbers in a model's weights."""
    return sum(_count(tensor) for tensor in model.graph.initializer)


def _count(tensor: onnx.TensorProto) -> int:
    product = 1
    for side in tensor.dims:
        product *= max(int(side), 0)
    return product


def image_input(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The one input that is no weight.

    Raises:
        DataError: There are several, or it is no image.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise DataError(_("The model takes more than one input: one image is given."))
    image = inputs[0]
    kind = image.type.tensor_type.elem_type
    if len(shape_of(image)) != 4 or kind not in _IMAGES:
        raise DataError(
            _("The model does not take images: (batch, height, width, channels).")
        )
    return image


def _class_output(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The output with a number for each class.

    Raises:
        DataError: There is none.
    """
    fitting = [
        value
        for value in model.graph.output
        if value.type.tensor_type.elem_type in _FLOATS
        and (len(shape_of(value)) in (0, 2) or shape_of(value)[2:] == [1, 1])
    ]
    if len(fitting) == 1:
        return fitting[0]
    by_name = {value.name.lower(): value for value in fitting}
    named = [by_name[name] for name in PROBABILITY_NAMES if name in by_name]
    if not named:
        raise DataError(
            _(
                "The model has no output with one number for each class, or several: "
                "it is no classifier of images."
            )
        )
    return named[0]


def shape_of(value: onnx.ValueInfoProto) -> list[int]:
    """Sides of a tensor, 0 where one is open: some programs write -1 then."""
    return [max(int(side.dim_value), 0) for side in value.type.tensor_type.shape.dim]


def _own_metadata(model: onnx.ModelProto) -> dict[str, Any] | None:
    for entry in model.metadata_props:
        if entry.key == "medmodel":
            try:
                facts = json.loads(entry.value)
            except ValueError:
                return None
            return facts if isinstance(facts, dict) else None
    return None

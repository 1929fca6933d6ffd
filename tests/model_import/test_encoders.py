"""Encoders of the weights folder: what their descriptions and files may be."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from medmodel.core.environment import weights_folder
from medmodel.core.errors import WeightsError
from medmodel.model_import.encoder_onnx import read_onnx_encoder
from medmodel.model_import.encoders import (
    check_digest,
    encoder_content,
    list_encoders,
    read_encoder,
)
from tests.encoder_files import (
    patch_weights,
    pooled_encoder,
    vision_transformer,
    with_external_weights,
    write_encoder,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDMODEL_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


def test_the_weights_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("MEDMODEL_WEIGHTS", raising=False)
    assert weights_folder() == tmp_path / "weights"
    assert list_encoders() == []


def test_encoders_are_listed_with_what_is_wrong(folder: Path) -> None:
    write_encoder(folder, "b-good")
    write_encoder(folder, "a-none").unlink()
    write_encoder(folder, "c-free")
    (folder / "c-free.licence.txt").write_text("")
    (folder / "d-half.json").write_text("{")
    (folder / "notes.txt").write_text("nothing")
    entries = {entry.key: entry for entry in list_encoders()}
    assert list(entries) == ["a-none", "b-good", "c-free", "d-half"]
    assert entries["b-good"].problem == "" and entries["b-good"].encoder
    digest = read_encoder("a-none").sha256
    assert f"copy it there (SHA-256 {digest})" in entries["a-none"].problem
    assert str(folder) in entries["a-none"].problem
    assert "no text of its licence" in entries["c-free"].problem
    assert "c-free.licence.txt" in entries["c-free"].problem
    assert "d-half.json is damaged" in entries["d-half"].problem


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"name": " "}, "“name”"),
        ({"name": "x" * 81}, "“name”"),
        ({"file": "../a.onnx"}, "no name of a file in the same folder"),
        ({"licence": "/etc/passwd"}, "no name of a file in the same folder"),
        ({"data": {"a/b": "0" * 64}}, "no name of a file in the same folder"),
        ({"file": "a.pt"}, "must end in .onnx or .keras"),
        ({"sha256": "A" * 64}, "64 hexadecimal digits"),
        ({"data": {"a.bin": "0" * 63}}, "64 hexadecimal digits"),
        ({"size": 15}, "between 16 and 1024"),
        ({"size": 1025}, "between 16 and 1024"),
        ({"channels": 2}, "must be 1 or 3"),
        ({"mean": [0.5]}, "a number for each channel"),
        ({"channels": 1}, "a number for each channel"),
        ({"std": [1.0, 0.0, 1.0]}, "above 0"),
        ({"prefix_tokens": 65}, "between 0 and 64"),
        ({"prefix_tokens": -1}, "between 0 and 64"),
        ({"file": "a.keras"}, "takes the layout NHWC"),
        ({"layout": "CHW"}, "damaged"),
        ({"size": "224"}, "damaged"),
    ],
)
def test_what_cannot_be_in_a_description(
    folder: Path, changes: dict[str, Any], sentence: str
) -> None:
    write_encoder(folder, "one", **changes)
    with pytest.raises(WeightsError, match=r"one\.json") as refused:
        read_encoder("one")
    assert sentence in str(refused.value)


def test_the_ends_of_what_a_description_may_say(folder: Path) -> None:
    for key, size in (("small", 16), ("large", 1024)):
        write_encoder(folder, key, name="x" * 80, size=size, prefix_tokens=64)
        assert read_encoder(key).size == size


@pytest.mark.parametrize("key", ["../one", "", "one/two", ".hidden", "x" * 65])
def test_a_key_leads_nowhere_else(folder: Path, key: str) -> None:
    with pytest.raises(WeightsError, match="cannot describe an encoder"):
        read_encoder(key)


def test_a_description_that_is_away_is_named(folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"one\.json of an encoder is not in"):
        read_encoder("one")


def test_an_altered_file_is_refused(folder: Path) -> None:
    path = write_encoder(folder, "one")
    encoder = read_encoder("one")
    size = path.stat().st_size
    assert encoder_content(encoder, size) == path.read_bytes()
    with pytest.raises(WeightsError, match="ONE: The model is too large"):
        encoder_content(encoder, size - 1)
    assert check_digest(encoder, path.name) == path
    path.write_bytes(path.read_bytes() + b"\0")
    for read in (
        lambda e: encoder_content(e, 1 << 20),
        lambda e: check_digest(e, path.name),
    ):
        with pytest.raises(WeightsError, match="is not the file of the encoder ONE"):
            read(encoder)
    path.unlink()
    path.symlink_to(folder / "one.json")
    with pytest.raises(WeightsError, match="cannot be read"):
        encoder_content(encoder, 1 << 20)


def test_other_weights_or_another_recipe_have_another_fingerprint(
    folder: Path,
) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"mean": [0.1, 0.2, 0.3]},
        {"std": [1.0, 2.0, 3.0]},
        {"prefix_tokens": 0},
        {"output": "mean"},
        {"features": "pooled"},
        {"sha256": "0" * 64},
        {"size": 64},
        {"layout": "NHWC"},
        {"data": {"a": "0" * 64}},
    ]
    prints = set()
    for change in changes:
        write_encoder(folder, "one", **change)
        prints.add(read_encoder("one").fingerprint)
    assert len(prints) == len(changes)
    write_encoder(folder, "one", name="Another name", licence="one.licence.txt")
    assert read_encoder("one").fingerprint in prints


def test_what_is_read_of_an_onnx_encoder(folder: Path) -> None:
    write_encoder(folder, "one")
    file = read_onnx_encoder(read_encoder("one"))
    assert (file.input_name, file.output_name) == ("pixels", "tokens")
    assert (file.dtype, file.batch) == ("float32", 0)
    assert file.parameters == patch_weights().size + 3
    write_encoder(folder, "one", model=vision_transformer(batch=4))
    assert read_onnx_encoder(read_encoder("one")).batch == 4


def big() -> onnx.ModelProto:
    """An image laid out 2 ** 18 times."""
    repeats = onnx.numpy_helper.from_array(np.array([1, 512, 512, 1], np.int64), "r")
    model = pooled_encoder(
        nodes=[
            helper.make_node("Tile", ["x", "r"], ["wide"]),
            helper.make_node("ReduceMean", ["wide"], ["y"], axes=[1, 2], keepdims=0),
        ]
    )
    model.graph.initializer.append(repeats)
    return model


def open_ended() -> onnx.ModelProto:
    """2 ** 40 images at once, of whose features the file tells nothing."""
    mean = helper.make_node("FastGelu", ["x"], ["y"], domain="com.microsoft")
    model = pooled_encoder(nodes=[mean])
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1 << 40
    return model


def with_functions(calls: dict[str, list[str]]) -> onnx.ModelProto:
    """An encoder that asks the first of functions, each of which asks others."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    kind = next(iter(calls))
    model = pooled_encoder(nodes=[helper.make_node(kind, ["x"], ["y"], domain="local")])
    model.opset_import.append(opsets[1])
    for name, asked in calls.items():
        values = ["a", *(f"v{at}" for at in range(len(asked) - 1)), "b"]
        nodes = [
            helper.make_node(
                other, [one], [two], domain="local" if other in calls else ""
            )
            for other, one, two in zip(asked, values[:-1], values[1:], strict=True)
        ]
        model.functions.append(
            helper.make_function("local", name, ["a"], ["b"], nodes, opsets)
        )
    return model


def doubling(levels: int) -> onnx.ModelProto:
    """2 ** levels operators, written down in a few."""
    calls = {f"F{at}": [f"F{at - 1}"] * 2 for at in range(levels, 0, -1)}
    return with_functions({**calls, "F0": ["Identity"]})


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"size": 64}, "3 × 32 × 32, its description says NCHW with 3 × 64 × 64"),
        ({"layout": "NHWC"}, "its description says NHWC"),
        ({"output": ""}, "name one of its outputs as “output”: tokens, mean"),
        ({"output": "logits"}, "name one of its outputs"),
        ({"features": "pooled"}, "has 3 dimensions, which are no “pooled”"),
        ({"kind": "pooled", "model": big()}, "wide would make more than"),
        ({"kind": "pooled", "model": open_ended()}, "x would make more than"),
        ({"kind": "pooled", "model": doubling(16)}, "more than 50,000 operators"),
        ({"kind": "pooled", "model": doubling(400)}, "more than 50,000 operators"),
        (
            {"kind": "pooled", "model": with_functions({"F": ["F"]})},
            "more than 50,000 operators",
        ),
    ],
)
def test_onnx_encoders_that_are_refused(
    folder: Path, changes: dict[str, Any], sentence: str
) -> None:
    write_encoder(folder, "one", **changes)
    with pytest.raises(WeightsError, match="encoder ONE") as refused:
        read_onnx_encoder(read_encoder("one"))
    assert sentence in str(refused.value)


def test_functions_are_counted_as_often_as_they_are_used(folder: Path) -> None:
    write_encoder(folder, "one", "pooled", model=doubling(15))
    assert read_onnx_encoder(read_encoder("one")).input_name == "x"


def test_functions_that_onnx_itself_refuses(folder: Path) -> None:
    model = with_functions({"F": ["Identity"]})
    model.functions.append(model.functions[0])
    write_encoder(folder, "one", "pooled", model=model)
    with pytest.raises(WeightsError, match="shapes do not fit together"):
        read_onnx_encoder(read_encoder("one"))


def test_sides_of_minus_one_are_open(folder: Path) -> None:
    model = pooled_encoder()
    for side in model.graph.input[0].type.tensor_type.shape.dim[:3]:
        side.dim_value = -1
    write_encoder(folder, "one", "pooled", model=model)
    assert read_onnx_encoder(read_encoder("one")).batch == 0


def test_operators_of_others_are_named(folder: Path) -> None:
    model = pooled_encoder(
        nodes=[helper.make_node("Sorcery", ["x"], ["y"], domain="somebody")]
    )
    model.opset_import.append(helper.make_opsetid("somebody", 1))
    write_encoder(folder, "one", "pooled", model=model)
    with pytest.raises(WeightsError, match="Sorcery of somebody"):
        read_onnx_encoder(read_encoder("one"))


def test_no_onnx_at_all(folder: Path) -> None:
    path = write_encoder(folder, "one")
    for content in (b"\xff" * 9, b""):
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        description = json.loads((folder / "one.json").read_text())
        (folder / "one.json").write_text(json.dumps({**description, "sha256": digest}))
        with pytest.raises(WeightsError, match="no ONNX model"):
            read_onnx_encoder(read_encoder("one"))


def test_external_weights_have_a_checksum_of_their_own(folder: Path) -> None:
    model = with_external_weights(folder, "one.bin")
    content = (folder / "one.bin").read_bytes()
    write_encoder(folder, "one", model=model)
    with pytest.raises(WeightsError, match="add it under “data”"):
        read_onnx_encoder(read_encoder("one"))
    digest = hashlib.sha256(content).hexdigest()
    write_encoder(folder, "one", model=model, data={"one.bin": digest})
    inside = onnx.load_from_string(read_onnx_encoder(read_encoder("one")).content)
    weights = onnx.numpy_helper.to_array(inside.graph.initializer[0])
    np.testing.assert_array_equal(weights, patch_weights())
    (folder / "one.bin").write_bytes(content[:-1] + b"\x77")
    with pytest.raises(WeightsError, match=r"one\.bin in .* is not the file"):
        read_onnx_encoder(read_encoder("one"))
    (folder / "one.bin").unlink()
    with pytest.raises(WeightsError, match=r"one\.bin of the encoder ONE is not in"):
        read_onnx_encoder(read_encoder("one"))


def in_branch(node: onnx.NodeProto, tensor: onnx.TensorProto) -> None:
    value = helper.make_tensor_value_info("w", TensorProto.FLOAT, None)
    node.attribute.append(
        helper.make_attribute("g", helper.make_graph([], "g", [], [value], [tensor]))
    )


@pytest.mark.parametrize("place", ["branch", "in a function", "default", "sparse"])
def test_weights_are_looked_for_everywhere(folder: Path, place: str) -> None:
    """ONNX Runtime would read the file unasked, from where the program was started."""
    outside = with_external_weights(folder, "one.bin").graph.initializer[0]
    model = with_functions({"F": ["Identity"]})
    function = model.functions[0]
    if place == "branch":
        in_branch(model.graph.node[0], outside)
    elif place == "in a function":
        in_branch(function.node[0], outside)
    elif place == "default":
        function.attribute_proto.append(helper.make_attribute("t", outside))
    else:
        sparse = onnx.SparseTensorProto(values=outside)
        function.node[0].attribute.append(helper.make_attribute("s", sparse))
    write_encoder(folder, "one", "pooled", model=model)
    with pytest.raises(WeightsError, match="has weights in one.bin, whose SHA-256"):
        read_onnx_encoder(read_encoder("one"))


@pytest.mark.parametrize("name", ["/etc/hostname", "../one.bin"])
def test_weights_outside_the_folder_are_not_opened(folder: Path, name: str) -> None:
    write_encoder(folder, "one", model=with_external_weights(folder, name))
    with pytest.raises(WeightsError, match="does not give: add it"):
        read_onnx_encoder(read_encoder("one"))


def test_an_image_of_bytes_is_taken_as_it_is(folder: Path) -> None:
    write_encoder(folder, "one", "pooled", model=pooled_encoder(TensorProto.UINT8))
    assert read_onnx_encoder(read_encoder("one")).dtype == "uint8"

"""Graphs of Keras files: what is refused is named, other files are not opened."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from medmodel.core.errors import DataError
from medmodel.model_import import keras_config
from medmodel.model_import.keras_config import check_config
from medmodel.model_import.keras_file import read_keras_file
from tests.foreign_models import SIDE, write_teachable_machine


def layer(kind: str, **more: Any) -> dict[str, Any]:
    config = more.pop("config", {})
    config = {"name": "suspect", **config} if isinstance(config, dict) else config
    return {"class_name": kind, "module": "keras.layers", "config": config, **more}


def graph(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "m", "layers": list(layers)}}


def test_the_graph_of_a_teachable_machine(tmp_path: Path) -> None:
    file = read_keras_file(write_teachable_machine(tmp_path / "keras_model.h5"))
    assert not file.native
    assert keras_config.input_shape(file.config) == [SIDE, SIDE, 3]
    assert keras_config.output_units(file.config) == 2
    assert not keras_config.normalises(file.config)
    assert "dense_Dense2" in set(keras_config.layer_names(file.config))


@pytest.mark.parametrize(
    "suspect",
    [
        layer("Lambda", config={"function": ["4wEAAA==", None, None]}),
        layer("TFSMLayer", config={"filepath": "/tmp/x"}),
        layer("Dense", module="builtins"),
        layer("Dense", module="os"),
        layer("Dense", registered_name="Custom>Dense"),
        layer("MyAttention"),
        layer("StringLookup", config={"vocabulary": "/etc/passwd"}),
        layer(
            "Dense", config={"activation": {"class_name": "function", "config": "f"}}
        ),
        layer("Dense", config={"activation": "system"}),
        layer("get_file", module="keras.src.ops.numpy"),
        layer("Add", module="keras.src.ops.numpy", config=[]),
        layer("Flatten", inbound_nodes=[{"args": [{"class_name": "system"}]}]),
        layer("Flatten", build_config={"x": [{"class_name": "function"}]}),
    ],
)
def test_a_refused_layer_is_named(suspect: dict[str, Any]) -> None:
    inner = graph(layer("Flatten"), suspect)
    for config in (graph(suspect), graph(inner)):
        with pytest.raises(DataError, match=r"suspect|\?"):
            check_config(config)


def test_layers_of_keras_are_not_refused() -> None:
    check_config(graph(layer("Dense", config={"activation": "relu"}), layer("Dropout")))


def test_a_class_of_ones_own_is_refused() -> None:
    with pytest.raises(DataError, match="MyModel"):
        check_config({"class_name": "MyModel", "config": {}})


def test_settings_lose_what_keras_would_make_an_object_of() -> None:
    settings = keras_config.plain_settings(
        layer(
            "DepthwiseConv2D",
            config={
                "groups": 1,
                "dtype": "float16",
                "depthwise_initializer": {"class_name": "system", "module": "os"},
                "other": {"class_name": "system"},
                "deep": [{"x": {"class_name": "system"}}],
                "activation": "relu",
            },
        )
    )
    assert settings == {"name": "suspect", "activation": "relu"}


def test_what_keras_builds_names_nothing_but_its_own_layers() -> None:
    suspect = layer("Dense", module="keras.src.utils.x", compile_config={"a": 1})
    plain = keras_config.plain_config(graph(suspect, graph(layer("Flatten"))))
    dense, inner = plain["config"]["layers"]
    assert dense["module"] == "keras.layers" and "compile_config" not in dense
    assert (plain["module"], inner["class_name"]) == ("keras", "Sequential")


def test_external_weights_are_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(64))
    for kind in ("link", "storage", "soft"):
        path = write_teachable_machine(tmp_path / f"{kind}.h5")
        with h5py.File(path, "a") as file:
            if kind == "link":
                file["outside"] = h5py.ExternalLink("secret.h5", "/x")
            elif kind == "soft":
                file["outside"] = h5py.SoftLink("/model_weights")
            else:
                place = [(str(secret), 0, 64)]
                file.create_dataset("outside", (16,), "f4", external=place)
        with pytest.raises(DataError, match="another file"):
            read_keras_file(path)


def test_too_many_weights_are_refused(tmp_path: Path) -> None:
    path = write_teachable_machine(tmp_path / "large.h5")
    with h5py.File(path, "a") as file:
        # Nothing is stored of it: the file stays small.
        file.create_dataset("bomb", (2**31,), "f4", chunks=(2**20,))
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="too large"):
        read_keras_file(path)


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["kernel"] = np.zeros(3)
    with pytest.raises(DataError, match="whole model"):
        read_keras_file(tmp_path / "w.h5")


def test_damaged_files_are_said_to_be(tmp_path: Path) -> None:
    whole = write_teachable_machine(tmp_path / "whole.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        read_keras_file(tmp_path / "cut.h5")
    (tmp_path / "list.h5").write_bytes(whole)
    with h5py.File(tmp_path / "list.h5", "a") as file:
        file.attrs["model_config"] = "[1]"
    with pytest.raises(DataError, match="damaged"):
        read_keras_file(tmp_path / "list.h5")


def native(path: Path, **others: bytes) -> Path:
    with h5py.File(path.with_suffix(".weights"), "w") as file:
        file["x"] = np.zeros(1)
    config = graph(layer("Dense", config={"units": 2}))
    version = json.dumps({"keras_version": "3.15.1"}).encode()
    facts = {"config.json": json.dumps(config).encode(), "metadata.json": version}
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_suffix(".weights"), "model.weights.h5")
        for name, content in (facts | others).items():
            archive.writestr(name, content)
    return path


def test_a_keras_archive_holds_a_model_and_nothing_else(tmp_path: Path) -> None:
    file = read_keras_file(native(tmp_path / "m.keras"))
    assert file.native and file.version == "3.15.1" and file.metadata is None
    with pytest.raises(DataError, match="assets/run.py"):
        read_keras_file(native(tmp_path / "n.keras", **{"assets/run.py": b"x"}))


@pytest.mark.parametrize("units", ["two", None, [2], -1, 2.5])
def test_a_number_of_classes_that_is_none_is_not_known(units: Any) -> None:
    last = layer("Dense", config={"units": units})
    assert keras_config.output_units(graph(layer("Flatten"), last)) == 0


def test_facts_of_a_keras_archive_that_are_none(tmp_path: Path) -> None:
    path = native(tmp_path / "m.keras", **{"metadata.json": b"[]"})
    with pytest.raises(DataError, match="m.keras is damaged"):
        read_keras_file(path)


def test_other_inputs_than_an_image_are_refused() -> None:
    for shape in ([None, 10], [None, 8, 8, 8, 1]):
        first = layer("InputLayer", config={"batch_shape": shape})
        with pytest.raises(DataError, match="images"):
            keras_config.input_shape(graph(first))
    with pytest.raises(DataError, match="more than one"):
        keras_config.input_shape(graph(layer("InputLayer"), layer("InputLayer")))
    assert keras_config.input_shape(graph(layer("Dense"))) is None

"""Foreign models become runs that answer as they did where they were trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from medmodel.core.errors import ConfigError, DataError
from medmodel.core.processes.messages import Command, Message
from medmodel.core.storage import write_json
from medmodel.inference import prediction
from medmodel.inference.importing import import_model, looking, saved_model_import
from medmodel.inference.model_cache import ModelCache
from medmodel.inference.predictor_process import answer
from medmodel.model_import.description import ImportSettings
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from tests.foreign_models import (
    LABELS,
    SIDE,
    fine_tuned_answer,
    onnx_model,
    teachable_machine_answer,
    write_fine_tuned,
    write_onnx,
    write_teachable_machine,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), np.uint8)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "import" / "files"
    folder.mkdir(parents=True)
    return folder


def imported(files: Path, **changes: Any) -> Run:
    """The run that becomes of a model with what its file suggests."""
    described = looking.look(files.parent)
    write_json(files.parent / "facts.json", described)
    settings = {
        "name": "foreign",
        "classes": described.classes or ["dark", "bright"],
        "size": described.size,
        "fit": described.fit,
        "scale": described.scale,
        "colour": "grey" if described.channels == 1 else "rgb",
    }
    asked = ImportSettings(**{**settings, **changes})
    write_json(files.parent / "asked.json", asked)
    return import_model.convert(files.parent, RunStore())


def scores(run: Run, images: Any = IMAGES) -> Any:
    return prediction.predict(prediction.load(run), images)


def explained(run: Run, **facts: Any) -> Message:
    question = {"folder": str(run.folder), **facts}
    return answer(Message(question, [IMAGES[:1]]), ModelCache(1 << 30))


def test_a_teachable_machine_answers_as_it_did(files: Path) -> None:
    write_teachable_machine(files / "keras_model.h5")
    (files / "labels.txt").write_text(LABELS)
    described = looking.look(files.parent)
    assert (described.size, described.scale) == (SIDE, "symmetric")
    assert (described.fit, described.tool) == ("crop", "Teachable Machine")
    run = imported(files)
    assert scores(run) == pytest.approx(teachable_machine_answer(IMAGES), abs=1e-5)
    facts = run.model_facts
    assert facts.class_names == ["dark", "bright"]
    assert facts.heatmap_layers == ["expanded_conv_depthwise"]
    assert run.imported is not None and run.imported.converted
    assert run.status.state is RunStatus.DONE and run.title == "foreign"
    said = explained(run, command=Command.PREDICT, heatmap_for=[0])
    assert said.arrays[1].shape == (1, SIDE, SIDE)


def test_keras_3_models_within_models_and_one_probability(files: Path) -> None:
    inner = keras.Sequential(
        [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.Dropout(0.5)]
    )
    inputs = keras.Input((SIDE, SIDE, 1))
    x = inner(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Add()([x, keras.layers.Conv2D(4, 1)(x)])
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(x))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))
    model.save(files / "m.keras")
    run = imported(files)
    grey = IMAGES[..., :1]
    right = model.predict(grey.astype(np.float32), verbose=0)
    assert scores(run, grey) == pytest.approx(np.hstack([1 - right, right]), abs=1e-5)
    assert run.model_facts.heatmap_layers


def test_what_keras_2_put_into_a_graph_as_functions(files: Path) -> None:
    def node(kind: str, name: str, before: Any, **config: Any) -> dict[str, Any]:
        return {
            "class_name": kind,
            "name": name,
            "config": {"name": name, **config},
            "inbound_nodes": before,
        }

    shape = [None, SIDE, SIDE, 3]
    layers = [
        node("InputLayer", "in", [], batch_input_shape=shape),
        node(
            *("TFOpLambda", "tf.math.truediv", [["in", 0, 0, {"y": 255.0}]]),
            function="math.truediv",
        ),
        node(
            *("TFOpLambda", "tf.math.subtract"),
            [["tf.math.truediv", 0, 0, {"y": 0.5, "name": None}]],
            function="math.subtract",
        ),
        node("GlobalAveragePooling2D", "pool", [[["tf.math.subtract", 0, 0, {}]]]),
        node("Reshape", "cut", [[["pool", 0, 0, {}]]], target_shape=[3]),
        node("Softmax", "softmax", [[["cut", 0, 0, {}]]], axis=-1),
    ]
    config = {
        "class_name": "Functional",
        "config": {
            "name": "m",
            "layers": layers,
            "input_layers": [["in", 0, 0]],
            "output_layers": [["softmax", 0, 0]],
        },
    }
    write_teachable_machine(files / "m.h5", config)
    assert looking.look(files.parent).scale == "raw"
    run = imported(files, classes=["a", "b", "c"])
    logits = IMAGES.mean(axis=(1, 2)) / 255 - 0.5
    right = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert scores(run) == pytest.approx(right, abs=1e-5)


def test_a_network_under_a_new_layer_as_tutorials_of_keras_2_make_it(
    files: Path,
) -> None:
    write_fine_tuned(files / "m.h5")
    described = looking.look(files.parent)
    assert described.scale == "raw" and described.outputs == 3
    run = imported(files, classes=["a", "b", "c"])
    assert scores(run) == pytest.approx(fine_tuned_answer(IMAGES), abs=1e-4)
    assert run.model_facts.heatmap_layers


def test_layer_scale_of_convnext(files: Path) -> None:
    from keras.src.applications.convnext import LayerScale

    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(4, 3)(inputs)
    x = LayerScale(0.3, 4)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    model.save(files / "m.keras")
    right = model.predict(IMAGES.astype(np.float32), verbose=0)
    assert scores(imported(files, scale="raw")) == pytest.approx(right, abs=1e-5)


@pytest.mark.parametrize("ending", ["Softmax", "Identity"])
def test_onnx_answers_and_is_explained_by_occlusion(ending: str, files: Path) -> None:
    write_onnx(files / "m.onnx", ending=ending, external="m.onnx.data")
    described = looking.look(files.parent)
    assert (described.format, described.scale) == ("onnx", "imagenet")
    run = imported(files, scale="unit")
    difference = IMAGES.mean(axis=(1, 2)) / 255 @ [6, 2, 3]
    right = 1 / (1 + np.exp(-difference))
    assert scores(run)[:, 0] == pytest.approx(right, abs=1e-5)
    assert run.model_facts.heatmap_layers == []
    said = explained(run, command=Command.PREDICT, heatmap_for=[-1])
    assert said.arrays[1].max() == pytest.approx(1)
    method = {"position": 0, "method": "grad_cam", "randomised": False}
    assert (
        "occlusion" in explained(run, command=Command.EXPLAIN, **method).facts["error"]
    )
    assert explained(run, command=Command.LOAD).facts == {}


def test_probabilities_that_do_not_exclude_each_other_are_refused(files: Path) -> None:
    write_onnx(files / "m.onnx", ending="Sigmoid")
    with pytest.raises(DataError, match="exclude each other"):
        imported(files)
    assert RunStore().list() == []


def test_the_number_of_classes_must_be_the_models(files: Path) -> None:
    write_onnx(files / "m.onnx")
    for classes in (["a"], ["a", "b", "c"], ["a", "a"]):
        with pytest.raises(ConfigError):
            imported(files, classes=classes)
    with pytest.raises(ConfigError, match="16 pixels"):
        imported(files, size=32)


def with_first(node: onnx.NodeProto) -> onnx.ModelProto:
    """`onnx_model` behind another operator, which gives `first`."""
    model = onnx_model()
    model.graph.node.insert(0, node)
    model.graph.node[1].input[0] = "first"
    return model


def in_training() -> onnx.ModelProto:
    """A model that was exported before it was told that training is over."""
    ratio = onnx.helper.make_node("Constant", [], ["ratio"], value_float=0.5)
    on = onnx.numpy_helper.from_array(np.array(True))
    training = onnx.helper.make_node("Constant", [], ["on"], value=on)
    drop = onnx.helper.make_node("Dropout", ["x", "ratio", "on"], ["first"])
    model = with_first(drop)
    model.graph.node.insert(0, training)
    model.graph.node.insert(0, ratio)
    return model


def mean_of_all() -> onnx.ModelProto:
    return with_first(onnx.helper.make_node("ReduceMean", ["x"], ["first"], axes=[0]))


def less_their_mean() -> onnx.ModelProto:
    mean = onnx.helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0])
    model = with_first(onnx.helper.make_node("Sub", ["x", "mean"], ["first"]))
    model.graph.node.insert(0, mean)
    return model


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (in_training, "when it is asked again"),
        (less_their_mean, "with others beside it"),
        (mean_of_all, "one list of classes for each image"),
    ],
)
def test_an_onnx_model_that_answers_images_together_or_at_random_is_refused(
    made: Callable[[], onnx.ModelProto], sentence: str, files: Path
) -> None:
    (files / "m.onnx").write_bytes(made().SerializeToString())
    with pytest.raises(DataError, match=sentence):
        imported(files, scale="symmetric")
    assert RunStore().list() == []


def test_a_model_that_is_quantised_dynamically_answers_each_image_by_itself(
    files: Path,
) -> None:
    quantise = onnx.helper.make_node(
        "DynamicQuantizeLinear", ["x"], ["whole", "scale", "zero"]
    )
    model = with_first(
        onnx.helper.make_node("DequantizeLinear", ["whole", "scale", "zero"], ["first"])
    )
    model.graph.node.insert(0, quantise)
    (files / "m.onnx").write_bytes(model.SerializeToString())
    run = imported(files, scale="symmetric")
    images = np.stack([IMAGES[0], IMAGES[0] // 8 + 100])
    alone = [scores(run, image[None]) for image in images]
    np.testing.assert_array_equal(scores(run, images), np.concatenate(alone))


def test_whole_numbers_are_not_scaled(files: Path) -> None:
    model = with_first(onnx.helper.make_node("Cast", ["x"], ["first"], to=1))
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    (files / "m.onnx").write_bytes(model.SerializeToString())
    assert looking.look(files.parent).scale == "raw"
    with pytest.raises(ConfigError, match="choose raw"):
        imported(files, scale="unit")
    right = 1 / (1 + np.exp(-(IMAGES.mean(axis=(1, 2)) @ [6.0, 2.0, 3.0])))
    assert scores(imported(files, scale="raw"))[:, 0] == pytest.approx(right, abs=1e-5)


@pytest.mark.parametrize("side", [4, 5000])
def test_an_input_of_another_size_than_can_be_given_is_refused_at_once(
    side: int, files: Path
) -> None:
    write_onnx(files / "m.onnx", side=side)
    with pytest.raises(DataError, match=f"{side:,} pixels a side: 8 to 1,024"):
        looking.look(files.parent)


class Scored(tf.Module):
    """A SavedModel's program."""

    @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32)])
    def reading(self, images: Any) -> Any:
        text = tf.io.read_file("/etc/hostname")
        return {
            "y": tf.reduce_mean(images, [1, 2])
            + tf.cast(tf.strings.length(text), "float")
        }

    @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32)])
    def calling(self, images: Any) -> Any:
        (y,) = tf.numpy_function(lambda x: x, [images], [tf.float32])
        return {"y": tf.reduce_mean(y, [1, 2])}


def test_a_saved_model_of_arithmetic_answers(files: Path) -> None:
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(3, 3, padding="same", activation="relu")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    model.export(str(files / "model"), verbose=False)
    assert looking.look(files.parent).format == "saved_model"
    run = imported(files, scale="unit")
    right = model.predict(IMAGES.astype(np.float32) / 255, verbose=0)
    assert scores(run) == pytest.approx(right, abs=1e-5)
    assert run.imported is not None and not run.imported.converted


@pytest.mark.parametrize("method", ["reading", "calling"])
def test_a_saved_model_that_does_more_is_refused(method: str, files: Path) -> None:
    module = Scored()
    signatures = {"serving_default": getattr(module, method)}
    tf.saved_model.save(module, str(files / "model"), signatures=signatures)
    with pytest.raises(DataError, match="more than arithmetic"):
        saved_model_import.check_saved_model(files / "model")

"""Exports a run's model: `python -m medmodel.inference.export_model RUN FORMAT`.

It is converted in this process, then loaded and asked in one of its own, by the program
that will run it, and compared with the model that it was made from.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medmodel.core.devices import tensorflow_environment
from medmodel.core.errors import PredictionError
from medmodel.core.job import Job
from medmodel.core.storage import file_digest, write_json
from medmodel.evaluation.calibration.temperature_scaling import apply_temperature
from medmodel.evaluation.decision.predicted_class import predicted_positions
from medmodel.export import metadata
from medmodel.export.agreement import agreement, foreground_dice
from medmodel.export.archive import drawn_sample, write_archive
from medmodel.export.formats import (
    FORMATS,
    INT8_AGREEMENT,
    INT8_ENOUGH,
    OPSET,
    TOLERANCE,
)
from medmodel.export.images import comparison_images, split_images, with_mirrored
from medmodel.export.report import ExportReport, export_folder
from medmodel.export.task import export_task
from medmodel.inference.export_check import Answers, ask
from medmodel.language import _, speaking
from medmodel.networks import litert
from medmodel.runs.run import Run

if TYPE_CHECKING:
    import keras
    import onnx

    from medmodel.inference.prediction import LoadedModel

CALIBRATION_IMAGES = 100
"""Training images from which 8-bit ranges are taken, and validation images that say
whether the class stays."""
CHECK_SECONDS = 600
_PACKAGES = {
    "onnx": ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime"),
    "litert": ("tensorflow", "keras", "ai-edge-litert"),
    "litert_int8": ("tensorflow", "keras", "ai-edge-litert"),
    "saved_model": ("tensorflow", "keras"),
    "keras": ("tensorflow", "keras"),
}


def export_model(run: Run, key: str, job: Job) -> ExportReport:
    """Converts, compares and packs a run's model.

    Args:
        run: A run with a model.
        key: Of `formats.FORMATS`.
        job: Told what is done: loading, converting, comparing, packing.

    Raises:
        RunError: The run has no model.
        PredictionError: The model cannot be converted, or the converted one answers
            otherwise.
        OSError: The disk is full or fails.
    """
    from medmodel.inference import prediction

    job.progress("loading", 0, 0)
    if run.imported and not run.imported.converted:
        raise PredictionError(
            _(
                "This model was imported for prediction only, and is not exported: use "
                "the file that it came from, {file}.",
                file=run.imported.file,
            )
        )
    facts = metadata.model_metadata(run)
    loaded = prediction.load(run)
    _check_encoder(loaded, key)
    images, drawn = comparison_images(run, job)
    sample = drawn_sample(loaded.facts.preprocessing.shape)
    asked = np.concatenate([images, sample[None]])
    job.progress("converting", 0, 0)
    place = export_folder(run, key)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    model = place / FORMATS[key].file
    rounded = _CONVERTERS[key](loaded.answering, model, facts, run, job) or ""
    job.progress("comparing", 0, len(images))
    answers = _ask_in_own_process(key, model, asked)
    original = ask("keras", run.model_path, asked, model=loaded.answering)
    report = replace(_compared(run, key, answers, original, drawn), rounded=rounded)
    write_json(place / "report.json", report)
    job.progress("packing", 0, 0)
    write_archive(run, report, sample, _said_of_sample(facts, answers))
    return report


def _said_of_sample(facts: dict[str, Any], answers: Answers) -> dict[str, float]:
    """What is said of the drawn image: of a segmentation each class's share of it."""
    scores: NDArray[np.floating] = answers.probabilities[-1:]
    if facts["mask_values"]:
        numbers = scores[0].argmax(axis=-1).ravel()
        counts = np.bincount(numbers, minlength=len(facts["classes"]))
        scores = counts[None] / len(numbers)
    elif facts["findings"]:
        scores = _shown(facts, scores)
    elif facts["temperature"]:
        scores = apply_temperature(scores, facts["temperature"])
    return dict(zip(facts["classes"], map(float, scores[0]), strict=True))


def _shown(facts: dict[str, Any], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities of findings after each one's calibration, (n, findings)."""
    columns = [
        apply_temperature(np.stack([1 - of, of], axis=1), each["temperature"])[:, 1]
        for of, each in zip(scores.T, facts["findings"], strict=True)
    ]
    return np.stack(columns, axis=1)


def _check_encoder(loaded: LoadedModel, key: str) -> None:
    """Refuses what an ONNX encoder is not converted into.

    Raises:
        PredictionError: The model learned on one, and the format is not ONNX, or its
            predictions are averaged over mirror images.
    """
    from medmodel.inference.encoder_export import encoder_of, not_joined

    layer = encoder_of(loaded.model)
    if layer is None:
        return
    if key != "onnx":
        raise PredictionError(
            _(
                "The encoder {name} of this model is an ONNX file, which is converted "
                "to no other format: export the model as ONNX.",
                name=layer.encoder.name,
            )
        )
    if loaded.facts.flips != "none":
        raise not_joined(layer, _("its predictions are averaged over mirror images"))


def _compared(
    run: Run, key: str, answers: Answers, original: Answers, drawn: int
) -> ExportReport:
    difference = np.abs(answers.probabilities - original.probabilities)[:-1]
    facts = metadata.model_metadata(run)
    predicted, expected = (_classes(run, facts, each) for each in (answers, original))
    same = predicted == expected
    path = export_folder(run, key) / FORMATS[key].file
    report = ExportReport(
        format=key,
        model=file_digest(run.model_path),
        bytes=sum(f.stat().st_size for f in [path, *path.rglob("*")] if f.is_file()),
        images=len(difference) - drawn,
        drawn=drawn,
        largest_difference=float(difference.max()),
        same_class=float(same[:-1].mean()),
        dice=foreground_dice(predicted[:-1], expected[:-1])
        if facts["mask_values"]
        else None,
        latency=answers.latency,
        original_latency=original.latency,
        memory=answers.memory,
        versions={name: version(name) for name in _PACKAGES[key]},
        temperature=facts["temperature"] or 0.0,
        thresholds=facts["thresholds"] is not None
        or any(each["threshold"] is not None for each in facts["findings"]),
    )
    if not FORMATS[key].quantised and not report.faithful:
        raise PredictionError(
            _(
                "The exported model answers otherwise than the run's: a probability "
                "differs by {difference:.2g}, more than {tolerance:g}. It is not given "
                "out.",
                difference=report.largest_difference,
                tolerance=TOLERANCE,
            )
        )
    return report


def _classes(
    run: Run, metadata: dict[str, Any], answers: Answers
) -> NDArray[np.intp] | NDArray[np.bool_]:
    """The predicted class of each image, of a segmentation of each pixel.

    Of several findings whether each is predicted; at 0.5 where it has no threshold.
    """
    facts = run.model_facts
    if metadata["findings"]:
        cuts = [each["threshold"] for each in metadata["findings"]]
        at_half = [0.5 if cut is None else cut for cut in cuts]
        return _shown(metadata, answers.probabilities) >= np.array(at_half)
    if facts.mask_values:
        return np.asarray(answers.probabilities.argmax(axis=-1))
    return predicted_positions(
        answers.probabilities, facts.class_names, facts.threshold
    )


def _ask_in_own_process(key: str, model: Path, images: NDArray[np.uint8]) -> Answers:
    question, answer = model.parent / "images.npy", model.parent / "answers.npz"
    np.save(question, images)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "medmodel.inference.export_check"),
            *(key, str(model), str(question), str(answer)),
        ],
        env={**tensorflow_environment(), "CUDA_VISIBLE_DEVICES": "-1"},
        timeout=CHECK_SECONDS,
        check=False,
    )
    if done.returncode:
        raise PredictionError(
            _("The exported model cannot be loaded again: see the log beside it.")
        )
    answers = Answers.read(answer)
    question.unlink()
    answer.unlink()
    return answers


def _saved_model(
    model: keras.Model, path: Path, facts: dict[str, Any], run: Run, job: Job
) -> None:
    import tensorflow as tf

    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name="image")
    # Not keras.export.ExportArchive, which writes every variable twice.
    module = tf.Module()
    module.variables_of_model = [variable.value for variable in model.variables]
    module.serve = tf.function(
        lambda image: {"probabilities": model(image, training=False)},
        input_signature=[signature],
    )
    signatures = {"serving_default": module.serve}
    tf.saved_model.save(module, str(path), signatures=signatures)
    # A folder that TensorFlow keeps and does not read.
    extra = path / "assets.extra"
    extra.mkdir(exist_ok=True)
    write_json(extra / metadata.NAME, facts)


def _keras(
    model: keras.Model, path: Path, facts: dict[str, Any], run: Run, job: Job
) -> None:
    model.save(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(metadata.NAME, json.dumps(facts))


def _onnx(
    model: keras.Model, path: Path, facts: dict[str, Any], run: Run, job: Job
) -> None:
    import onnx

    from medmodel.inference.encoder_export import encoder_of, joined_onnx

    proto = joined_onnx(model) if encoder_of(model) else _converted(model)
    onnx.helper.set_model_props(proto, {"medmodel": json.dumps(facts)})
    proto.doc_string = facts["intended_use"]
    onnx.save(proto, path)


def _converted(model: keras.Model) -> onnx.ModelProto:
    import onnx
    import tensorflow as tf
    import tf2onnx

    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name="image")
    function = tf.function(
        lambda image: {"probabilities": model(image, training=False)},
        input_signature=[signature],
    )
    proto, _unused = tf2onnx.convert.from_function(
        function, input_signature=[signature], opset=OPSET
    )
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(proto)
    return proto


def _litert(
    model: keras.Model, path: Path, facts: dict[str, Any], run: Run, job: Job
) -> None:
    with _as_saved_model(model, path, facts) as saved:
        path.write_bytes(litert.with_metadata(litert.converted(saved), facts))


def _litert_int8(
    model: keras.Model, path: Path, facts: dict[str, Any], run: Run, job: Job
) -> str:
    """As much in 8 bits as leaves validation images their class.

    Raises:
        PredictionError: Too many change it, whatever is rounded.
    """
    images = split_images(run, "train", CALIBRATION_IMAGES, job)
    asked = split_images(run, "val", CALIBRATION_IMAGES, job)
    asked = asked if len(asked) else images
    if not facts["mask_values"]:
        asked = with_mirrored(asked)
    expected, kept, best = None, -1.0, b""
    if len(asked):
        answers = ask("keras", run.model_path, asked, model=model)
        expected = _classes(run, facts, answers)
    rounded = ""
    with _as_saved_model(model, path, facts) as saved:
        for what, content in litert.rounded_in_turn(saved, images):
            if expected is None:  # the last is the closest
                rounded, best = what, content
                continue
            path.write_bytes(content)
            predicted = _classes(run, facts, ask("litert_int8", path, asked))
            agreed = agreement(predicted, expected, outlines=bool(facts["mask_values"]))
            # What is finer by design may by chance be further off on these images.
            if agreed >= kept:
                rounded, best, kept = what, content, agreed
            if agreed >= INT8_ENOUGH:
                break
    if expected is not None and kept < INT8_AGREEMENT:
        if facts["mask_values"]:
            raise PredictionError(
                _(
                    "With 8 bits this segmentation outlines something else: on images "
                    "that are none of its test images the share of equal pixels, or "
                    "the Dice of what both outline, is {kept:.3f}, less than {least}. "
                    "It is not given out in 8 bits: export it as LiteRT.",
                    kept=math.floor(1000 * kept) / 1000,
                    least=INT8_AGREEMENT,
                )
            )
        raise PredictionError(
            _(
                "With 8 bits this model answers otherwise in {share:.2%} of cases, "
                "more than {most:.0%}, on images that are none of its test images. It "
                "is not given out in 8 bits: export it as LiteRT.",
                share=1 - kept,
                most=1 - INT8_AGREEMENT,
            )
        )
    path.write_bytes(litert.with_metadata(best, facts))
    return rounded


@contextlib.contextmanager
def _as_saved_model(
    model: keras.Model, path: Path, facts: dict[str, Any]
) -> Iterator[Path]:
    """A SavedModel beside `path` for a while: its variables become constants."""
    saved = path.with_name("saved_model")
    _CONVERTERS["saved_model"](model, saved, facts, None, None)
    yield saved
    shutil.rmtree(saved)


_CONVERTERS: dict[str, Callable[..., str | None]] = {
    "onnx": _onnx,
    "litert": _litert,
    "litert_int8": _litert_int8,
    "saved_model": _saved_model,
    "keras": _keras,
}


def main() -> None:
    """Exports the model of the run and in the format of the command line."""
    folder, key, language = sys.argv[1:4]
    run = Run(Path(folder).resolve())
    task = export_task(run, key, language)

    def work() -> None:
        with speaking(language):
            export_model(run, key, task.job())
        task.write("finished")

    task.run(work)


if __name__ == "__main__":
    main()

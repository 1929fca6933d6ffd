"""What a run says of itself: its state, why it failed, its model, what it tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated

import msgspec

from medmodel.core.config import Flips
from medmodel.core.preprocessing import Preprocessing
from medmodel.language import N_

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A number of things, as a file may hold it."""
LATEST_TIME = 32_503_680_000
"""The year 3000, in seconds since 1970."""
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LATEST_TIME)]
"""A length of time, or a time since 1970."""


class RunStatus(str, Enum):
    """State of a run in its life cycle."""

    QUEUED = N_("queued")
    RUNNING = N_("running")
    DONE = N_("done")
    STOPPED = N_("stopped")
    FAILED = N_("failed")
    INTERRUPTED = N_("interrupted")

    @property
    def active(self) -> bool:
        """Whether the run still waits or works."""
        return self in (RunStatus.QUEUED, RunStatus.RUNNING)


@dataclass(frozen=True)
class Failure:
    """Why a run failed, in words for the person who started it.

    Args:
        kind: out_of_memory, data, device, not_a_number, disk_full, storage, killed,
            cluster or bug.
        message: What happened.
        advice: What to do about it.
    """

    kind: str
    message: str
    advice: str


@dataclass(frozen=True)
class Status:
    """What status.json holds; replaced as a whole, never edited.

    Args:
        state: Value of `RunStatus`.
        phase: What is being done: waiting, checking, pilot, preparing, features,
            training, copies, evaluating, reference, finished; members, comparing,
            testing, predicting of what is no training.
        message: The same as one sentence.
        done: Finished units of this phase (images, steps).
        total: Units of this phase; 0 while unknown.
        epoch: Epochs finished.
        epochs: Epochs planned; 0 while unknown.
        step: Steps finished since training began.
        steps: Steps planned; 0 while unknown.
        best_epoch: Epoch of the best validation loss so far, 1-based; 0 if none.
        seconds_left: Estimated seconds until the end of the run; None while unknown.
        share: Estimated share of the run's time that has passed, 0 to 1; 0 while
            unknown.
        part: Which of the run's phases this is, 1-based; 0 while unknown.
        parts: How many phases the run has; 0 while unknown.
        device: What computes, in words.
        precision: float32, mixed_bfloat16 or mixed_float16.
        usage: Processor, memory and GPU use as name -> text.
        heartbeat: Time of the last update, seconds since 1970.
        created: When the run was submitted.
        started: When a worker took it; 0 before.
        ended: When it ended; 0 before.
        attempt: Starts so far (1 on the first).
        failure: Why it failed, else None.
    """

    state: RunStatus
    phase: str = "waiting"
    message: str = N_("Waiting for its turn.")
    done: Count = 0
    total: Count = 0
    epoch: Count = 0
    epochs: Count = 0
    step: Count = 0
    steps: Count = 0
    best_epoch: Count = 0
    seconds_left: Seconds | None = None
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    part: Count = 0
    parts: Count = 0
    device: str = ""
    precision: str = ""
    usage: Mapping[str, str] = field(default_factory=dict)
    heartbeat: Seconds = 0.0
    created: Seconds = 0.0
    started: Seconds = 0.0
    ended: Seconds = 0.0
    attempt: Count = 0
    failure: Failure | None = None


@dataclass(frozen=True)
class DecisionThreshold:
    """From which score on an image is predicted to be of one of two classes.

    Args:
        name: The class; below the threshold the other one is the predicted class.
        value: The score of that class before calibration, above 0 and below 1.
    """

    name: str
    value: Annotated[float, msgspec.Meta(gt=0, lt=1)]


@dataclass(frozen=True)
class EnsembleMember:
    """One model of an ensemble, as model.json names it.

    Args:
        run: Id of the run whose model it was.
        title: What that run was called.
        network: Name of its network.
        preprocessing: How an image became its input; the ensemble does the same.
        heatmap_layers: As in `ModelFacts`, under their names in the ensemble.
        temperature: By which its logits are divided.
        corruption: Share of its training images that were corrupted; 0 in files of
            earlier versions.
    """

    run: str
    title: str
    network: str
    preprocessing: Preprocessing
    heatmap_layers: list[str]
    temperature: float
    corruption: float = 0.0


@dataclass(frozen=True)
class ModelFacts:
    """What model.json holds: all that is needed to feed best.keras and read it.

    Args:
        class_names: Class of each output, in order.
        preprocessing: How an image becomes the model's input.
        heatmap_layers: Layers whose activations Grad-CAM looks at.
        parameters: Number of weights.
        mask_values: Of a segmentation the value in masks of each output, the
            background's 0 first; empty for a classification.
        threshold: Which of two classes is predicted, chosen on validation images;
            None where the highest score decides, as in runs of earlier versions.
        flips: Over which mirror images its predictions are averaged.
        members: Of an ensemble the models whose probabilities it averages.
        geometric: Of an ensemble whether their mean is the geometric one; that of
            earlier versions is arithmetic.
    """

    class_names: list[str]
    preprocessing: Preprocessing
    heatmap_layers: list[str]
    parameters: int
    mask_values: list[int] = field(default_factory=list)
    threshold: DecisionThreshold | None = None
    flips: Flips = "none"
    members: list[EnsembleMember] = field(default_factory=list)
    geometric: bool = False


@dataclass(frozen=True)
class Refit:
    """What refit.json holds: which run was refitted, with how many reviewed labels.

    Args:
        run: Id of the run that it came from.
        reviewed: Labels of its images that were reviewed.
        corrected: Those that were changed.
        corrected_test: Those of test images among them: they change what is measured.
    """

    run: str
    reviewed: Count
    corrected: Count
    corrected_test: Count = 0


@dataclass(frozen=True)
class ExternalTest:
    """What external.json holds: whose model a run tests on another folder.

    Args:
        model: Id of that run.
        mapping: Class there -> class of the model.
    """

    model: str
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ensemble:
    """What ensemble.json holds: of whose models a run is made.

    Args:
        members: Id of each run -> what it was called.
    """

    members: Mapping[str, str]


@dataclass(frozen=True)
class BatchRequest:
    """What batch.json holds: whose model is asked about which images.

    Args:
        model: Id of the model's run.
        model_digest: SHA-256 of its best.keras, hexadecimal.
        table: Path of the table in the folder that names the images; "" for all.
    """

    model: str
    model_digest: str
    table: str = ""


@dataclass(frozen=True)
class ImportedModel:
    """What imported.json holds: where a model came from that was trained elsewhere.

    Args:
        file: Name of its file.
        format: keras, h5, onnx or saved_model.
        sha256: Of the file, or of all files of a SavedModel, hexadecimal.
        scale: Key of `model_import.description.SCALES`.
        tool: With which it was made, where that is known; else "".
        converted: Whether it became a network of Keras, with gradients for maps.
    """

    file: str
    format: str
    sha256: str
    scale: str
    tool: str = ""
    converted: bool = True

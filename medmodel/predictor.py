"""Client of the predictor: one warm process that answers every session.

The process is started when it is first needed and again after a crash. Requests are
answered one after another in the order of asking, a large one in pieces, so that one
image never waits behind somebody's thousand.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

import msgspec
import numpy as np

from medmodel.core.devices import tensorflow_environment
from medmodel.core.errors import PredictionError, os_reason, value_or_problem
from medmodel.core.processes.children import Child
from medmodel.core.processes.messages import (
    BrokenMessage,
    Command,
    Message,
    receive,
    send,
)
from medmodel.core.settings.augmentation import Augmentation
from medmodel.evaluation.calibration.temperature_scaling import (
    Temperature,
    stored_temperature,
)
from medmodel.evaluation.image_prediction import Prediction, Segmentation
from medmodel.evaluation.ood.results import OodResult
from medmodel.evaluation.ood.traits import ImageTraits
from medmodel.language import N_, _, translate
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import ModelFacts

PIECE = 32
START_SECONDS = 180.0
ANSWER_SECONDS = 60.0
FIRST_CHOICE = -1


METHODS = {
    "hires_cam": "HiResCAM",
    "grad_cam": N_("Grad-CAM"),
    "occlusion": N_("Occlusion"),
    "integrated_gradients": N_("Integrated gradients"),
}
"""Ways to explain an answer, and what they are called."""


def methods_of(facts: ModelFacts) -> list[str]:
    """Ways to explain this model's answers, keys of `METHODS`.

    Args:
        facts: Of a model; one without layers for maps gives no gradients.
    """
    return list(METHODS) if facts.heatmap_layers else ["occlusion"]


@dataclass(frozen=True)
class ExplainOptions:
    """How an image is to be explained.

    Args:
        method: Key of `METHODS`.
        randomised: Whether the model's weights are shuffled before: what is left then
            shows the image, not what was learned.
    """

    method: str = "hires_cam"
    randomised: bool = False


@dataclass(frozen=True)
class Layer:
    """What one layer made of an image.

    Args:
        number: Among the layers that can be looked at, from 1.
        of: How many of these there are.
        name: Of the layer.
        kind: What it does, in words.
        shape: Of its output.
        low: The lowest value of its output.
        high: The highest.
        weights: How many numbers it has learned.
        values: float32 (maps, height, width) of some channels, or (values,).
    """

    number: int
    of: int
    name: str
    kind: str
    shape: list[int]
    low: float
    high: float
    weights: int
    values: np.ndarray


class Predictor:
    """Asks the predictor process; may be used by many threads.

    Args:
        stderr: File descriptor for what the process logs; None: this process's own.
    """

    command = (sys.executable, "-m", "medmodel.inference.predictor_process")

    def __init__(self, stderr: int | None = None) -> None:
        self._turns = _Turns()
        self._stderr = stderr
        self._child: Child | None = None
        self._ready = False

    @property
    def state(self) -> str:
        """`"off"`, `"starting"` (TensorFlow is being loaded) or `"ready"`."""
        child = self._child  # Another thread may end it in between.
        if child is None or child.process.poll() is not None:
            return "off"
        return "ready" if self._ready else "starting"

    def ask(
        self,
        run_id: str,
        images: np.ndarray,
        heatmap_for: Sequence[int] | None = None,
        compare: Sequence[ImageTraits] | None = None,
        multi_label: bool = False,
    ) -> list[Prediction]:
        """What the model says of each image; heat maps and comparison on demand.

        Args:
            run_id: The run whose best model answers.
            images: uint8 (n, height, width, channels), prepared for that model.
            heatmap_for: For each image the class whose evidence is shown, or
                `FIRST_CHOICE`; None for no heat maps.
            compare: For each image what it was before it was prepared, to have it
                compared with the training images; None for no comparison.
            multi_label: Whether a model of several findings may answer, whose
                probabilities do not sum to 1.

        Raises:
            RunError: There is no such run, or it has no model.
            PredictionError: This request could not be answered; the next one may be.
        """
        run = RunStore().get(run_id)
        if not (multi_label and run.config.multi_label):
            run.check_classifies()
        model_facts = run.model_facts
        if heatmap_for is not None and len(heatmap_for) != len(images):
            raise PredictionError(_("Ask for one heat map class per image."))
        calibration = value_or_problem(stored_temperature, run)
        predictions: list[Prediction] = []
        for start in range(0, len(images), PIECE):
            piece = slice(start, start + PIECE)
            facts: dict[str, Any] = {
                "command": Command.PREDICT,
                "folder": str(run.folder),
            }
            if heatmap_for is not None:
                facts["heatmap_for"] = [int(c) for c in heatmap_for[piece]]
            if compare is not None:
                facts["compare"] = [astuple(traits) for traits in compare[piece]]
            answer = self._exchange(Message(facts, [images[piece]]))
            predictions += _predictions(answer, model_facts, calibration)
        return predictions

    def segment(
        self, run_id: str, image: np.ndarray, compare: ImageTraits | None = None
    ) -> Segmentation:
        """What a segmentation says of every pixel.

        Args:
            run_id: The run whose best model answers.
            image: uint8 (height, width, channels), prepared for that model.
            compare: What it was before it was prepared, to have it compared with the
                training images; None for no comparison.

        Raises:
            RunError: There is no such run, or it has no model.
            PredictionError: It is no segmentation, or could not answer.
        """
        run = RunStore().get(run_id)
        if not run.model_facts.mask_values:
            raise PredictionError(
                _("The run {title} classifies: it outlines nothing.", title=run.title)
            )
        facts: dict[str, Any] = {
            "command": Command.SEGMENT,
            "folder": str(run.folder),
        }
        if compare is not None:
            facts["compare"] = [astuple(compare)]
        answer = self._exchange(Message(facts, [image[None]]))
        results, problem = _comparison(answer)
        return Segmentation(
            answer.arrays[0][0], results[0] if results else None, problem
        )

    def explain(
        self, run_id: str, image: np.ndarray, position: int, how: ExplainOptions
    ) -> np.ndarray:
        """A map of what speaks for a class.

        Args:
            run_id: The run whose best model is explained.
            image: uint8 (height, width, channels), prepared for that model.
            position: The class.
            how: The method, and whether the weights are shuffled before.

        Returns:
            float32 (height, width) in [0, 1].

        Raises:
            RunError: There is no such run, or it has no model.
            PredictionError: This request could not be answered.
        """
        run = RunStore().get(run_id)
        facts = {
            "command": Command.EXPLAIN,
            "folder": str(run.folder),
            "position": position,
        }
        question = Message({**facts, **asdict(how)}, [image[None]])
        return self._exchange(question).arrays[0][0]

    def look_inside(
        self, run_id: str, image: np.ndarray, first: int = 0
    ) -> list[Layer]:
        """What a part of the layers, and always the last, makes of one image.

        Args:
            run_id: The run whose best model is looked at.
            image: uint8 (height, width, channels), prepared for that model.
            first: From which layer on, from 0.

        Raises:
            RunError: There is no such run, or it has no model.
            PredictionError: This request could not be answered.
        """
        folder = str(RunStore().get(run_id).folder)
        facts = {"command": Command.LOOK_INSIDE, "folder": folder, "first": first}
        answer = self._exchange(Message(facts, [image[None]]))
        layers = zip(answer.facts["layers"], answer.arrays, strict=True)
        return [Layer(**layer, values=values) for layer, values in layers]

    def augment(
        self,
        images: np.ndarray,
        augmentation: Augmentation,
        seed: int = 0,
        kept_sharp: float = 0.0,
    ) -> np.ndarray:
        """Images changed by chance.

        Args:
            images: uint8 (n, height, width, channels).
            augmentation: The random changes.
            seed: The same seed gives the same changes.
            kept_sharp: Share of them that is not moved; in training `KEPT_SHARP`.

        Returns:
            uint8, the same shape.

        Raises:
            PredictionError: This request could not be answered.
        """
        facts = {
            "command": Command.AUGMENT,
            "augmentation": asdict(augmentation),
            "seed": seed,
            "kept_sharp": kept_sharp,
        }
        return self._exchange(Message(facts, [images])).arrays[0]

    def warm(self, run_id: str) -> None:
        """Starts the process and loads a run's model in the background."""
        facts = {"command": Command.LOAD, "folder": str(RunStore().get(run_id).folder)}

        def load() -> None:
            # What is wrong is said to whoever asks a question.
            with contextlib.suppress(PredictionError):
                self._exchange(Message(facts))

        threading.Thread(target=load, name="warm predictor", daemon=True).start()

    def close(self) -> None:
        """Ends the process; the next request starts a new one."""
        with self._turns:
            self._end()

    def _exchange(self, question: Message) -> Message:
        with self._turns:
            connection = self._running()
            try:
                connection.settimeout(ANSWER_SECONDS)
                send(connection, question)
                answer = receive(connection, ANSWER_SECONDS)
            except TimeoutError as error:
                self._start()
                raise PredictionError(
                    _(
                        "The predictor took longer than {seconds:.0f} seconds and "
                        "was started anew: try again, with fewer or smaller images.",
                        seconds=ANSWER_SECONDS,
                    )
                ) from error
            except (EOFError, OSError, BrokenMessage) as error:
                self._start()
                raise PredictionError(
                    _(
                        "The predictor ended in the middle of this request and was "
                        "started anew: try again."
                    )
                ) from error
            except BaseException:
                # What is left of this answer must never be taken for the next one.
                self._end()
                raise
        if "error" in answer.facts:
            raise PredictionError(translate(str(answer.facts["error"])))
        return answer

    def _running(self) -> socket.socket:
        """The connection to a process that has loaded TensorFlow."""
        if self.state == "off":
            self._start()
        assert self._child is not None
        if not self._ready:
            try:
                receive(self._child.connection, START_SECONDS)
            except (TimeoutError, EOFError, OSError, BrokenMessage) as error:
                self._end()
                raise PredictionError(
                    _("The predictor could not start: see the log of the server.")
                ) from error
            self._ready = True
        return self._child.connection

    def _start(self) -> None:
        self._end()
        try:
            self._child = Child(
                self.command, tensorflow_environment(), stderr=self._stderr
            )
        except OSError as error:
            raise PredictionError(
                _(
                    "The predictor could not be started: {reason}. Wait until other "
                    "programs on the server have ended, and try again.",
                    reason=os_reason(error),
                )
            ) from error

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
        self._child, self._ready = None, False


@functools.cache
def shared() -> Predictor:
    """The one predictor of this process; nothing is started before the first request.

    Returns:
        The same object every time.
    """
    return Predictor()


def _predictions(
    answer: Message, facts: ModelFacts, calibration: tuple[Temperature | None, str]
) -> Iterator[Prediction]:
    """One prediction for each row of the answer's arrays.

    Args:
        answer: The predictor's.
        facts: The model's classes, and which of them is predicted.
        calibration: Its temperature, and why that cannot be used.
    """
    temperature, uncalibrated = calibration
    probabilities, *heatmaps = answer.arrays
    results, problem = _comparison(answer)
    for i, raw in enumerate(probabilities):
        yield Prediction(
            facts.class_names,
            raw,
            temperature,
            results[i] if results else None,
            heatmaps[0][i] if heatmaps else None,
            problem,
            uncalibrated,
            facts.threshold,
        )


def _comparison(answer: Message) -> tuple[list[OodResult], str]:
    """How each image stands to the training images, and why that is not known.

    None where that was not asked, or the run was trained by an older version.
    """
    results = msgspec.convert(answer.facts.get("ood", []), list[OodResult])
    return results, str(answer.facts.get("ood_problem", ""))


class _Turns:
    """A lock that is given in the order of asking; `threading.Lock` gives it to any."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        turn = threading.Event()
        with self._guard:
            self._waiting.append(turn)
            if len(self._waiting) == 1:
                turn.set()
        turn.wait()

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._waiting.popleft()
            if self._waiting:
                self._waiting[0].set()

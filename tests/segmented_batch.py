"""A batch of a segmentation that is worked on without a network: bright is a lesion."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medmodel.batch import jobs
from medmodel.inference import batch_prediction, prediction
from medmodel.runs import queue
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run


def outline_bright(patch: pytest.MonkeyPatch, model: Run) -> None:
    """Puts what is bright in place of the network of a segmentation."""

    def predict(_loaded: Any, pixels: np.ndarray) -> np.ndarray:
        bright = (pixels.max(axis=3) > 120).astype(np.float32)
        return np.stack([1 - bright, bright], axis=-1)

    loaded = SimpleNamespace(facts=model.model_facts, detector=None)
    patch.setattr(prediction, "load", lambda run: loaded)
    patch.setattr(prediction, "predict", predict)
    patch.setattr(queue, "ensure_worker", lambda store: None)


def work_off(model: Run, folder: Path | None = None) -> Run:
    """A batch of a folder, by default of the model's own images, done."""
    batch = jobs.submit(model, folder or Path(model.config.dataset))
    with StatusWriter(batch) as reporter:
        state = batch_prediction.work(batch, reporter)
        reporter.update(state=state, phase="finished")
    return batch

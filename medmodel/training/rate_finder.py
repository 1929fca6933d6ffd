"""Learning-rate finder: a short training whose learning rate rises until it fails.

Smith 2017, "Cyclical Learning Rates for Training Neural Networks", WACV, section 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

import keras
import numpy as np

from medmodel.core.storage import write_json
from medmodel.networks.pipeline import training_batches
from medmodel.networks.precision import FLOAT32
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.rate_tests.curve import (
    FEWEST,
    RATES,
    STEPS,
    RateTest,
    smoothed,
    suggested_rate,
)
from medmodel.runs.rate_tests.job import FILE
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus
from medmodel.training.context import TrainingContext
from medmodel.training.fitting import OPTIMIZERS, objective, start_network
from medmodel.training.train import prepare_context

_FAILED = 4.0
"""Times the lowest smoothed loss at which the rate is too high for certain."""
_WRITE_EVERY = 5
"""Steps between two points that the page sees."""


def find_rate(run: Run, reporter: StatusWriter) -> RunStatus:
    """Tries learning rates on a run's training images; nothing of it is kept.

    Writes rates.json after every few steps.

    Args:
        run: A run of the queue's rate tests, whose lock this process holds.
        reporter: Told how far it is; says when to stop.

    Raises:
        DataError: The data set cannot be used.
        Cancelled: Somebody asked to stop.
    """
    keras.utils.set_random_seed(run.config.seed)
    keras.config.set_dtype_policy(FLOAT32)
    context, _size = prepare_context(run, reporter)
    model = start_network(context)
    config = run.config
    clip = {"global_clipnorm": config.clip_norm} if config.clip_norm else {}
    loss, _metric = objective(context)
    model.compile(OPTIMIZERS[config.optimizer](RATES[0], **clip), loss=loss)
    losses = _losses(context, model)
    write_json(run.folder / FILE, _result(losses))
    return RunStatus.DONE


def _losses(context: TrainingContext, model: keras.Model) -> list[float]:
    """Loss of each step, as the rate rises from step to step; until it fails."""
    config, reporter = context.config, context.reporter
    batches = training_batches(
        context.samples("train"),
        config.batch_size,
        config.seed,
        config.augmentation,
        balanced=config.balanced_sampling,
        smoothing=config.label_smoothing,
    )
    losses: list[float] = []
    for images, labels, weights in islice(batches, STEPS):
        reporter.job.check()
        model.optimizer.learning_rate = RATES[len(losses)]
        model.reset_metrics()
        loss = float(model.train_on_batch(images, labels, sample_weight=weights))
        if not math.isfinite(loss):
            break
        losses.append(loss)
        if len(losses) % _WRITE_EVERY == 0:
            write_json(context.run.folder / FILE, _result(losses))
        reporter.progress("training", len(losses), STEPS)
        # A single step, of few images, may happen to be easy.
        averages = smoothed(losses)[FEWEST - 1 :]
        if averages and averages[-1] > _FAILED * min(averages):
            break
    return losses


def _result(losses: Sequence[float]) -> RateTest:
    rates = np.asarray(RATES[: len(losses)]).tolist()
    return RateTest(rates, list(losses), suggested_rate(losses))

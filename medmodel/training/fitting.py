"""Gradient descent: trains a network from scratch or fine-tunes a pretrained one."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from medmodel.core.config import TrainConfig
from medmodel.core.errors import Cancelled
from medmodel.networks.dice import DiceCrossEntropy, mean_dice
from medmodel.networks.fused_normalisation import fuse_normalisation
from medmodel.networks.models import build_model, freeze_for_fine_tuning
from medmodel.networks.multi_label import MeanAUC
from medmodel.networks.pipeline import (
    evaluation_batches,
    mix_up,
    steps_per_epoch,
    training_batches,
)
from medmodel.networks.unet import build_unet
from medmodel.training.averaged_weights import AveragedWeights
from medmodel.training.backup import Backup, remove_backup, restore
from medmodel.training.callbacks import (
    Best,
    BestCheckpoint,
    StatusCallback,
)
from medmodel.training.checkpoint import mark_trained, save_model
from medmodel.training.context import TrainingContext
from medmodel.training.multi_label.sigmoid_head import head_trainer
from medmodel.training.watching import WatchImages

HEAD_PASSES = 30
OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": functools.partial(keras.optimizers.SGD, momentum=0.9),
}
LOWEST = 0.01
"""Share of the learning rate that is left at the end of a schedule."""


def build(context: TrainingContext) -> keras.Model:
    """The network of the run's settings, with its initial weights, to be trained."""
    model = _initial(context)
    fuse_normalisation(model)
    return model


def _initial(context: TrainingContext) -> keras.Model:
    config = context.config
    if context.masks is not None:
        pretrained = config.training == "fine_tune"
        return build_unet(
            config.model,
            context.preprocessing,
            len(context.classes),
            pretrained,
            config.training_seed,
        )
    return build_model(
        config.model,
        context.preprocessing,
        len(context.classes),
        config.weights,
        config.training_seed,
        "sigmoid" if config.multi_label else "softmax",
    )


def fit(context: TrainingContext, strategy: tf.distribute.Strategy) -> None:
    """Trains and keeps the best model; goes on where an earlier attempt ended.

    Args:
        context: The run.
        strategy: On which devices.

    Raises:
        NotANumberError: The loss is no number any more.
        OSError: The disk is full or fails; an earlier best model is still there.
    """
    run, config = context.run, context.config
    steps = steps_per_epoch(context.samples("train"), config.batch_size)
    with strategy.scope():
        model = build(context)
        loss, metric = objective(context)
        if config.training == "fine_tune" and context.masks is None:
            freeze_for_fine_tuning(model)
        model.compile(
            optimizer=_optimizer(config, steps),
            loss=loss,
            metrics=[metric],
            # On processors XLA made small CNNs up to three times slower.
            jit_compile=False,
        )
        progress = restore(model, run)
    context.reporter.rewind(progress.step, progress.epoch)
    earlier = Best(progress.best_loss, progress.best_epoch)
    best = BestCheckpoint(context.reporter, _saver(context), config.patience, earlier)
    with contextlib.suppress(Cancelled):
        classifies = context.masks is None
        if config.training == "fine_tune" and classifies and not progress.epoch:
            _start_head(context, model, best)
        _descend(context, model, best, progress.epoch)
        mark_trained(run)
        remove_backup(run)


def _descend(
    context: TrainingContext, model: keras.Model, best: BestCheckpoint, finished: int
) -> None:
    """Trains from epoch `finished` on, counted from 0.

    Raises:
        Cancelled: Somebody asked to stop.
    """
    config, run, reporter = context.config, context.run, context.reporter
    if finished >= config.epochs or 0 < config.patience <= finished - best.epoch:
        return
    training = context.samples("train")
    steps = steps_per_epoch(training, config.batch_size)
    before = reporter.status.step
    planned = before + (config.epochs - finished) * steps
    status = StatusCallback(reporter, before, planned, config.metric)
    reporter.progress("training", 0, 0)
    reporter.update(steps=planned)
    sharp = functools.partial(_sharp_batches, context)
    averages = [AveragedWeights(sharp, reporter.job.check)] if config.ema else []
    try:
        model.fit(
            _batches(context, finished),
            steps_per_epoch=steps,
            epochs=config.epochs,
            initial_epoch=finished,
            validation_data=evaluation_batches(
                context.samples("val"), config.batch_size
            ),
            # The best first: a crash after it costs an epoch, never the better model.
            callbacks=[
                best,
                status,
                *([WatchImages(context, finished)] if _is_watched(context) else []),
                *averages,
                # After the averages: it goes on with the weights that are trained.
                Backup(run, status, best),
            ],
            shuffle=False,
            verbose=0,
        )
    except Cancelled:
        # Stopped before an epoch was validated: these few steps are all there is.
        if not run.model_path.exists() and status.step > before:
            for average in averages:
                average.on_test_begin()
            best.keep_unvalidated(model)
        raise


def _sharp_batches(context: TrainingContext) -> tf.data.Dataset:
    """Training images in an order of chance, unchanged: as what will be judged."""
    config = context.config
    return training_batches(
        context.samples("train"), config.batch_size, config.training_seed
    )


def _batches(context: TrainingContext, finished: int) -> tf.data.Dataset:
    """What is trained on, from epoch `finished` on, counted from 0."""
    config, training = context.config, context.samples("train")
    batches = training_batches(
        training,
        config.batch_size,
        config.training_seed,
        config.augmentation,
        finished,
        config.balanced_sampling,
        config.label_smoothing,
    )
    if not config.mixup:
        return batches
    first_step = finished * steps_per_epoch(training, config.batch_size)
    return mix_up(batches, config.mixup, config.training_seed, first_step)


def _is_watched(context: TrainingContext) -> bool:
    """Whether a few validation images are followed: those of one class each."""
    return context.masks is None and not context.config.multi_label


def _saver(context: TrainingContext) -> Callable[[keras.Model], None]:
    def save(model: keras.Model) -> None:
        save_model(
            context.run,
            model,
            context.classes,
            context.preprocessing,
            context.mask_values,
        )

    return save


def objective(
    context: TrainingContext,
) -> tuple[keras.losses.Loss, keras.metrics.Metric | str]:
    """Loss, and what is followed beside it."""
    if context.config.multi_label:
        return keras.losses.BinaryCrossentropy(), MeanAUC(len(context.classes))
    if context.masks is None:
        return keras.losses.CategoricalCrossentropy(), "accuracy"
    count = len(context.classes)
    return DiceCrossEntropy(count), mean_dice(count)


def _optimizer(config: TrainConfig, steps: int) -> keras.optimizers.Optimizer:
    """With its learning rate; clips gradients and averages weights if asked to."""
    asked: dict[str, Any] = {}
    if config.clip_norm:
        asked["global_clipnorm"] = config.clip_norm
    if config.ema:
        asked |= {"use_ema": True, "ema_momentum": config.ema}
    return OPTIMIZERS[config.optimizer](learning_rates(config, steps), **asked)


def learning_rates(
    config: TrainConfig, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Warms up for at most an epoch, then falls as the settings say.

    Args:
        config: The settings.
        steps: Of an epoch.
    """
    total = config.epochs * steps
    warm = min(steps, total // 10)
    rate = config.learning_rate
    if config.schedule == "exponential":
        return WarmUp(rate, warm, LOWEST ** (1 / max(total - warm, 1)))
    return keras.optimizers.schedules.CosineDecay(
        rate / 10 if warm else rate,
        decay_steps=max(total - warm, 1),
        # Falling to the whole is not falling.
        alpha=1.0 if config.schedule == "constant" else LOWEST,
        warmup_target=rate if warm else None,
        warmup_steps=warm,
    )


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises to the learning rate, then falls by the same factor in every step.

    Args:
        rate: The highest learning rate.
        warm: Steps until then; it begins with a tenth.
        factor: Of each later step, at most 1.
    """

    def __init__(self, rate: float, warm: int, factor: float) -> None:
        super().__init__()
        self.rate, self.warm, self.factor = rate, warm, factor

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step, counted from 0."""
        step = keras.ops.cast(step, "float32")
        rising = 0.1 + 0.9 * step / max(self.warm, 1)
        falling = keras.ops.power(self.factor, keras.ops.maximum(step - self.warm, 0.0))
        return self.rate * keras.ops.where(step < self.warm, rising, falling)

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {"rate": self.rate, "warm": self.warm, "factor": self.factor}


def start_network(context: TrainingContext) -> keras.Model:
    """The network as gradient descent begins with it.

    Raises:
        Cancelled: Somebody asked to stop.
    """
    model = build(context)
    if context.config.training == "fine_tune" and context.masks is None:
        freeze_for_fine_tuning(model)
        solve_head(context, model)
    return model


def _start_head(
    context: TrainingContext, model: keras.Model, best: BestCheckpoint
) -> None:
    """Solves the last layer, and keeps the network if no epoch is better.

    Raises:
        Cancelled: Somebody asked to stop.
    """
    solve_head(context, model)
    batches = evaluation_batches(context.samples("val"), context.config.batch_size)
    metrics = model.evaluate(batches, verbose=0, return_dict=True)
    best.offer(model, 0, float(metrics["loss"]))


def solve_head(context: TrainingContext, model: keras.Model) -> None:
    """Solves the last layer on what the pretrained network gives it.

    A random last layer would send large, senseless gradients through all others.

    Raises:
        Cancelled: Somebody asked to stop.
    """
    dense, reporter = model.layers[-1], context.reporter
    backbone = keras.Model(model.input, dense.input)
    compute = tf.function(lambda pixels: backbone(pixels, training=False))
    rows = np.concatenate([context.rows("train"), context.rows("val")])
    rows = np.random.default_rng(context.config.seed).permutation(rows)
    trainer = head_trainer(context, dense.input.shape[-1])
    size = context.config.batch_size
    for start in range(0, len(rows), size):
        chosen = np.sort(rows[start : start + size])
        pixels = tf.constant(context.prepared.pixels[chosen])
        trainer.add_features(chosen, tf.cast(compute(pixels), tf.float32).numpy())
        reporter.progress("features", start + len(chosen), len(rows))
        reporter.job.check()
    reporter.update(step=trainer.step)
    head, _ = trainer.solve(HEAD_PASSES)
    dense.set_weights(list(head.dense_weights))

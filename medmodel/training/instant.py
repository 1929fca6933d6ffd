"""Recipe "Instant": a softmax head on the features of a frozen network.

That network is EfficientNet-Lite0, the same with EfficientNet-Lite2 beside it, or an
encoder of the weights folder.

While features are still being computed the head already learns from those that are
there; that is the first epoch. Each later epoch is one pass over all features.
"""

from __future__ import annotations

import contextlib

import numpy as np

from medmodel.core.errors import Cancelled
from medmodel.inference.encoder_network import frozen_model, frozen_network
from medmodel.inference.prediction import write_usual
from medmodel.networks.features import extract
from medmodel.runs.progress.watched import append_scores
from medmodel.training.checkpoint import mark_trained, save_model
from medmodel.training.context import TrainingContext
from medmodel.training.multi_label.sigmoid_head import head_trainer
from medmodel.training.refit import (
    earlier_layer,
    epochs_of,
    strengths_of,
    write_changes,
    write_review_scores,
    write_strength,
)
from medmodel.training.softmax_head import SoftmaxHead
from medmodel.training.watching import begin_watching


def train_instant(context: TrainingContext) -> None:
    """Trains and saves the model; when stopped, that of what was learned until then.

    Raises:
        OSError: The disk is full or fails.
    """
    network = frozen_network(context.run, context.preprocessing)
    earlier = earlier_layer(context)
    count = len(earlier[0]) if earlier else network.count
    trainer = head_trainer(context, count, strengths_of(context))

    def learn(rows: np.ndarray, computed: np.ndarray) -> None:
        trainer.add_features(rows, computed[:, :count])

    # Features that were there before a stop may already make a model.
    features = None
    with contextlib.suppress(Cancelled):
        features = extract(
            context.prepared,
            context.preprocessing,
            on_batch=learn,
            job=context.reporter.job,
            network=network,
        )
    multi_label = context.config.multi_label
    rows = np.zeros(0, int) if multi_label else begin_watching(context, 0)

    def watch(epoch: int, head: SoftmaxHead) -> None:
        if trainer.has_features(rows):
            append_scores(context.run, epoch, trainer.scores(head, rows).tolist())

    head = trainer.train_epochs(epochs_of(context), watch)
    if head is not None:
        if not multi_label:
            write_review_scores(context, trainer, head)
            write_strength(context.run, head)
            if earlier and features is not None:
                write_changes(context, features[:, :count], earlier, head)
        head = head.widened(network.count)
        if not context.config.encoder:
            write_usual(context.run, {0: head.mean})
        model = frozen_model(
            context.run,
            context.preprocessing,
            *head.dense_weights,
            "sigmoid" if multi_label else "softmax",
        )
        save_model(context.run, model, context.classes, context.preprocessing)
        if not context.reporter.stop_requested:
            mark_trained(context.run)
